#!/bin/bash
# SPDX-License-Identifier: MIT
# A packet socket: taken where BPF programs are refused, follows interfaces that come and go, and says what it lost.
. tests/live/common perisco-pkt
serve

# without CAPABILITIES WATCH-OPTIONS...: as watch, without these capabilities
without() {
	: >"$work/err"
	ip netns exec "$host" setpriv --bounding-set "$1" --inh-caps "$1" "$perisco" watch -o json "${@:2}" >"$work/out" 2>"$work/err" &
	watcher=$!
	until_ 10 begun "$work/err" || fail "without $1: watch does not begin"
}

# A container's rights; all of root's but for one that BPF programs need.
for caps in -all,+net_raw -bpf,-sys_admin -perfmon,-sys_admin -net_admin,-sys_admin; do
	without $caps
	grep -q 'cannot load BPF programs: operation not permitted.*watching by a packet socket' "$work/err" ||
		fail "without $caps: nothing is said of what is done instead"
	get http://10.77.2.2/hello
	watched
	expect "without $caps: exchanges" "$(exchanges '.iface.name == "perisco-pkt-a" and .iface.vantage == "both"')" 1
	grep -qx '0 lost' "$work/err" || fail "without $caps: something was lost"
done

refused() { # STATUS COMPLAINT CAPABILITIES WATCH-OPTIONS...
	local got=0
	on host setpriv --bounding-set "$3" --inh-caps "$3" "$perisco" watch "${@:4}" >"$work/out" 2>"$work/err" || got=$?
	expect "${*:3}: exit status" $got "$1"
	grep -q "$2" "$work/err" || fail "${*:3}: not said: $2"
	expect "${*:3}: lines" "$(wc -l <"$work/err")" 1
}

refused 5 'BPF programs.*and cannot open a packet socket.*CAP_NET_RAW' -all
refused 5 'cannot open a packet socket.*CAP_NET_RAW' -all --hook packet
refused 5 'cannot load BPF programs' -all,+net_raw --hook tcx
refused 3 'none of this name' -all,+net_raw --hook packet -i nosuch

# VLAN tags: in line on the wire, elsewhere in the kernel, back in the packets.
watch --hook packet -i "$host-b" -f "vlan" -w "$work/tagged.pcap"
on b python3 - <<-END
	import socket, struct
	s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	s.bind(("eth0", 0))
	request = b"GET /tagged HTTP/1.1\r\nHost: x\r\n\r\n"
	ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(request), 1, 0, 64, 6, 0, bytes([10, 9, 9, 1]), bytes([10, 9, 9, 2]))
	tcp = struct.pack("!HHIIBBHHH", 40000, 80, 1000, 2000, 0x50, 0x18, 512, 0, 0)
	for tags in b"\x81\x00\x00\x05", b"\x88\xa8\x00\x06\x81\x00\x00\x05":
	    s.send(b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02" + tags + b"\x08\x00" + ip + tcp + request)
END
watched
expect "tagged packets" "$(tcpdump -nner "$work/tagged.pcap" vlan 5 2>/dev/null | wc -l)" 1
expect "packets tagged twice" "$(tcpdump -nner "$work/tagged.pcap" vlan 6 and vlan 5 2>/dev/null | wc -l)" 1

# No link header: a tun(4) device. lo, too, in one go: each exchange there once.
cat >"$work/tun.py" <<-END
	import fcntl, os, struct, sys
	tun = os.open("/dev/net/tun", os.O_RDWR)
	fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"tun7", 0x1001))
	print("there", flush=True)
	request = b"GET /tun HTTP/1.1\r\nHost: x\r\n\r\n"
	ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(request), 1, 0, 64, 6, 0, bytes([10, 9, 9, 1]), bytes([10, 9, 9, 2]))
	for line in sys.stdin:
	    os.write(tun, ip + struct.pack("!HHIIBBHHH", 40000, 80, 1000, 2000, 0x50, 0x18, 512, 0, 0) + request)
	    print("sent", line, flush=True)
END
if [ -e /dev/net/tun ]; then
	mkfifo "$work/go"
	ip netns exec "$host" python3 "$work/tun.py" <"$work/go" >"$work/tun" &
	exec 7>"$work/go"
	until_ 5 grep -q there "$work/tun" || fail "no tun device"
	ip -n "$host" link set tun7 up
	watch --hook packet -i 'tun*,lo' -f 'port 80' -w "$work/tun.pcapng"
	echo once >&7
	until_ 10 grep -q once "$work/tun" || fail "nothing is sent"
	watched
	expect "exchanges without a link header" "$(exchanges '.iface.name == "tun7" and .l7.request.Record.Http.url == "/tun"')" 1
	"$perisco" replay -q -o json "$work/tun.pcapng" >"$work/replayed"
	diff "$work/out" "$work/replayed" >"$work/err.replay" || fail "tun7: replayed, its packets give other records"
	watch --hook packet -i 'tun*,lo' -f 'port 80' -w "$work/tun.pcap"
	echo again >&7
	until_ 10 grep -q again "$work/tun" || fail "nothing is sent again"
	on host curl -s http://127.0.0.1/ # nobody listens: two packets
	watched
	exec 7>&-
	expect "packets with and without a link header" "$(tcpdump -nr "$work/tun.pcap" 2>/dev/null | wc -l)" 3
	expect "those that were without" "$(tcpdump -nr "$work/tun.pcap" ether src 0:0:0:0:0:0 and net 10.9.9.0/24 2>/dev/null | wc -l)" 1
fi

# Interfaces that come, are renamed, and go.
fds() {
	find "/proc/$watcher/fd" -mindepth 1 | wc -l
}
has_fds() {
	[ "$(fds)" = "$1" ]
}
watch --hook packet -v
before=$(fds)
ip -n "$host" link set "$host-a" down
ip -n "$host" link set "$host-a" name renamed
ip -n "$host" link set renamed up
until_ 10 get 'http://10.77.2.2/hello' || fail "no traffic after renaming"
ip -n "$host" link add comes type veth peer name eth9 netns "$host-a"
until_ 10 grep -q 'comes: watched by packet' "$work/err" || fail "an interface that came is not watched"
ip -n "$host" addr add 10.99.0.1/24 dev comes
ip -n "$host" link set comes up
ip -n "$host-a" addr add 10.99.0.2/24 dev eth9
ip -n "$host-a" link set eth9 up
on host python3 -m http.server --directory "$work/www" 8000 >/dev/null 2>&1 &
until_ 10 get http://10.99.0.1:8000/ || fail "no traffic on an interface that came"
get 'http://10.99.0.1:8000/?came'
seq 100 | sed 's/.*/link add hot& type veth peer name tub&/' | ip -n "$host" -b -
until_ 10 grep -q 'tub100: watched by packet' "$work/err" || fail "not all interfaces are watched"
ip -n "$host" link set comes netns "$host-b"
seq 100 | sed 's/.*/link del hot&/' | ip -n "$host" -b -
until_ 10 grep -q 'tub100: gone' "$work/err" || fail "not all interfaces are gone"
until_ 10 grep -q 'comes: gone' "$work/err" || fail "an interface that moved is not gone"
until_ 10 has_fds "$before" || fail "$(fds) descriptors instead of $before"
get 'http://10.77.2.2/hello?last'
watched
expect "exchanges by the new name" "$(exchanges '.iface.name == "renamed"')" "$(exchanges '.ip.server == "10.77.2.2"')"
expect "exchanges at the interface that came" "$(exchanges '.iface.name == "comes" and .l7.request.Record.Http.url == "/?came"')" 1
expect "exchanges after all the others went" "$(exchanges '.l7.request.Record.Http.url == "/hello?last"')" 1
expect "interfaces that came and went" "$(grep -cE '(hot|tub)[0-9]+: gone' "$work/err")" 200
grep -qx '0 lost' "$work/err" || fail "something was lost"

# A ring that is too small, and nobody who empties it.
head -c 20000000 /dev/zero >"$work/www/file"
watch --hook packet --ring 128k
get http://10.77.2.2/hello
kill -STOP "$watcher"
get http://10.77.2.2/file
kill -CONT "$watcher"
until_ 10 grep -q '"loss"' "$work/out" || fail "no loss is told"
get http://10.77.2.2/hello
watched
lost=$(jq -s 'map(.loss.packets // 0) | add' "$work/out")
[ "$lost" -gt 100 ] || fail "only $lost packets were lost"
grep -q "^lost: $lost packets in the ring" "$work/err" || fail "the summary says otherwise"
expect "exchanges before and after" "$(exchanges '.l7.response.Record.Http.body_bytes == 6')" 2
pass
