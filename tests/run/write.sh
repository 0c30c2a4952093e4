#!/bin/bash
# SPDX-License-Identifier: MIT
# What -w writes: all packets, which give the same records when they are replayed; or the whole connections of the exchanges that
# were selected, in which tshark finds those exchanges.
. tests/run/common
. scripts/talk

replay() {
	"$B/perisco" replay -q "$@"
}

# again NAME FILE: the records of what is written to FILE are those of the original
again() {
	replay -o "json:$work/before" "${options[@]}" -w "$2" "$capture" || fail "$1: -w ${2##*/}"
	replay -o json "${options[@]}" "$2" >"$work/after" || fail "$1: replay of ${2##*/}"
	diff -u "$work/before" "$work/after" || fail "$1: written to ${2##*/} it is not the same"
}

for talk in tests/pcaps/*.talk; do
	name=$(basename "$talk" .talk)
	talk_make "$name"
	again "$name" "$work/x.pcapng"
	grep -q '^iface ' "$talk" || again "$name" "$work/x.pcap"
done

# Three connections with an error somewhere and one without; their packets come mixed.
"$B/pcap-make" - "$work/all.pcap" <<'END'
conn a 10.0.0.1:1001 -> 10.0.0.2:80
conn b 10.0.0.1:1002 -> 10.0.0.2:80
conn c 10.0.0.1:1003 -> 10.0.0.2:80
conn d [fd00::1]:1004 -> [fd00::2]:80

a.c| GET /a1 HTTP/1.1
a.c|
b.c| GET /b1 HTTP/1.1
b.c|
c.c| GET /c1 HTTP/1.1
c.c|
d.c| GET /d1 HTTP/1.1
d.c|
a.s| HTTP/1.1 200 OK
a.s| Content-Length: 3000
a.s|
a.s> "a" * 3000
b.s| HTTP/1.1 404 Not Found
b.s| Content-Length: 0
b.s|
c.s| HTTP/1.1 502 Bad Gateway
c.s| Content-Length: 4000
c.s|
c.s> "c" * 4000
d.s| HTTP/1.1 200 OK
d.s| Transfer-Encoding: chunked
d.s|
d.s| 3
d.s| abc
d.s| 0
d.s|
a.c| GET /a2 HTTP/1.1
a.c|
a.s| HTTP/1.1 503 Service Unavailable
a.s| Content-Length: 0
a.s|
d.c| GET /d2 HTTP/1.1
d.c|
d.s| HTTP/1.1 200 OK
d.s| Content-Length: 0
d.s|
d.c| GET /d3 HTTP/1.1
d.c|
d.s| HTTP/1.1 500 Internal Server Error
d.s| Content-Length: 0
d.s|
on a
fin c
fin s
on b
fin c
fin s
on c
fin s
fin c
on d
fin c
fin s
END
replay -o "json:$work/wanted" --status 5xx -w "$work/errors.pcapng" "$work/all.pcap" || fail "--status 5xx -w"
replay -o json --status 5xx "$work/errors.pcapng" | cmp "$work/wanted" - || fail "what was selected is not in what was written"
grep -o '"url":"[^"]*"' "$work/wanted" | sort | tr '\n' ' ' | grep -qx '"url":"/a2" "url":"/c1" "url":"/d3" ' || fail "selected: $(cat "$work/wanted")"

# What came in IP fragments is written as the datagram: at the begin of a file, too, that does not decide of its link type.
for link in ethernet sll; do
	{
		printf 'link %s\nconn 10.0.0.1:51234 -> 10.0.0.2:80 mid\n' $link
		for i in {1..20}; do
			printf 'fragment 24\nc| GET /%d HTTP/1.1\nc| Host: example.com\nc|\n\n' $i
			printf 's| HTTP/1.1 200 OK\ns| Content-Length: 0\ns|\n\n'
		done
	} | "$B/pcap-make" - "$work/cut.pcap" || fail "$link: no capture"
	for turns in "" "-C 1k"; do
		replay -o "json:$work/wanted" --status 200 $turns -w "$work/whole.pcap" "$work/cut.pcap" || fail "$link, fragments, -w $turns"
		expect "$link, fragments, -w $turns: records" "$(wc -l <"$work/wanted")" 20
		files=$(ls -v "$work"/whole.pcap*)
		replay -o json $files | cmp "$work/wanted" - || fail "$link, fragments, -w $turns: written it is not the same"
		rm $files
	done
done

# Captures of different link types do not fit into one pcap file: that ends the run only when it has no other use.
printf 'link null\nconn 10.0.0.1:51234 -> 10.0.0.2:80\n%s' $'c| GET / HTTP/1.1\nc|\n' | "$B/pcap-make" - "$work/null.pcap"
printf 'conn 10.0.0.1:51234 -> 10.0.0.2:80\n%s' $'c| GET / HTTP/1.1\nc|\n' | "$B/pcap-make" - "$work/ether.pcap"
misfit="a packet of link type 0 does not fit into '$work/x.pcap', whose link type is 1; name a file that ends in .pcapng"
replay -o null -w "$work/x.pcap" "$work/ether.pcap" "$work/null.pcap" 2>"$work/err"
expect "two link types, packets alone: the exit status" $? 7
expect "two link types, packets alone" "$(cat "$work/err")" "perisco: $misfit"
replay -o "json:$work/others" -w "$work/x.pcap" "$work/ether.pcap" "$work/null.pcap" 2>"$work/err"
expect "two link types: the exit status" $? 7
expect "two link types" "$(head -1 "$work/err")" "perisco: packets are dropped: $misfit"
[ -s "$work/others" ] || fail "two link types: no record"

if ! command -v tshark >/dev/null; then
	[ $status != 0 ] || { echo "no tshark, so nobody but perisco has read it" && exit 77; }
	exit $status
fi

# shown FILTER FIELD...: what tshark shows in the file
shown() {
	local filter=$1
	shift
	tshark -n -r "$work/errors.pcapng" -Y "$filter" -T fields -E separator=' ' "${@/#/-e}" 2>"$work/err" | sort | tr '\n' ' '
}

# wanted WHAT IS
wanted() {
	[ "$1" = "$2" ] || fail "tshark shows '$2' instead of '$1' $(cat "$work/err")"
}
wanted "/a1 /a2 /c1 /d1 /d2 /d3 " "$(shown http.request http.request.uri)"
wanted "200 /a1 200 /d1 200 /d2 500 /d3 502 /c1 503 /a2 " "$(shown http.response http.response.code http.response_for.uri)"
wanted "1001 1003 1004 " "$(shown 'tcp.flags.syn == 1 && tcp.flags.ack == 0' tcp.srcport)"
wanted "" "$(shown 'tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || _ws.malformed' frame.number)"
exit $status
