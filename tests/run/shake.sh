#!/bin/bash
# SPDX-License-Identifier: MIT
# Reassembly is invisible: each conversation gives the same records however its segments are cut, reordered and doubled. One
# whose records do depend on that says so in a line "# not shaken: why".
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset "${!PERISCO_@}"
status=0
fail() {
	echo "$*"
	status=1
}

# Exchanges of several connections may end in another order, so lines are sorted. A replay that hangs is ended.
records() {
	timeout -s KILL 20 "$B/perisco" replay -q -o json "$1" | sort
}

shaken() {
	"$B/pcap-shake" "$@" "$work/as-is.pcapng" "$work/shaken.pcapng" 2>"$work/err" || fail "pcap-shake $*: $(cat "$work/err")"
	records "$work/shaken.pcapng" | cmp -s "$work/want" - || fail "$name: other records after pcap-shake $*"
}

for talk in tests/pcaps/*.talk; do
	name=$(basename "$talk" .talk)
	grep -q '^# not shaken: ' "$talk" && continue
	"$B/pcap-make" "$talk" "$work/as-is.pcapng" || fail "$name: cannot be made"
	records "$work/as-is.pcapng" >"$work/want"
	for n in 1 3 16 40; do
		shaken --split $n
		shaken --split-once $((n + 1))
	done
	for seed in 1 2 3; do
		shaken -s $seed -r .5 -k 4
		shaken -s $seed -d .5
		shaken -s $seed -r .4 -d .2 -k 12 --split 7
	done
done

# the same seed gives the same bytes, another one does not
for seed in 1 1 2; do
	"$B/pcap-shake" -s $seed -r .5 -d .3 -l .1 --split 9 "$work/as-is.pcapng" - 2>/dev/null | cksum
done | uniq -c | awk '{ n[NR] = $1 } END { exit !(NR == 2 && n[1] == 2) }' || fail "a seed is no seed"

# a script that makes no sense: the line and what is wrong with it
printf 'conn 10.0.0.1:1 -> 10.0.0.2:80\nsay hello\n' | "$B/pcap-make" - "$work/x.pcap" 2>"$work/err" && fail "pcap-make accepts nonsense"
grep -q "^pcap-make: -:2: 'say' is no statement" "$work/err" || fail "pcap-make says: $(cat "$work/err")"
exit $status
