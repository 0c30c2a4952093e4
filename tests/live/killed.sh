#!/bin/bash
# SPDX-License-Identifier: MIT
# Killed under load, again and again: pods lose nothing, and after the next start nothing is left of what was.
. tests/live/common perisco-kil
command -v bpftool >/dev/null || PATH=$PATH:/usr/sbin
serve

left() { # programs and maps of perisco in the kernel, and filters and qdiscs in the namespace
	bpftool prog list | grep -c 'name perisco_\|name gate'
	bpftool map list | grep -c 'name halves\|name tallies'
	for end in a b; do
		on host tc filter show dev "$host-$end" ingress
		on host tc filter show dev "$host-$end" egress
	done | grep -c filter
	on host tc qdisc show | grep -c clsact
	on host ip link show | grep -c xdp
}

before=$(left)
gone() { # there may be less than before: what others left, the kernel frees when it comes to it
	paste <(left) <(echo "$before") | awk '$1 > $2 { more = 1 } END { exit more }'
}

for hook in $(hooks) $(xdp); do
	ip netns exec "$host-a" wrk -t 1 -c 8 -d 200s --timeout 20s http://10.77.2.2/hello >"$work/wrk" &
	load=$!
	kills=0
	end=$((SECONDS + ${SECONDS_OF_LOAD:-5}))
	while [ $SECONDS -lt $end ] || [ $kills -lt 3 ]; do
		: >"$work/err"
		ip netns exec "$host" "$perisco" watch --hook "$hook" -f 'tcp port 80' -o null 2>"$work/err" &
		victim=$!
		until_ 10 begun "$work/err" || fail "$hook: watch does not begin"
		sleep 0.1
		kill -9 $victim
		wait $victim 2>/dev/null
		kills=$((kills + 1))
	done
	kill -INT $load || fail "$hook: the load ended before"
	wait $load
	! grep -q 'Socket errors' "$work/wrk" || fail "$hook: $(grep 'Socket errors' "$work/wrk")"
	served # or an answer to what the load asked last comes while we watch
	watch --hook "$hook"
	get http://10.77.2.2/hello
	watched
	expect "$hook: exchanges after $kills kills" "$(exchanges true)" 1
	until_ 10 gone || fail "$hook: left behind after $kills kills: $(left) instead of $before"
done
pass
