#!/bin/bash
# SPDX-License-Identifier: MIT
# Others' filters keep their place, their verdicts and their qdiscs; a run that was killed leaves nothing that stays.
. tests/live/common perisco-mix
serve

filters() {
	for way in ingress egress; do
		on host tc filter show dev "$host-a" $way
	done
}

ours() {
	filters | grep -c 'perisco\.'
}

qdiscs() {
	on host tc qdisc show | grep -c clsact
}

# A filter that drops what goes to port 81, and lets all else pass without asking the next one.
cat >"$work/foreign.c" <<-END
	#include <linux/bpf.h>
	__attribute__((section("tc"), used)) int foreign(struct __sk_buff *skb)
	{
		unsigned char *p = (void *)(long)skb->data;

		if (p + 54 > (unsigned char *)(long)skb->data_end)
			return 0;
		return p[12] == 8 && p[13] == 0 && p[23] == 6 && p[36] == 0 && p[37] == 81 ? 2 : 0;
	}
END
clang -O2 -target bpf -I"/usr/include/$(uname -m)-linux-gnu" -c -o "$work/foreign.o" "$work/foreign.c" ||
	skip "no clang for BPF"

foreign() { # WAY PRIO
	on host tc filter add dev "$host-a" "$1" prio "$2" handle 7 bpf da obj "$work/foreign.o" sec tc ||
		fail "cannot add a filter"
}

traffic() { # HOOK
	get http://10.77.2.2/hello || fail "$1: what others let pass does not pass"
	get --max-time 1 http://10.77.2.2:81/hello && fail "$1: what others drop passes"
}

for hook in $(hooks); do
	on host tc qdisc add dev "$host-a" clsact
	foreign ingress 1
	foreign egress 7
	before=$(filters)
	watch --hook "$hook" -i "$host-a"
	traffic "$hook"
	watched
	expect "$hook: exchanges" "$(exchanges '.l7.request and .l7.response')" 1
	expect "$hook: others' filters" "$(filters)" "$before"
	expect "$hook: clsact qdiscs" "$(qdiscs)" 1
	on host tc qdisc del dev "$host-a" clsact
done

# At our own priority, of another kind: ours comes behind, and says so.
on host tc qdisc add dev "$host-a" clsact
on host tc filter add dev "$host-a" ingress prio 1 protocol ip u32 match ip dport 81 0xffff flowid 1:1
watch --hook tc
grep -q 'may hide packets' "$work/err" || fail "nothing is said of a filter in front of ours"
watched
on host tc qdisc del dev "$host-a" clsact

# The older ingress qdisc has no way out.
on host tc qdisc add dev "$host-a" ingress
watch --hook tc
grep -q "$host-a: .*ingress qdisc" "$work/err" || fail "nothing is said of an ingress qdisc"
get http://10.77.2.2/hello
watched
on host tc qdisc show dev "$host-a" | grep -q ingress || fail "an ingress qdisc was removed"
expect "exchanges beside an ingress qdisc" "$(exchanges true)" 1
on host tc qdisc del dev "$host-a" ingress

# Two runs see the same, and the first one's end takes nothing from the second.
watch --hook tc
first=$watcher
mv "$work/out" "$work/out1"
watch
get http://10.77.2.2/hello
expect "filters of the first run, while a second one runs" "$(ours)" 2
sleep 0.2
kill -INT "$first"
wait "$first"
get http://10.77.2.2/hello
watched
expect "exchanges of the second run" "$(exchanges true)" 2
mv "$work/out1" "$work/out"
expect "exchanges of the first run" "$(exchanges true)" 1
expect "filters of both runs, when they are over" "$(ours)" 0

# Killed: the next one cleans up, qdisc included.
watch --hook tc
kill -KILL "$watcher"
wait "$watcher" 2>/dev/null
expect "filters of a run that was killed" "$(ours)" 2
watch -v
expect "filters of a dead run, after the next one began" "$(ours)" 0
expect "qdiscs of a dead run, after the next one began" "$(qdiscs)" 0
grep -q 'a run that was killed' "$work/err" || fail "nothing is said of the run that was killed"
watched
pass
