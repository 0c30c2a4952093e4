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

# Programs that drop what goes to port 81, or comes from there, and let all else pass: one does not ask the next one, one does.
cat >"$work/foreign.c" <<-END
	#include <linux/bpf.h>
	__attribute__((section("tc"), used)) int foreign(struct __sk_buff *skb)
	{
		unsigned char *p = (void *)(long)skb->data;

		if (p + 54 > (unsigned char *)(long)skb->data_end)
			return REST;
		return p[12] == 8 && p[13] == 0 && p[23] == 6 && !p[36] && (p[37] == 81 || (!p[34] && p[35] == 81)) ? 2 : REST;
	}
END
for rest in pass=0 next=-1; do
	clang -O2 -g -target bpf -DREST=${rest#*=} -I"/usr/include/$(uname -m)-linux-gnu" -c -o "$work/${rest%=*}.o" "$work/foreign.c" ||
		skip "no clang for BPF"
done
cc -o "$work/tcx" tests/live/tcx.c -lbpf || skip "no libbpf"

foreign() { # WAY PRIO HANDLE
	on host tc filter add dev "$host-a" "$1" prio "$2" handle "$3" bpf da obj "$work/pass.o" sec tc || fail "cannot add a filter"
}

traffic() { # HOOK
	get http://10.77.2.2/hello || fail "$1: what others let pass does not pass"
	get --max-time 0.3 http://10.77.2.2:81/hello && fail "$1: what others drop passes"
}

for hook in $(hooks); do
	on host tc qdisc add dev "$host-a" clsact
	foreign ingress 1 7
	foreign ingress 1 0x5eed
	foreign egress 7 7
	before=$(filters)
	watch --hook "$hook" -i "$host-a"
	traffic "$hook"
	watched
	expect "$hook: exchanges" "$(exchanges '.l7.request and .l7.response')" 1
	expect "$hook: others' filters" "$(filters)" "$before"
	expect "$hook: clsact qdiscs" "$(qdiscs)" 1
	on host tc qdisc del dev "$host-a" clsact
done

# A filter that comes while we watch stays when we go, and so does its qdisc, though we made it.
watch --hook tc -i "$host-a"
foreign egress 1 7
foreign ingress 1 0x5eef
traffic "a filter that came"
watched
expect "a filter that came: exchanges" "$(exchanges .l7.request)" 0
expect "filters of others" "$(filters | grep -c 'pass.o')" 2
expect "our filters beside them" "$(ours)" 0
traffic "a filter that stays"
on host tc qdisc del dev "$host-a" clsact

# Somebody took our qdisc away and made one of his own: that is not ours.
watch --hook tc -i "$host-a"
on host tc qdisc del dev "$host-a" clsact
on host tc qdisc add dev "$host-a" clsact
watched
expect "another one's empty qdisc" "$(qdiscs)" 1
on host tc qdisc del dev "$host-a" clsact

# TCX programs in front of ours and behind: what they drop is dropped, what they let pass passes. Only what one in front keeps to
# itself is not seen.
tcx() { # OBJECT WAY PLACE
	: >"$work/tcx.$2"
	ip netns exec "$host" "$work/tcx" "$work/$1.o" "$host-a" "$2" "$3" >"$work/tcx.$2" 2>/dev/null &
	others+=($!)
	until_ 5 grep -q there "$work/tcx.$2" || fail "no TCX program"
}

beside_tcx() { # HOOK OBJECT PLACE SEEN
	others=()
	[ "$3" = first ] || tcx "$2" in "$3"
	watch --hook "$1" -i "$host-a"
	[ "$3" != first ] || tcx "$2" in "$3"
	traffic "$1, TCX program $2 $3"
	tcx "$2" out "$3"
	traffic "$1, TCX programs $2 $3"
	watched
	traffic "$1, TCX programs $2 $3 alone"
	expect "$1, TCX programs $2 $3: exchanges" "$(exchanges '.l7.request and .l7.response')" "$4"
	kill "${others[@]}"
	wait "${others[@]}"
}
if hooks | grep -q tcx; then
	beside_tcx tcx pass last 2
	beside_tcx tcx next first 2
	beside_tcx tcx pass first 0
	beside_tcx tc next last 2
fi

# XDP programs of others, at one end: they drop what goes to port 81. Theirs stays and ours goes elsewhere, or ours is the
# first and theirs is refused. What TC programs see behind is the same, whole Ethernet frames.
cat >"$work/xdp.c" <<-END
	#include <linux/bpf.h>
	__attribute__((section("xdp"), used)) int foreign(struct xdp_md *ctx)
	{
		unsigned char *p = (void *)(long)ctx->data;

		if (p + 54 > (unsigned char *)(long)ctx->data_end)
			return XDP_PASS;
		return p[12] == 8 && p[13] == 0 && p[23] == 6 && p[36] == 0 && p[37] == 81 ? XDP_DROP : XDP_PASS;
	}
END
clang -O2 -target bpf -I"/usr/include/$(uname -m)-linux-gnu" -c -o "$work/xdp.o" "$work/xdp.c" || fail "cannot build for XDP"

attach_xdp() {
	ip -n "$host" link set dev "$host-a" xdpgeneric obj "$work/xdp.o" sec xdp 2>"$work/err.xdp"
}

xdp_id() {
	ip -n "$host" -d link show dev "$host-a" | grep -o 'prog/xdp id [0-9]*'
}

if [ "$(xdp)" ] && attach_xdp; then
	before=$(xdp_id)
	watch --hook xdp -v
	grep -q "$host-a: no xdp, but tcx\? for its way in: another XDP program is there: foreign" "$work/err" ||
		fail "nothing is said of another XDP program"
	grep -q "$host-b: attached to its way in by xdp, generic" "$work/err" || fail "no XDP where there is no other program"
	traffic "beside XDP"
	watched
	expect "exchanges beside another XDP program" "$(exchanges '.l7.request and .l7.response')" 1
	expect "the other XDP program" "$(xdp_id)" "$before"
	ip -n "$host" link set dev "$host-a" xdpgeneric off

	on host tc qdisc add dev "$host-a" clsact
	foreign ingress 1 7
	watch --hook xdp
	attach_xdp && fail "another XDP program took the place of ours"
	ip -n "$host" link set dev "$host-a" xdpgeneric off 2>/dev/null && fail "our XDP program was taken off"
	traffic "behind XDP"
	watched
	expect "exchanges with XDP in front of others" "$(exchanges '.l7.request and .l7.response')" 1
	expect "XDP programs, when it is over" "$(xdp_id)" ''
	on host tc qdisc del dev "$host-a" clsact
	attach_xdp || fail "no XDP program can be attached when ours is gone"
	ip -n "$host" link set dev "$host-a" xdpgeneric off
fi

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

# Runs by each hook see the same, and the first one's end takes nothing from the second.
watch --hook packet
third=$watcher
mv "$work/out" "$work/out3"
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
kill -INT "$third"
wait "$third"
mv "$work/out3" "$work/out"
expect "exchanges of the run with a packet socket" "$(exchanges true)" 2
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
