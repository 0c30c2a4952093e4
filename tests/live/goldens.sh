#!/bin/bash
# SPDX-License-Identifier: MIT
# The golden captures, sent through veths: what each hook shows, leaving payload and copies out, to one worker and to two, is what
# a replay of all packets shows that were written beside it.
. tests/live/common perisco-gol
. scripts/talk
for end in "$host $host-a" "$host $host-b" "$host-a eth0" "$host-b eth0"; do
	# shellcheck disable=SC2086
	set -- $end
	ip -n "$1" link set "$2" mtu 65535
done

cat >"$work/send.py" <<-END
	import os, socket, struct, sys, time
	os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}) # moved to another CPU, it might overtake what waits on this one
	s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	s.bind(("eth0", 0))
	for mark, path in enumerate(sys.argv[1:]):
	    data, at = open(path, "rb").read(), 24
	    if data[:4] != b"\x4d\x3c\xb2\xa1" or data[20] != 1:
	        continue # pcapng, or not of Ethernet
	    while at < len(data):
	        n, wire = struct.unpack_from("<II", data, at + 8)
	        p, at = bytearray(data[at + 16:at + 16 + n]), at + 16 + n
	        for place in {b"\x08\x00": (27, 31), b"\x86\xdd": (25, 41)}.get(bytes(p[12:14]), ()):
	            if place < n:
	                p[place] ^= mark # no two captures have the same connections
	        if n == wire and 14 < n < 65000:
	            s.send(p)
	    time.sleep(0.01)
END

captures=()
for talk in tests/pcaps/*.talk; do
	talk_make "$(basename "$talk" .talk)"
	captures+=("$(realpath "$capture")")
done

# All but times, and what is made of them.
records() {
	jq -cS 'def same: if type == "object" then del(.latency_ns, .duration_ns, .after_ns, .ts, .flow_id) | map_values(same)
		elif type == "array" then map(same) else . end; select(.l7) | same' "$1" | sort
}

for hook in $(hooks) $(xdp) packet; do
	[ "$hook" = xdp ] && whole_by=auto || whole_by=$hook # an interface has one XDP program: that of two workers
	tee "$work/err.whole" "$work/err.two" </dev/null # or those of the last round would be read
	ip netns exec "$host" "$perisco" watch --hook "$whole_by" -w "$work/whole.pcapng" -o null 2>"$work/err.whole" &
	whole=$!
	ip netns exec "$host" "$perisco" watch --hook "$hook" --workers 2 -o json >"$work/out.two" 2>"$work/err.two" &
	two=$!
	for beside in whole two; do
		until_ 10 begun "$work/err.$beside" || fail "$hook: watch does not begin ($beside)"
	done
	watch --hook "$hook"
	on a timeout 60 python3 "$work/send.py" "${captures[@]}" 2>"$work/err.send" || fail "cannot send"
	watched
	kill -INT "$whole" "$two"
	wait "$whole" || fail "$hook: watch -w ended badly"
	wait "$two" || fail "$hook: watch --workers 2 ended badly"
	for workers in 1 2; do
		"$perisco" replay -q -o json --workers $workers "$work/whole.pcapng" >"$work/replayed"
		records "$work/replayed" >"$work/replay.$workers"
	done
	records "$work/out" >"$work/live.1"
	records "$work/out.two" >"$work/live.2"
	[ "$(exchanges true)" -ge 300 ] || fail "$hook: no more than $(exchanges true) exchanges"
	for which in replay.2 live.1 live.2; do
		diff "$work/replay.1" "$work/$which" >"$work/err.diff" || fail "$hook: records differ ($which)"
	done
done
pass
