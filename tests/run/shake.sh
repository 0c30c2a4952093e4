#!/bin/bash
# SPDX-License-Identifier: MIT
# What scripts/shake leaves out since bytes are missing gives the same records too, however its segments are cut, reordered and
# doubled. One whose records do depend on that says so in a line "# not shaken: why".
. tests/run/common
scripts/shake --list >"$work/shaken"

# With sanitizers, which are five times as slow, fewer: what is compared is the same.
case $B in
*/san) splits="1 16" seeds=1 ;;
*) splits="1 3 16 40" seeds="1 2 3" ;;
esac

# Exchanges of several connections may end in another order, so lines are sorted. A replay that hangs is ended.
records() {
	timeout -s KILL 60 "$B/perisco" replay -q -o json "$1" | sort
}

shaken() {
	"$B/pcap-shake" "$@" "$one/as-is.pcapng" "$one/shaken.pcapng" 2>"$one/err" || fail "pcap-shake $*: $(cat "$one/err")"
	records "$one/shaken.pcapng" | cmp -s "$one/want" - || fail "$name: other records after pcap-shake $*"
}

shake() { # TALK: its status is whether all is well
	one=$work/$BASHPID
	mkdir "$one"
	name=$(basename "$1" .talk)
	"$B/pcap-make" "$1" "$one/as-is.pcapng" || fail "$name: cannot be made"
	records "$one/as-is.pcapng" >"$one/want"
	for n in $splits; do
		shaken --split $n
		shaken --split-once $((n + 1))
	done
	for seed in $seeds; do
		shaken -s $seed -r .5 -k 4
		shaken -s $seed -d .5
		shaken -s $seed -r .4 -d .2 -k 12 --split 7
	done
	rm -r "$one"
	return $status
}

running=0
for talk in tests/pcaps/*.talk; do
	grep -q '^# not shaken: ' "$talk" && continue
	grep -qx "$(basename "$talk" .talk)" "$work/shaken" && continue
	shake "$talk" &
	if [ $((++running)) -gt "$(nproc)" ]; then
		wait -n || status=1
	fi
done
for ((; running > 0; running--)); do
	wait -n || { [ $? != 127 ] && status=1; }
done
"$B/pcap-make" tests/pcaps/keep-alive.talk "$work/as-is.pcapng"

# the same seed gives the same bytes, another one does not
for seed in 1 1 2; do
	"$B/pcap-shake" -s $seed -r .5 -d .3 -l .1 --split 9 "$work/as-is.pcapng" - 2>/dev/null | cksum
done | uniq -c | awk '{ n[NR] = $1 } END { exit !(NR == 2 && n[1] == 2) }' || fail "a seed is no seed"

# a script that makes no sense: the line and what is wrong with it
printf 'conn 10.0.0.1:1 -> 10.0.0.2:80\nsay hello\n' | "$B/pcap-make" - "$work/x.pcap" 2>"$work/err" && fail "pcap-make accepts nonsense"
grep -q "^pcap-make: -:2: 'say' is no statement" "$work/err" || fail "pcap-make says: $(cat "$work/err")"
exit $status
