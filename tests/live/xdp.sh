#!/bin/bash
# SPDX-License-Identifier: MIT
# XDP in a driver, that of a tap device: packets as they came, tags in them, and a filter; auto never takes it.
. tests/live/common perisco-xdp
[ "$(xdp)" ] || skip "no XDP here"
ip -n "$host" tuntap add dev "$host-t" mode tap 2>/dev/null || skip "no tap devices here"
ip -n "$host" link set "$host-t" mtu 9000 up

# One connection with a VLAN tag, one of large packets, one to a port that is not asked for.
cat >"$work/frames.py" <<-'END'
	import fcntl, os, struct, sys
	tap = os.open("/dev/net/tun", os.O_RDWR)
	fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH", sys.argv[1].encode(), 0x1002))
	ends = b"\x0a\x09\0\1", b"\x0a\x09\0\2"
	def send(tag, port, up, seq, ack, data, flags):
	    client = 40000 + port
	    ports = (client, port) if up else (port, client)
	    tcp = struct.pack("!HHIIBBHHH", *ports, seq, ack, 0x50, flags, 512, 0, 0) + data
	    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 7, 0, 64, 6, 0) + ends[not up] + ends[up] + tcp
	    os.write(tap, bytes.fromhex("020000000002020000000001") + tag + b"\x08\0" + ip)
	for tag, port, size in (b"\x81\0\0\5", 80, 100), (b"", 8080, 30000), (b"", 81, 100):
	    request = b"GET /%d HTTP/1.1\r\nHost: tap\r\n\r\n" % port
	    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
	    send(tag, port, True, 99, 0, b"", 2)
	    send(tag, port, False, 199, 100, b"", 0x12)
	    send(tag, port, True, 100, 200, request, 0x18)
	    for at in range(0, len(answer), 8900):
	        send(tag, port, False, 200 + at, 100 + len(request), answer[at:at + 8900], 0x18)
END

frames() {
	on host python3 "$work/frames.py" "$host-t" || fail "cannot send"
}

packets() {
	tcpdump -nnxx -t -r "$1" 2>/dev/null
}

frames # a first time: a tap device takes packets when somebody has it open
for hook in tc xdp; do
	watch --hook $hook -v -i "$host-t" -w "$work/$hook.pcap"
	frames
	watched
	expect "$hook: exchanges" "$(exchanges '.l7.response')" 3
	expect "$hook: exchanges with something missing" "$(exchanges '.missing')" 0
	expect "$hook: exchanges with a tag" "$(exchanges '.iface.vlan == 5')" 1
done
grep -q "attached to its way in by xdp, native" "$work/err" || fail "XDP is not native: $(cat "$work/err")"
packets "$work/tc.pcap" >"$work/want"
packets "$work/xdp.pcap" >"$work/got"
cmp "$work/want" "$work/got" || fail "packets differ"

watch --hook xdp -v -i "$host-t" 'port 81 or (vlan 5 and tcp)'
grep -q 'the filter runs in the kernel' "$work/err" || fail "the filter does not run in the kernel"
frames
watched
expect "exchanges that the filter takes" "$(exchanges true)" 2
grep -qE ', ([0-9]+) refused by the filter \(\1 in the kernel\)' "$work/err" || fail "the filter: $(cat "$work/err")"

watch -v -i "$host-t,$host-a"
ip -n "$host" link show | grep -qE ' (xdp|xdpgeneric) ' && fail "XDP was not asked for"
watched
pass
