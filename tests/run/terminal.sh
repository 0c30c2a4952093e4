#!/bin/bash
# SPDX-License-Identifier: MIT
# Text on a terminal: colours there and nowhere else, and lines that fit, also when it gets another width.
. tests/run/common
. scripts/talk

for talk in tests/pcaps/*.talk; do
	talk_make "$(basename "$talk" .talk)"
	echo "$capture"
done >"$work/captures"
for i in {0..3}; do
	"$B/pcap-make" - "$work/$i.pcap" <<END
conn 10.0.0.1:$((1000 + i)) -> 10.0.0.2:80
c| GET /$(printf '%0300d' 0) HTTP/1.1
c|
s| HTTP/1.1 200 OK
s| Content-Length: 0
s|
END
done
xargs timeout 550 python3 tests/run/terminal.py "$B/perisco" "$work" <"$work/captures" || status=1
exit $status
