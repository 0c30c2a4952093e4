#!/bin/bash
# SPDX-License-Identifier: MIT
# Segments of more than 64 KiB (BIG TCP): what was captured is what was sent, in well-formed packets of at most 32 KiB.
. tests/live/common perisco-big
for end in "$host $host-a" "$host $host-b" "$host-a eth0" "$host-b eth0"; do
	# shellcheck disable=SC2086
	set -- $end
	ip -n "$1" link set "$2" gso_max_size 200000 gro_max_size 200000 2>/dev/null || skip "no BIG TCP here"
done
serve
head -c 4000000 /dev/urandom >"$work/www/file"

# For each direction of each connection of a pcap file, the hash of the last 4,000,000 bytes that were sent.
cat >"$work/tails.py" <<-END
	import hashlib, struct, sys
	data, streams, at = open(sys.argv[1], "rb").read(), {}, 24
	while at < len(data):
	    n = struct.unpack_from("<I", data, at + 8)[0]
	    p, at = data[at + 16:at + 16 + n], at + 16 + n
	    v6 = p[12:14] == b"\x86\xdd"
	    tcp = 54 if v6 else 34
	    length = struct.unpack_from("!H", p, 18 if v6 else 16)[0]
	    assert p[20 if v6 else 23] == 6 and len(p) == length + (54 if v6 else 14) <= 32768, p[:80]
	    seq, offset, flags = struct.unpack_from("!IxxxxBB", p, tcp + 4)
	    half = p[22:54] if v6 else p[26:34], p[tcp:tcp + 4]
	    if flags & 2:
	        streams[half] = seq + 1, bytearray()
	    start, stream = streams[half]
	    payload, place = p[tcp + (offset >> 4) * 4:], seq - start & 0xffffffff
	    if payload:
	        stream.extend(bytes(max(0, place + len(payload) - len(stream))))
	        stream[place:place + len(payload)] = payload
	for start, stream in streams.values():
	    print(hashlib.sha256(stream[-4000000:]).hexdigest())
END
sent=$(sha256sum <"$work/www/file" | cut -d ' ' -f 1)

for hook in $(hooks); do
	: >"$work/big"
	on host tcpdump -q -B 65536 -s 100 -c 5 -i "$host-b" 'greater 65536' >/dev/null 2>"$work/big" &
	until_ 10 grep -q listening "$work/big" || fail "tcpdump does not begin"
	served # or the end of a connection comes without its beginning
	watch --hook "$hook" -w "$work/packets.pcap"
	get 'http://[fd77:2::2]/file'
	get http://10.77.2.2/file
	get -T "$work/www/file" 'http://[fd77:2::2]/up/'
	watched
	expect "$hook: exchanges" "$(exchanges true)" 3
	expect "$hook: exchanges with something missing" "$(exchanges .missing)" 0
	python3 "$work/tails.py" "$work/packets.pcap" >"$work/tails" 2>"$work/err" ||
		fail "$hook: a packet is not well formed"
	expect "$hook: files found in the packets" "$(grep -c "$sent" "$work/tails")" 3
done

# A packet socket gives them whole.
watch --hook packet
get 'http://[fd77:2::2]/file'
get http://10.77.2.2/file
watched
expect "packet: exchanges" "$(exchanges '.l7.response.Record.Http.body_bytes == 4000000')" 2
expect "packet: exchanges with something missing" "$(exchanges .missing)" 0
grep -q '^5 packets captured' "$work/big" || skip "no segment was larger than 64 KiB"
pass
