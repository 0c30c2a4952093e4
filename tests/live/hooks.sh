#!/bin/bash
# SPDX-License-Identifier: MIT
# The same traffic by each hook gives the same exchanges, and a file of its packets gives the same records again.
. tests/live/common perisco-hks routed
serve
head -c 3000000 /dev/urandom >"$work/www/file"
printf 'hello\n' >"$work/www/hello2"
on host python3 -m http.server --directory "$work/www" 8000 >/dev/null 2>&1 &
until_ 10 on host curl -sf -o /dev/null http://127.0.0.1:8000/hello2 || fail "no server on the host"

traffic() {
	get http://10.77.2.2/hello http://10.77.2.2/none -o /dev/null
	get 'http://[fd77:2::2]/hello'
	get http://10.77.2.2/file
	get -T "$work/www/file" http://10.77.2.2/up/file
	get --http2-prior-knowledge http://10.77.2.2:82/hello
	on host curl -sf -o /dev/null http://10.77.2.2/hello2
	on host curl -sf -o /dev/null http://127.0.0.1:8000/hello2
}

# What does not change from run to run: neither times nor the client's port, and so not the server's date, nor how long HPACK makes it.
what='def same: if type == "object" then del(.latency_ns, .duration_ns, .after_ns, .ts, .client_port, .flow_id) | map_values(same)
			| if .protocol == "HTTP/2.0" then del(.wire_bytes) else . end
	elif type == "array" then map(select((type == "object" and .key | ascii_downcase? == "date") | not) | same) else . end;
	select(.l7) | same'

round() { # NAME WATCH-OPTIONS...
	watch -w "$work/$1.pcapng" -i "lo,$host-a,$host-b" "${@:2}"
	traffic
	watched
	grep -qx '0 lost' "$work/err" || fail "$1: something was lost"
	"$perisco" replay -q -o json "$work/$1.pcapng" >"$work/replayed"
	diff "$work/out" "$work/replayed" >"$work/err.replay" || fail "$1: replayed, its packets give other records"
	jq -cS "$what" "$work/out" >"$work/$1.json"
}

get -T "$work/www/file" http://10.77.2.2/up/file # later it is not created any more
round auto --hook auto
expect "exchanges" "$(exchanges true)" 8
expect "exchanges with something missing" "$(exchanges .missing)" 0
for hook in $(hooks) $(xdp) packet; do
	round "$hook" --hook "$hook"
	diff "$work/auto.json" "$work/$hook.json" >"$work/err.diff" || fail "$hook: other exchanges"
done

# A filter that the kernel runs, and then we: directions and tags are what they are with the others.
for hook in $(hooks) $(xdp) packet; do
	watch --hook "$hook" -f 'port 80 and not ip6'
	traffic
	watched
	expect "$hook: filtered exchanges" "$(exchanges true)" 5
	watch --hook "$hook" -i "$host-a" -f 'inbound'
	get http://10.77.2.2/hello
	watched
	expect "$hook: requests on the way in" "$(exchanges '.l7.request and (.l7.response | not)')" 1
done
pass
