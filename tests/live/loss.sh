#!/bin/bash
# SPDX-License-Identifier: MIT
# A ring that is too small, and nobody who empties it: what is lost is said, to the byte, and on which CPU.
. tests/live/common perisco-los
serve
head -c 20000000 /dev/zero >"$work/www/file"

# The TCP payload in a capture file.
payload() {
	tcpdump -nnr "$1" tcp 2>/dev/null | grep -o 'length [0-9]*' | awk '{n += $2} END {print n + 0}'
}

still() { # tcpdump has nothing more to write; it gets its packets a block at a time, the last one after a second
	local n
	n=$(stat -c %s "$work/all.pcap")
	sleep 1.5
	[ "$(stat -c %s "$work/all.pcap")" = "$n" ]
}

for hook in $(hooks); do
	: >"$work/tcpdump"
	ip netns exec "$host" tcpdump -q -U -B 65536 -s 128 -i "$host-a" -w "$work/all.pcap" 2>"$work/tcpdump" &
	tcpdump=$!
	until_ 5 grep -q listening "$work/tcpdump" || fail "tcpdump does not begin"
	watch --hook "$hook" -i "$host-a" --ring 128k -v -w "$work/some.pcap"
	get http://10.77.2.2/hello
	kill -STOP "$watcher"
	get http://10.77.2.2/file
	kill -CONT "$watcher"
	until_ 10 grep -q '"loss"' "$work/out" || fail "$hook: no loss is told"
	get http://10.77.2.2/hello
	watched
	until_ 20 still || fail "$hook: tcpdump goes on and on"
	kill -INT $tcpdump
	wait $tcpdump

	grep -q '^0 packets dropped by kernel' "$work/tcpdump" || skip "tcpdump itself lost packets"
	lost=$(jq -s 'map(.loss.bytes // 0) | add' "$work/out")
	[ "$lost" -gt 1000000 ] || fail "$hook: only $lost bytes were lost"
	expect "$hook: bytes captured and lost" $(($(payload "$work/some.pcap") + lost)) "$(payload "$work/all.pcap")"
	jq -s -e 'map(select(.loss)) | all(.loss.cause == "ring" and .iface.name == "'"$host-a"'" and .loss.cpu >= 0)' \
		"$work/out" >"$work/jq" || fail "$hook: a loss without its cause, interface or CPU"
	by_cpu=$(jq -r 'select(.loss) | "\(.loss.cpu) \(.loss.packets)"' "$work/out" |
		awk '{n[$1] += $2} END {for (cpu in n) print "cpu " cpu " " n[cpu]}' | sort | paste -sd, | sed 's/,/, /g')
	grep -qx "lost by cpu: $by_cpu" "$work/err" || fail "$hook: by CPU the summary does not say $by_cpu"
	packets=$(jq -s 'map(.loss.packets // 0) | add' "$work/out")
	grep -q "^lost: $packets packets in the ring" "$work/err" || fail "$hook: it is not $packets packets in the summary"
	expect "$hook: exchanges before and after" "$(exchanges '.l7.response.Record.Http.body_bytes == 6')" 2
	grep -q "^lost: .* packets in the ring, $lost bytes" "$work/err" || fail "$hook: the summary says otherwise"
done
pass
