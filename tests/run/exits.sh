#!/bin/bash
# SPDX-License-Identifier: MIT
# Each kind of failure: its exit status, and one line on standard error that names what it is about.
. tests/run/common
perisco=$(realpath "$B/perisco")

# ends STATUS WORDS COMMAND...: WORDS are in the only line that begins with "perisco: "; empty: there is none
ends() {
	local want=$1 words=$2 got=0 lines
	shift 2
	"$@" >"$work/out" 2>"$work/err" || got=$?
	lines=$(grep -c '^perisco: ' "$work/err")
	if [ $got != "$want" ] || [ "$lines" != $((${#words} > 0)) ] || ! { cat "$work/err" && echo; } | grep -qF -- "$words"; then
		echo "$*: exit status $got instead of $want, or not '$words':"
		cat "$work/err"
		status=1
	fi
}

# an Ethernet capture of one packet that is no IP; `cut` ends in the middle of it
printf '\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0' >"$work/empty.pcap"
{
	cat "$work/empty.pcap"
	printf '\0\0\0\0\0\0\0\0\x0e\0\0\0\x0e\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x12\x34'
} >"$work/one.pcap"
head -c 44 "$work/one.pcap" >"$work/cut.pcap"
{
	cat "$work/one.pcap"
	for _ in {1..50}; do tail -c 30 "$work/one.pcap"; done
} >"$work/many.pcap"
echo 'this is no capture, is it' >"$work/text"

ends 0 '' "$perisco" replay "$work/one.pcap"
ends 0 '' "$perisco" replay "$work/empty.pcap"
ends 0 '' "$perisco" help
ends 0 '' "$perisco" replay --help
ends 0 '' "$perisco" --version
ends 2 '' "$perisco"
ends 2 "'nonsense' is no command" "$perisco" nonsense
ends 2 "'--nonsense'" "$perisco" replay --nonsense
ends 2 '--count' "$perisco" replay -n 0 "$work/one.pcap"
ends 2 "PERISCO_COUNT: 'x'" env PERISCO_COUNT=x "$perisco" replay "$work/one.pcap"
ends 2 'port' "$perisco" replay -f 'port port' "$work/one.pcap"
ends 2 'nonsense' "$perisco" replay -o nonsense "$work/one.pcap"
ends 2 "one.pcap' is being read" "$perisco" replay -w "$work/one.pcap" "$work/one.pcap"
ends 2 "one.pcap' is being read" "$perisco" replay -o "json:$work/one.pcap" "$work/one.pcap"
ends 2 "one.pcap' is being read" "$perisco" replay -w "$work/one.pcap" - <"$work/one.pcap"
ends 2 "one.pcap' is being read" "$perisco" replay -o "json:$work/one.pcap" - <"$work/one.pcap"

# packets never go where records go, whichever of the two makes more files of its name
cd "$work" || exit 1
both="two outputs cannot both write to"
ends 2 "$both 'x'" "$perisco" replay -o json:x -w x one.pcap
ends 2 "$both './x'" "$perisco" replay -o json:x -w ./x one.pcap
ends 2 "$both 'x1'" "$perisco" replay -o json:x1 -w x -C 1 -W 3 one.pcap
ends 2 "$both 'x.2'" "$perisco" replay -o json:x?size=1M -w "x.2" one.pcap
ln -sf x y
ends 2 "$both 'y'" "$perisco" replay -o json:x -w y one.pcap
ends 2 "$both '/dev/stdout'" sh -c '"$0" replay -w /dev/stdout one.pcap >x' "$perisco"
ends 2 "$both 'x1'" "$perisco" replay -o json:x1 -w x -C 1k many.pcap
ends 7 "$both 'x00'" "$perisco" replay -o json:x00 -w x%S -G 1 one.pcap
ends 0 '' "$perisco" replay -o json:x?size=1M -w x.6 one.pcap

# nor do records, and what is there is as it was
echo old | tee a a.1 >a.2
ends 2 "$both ./a.2:" "$perisco" replay -o text:a?every=1h -o json:./a.2 one.pcap
expect "a file that two wanted" "$(cat a.2)" old
ends 2 "$both a.2:" "$perisco" replay -o json:a.2 -o json:a?size=1M one.pcap
ends 2 "$both a.1.zst:" "$perisco" replay -o json:a.1.zst -o 'json:a.zst?size=1M&keep=1' one.pcap
ends 0 '' "$perisco" replay -o 'json:a?size=1M&keep=1' -o json:a.2 one.pcap
"$perisco" replay -w z -C 1k -W 2 many.pcap 2>"$work/err"
grep -qx "'z': 51 packets" "$work/err" || fail "packets in files that are written anew: $(cat "$work/err")"
cd - >/dev/null || exit 1

ends 3 "$work/none" "$perisco" replay "$work/none"
ends 3 "$work" "$perisco" replay "$work"
ends 3 "$work/text" "$perisco" replay "$work/text"
ends 4 "$work/cut.pcap" "$perisco" replay "$work/cut.pcap"
ends 7 "$work/none/x" "$perisco" replay -o "json:$work/none/x" "$work/one.pcap"
ends 7 "$work/none/x" "$perisco" replay -w "$work/none/x" "$work/one.pcap"
ends 7 '/dev/full' "$perisco" replay -w /dev/full "$work/one.pcap"
ends 7 '0 packets, since it could not be written' "$perisco" replay -w /dev/full "$work/one.pcap"
ends 0 "'PERISCO_CUONT' in the environment" env PERISCO_CUONT=1 "$perisco" replay "$work/one.pcap"

"$perisco" help >/dev/full
[ $? = 7 ] || { echo "help to a full disk" && status=1; }

# the summary: said when all went well and when the file was broken, not when it is not wanted
"$perisco" replay "$work/one.pcap" 2>&1 | grep -qx '0 lost' || { echo "no summary" && status=1; }
"$perisco" replay "$work/cut.pcap" 2>&1 | grep -qx '0 exchanges' || { echo "no summary of a broken file" && status=1; }
[ -z "$("$perisco" replay -q -o null "$work/one.pcap" 2>&1)" ] || { echo "a quiet run that talks" && status=1; }
exit $status
