#!/bin/bash
# SPDX-License-Identifier: MIT
# Payload that nobody wants is not copied, and no record shows it: one watcher leaves it out, another one beside it writes
# every packet, and what is replayed from there says the same.
. tests/live/common perisco-eld

on b python3 tests/live/elide_server.py 80 >"$work/ready" 2>&1 &
until_ 10 grep -q ready "$work/ready" || fail "no server"

# Several on one connection, each kind of end, uploads, and a connection that speaks something else.
cat >"$work/client.py" <<'END'
import http.client, socket, time

def talk(*calls, pause=0):
    c = http.client.HTTPConnection("10.77.2.2", 80, timeout=20)
    for method, path, *body in calls:
        c.request(method, path, *body)
        r = c.getresponse()
        try:
            while r.read(1 << 20):
                time.sleep(pause)
                pause = 0
        except (http.client.IncompleteRead, ConnectionResetError):
            pass
    c.close()

def raw(say, n):
    s = socket.create_connection(("10.77.2.2", 80), timeout=20)
    s.sendall(say)
    while n > 0:
        n -= len(s.recv(1 << 20))
    return s

M = 1 << 20
# no more than a window comes meanwhile: who watches has time to say that the rest is not wanted
talk(("GET", "/length/30000000"), ("GET", "/length/5"), ("GET", "/length/3000000"), pause=2)
talk(("GET", "/chunks/4/2000000"), ("GET", "/chunks/3/100"), ("PUT", "/length/1", bytes(9 * M)))
talk(("PUT", "/chunks/1/500000", bytes(2 * M)), ("GET", "/length/200000"))
talk(("GET", "/short/5000000"))
talk(("GET", "/close/5000000"))
s = raw(b"GET /reset/5000000 HTTP/1.1\r\n\r\n", 5000000)
s.sendall(b"x")
try:
    while s.recv(1 << 16):
        pass
except ConnectionResetError:
    pass
s = raw(b"NOISE 20000000\r\n", 20000000)
s.sendall(b"NOISE 3000000\r\n")
s.close()
raw(b"GET /length/90000000 HTTP/1.1\r\n\r\n", 20000000).close()
END

# What a record says, but for the times and the identity made of them.
records() {
	jq -cS 'select(.l7) | del(.ts, .flow_id, .iface, .l7.latency_ns, .l7.duration_ns, .l4) |
		del(.. | .duration_ns?)' "$1" | sort
}

for hook in $(hooks); do
	# rings that hold all there is: on a busy host much may come before the first of it is read
	: >"$work/err.whole"
	ip netns exec "$host" "$perisco" watch --hook "$hook" --ring 512M -w "$work/whole.pcapng" -o null 2>"$work/err.whole" &
	whole=$!
	until_ 10 begun "$work/err.whole" || fail "$hook: watch -w does not begin"
	watch --hook "$hook" --ring 256M --flows
	on a timeout 60 python3 "$work/client.py" || fail "$hook: the client failed"
	watched
	kill -INT "$whole"
	wait "$whole" || fail "$hook: watch -w ended badly"
	grep -q 'every packet whole' "$work/err.whole" || fail "$hook: -w does not say that nothing is left out"
	"$perisco" replay -o json "$work/whole.pcapng" >"$work/replayed" 2>>"$work/err.whole"
	records "$work/out" >"$work/live.txt"
	records "$work/replayed" >"$work/replay.txt"
	expect "$hook: exchanges" "$(exchanges true)" 12
	cmp "$work/live.txt" "$work/replay.txt" || fail "$hook: records differ: $(diff "$work/live.txt" "$work/replay.txt")"
	grep -q '^left out: [1-9][0-9]\{7,\} payload bytes' "$work/err" || fail "$hook: nothing was left out"
	grep -qx '0 lost' "$work/err" || fail "$hook: something was lost"
done
pass
