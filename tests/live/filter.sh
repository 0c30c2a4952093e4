#!/bin/bash
# SPDX-License-Identifier: MIT
# Filters in the kernel: at the same traffic one run takes everything, and others what an expression lets through. Each of
# these writes what the expression takes of the first one's file, packet for packet, and what it refuses never left the kernel.
. tests/live/common perisco-flt
serve
head -c 1000000 /dev/urandom >"$work/www/file"

# What no server sends: frames with VLAN tags, padding, fragments, tunnels, options, and all protocols but TCP.
cat >"$work/frames.py" <<-END
	import socket, struct, sys
	out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	out.bind((sys.argv[1], 0))
	pack, host = struct.pack, socket.inet_aton
	macs = bytes.fromhex("020000000002020000000001")
	def ip(proto, data, more=0, options=b"", tail=b""):
	    n = 20 + len(options)
	    return pack("!BBHHHBBH", 0x40 + n // 4, 0, n + len(data), 7, more, 64, proto, 0) + host("10.77.1.9") + host("10.77.2.9") + options + data + tail
	def ip6(proto, data):
	    ends = socket.inet_pton(socket.AF_INET6, "fd77:1::9") + socket.inet_pton(socket.AF_INET6, "fd77:2::9")
	    return pack("!IHBB", 6 << 28, len(data), proto, 64) + ends + data
	def tcp(port, data=b"", flags=0x18):
	    return pack("!HHIIBBHHH", 40000, port, 1, 1, 0x50, flags, 512, 0, 0) + data
	def udp(port, data):
	    return pack("!HHHH", 40001, port, 8 + len(data), 0) + data
	def frame(kind, data):
	    return macs + pack("!H", kind) + data
	get = b"GET /frames HTTP/1.1\r\n\r\n"
	for port in 80, 81, 4789:
	    t = tcp(port, get)
	    for f in (frame(0x800, ip(6, t)), frame(0x800, ip(6, t, options=b"\1\1\1\0")), frame(0x800, ip(6, t, tail=b"padding")),
	              frame(0x800, ip(6, tcp(port), tail=bytes(6))), frame(0x86dd, ip6(6, t)), frame(0x86dd, ip6(6, t) + b"padding"),
	              frame(0x86dd, ip6(0, b"\6\0\1\4\0\0\0\0" + t)), frame(0x86dd, ip6(44, b"\6\0\0\1\0\0\0\7" + t)),
	              frame(0x8100, pack("!HH", 5, 0x800) + ip(6, t)), frame(0x8100, pack("!HH", 6, 0x86dd) + ip6(6, t)),
	              frame(0x88a8, pack("!HHHH", 7, 0x8100, 5, 0x800) + ip(6, t)), frame(0x800, ip(6, t, 0x2000)),
	              frame(0x800, ip(6, t, 3)), frame(0x8847, pack("!I", 100 << 12 | 0x140) + ip(6, t)),
	              frame(0x800, ip(4, ip(6, t))), frame(0x800, ip(47, pack("!HH", 0, 0x800) + ip(6, t))),
	              frame(0x800, ip(17, udp(port, bytes(8) + frame(0x800, ip(6, t))))), frame(0x86dd, ip6(17, udp(port, get))),
	              frame(0x800, ip(1, b"\10\0\0\0" + get)), frame(0x806, bytes(28)), frame(0x888, get), b"\xff" * 6 + frame(0x800, ip(6, t))[6:]):
	        out.send(f)
END

# What is captured, packet by packet, without the time: perisco shows each packet at the time of its own hook.
cat >"$work/packets.py" <<-END
	import struct, sys
	data, at, packets = open(sys.argv[1], "rb").read(), 24, []
	while at < len(data):
	    n, wire = struct.unpack_from("<II", data, at + 8)
	    p, at = data[at + 16:at + 16 + n], at + 16 + n
	    kind, v6 = p[12:14], p[20:21] if p[20:21] != b"\0" else p[54:55]
	    if p[6:12] != bytes.fromhex("020000000001") and (kind == b"\x08\x06" or kind == b"\x86\xdd" and v6 == b"\x3a"):
	        continue # hosts look for each other when they like, also when only some of the runs are there
	    packets.append("%d %s" % (wire, p.hex()))
	print("\n".join(sorted(packets)))
END

packets() { # PCAP
	python3 "$work/packets.py" "$1"
}

# start NAME OPTIONS...: a run in the background of its own; `runs` has all of them
runs=()
start() {
	local run=$1
	shift
	# the ring has room for all there is, and no run depends on when it gets its turn among the others
	ip netns exec "$host" "$perisco" watch -v --ring 16M -o null -w "$work/$run.pcap" "$@" >"$work/out.$run" 2>"$work/talk.$run" &
	runs+=($!)
}

finish() { # WHAT: all of `runs`
	served # or some see the end of a connection, and others have ended
	kill -INT "${runs[@]}"
	wait "${runs[@]}" || fail "$1: a run ended badly"
}

# A + says that the kernel alone decides, a - that userspace has to, a ~ that it may.
expressions=(
	'+ port 80'
	'+ tcp port 81'
	'+ not port 80'
	'+ tcp dst port 80 and src net 10.77.1.0/24'
	'+ host fd77:1::2 and port 80'
	'+ ip6'
	'+ host 10.77.1.9'
	'+ portrange 1000-5000'
	'+ udp or icmp'
	'+ vlan'
	'+ vlan 5 and tcp port 80'
	'~ (vlan 6 and ip6) or (vlan and vlan 5 and port 81)'
	'+ mpls 100'
	'+ ip proto 4 or ip proto 47'
	'+ ip[6:2] & 0x3fff != 0'
	'+ ether src 02:00:00:00:00:01 and not vlan'
	'+ ip6 proto 0'
	'+ wlan type data'
	'~ tcp[tcpflags] & (tcp-syn|tcp-fin) != 0'
	'~ tcp port 80 and tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420'
	'~ ip[2:2] > 1500'
	'~ less 60'
	'~ greater 1000 and port 81'
	'~ len = 78 or len = 58'
	'~ inbound and port 80'
	'~ outbound'
	'- ip6 protochain 6'
)

attached() { # NUMBER of programs, of all runs
	[ "$(cat "$work"/talk.* | grep -c 'attached to its way')" = "$1" ]
}

round() { # HOOK EXPRESSION...
	local hook=$1 i expression
	shift
	runs=()
	start all --hook "$hook"
	for ((i = 1; i <= $#; i++)); do
		start $i --hook "$hook" "${!i:2}"
	done
	until_ 60 attached $((4 * $# + 4)) || fail "$hook: not all runs are attached"
	get http://10.77.2.2/hello
	get 'http://[fd77:2::2]/hello'
	get http://10.77.2.2:81/file
	get 'http://[fd77:2::2]/file'
	get -T "$work/www/file" http://10.77.2.2/up/
	on a python3 "$work/frames.py" eth0
	finish "$hook"
	! grep -q 'packets in the ring' "$work/talk.all" || fail "$hook: that without a filter lost something"
	for ((i = 1; i <= $#; i++)); do
		compare "$hook" $i "${!i:0:1}" "${!i:2}"
	done
	rm -f "$work"/talk.* "$work"/*.pcap
}

compare() { # HOOK RUN MARK EXPRESSION
	local talk=$work/talk.$2
	case $4 in
	*bound*) ;; # no such thing in a pcap file
	wlan*) : >"$work/want" ;;
	*) tcpdump -r "$work/all.pcap" -w "$work/want.pcap" "$4" 2>/dev/null && packets "$work/want.pcap" >"$work/want" ;;
	esac
	packets "$work/$2.pcap" >"$work/got"
	case $4 in
	*bound*) [ "$(wc -l <"$work/got")" -gt 10 ] || fail "$1: '$4' takes nothing" ;;
	wlan*) [ "$(tr -d '\n' <"$work/got")" = '' ] || fail "$1: '$4' takes something" ;;
	*)
		[ "$(tr -d '\n' <"$work/want")" != '' ] || fail "$1: '$4' takes nothing of what was sent"
		cmp -s "$work/want" "$work/got" ||
			fail "$1: '$4': $(diff "$work/want" "$work/got" | cut -c 1-200 | head -n 4)"
		;;
	esac
	case $3 in
	+) grep -qE ', ([0-9]+) refused by the filter \(\1 in the kernel\)' "$talk" ;;
	~) grep -qE ' \([0-9]+ in the kernel\)' "$talk" ;;
	-) grep -q 'refused by the filter,' "$talk" && grep -q 'filter runs in userspace only: it has loops' "$talk" ;;
	esac || fail "$1: '$4': $(grep -E 'refused|userspace' "$talk")"
	[ "$3" = - ] || grep -q 'the filter runs in the kernel' "$talk" || fail "$1: '$4' is not said to run in the kernel"
	! grep -q 'packets in the ring' "$talk" || fail "$1: '$4' lost something"
}

for hook in $(hooks); do
	for ((first = 0; first < ${#expressions[@]}; first += 9)); do
		round "$hook" "${expressions[@]:first:9}"
	done
done

# In and out: what comes in at one veth goes out at the other.
runs=()
start in inbound and tcp port 80
start out outbound and tcp port 80
until_ 60 attached 8 || fail "in and out: not both runs are attached"
get http://10.77.2.2/hello
finish "in and out"
packets "$work/in.pcap" >"$work/in"
packets "$work/out.pcap" >"$work/out"
[ "$(wc -l <"$work/in")" -ge 8 ] || fail "only $(wc -l <"$work/in") packets came in"
cmp "$work/in" "$work/out" || fail "what came in (<) did not go out (>): $(diff "$work/in" "$work/out" | cut -c 1-200)"
[ "$(uniq "$work/in" | wc -l)" = "$(wc -l <"$work/in")" ] || fail "a packet came in twice"

# Packets without an Ethernet header have a gate of their own.
if ip -n "$host" tuntap add dev "$host-t" mode tun 2>/dev/null; then
	ip -n "$host" link set "$host-t" up
	watch -i "$host-t" -w "$work/tun.pcap" tcp port 80 and src host 10.9.0.1
	on host python3 - "$host-t" <<-'END'
		import fcntl, os, struct, sys
		tun = os.open("/dev/net/tun", os.O_RDWR)
		fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH", sys.argv[1].encode(), 0x1001))
		for port in 80, 81, 80, 443:
		    tcp = struct.pack("!HHIIBBHHH", 40000, port, 1, 1, 0x50, 0x18, 512, 0, 0) + b"GET / HTTP/1.1\r\n\r\n"
		    os.write(tun, struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 7, 0, 64, 6, 0) + b"\x0a\x09\0\1\x0a\x09\0\2" + tcp)
	END
	watched
	expect "packets of a tun device" "$(packets "$work/tun.pcap" | wc -l)" 2
	grep -qE ', ([0-9]+) refused by the filter \(\1 in the kernel\)' "$work/err" || fail "a tun device: $(cat "$work/err")"
fi

# Killed: what clsact leaves behind neither holds anything up nor sends anything, and the next run takes it away.
watch --hook clsact tcp port 80
kill -KILL "$watcher"
wait "$watcher" 2>/dev/null
get http://10.77.2.2/hello http://10.77.2.2:81/hello -o /dev/null || fail "packets do not pass a gate that was left behind"
watch --hook clsact tcp port 80
get http://10.77.2.2/hello
watched
expect "exchanges after a run that was killed" "$(exchanges true)" 1
pass
