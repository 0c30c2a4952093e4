#!/bin/bash
# SPDX-License-Identifier: MIT
# A connection to a port that nobody listens at, and that is the one the connection itself gets, reaches itself: nobody is there.
if [ "${1:-}" != inside ]; then
	unshare -rn true 2>/dev/null || { echo "no network namespaces here"; exit 77; }
	exec unshare -rn bash "$0" inside
fi
. tests/run/common
. tests/run/sinks_common

ip link set lo up
echo "40000 40001" >/proc/sys/net/ipv4/ip_local_port_range # the first one is taken first
python3 - <<'END' || { echo "no connection to itself here"; exit 77; }
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
s.connect(("127.0.0.1", 40000))
END
replay one -o tcp://127.0.0.1:40000 --strict
expect "strict, and nobody is there" $? 7

timeout -s KILL 100 "$B/perisco" replay "$work/all.pcap" -o tcp://127.0.0.1:40000 2>"$work/said" &
replay=$!
refused_once() {
	grep -q "refused; trying again" "$work/said"
}
until_ 30 refused_once || fail "nobody is missed: $(cat "$work/said")"
serve python3 tests/run/line_server.py 40000 "$work/lines"
wait "$replay"
expect "the exit status when somebody came" $? 0
all_came() { # delivered is what the kernel of the other side has
	[ "$(wc -l <"$work/lines")" -ge $total ]
}
until_ 30 all_came
stop
expect "lines to somebody who came" "$(wc -l <"$work/lines")" $total
exit $status
