#!/bin/bash
# SPDX-License-Identifier: MIT
# By each hook, at ports of a bridge and at routed veths: every exchange once, nothing lost, nothing left behind.
. tests/live/common perisco-att
head -c 3000000 /dev/urandom >"$work/file"

round() { # HOOK
	watch --hook "$1" -v
	grep -q "attached to its way out by $1" "$work/err" || fail "not attached by $1"
	get http://10.77.2.2/hello http://10.77.2.2/hello -o /dev/null
	get 'http://[fd77:2::2]/hello'
	get http://10.77.2.2/file
	get -T "$work/file" http://10.77.2.2/up/
	watched
	expect "$1: exchanges" "$(exchanges true)" 5
	expect "$1: exchanges over IPv6" "$(exchanges '.ip.ipVersion == 2')" 1
	expect "$1: bytes down" "$(exchanges '.l7.response.Record.Http.body_bytes == 3000000')" 1
	expect "$1: bytes up" "$(exchanges '.l7.request.Record.Http.body_bytes == 3000000')" 1
	expect "$1: exchanges with something missing" "$(exchanges .missing)" 0
	grep -qx '0 lost' "$work/err" || fail "$1: something was lost"
	on host tc qdisc show | grep -q clsact && fail "$1: a clsact qdisc was left behind"
}

for mode in bridge routed; do
	scripts/netns del "$host"
	scripts/netns add "$host" $mode
	serve
	cp "$work/file" "$work/www/file"
	for hook in $(hooks); do
		round "$hook"
	done
	ip netns pids "$host-b" | xargs -r kill -9
	wait
done

# One device that is named, another one that is not; lo, where each packet passes twice.
serve
watch -i "$host-b"
get http://10.77.2.2/hello
watched
expect "interface" "$(jq -r .iface.name "$work/out")" "$host-b"
on host python3 -m http.server --directory "$work/www" 8000 >/dev/null 2>&1 &
until_ 10 on host curl -sf -o /dev/null http://127.0.0.1:8000/ || fail "no server on lo"
watch -v -i 'l?'
grep -q 'lo: attached to its way out' "$work/err" && fail "attached to both ways of lo"
on host curl -s -o /dev/null http://127.0.0.1:8000/
watched
expect "exchanges on lo" "$(exchanges '.iface.name == "lo"')" 1
pass
