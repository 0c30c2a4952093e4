#!/bin/bash
# SPDX-License-Identifier: MIT
# Records that go to sockets: all of them arrive, wherever the other end pauses, closes its half, or goes and comes again.
. tests/run/common
. tests/run/sinks_common

# --- one that goes after some lines, and comes again
serve python3 tests/run/ports.py 1
serve python3 tests/run/line_server.py "$port" "$work/lines" 777
(
	wait_for=$server
	while kill -0 "$wait_for" 2>/dev/null; do sleep 0.1; done
	exec python3 tests/run/line_server.py "$port" "$work/lines" >/dev/null
) &
pids+=($!)
replay all -o "tcp://127.0.0.1:$port"
expect "lines accounted for" "$(said delivered)" $total
most_came() {
	[ "$(grep -o '"url":"[^"]*"' "$work/lines" | sort -u | wc -l)" -ge $((total - 5000)) ]
}
until_ 30 most_came || fail "lines are lost"

# --- two that read steadily, for longer than a replay waits for one that does not
cat >"$work/slow.py" <<'END'
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
s.bind(("127.0.0.1", 0))
s.listen()
print(s.getsockname()[1], flush=True)
c = s.accept()[0]
while got := c.recv(60000):
    time.sleep(len(got) / float(sys.argv[1]))
END
serve python3 "$work/slow.py" 1300000
first=$port
serve python3 "$work/slow.py" 1000000
replay all -o "tcp://127.0.0.1:$first" -o "tcp://127.0.0.1:$port"
expect "lines delivered to slow readers" "$(grep -o '[0-9]* delivered' "$work/said" | tr '\n' ' ')" "$total delivered $total delivered "

for where in 0 "$work/half"; do # one that ends its half at once, and reads on; nobody else is there
	rm -f "$work/lines"
	serve python3 tests/run/line_server.py "$where" "$work/lines" 1 politely
	replay all -o "$([ "$where" = 0 ] && echo "tcp://127.0.0.1:$port" || echo "json:unix://$where")"
	wait "$server"
	expect "lines to one that sends no more" "$(wc -l <"$work/lines")" $total
	expect "tries to one that sends no more" "$(said 'tries again')" ""
done
# --- one that goes after it read a part of what is under way, which does not come again but for the end of it
cat >"$work/part.py" <<'END'
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
print(sys.argv[1], flush=True)
c = s.accept()[0]
time.sleep(1) # all that is to be sent is there
got = b""
while len(got) < 3000000:
    got += c.recv(65536)
open(sys.argv[2], "wb").write(got[: got.rindex(b"\n") + 1])
time.sleep(2) # what was read is seen
END
serve python3 "$work/part.py" "$work/parted" "$work/part"
replay all -o "json:unix://$work/parted" &
replay=$!
wait "$server"
part=$(wc -l <"$work/part")
serve python3 tests/run/line_server.py "$work/parted" "$work/part"
wait "$replay"
all_parted() {
	[ "$(sort -u "$work/part" | wc -l)" -ge $total ]
}
until_ 30 all_parted
stop
expect "lines in two parts, told apart" "$(sort -u "$work/part" | wc -l)" $total
[ $(($(wc -l <"$work/part") - total)) -lt $((part / 2)) ] || fail "of $part lines $(($(wc -l <"$work/part") - total)) came twice"

serve python3 tests/run/line_server.py "$work/socket" "$work/unix"
replay all -o "text:unix://$work/socket"
all_came() {
	[ "$(wc -l <"$work/unix")" -ge $total ]
}
until_ 30 all_came
expect "lines to a Unix socket" "$(wc -l <"$work/unix")" $total
exit $status
