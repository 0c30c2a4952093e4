#!/bin/bash
# SPDX-License-Identifier: MIT
# perisco between other programs: pipes that stay open, readers that go away, signals, packets to standard output.
. tests/run/common
perisco=$B/perisco

"$B/pcap-make" - "$work/two.pcap" <<'END'
conn 10.0.0.1:1001 -> 10.0.0.2:80
c| GET /good HTTP/1.1
c|
s| HTTP/1.1 200 OK
s| Content-Length: 0
s|
fin c
fin s
conn 10.0.0.1:1002 -> 10.0.0.2:80
c| GET /bad HTTP/1.1
c|
s| HTTP/1.1 503 Service Unavailable
s| Content-Length: 0
s|
fin c
fin s
END
"$perisco" replay -q -o json "$work/two.pcap" >"$work/two.json"
[ "$(wc -l <"$work/two.json")" = 2 ] || fail "two exchanges are $(wc -l <"$work/two.json") records"

# standard input is a file like any other
"$perisco" replay -q -o json - <"$work/two.pcap" | cmp "$work/two.json" - || fail "standard input gives other records"

# packets to standard output, and back in
"$perisco" replay -q -w - "$work/two.pcap" | "$perisco" replay -q -o json - | cmp "$work/two.json" - || fail "packets through a pipe"

# the packets of selected exchanges only, whole connections
"$perisco" replay -q -o null --status 5xx -w "$work/bad.pcapng" "$work/two.pcap"
"$perisco" replay -q -o json "$work/bad.pcapng" >"$work/bad.json"
grep /bad "$work/two.json" | cmp - "$work/bad.json" || fail "--status 5xx -w wrote other packets"

# a reader that has gone is no error, and nothing to talk about
mkfifo "$work/pipe"
exec 4<>"$work/pipe" 5>"$work/pipe" 4>&-
"$perisco" replay -o json "$work/two.pcap" >&5 2>"$work/err"
got=$?
exec 5>&-
if [ $got != 0 ] || [ -s "$work/err" ]; then
	fail "a reader that has gone: $got, $(cat "$work/err")"
fi

# a full disk is one
"$perisco" replay -o json:/dev/full -q "$work/two.pcap" 2>"$work/err"
got=$?
if [ $got != 7 ] || ! grep -q '/dev/full.*No space left' "$work/err"; then
	fail "a full disk: exit status $got, $(cat "$work/err")"
fi

# a file that ends in the middle gives all its records, then the complaint
head -c -10 "$work/two.pcap" >"$work/cut.pcap"
"$perisco" replay -q -o json "$work/cut.pcap" 2>/dev/null | cmp - "$work/two.json" || fail "records of a cut file"

# on an open pipe records come when they are due, and a signal ends the run as the end of the input would
has_two() {
	[ "$(wc -l <"$work/out")" = 2 ]
}
for signal in INT TERM; do
	: >"$work/out" # the records of the one before are none of this one
	"$perisco" replay -o json - <"$work/pipe" >"$work/out" 2>"$work/err" &
	pid=$!
	exec 3>"$work/pipe"
	cat "$work/two.pcap" >&3
	until_ 10 has_two
	cmp "$work/two.json" "$work/out" || fail "records of an open pipe"
	kill -$signal $pid
	wait $pid
	got=$?
	if [ $got != 0 ] || ! grep -qx '0 lost' "$work/err"; then
		fail "SIG$signal: exit status $got, $(cat "$work/err")"
	fi
	exec 3>&-
done

# -n is enough to end it
"$perisco" replay -q -n 1 -o json - <"$work/pipe" >"$work/out" &
pid=$!
exec 3>"$work/pipe"
cat "$work/two.pcap" >&3
wait $pid
head -n 1 "$work/two.json" | cmp - "$work/out" || fail "one exchange of two"
exec 3>&-
exit $status
