#!/bin/bash
# SPDX-License-Identifier: MIT
# Packets do not notice: the same ones, sent with perisco there and without, take the same way and arrive with the same bytes,
# in the same order, with the same notes of the kernel (tag, checksum, segmentation); and root qdiscs stay what they are.
. tests/live/common perisco-pth
for end in "$host $host-a" "$host $host-b" "$host-a eth0" "$host-b eth0" "$host $host-br"; do
	# shellcheck disable=SC2086
	set -- $end
	ip netns exec "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1" # or it would say something now and then
done

# Frames with a virtio_net_hdr in front: what a NIC would be asked to do with them.
cat >"$work/send.py" <<-'END'
	import os, random, socket, struct
	os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}) # moved to another CPU, it might overtake what waits on this one
	out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	out.setsockopt(263, 15, 1) # SOL_PACKET, PACKET_VNET_HDR
	out.bind(("eth0", 0))
	pack, host, rand = struct.pack, socket.inet_aton, random.Random(4)
	macs = bytes.fromhex("020000000002020000000001")
	def checksum(data):
	    n = sum(struct.unpack("!%dH" % (len(data) // 2), data + bytes(len(data) % 2) if len(data) % 2 == 0 else data[:-1])) + (data[-1] << 8 if len(data) % 2 else 0)
	    while n >> 16:
	        n = (n & 0xffff) + (n >> 16)
	    return ~n & 0xffff
	def ip(proto, data, more=0, options=b"", tos=0, ttl=64, number=7):
	    n = 20 + len(options)
	    head = pack("!BBHHHBBH", 0x40 + n // 4, tos, n + len(data), number, more, ttl, proto, 0) + host("10.77.1.9") + host("10.77.2.9") + options
	    return head[:10] + pack("!H", checksum(head)) + head[12:] + data
	def ip6(proto, data):
	    return pack("!IHBB", 6 << 28 | 0x12345, len(data), proto, 64) + socket.inet_pton(socket.AF_INET6, "fd77:1::9") + socket.inet_pton(socket.AF_INET6, "fd77:2::9") + data
	def tcp(seq, data=b"", flags=0x18, options=b"", sport=40000, urgent=0, sum=0xbeef):
	    return pack("!HHIIBBHHH", sport, 80, seq, 1, (20 + len(options)) // 4 << 4, flags, 512, sum, urgent) + options + data
	def udp(port, data):
	    return pack("!HHHH", 40001, port, 8 + len(data), 0xdead) + data
	plain = bytes(10)
	sent = 0
	def send(kind, data, vnet=plain):
	    global sent
	    sent += 1
	    out.send(vnet + macs + pack("!H", kind) + data)
	# all options there are: MSS, scale, SACK, time stamps, fast open, MD5, AO, unknown
	syn = bytes.fromhex("020405b4 0103030a 0402 080a0000000100000000")
	for options in (syn + b"\1\1", b"\x22\x0a" + b"cookie!!" + b"\1\1", b"\x13\x12" + bytes(16) + b"\1\1",
	                b"\x1d\x10" + bytes(14), b"\xfd\x08abcdef", b"\x05\x12" + bytes(16) + b"\1\1", bytes(40)):
	    for flags in 0x02, 0x12, 0x18, 0x10, 0xd8, 0x14, 0x11, 0x38:
	        send(0x800, ip(6, tcp(1000, b"" if flags & 2 else b"GET / HTTP/1.1\r\n\r\n", flags, options, 40100 + flags, 5 if flags & 0x20 else 0)))
	        send(0x86dd, ip6(6, tcp(1000, b"" if flags & 2 else b"GET / HTTP/1.1\r\n\r\n", flags, options, 40100 + flags)))
	get = b"GET /path HTTP/1.1\r\n\r\n"
	t = tcp(1, get)
	for f in ((0x800, ip(6, t, options=b"\1\1\1\0")), (0x800, ip(6, t, tos=0xfc, ttl=1)), (0x800, ip(6, t) + b"padding"), (0x800, ip(6, t)[:30]),
	          (0x86dd, ip6(0, b"\6\0\1\4\0\0\0\0" + t)), (0x86dd, ip6(44, b"\6\0\0\1\0\0\0\7" + t)), (0x86dd, ip6(43, b"\6\0\0\0\0\0\0\0" + t)),
	          (0x8100, pack("!HH", 5 | 3 << 13, 0x800) + ip(6, t)), (0x8100, pack("!HH", 6, 0x86dd) + ip6(6, t)),
	          (0x88a8, pack("!HHHH", 7, 0x8100, 5, 0x800) + ip(6, t)), (0x800, ip(6, t, 0x2000)), (0x800, ip(6, bytes(1400), 0x2003)),
	          (0x800, ip(6, bytes(9), 178)), (0x800, ip(6, b"", 0x4000)), (0x8847, pack("!I", 100 << 12 | 0x140) + ip(6, t)),
	          (0x800, ip(4, ip(6, t))), (0x800, ip(47, pack("!HH", 0, 0x800) + ip(6, t))), (0x800, ip(132, bytes(40))),
	          (0x800, ip(17, udp(4789, bytes(8) + macs + b"\x08\0" + ip(6, t)))), (0x800, ip(17, udp(53, get))), (0x86dd, ip6(17, udp(443, get))),
	          (0x800, ip(17, udp(7, bytes(1400)), 0x2000)), (0x800, ip(17, bytes(100), 177)), (0x800, ip(1, b"\10\0\0\0" + get)),
	          (0x86dd, ip6(58, b"\x80\0\0\0\0\1\0\1" + get)), (0x806, bytes(28)), (0x888, get), (0x88cc, bytes(60)), (4, b"\xaa\xaa\3" + bytes(60)), (0x800, b"")):
	    send(*f)
	# a partial checksum; segments that are still whole; and so a body, out of order and again, that perisco will not want
	send(0x800, ip(6, tcp(1, get, sum=0x1234)), pack("<BBHHHH", 1, 0, 0, 0, 34, 16))
	send(0x86dd, ip6(6, tcp(1, get, sum=0x1234)), pack("<BBHHHH", 1, 0, 0, 0, 54, 16))
	gso = pack("<BBHHHH", 1, 1, 54, 1448, 34, 16)
	send(0x800, ip(6, tcp(99, flags=2, sport=80)))
	head = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n"
	send(0x800, ip(6, tcp(100, head, sport=80)))
	places = [100 + len(head) + i * 60000 for i in range(50)]
	places = places[:5] + places[6:7] + places[5:] + places[8:9]
	for number, seq in enumerate(places):
	    send(0x800, ip(6, tcp(seq, rand.randbytes(60000), 0x10, sport=80), number=number), gso)
	send(0x800, ip(6, tcp(places[-2] + 60000, b"HTTP/1.1 204 No Content\r\n\r\n", 0x19, sport=80)))
	send(0x9999, b"end")
	print(sent)
END
cat >"$work/receive.py" <<-'END'
	import hashlib, socket, struct
	s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
	s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20) # SO_RCVBUFFORCE
	s.setsockopt(263, 15, 1)
	s.setsockopt(263, 8, 1) # PACKET_AUXDATA
	s.bind(("eth0", 3))
	s.settimeout(20)
	print("ready", flush=True)
	end = False
	while not end:
	    data, notes, *_ = s.recvmsg(1 << 18, 256)
	    vnet, frame = data[:10], data[10:]
	    if frame[6:12] != bytes.fromhex("020000000001"):
	        continue
	    status, n, _, _, _, tci, tpid = struct.unpack("IIIHHHH", notes[0][2])
	    end = frame[12:] == b"\x99\x99end"
	    print(vnet.hex(), status, n, tci, tpid, len(frame), frame[:54].hex(), hashlib.sha256(frame).hexdigest())
END

# Packets and bytes at each interface, and what passed its root qdisc.
passed() {
	on host grep ":" /proc/net/dev | tr -s ' '
	on b grep ":" /proc/net/dev | tr -s ' '
	on host tc -s qdisc show | awk '/^qdisc/ { root = !/clsact/ } root && /Sent|packets/'
}

send() { # NAME: what arrived is $work/NAME, the way it took $work/NAME.way
	: >"$work/$1" # or that of the last round would be read
	on b python3 "$work/receive.py" >"$work/$1" 2>"$work/err.receive" &
	local receiver=$!
	until_ 10 grep -q ready "$work/$1" || fail "$1: the receiver does not begin"
	passed >"$work/before"
	on a python3 "$work/send.py" >"$work/sent" || fail "$1: cannot send"
	wait $receiver || fail "$1: the last packet did not arrive"
	[ "$(wc -l <"$work/$1")" -gt $(($(cat "$work/sent") * 9 / 10)) ] || fail "$1: only $(wc -l <"$work/$1") packets arrived"
	passed >"$work/after"
	paste -d ' ' "$work/before" "$work/after" | awk '{ for (i = 1; i <= NF / 2; i++) {
		a = $i; b = $(i + NF / 2); sub(/^[^0-9]*/, "", a); sub(/^[^0-9]*/, "", b); printf "%s ", b - a } print "" }' >"$work/$1.way"
}

roots() {
	on host tc qdisc show | grep -v clsact | sed 's/direct_packets_stat.*//'
}

same() { # NAME
	cmp -s "$work/plain" "$work/$1" || fail "$1: what arrived is not the same: $(diff "$work/plain" "$work/$1" | head -n 4 | cut -c 1-200)"
	cmp -s "$work/plain.way" "$work/$1.way" || fail "$1: another way: $(diff "$work/plain.way" "$work/$1.way")"
	expect "$1: root qdiscs" "$(roots)" "$roots"
}

# beside NAME WATCH-OPTIONS...: the same packets, with perisco there
beside() {
	watch "${@:2}"
	send "$1"
	watched
	same "$1"
	[ "$(exchanges true)" -gt 1 ] || [[ $1 = *gate* ]] || fail "$1: nothing was seen"
	! on host tc qdisc show | grep -q clsact || fail "$1: a clsact qdisc was left behind"
}

qdiscs=(none)
for kind in htb fq; do
	on host tc qdisc add dev "$host-b" root $kind 2>/dev/null && qdiscs+=($kind)
	on host tc qdisc del dev "$host-b" root 2>/dev/null
done
ways=$(hooks)
for root in "${qdiscs[@]}"; do
	[ $root = none ] || on host tc qdisc add dev "$host-b" root handle 77: $root
	roots=$(roots)
	send plain
	for hook in $ways; do
		beside "$hook-$root" --hook "$hook"
	done
	if [ $root = none ]; then
		beside packet --hook packet
		beside whole -w "$work/whole.pcapng"
		beside gate port 80 and ip6
	fi
	send without
	same without
	[ $root = none ] || on host tc qdisc del dev "$host-b" root
done
pass
