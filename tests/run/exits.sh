#!/bin/bash
# SPDX-License-Identifier: MIT
# Each kind of failure: its exit status, and one line on standard error that names what it is about.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
perisco=$B/perisco
unset "${!PERISCO_@}"
status=0

# expect STATUS WORDS COMMAND...: WORDS are in the only line that begins with "perisco: "; empty: there is none
expect() {
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
echo 'this is no capture, is it' >"$work/text"

expect 0 '' "$perisco" replay "$work/one.pcap"
expect 0 '' "$perisco" replay "$work/empty.pcap"
expect 0 '' "$perisco" help
expect 0 '' "$perisco" replay --help
expect 0 '' "$perisco" --version
expect 2 '' "$perisco"
expect 2 "'nonsense' is no command" "$perisco" nonsense
expect 2 "'--nonsense'" "$perisco" replay --nonsense
expect 2 '--count' "$perisco" replay -n 0 "$work/one.pcap"
expect 2 "PERISCO_COUNT: 'x'" env PERISCO_COUNT=x "$perisco" replay "$work/one.pcap"
expect 2 'port' "$perisco" replay -f 'port port' "$work/one.pcap"
expect 2 'nonsense' "$perisco" replay -o nonsense "$work/one.pcap"
expect 2 "one.pcap' is being read" "$perisco" replay -w "$work/one.pcap" "$work/one.pcap"
expect 2 "one.pcap' is being read" "$perisco" replay -o "json:$work/one.pcap" "$work/one.pcap"
expect 3 "$work/none" "$perisco" replay "$work/none"
expect 3 "$work" "$perisco" replay "$work"
expect 3 "$work/text" "$perisco" replay "$work/text"
expect 4 "$work/cut.pcap" "$perisco" replay "$work/cut.pcap"
expect 7 "$work/none/x" "$perisco" replay -o "json:$work/none/x" "$work/one.pcap"
expect 7 "$work/none/x" "$perisco" replay -w "$work/none/x" "$work/one.pcap"
expect 7 '/dev/full' "$perisco" replay -w /dev/full "$work/one.pcap"
expect 0 "'PERISCO_CUONT' in the environment" env PERISCO_CUONT=1 "$perisco" replay "$work/one.pcap"

"$perisco" help >/dev/full
[ $? = 7 ] || { echo "help to a full disk" && status=1; }

# the summary: said when all went well and when the file was broken, not when it is not wanted
"$perisco" replay "$work/one.pcap" 2>&1 | grep -qx '0 lost' || { echo "no summary" && status=1; }
"$perisco" replay "$work/cut.pcap" 2>&1 | grep -qx '0 exchanges' || { echo "no summary of a broken file" && status=1; }
[ -z "$("$perisco" replay -q -o null "$work/one.pcap" 2>&1)" ] || { echo "a quiet run that talks" && status=1; }
exit $status
