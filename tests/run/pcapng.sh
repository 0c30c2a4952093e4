#!/bin/bash
# SPDX-License-Identifier: MIT
# pcapng for those who read it: tshark and capinfos have nothing to complain of, and find the same exchanges; comments tie packets to
# records; names are there; a pipe is read as it is written; and files are shared out as tcpdump does it.
. tests/run/common
. scripts/talk
command -v tshark tcpdump capinfos dumpcap >/dev/null || { echo "no tshark, tcpdump, capinfos or dumpcap" && exit 77; }

replay() {
	"$B/perisco" replay -q "$@"
}

# sound FILE: nobody complains
sound() {
	capinfos -M "$1" >/dev/null 2>"$work/err" || fail "capinfos ${1##*/}: $(cat "$work/err")"
	tshark -n -r "$1" >/dev/null 2>"$work/err" || fail "tshark ${1##*/}: $(cat "$work/err")"
	! grep -v 'Running as user' "$work/err" || fail "tshark ${1##*/}: complains"
}

# packets FILE: how many
packets() {
	capinfos -Tmrc "$1" | cut -d, -f2
}

# fields FILE FILTER FIELD...
fields() {
	local file=$1 filter=$2
	shift 2
	tshark -n -r "$file" -Y "$filter" -T fields "${@/#/-e}" 2>/dev/null
}

# --- packets and records, and what tshark makes of them ---

for talk in tests/pcaps/*.talk; do
	name=$(basename "$talk" .talk)
	talk_make "$name"
	replay -o "json:$work/$name.json" "${options[@]}" -w "$work/$name.pcapng" "$capture" || fail "$name: -w"
done
capinfos -M "$work"/*.pcapng >/dev/null 2>"$work/err" || fail "capinfos: $(cat "$work/err")"
for name in one-sided-loss link-sll2 ip-fragments two-points vlan garbage h2-get; do
	sound "$work/$name.pcapng"
done

# The same packets, by what tshark reads in them: each with the exchanges that it has bytes of.
for name in keep-alive pipelining chunked-trailers interim interleaved retransmission ipv6 large-head h2-interleaved h2-trailers \
	h2-continuation h2-padding h2-push h2-interim grpc-unary grpc-streams; do
	tests/run/pcapng.py "$work/$name.pcapng" "$work/$name.json" || fail "$name: comments are not what tshark reads"
done

# Shaken without loss, the comments still lead to records, and to all of them.
for seed in 1 2; do
	for name in pipelining h2-interleaved grpc-streams; do
		"$B/pcap-shake" -s $seed --reorder 0.3 --double 0.1 --split 40 "$B/pcaps/$name.pcap" "$work/shaken.pcap" 2>"$work/err" ||
			fail "shake: $(head -1 "$work/err")"
		replay -o "json:$work/shaken.json" -w "$work/shaken.pcapng" "$work/shaken.pcap"
		fields "$work/shaken.pcapng" 'frame.comment contains "exchange="' frame.comment |
			sed 's/flow_id=//' | awk -F, '{for (i = 2; i <= NF; i++) print $1 "," $i}' | sort -u >"$work/told"
		jq -r '[.flow_id, "exchange=\(.exchange)"] | join(",")' "$work/shaken.json" | sort -u | cmp - "$work/told" ||
			fail "$name shaken by $seed: comments and records differ"
	done
done

# A packet that ends the wait for bytes which never came does not get what waited for them.
{
	echo 'conn 10.0.0.1:1001 -> 10.0.0.2:80'
	printf 'c| GET /%d HTTP/1.1\nc|\n' 1 2 3
	printf 's| HTTP/1.1 200 OK\ns| Content-Length: 5\ns|\nwait 1ms\nlost\ns> "aaaaa"\n'
	printf 'wait 1ms\ns| HTTP/1.1 204 /%d\ns|\n' 2 3
	printf 'wait 1ms\nc| GET /%d HTTP/1.1\nc|\n' {4..73}
} | "$B/pcap-make" - "$work/lost.pcap"
replay -o "json:$work/lost.json" -w "$work/lost.pcapng" "$work/lost.pcap"
[ "$(wc -l <"$work/lost.json")" = 73 ] || fail "lost: $(wc -l <"$work/lost.json") records"
fields "$work/lost.pcapng" 'tcp.srcport == 1001 && frame.comment contains "exchange="' frame.comment | sed 's/^[^,]*,//' >"$work/told"
head -1 "$work/told" | grep -qx 'exchange=1,exchange=2,exchange=3' || fail "lost: $(head -1 "$work/told")"
sed 1d "$work/told" | grep , && fail "lost: a packet of one exchange has more"

# Selected connections have comments too, although their packets have waited.
replay -o null --status 2xx -w "$work/selected.pcapng" "$B/pcaps/pipelining.pcap"
fields "$work/selected.pcapng" tcp frame.comment >"$work/selected"
fields "$work/pipelining.pcapng" tcp frame.comment | cmp - "$work/selected" || fail "selected packets have other comments"

# Packets before and behind address translation are of one connection, whichever of them its records are of.
"$B/pcap-make" - "$work/nat.pcapng" <<'END'
conn near 10.0.0.1:51234 -> 10.96.0.1:80 mid
conn far 10.0.0.1:51234 -> 10.0.0.2:8080 mid
iface veth1 5 c
near.c| GET / HTTP/1.1
near.c|
iface veth2 6 s
far.c| GET / HTTP/1.1
far.c|
far.s| HTTP/1.1 204 No Content
far.s|
iface veth1 5 c
near.s| HTTP/1.1 204 No Content
near.s|
END
for vantage in both server; do
	for select in "" "--status 2xx"; do
		# shellcheck disable=SC2086
		replay -o "json:$work/nat.json" --vantage $vantage $select -w "$work/nat.out.pcapng" "$work/nat.pcapng"
		fields "$work/nat.out.pcapng" tcp frame.comment | sed 's/,exchange=1$//' | sort -u >"$work/told"
		[ "$(packets "$work/nat.out.pcapng")" = "$(packets "$work/nat.pcapng")" ] || fail "$vantage $select: not all packets"
		jq -r '"flow_id=\(.flow_id)"' "$work/nat.json" | cmp - "$work/told" || fail "$vantage $select: comments are of another connection"
	done
done

# All fragments of a datagram are there as they came, and the one that makes it whole has the comments.
[ "$(packets "$B/pcaps/ip-fragments.pcap")" = "$(packets "$work/ip-fragments.pcapng")" ] ||
	fail "fragments: another number of packets"
fields "$work/ip-fragments.pcapng" 'ip.flags.mf == 1 && frame.comment' frame.number | grep . && fail "fragments: a first one has a comment"
fields "$work/ip-fragments.pcapng" 'ip.frag_offset > 0 && frame.comment contains "exchange=1"' frame.number | grep -q . ||
	fail "fragments: no last one has a comment"

# --- names ---

"$B/pcap-make" - "$work/names.pcap" <<'END'
conn 10.0.0.1:1001 -> 10.0.0.2:80
c| GET / HTTP/1.1
c| Host: Shop.Example.com:8080
c|
s| HTTP/1.1 200 OK
s| Content-Length: 0
s|
c| GET / HTTP/1.1
c| Host: also.example.com
c|
s| HTTP/1.1 200 OK
s| Content-Length: 0
s|
c| GET / HTTP/1.1
c| Host: 10.0.0.9
c|
s| HTTP/1.1 200 OK
s| Content-Length: 0
s|
conn [fd00::1]:1002 -> [fd00::2]:80
c| GET / HTTP/1.1
c| Host: six
c|
s| HTTP/1.1 204 No Content
s|
conn 10.0.0.1:1003 -> 10.0.0.3:80
c| GET / HTTP/1.1
c| Host: nobody.example.com
c|
s| HTTP/1.1 404 Not Found
s| Content-Length: 0
s|
END
replay -o null -w "$work/names.pcapng" "$work/names.pcap"
sound "$work/names.pcapng"
tshark -r "$work/names.pcapng" -q -z hosts 2>/dev/null | grep -v '^#' | awk NF | sort | tr '\t\n' '= ' >"$work/hosts"
[ "$(cat "$work/hosts")" = "10.0.0.2=shop.example.com fd00::2=six " ] || fail "names: $(cat "$work/hosts")"
tshark -N n -r "$work/names.pcapng" -Y 'ip.dst == 10.0.0.2' -T fields -e ip.dst_host 2>/dev/null | grep -q '^shop.example.com$' ||
	fail "tshark -N n does not use the names"

# --- pipes ---

replay -w - "$work/names.pcap" | tcpdump -nr - 2>/dev/null | wc -l >"$work/n"
packets "$work/names.pcap" | cmp - "$work/n" || fail "tcpdump -r - has read other packets"
replay -w - "$B/pcaps/two-points.pcapng" >"$work/two.pcapng"
sound "$work/two.pcapng"
cmp "$work/two.pcapng" "$work/two-points.pcapng" || fail "standard output is another file"
tcpdump -nr "$work/two.pcapng" 2>"$work/err" | wc -l >"$work/n"
packets "$work/two.pcapng" | cmp - "$work/n" || fail "tcpdump -r of two interfaces: $(cat "$work/err")"
replay -w - "$work/names.pcap" | dumpcap -q -i - -w "$work/dumped.pcapng" 2>"$work/err" || fail "dumpcap -i -: $(cat "$work/err")"
fields "$work/names.pcapng" tcp frame.time_epoch tcp.payload >"$work/a"
fields "$work/dumped.pcapng" tcp frame.time_epoch tcp.payload | cmp - "$work/a" || fail "dumpcap -i - has read other packets"
expect "/dev/stdout is pcap" "$(replay -o null -w /dev/stdout "$work/names.pcap" | od -An -tx4 -N4)" " a1b23c4d"

# --- files ---

"$B/bench-make" small 5 "$work/big.pcap" || fail "bench-make"

# counts DIRECTORY: files, and their packets
counts() {
	(cd "$1" && capinfos -Tmrc -- * | sort)
}

# as_tcpdump NAME OPTION...
as_tcpdump() {
	local file=$1
	shift
	rm -rf "$work/theirs" "$work/ours"
	mkdir "$work/theirs" "$work/ours"
	tcpdump -Z root -r "$work/big.pcap" -w "$work/theirs/$file" "$@" 2>/dev/null || fail "tcpdump $*"
	replay -o null -w "$work/ours/$file" "$@" "$work/big.pcap" || fail "replay -w $file $*"
	[ "$(counts "$work/theirs")" = "$(counts "$work/ours")" ] ||
		fail "$file $*: $(diff <(counts "$work/theirs") <(counts "$work/ours") | head -5)"
}
as_tcpdump x.pcap -C 1
[ "$(counts "$work/ours" | wc -l)" -gt 4 ] || fail "-C 1 has made $(counts "$work/ours" | wc -l) files"
as_tcpdump x.pcap -C 2 -W 2
as_tcpdump x.pcap -C 1 -W 3
as_tcpdump x.pcap -C 1 -W 1
as_tcpdump x.pcap -C 1 -W 10
as_tcpdump x.pcap -C 1 -W 11
as_tcpdump x.pcap -C 1 -W 1000
as_tcpdump x -C 1 -G 1000000
as_tcpdump x -C 1 -G 1000000 -W 3
as_tcpdump x%Y -C 1
as_tcpdump x.pcap -G 1000000
as_tcpdump x.pcap -G 1000000 -W 2

# Of pcapng each file stands for itself, and all together are the whole.
rm -rf "$work/ours"
mkdir "$work/ours"
replay -o "json:$work/whole.json" -w "$work/ours/x.pcapng" -C 1 "$work/big.pcap" || fail "-C 1 pcapng"
for file in "$work"/ours/*; do
	sound "$file"
	capinfos -M "$file" | grep -q 'Number of stat entries = 1' || fail "${file##*/}: no statistics"
done
replay -o json "$work"/ours/* | cmp - "$work/whole.json" || fail "rotated files give other records"
exit $status
