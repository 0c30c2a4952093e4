#!/bin/bash
# SPDX-License-Identifier: MIT
# Packets as they come, into a pipe and into files that take turns: seen when they pass, with the interfaces that come later; losses
# are told in between; a reader that goes ends it, without a packet; records and packets know of each other.
. tests/live/common perisco-pip
command -v tshark dumpcap >/dev/null || skip "no tshark"
serve

# pipe READER...: watches for it
pipe() {
	rm -f "$work/pipe"
	mkfifo "$work/pipe"
	"$@" <"$work/pipe" >"$work/seen" 2>"$work/err.reader" &
	reader=$!
	: >"$work/err"
	ip netns exec "$host" "$perisco" watch -w - >"$work/pipe" 2>"$work/err" &
	watcher=$!
	until_ 10 begun "$work/err" || fail "watch -w - does not begin"
}

# ended SECONDS: it has, by itself, well and without a word
ended() {
	local status=0
	until_ "$1" sh -c '! grep -q "^State:.[^Z]" "/proc/$0/status"' "$watcher" || fail "goes on"
	wait "$watcher" || status=$?
	expect "exit status" $status 0
	! grep -i 'cannot\|pipe' "$work/err" || fail "complains"
}

# --- a pipe ---

pipe tshark -l -n -r - -T fields -e frame.interface_name -e http.request.uri -e http.response.code -e frame.comment
for i in 1 2 3; do # tshark takes its time to begin
	get "http://10.77.2.2/hello?$i"
	until_ 10 grep -q "/hello?$i" "$work/seen" || fail "request $i is not seen before the next one"
	sleep 0.3
done
grep -q "^$host-a	/hello?1		flow_id=[0-9a-f]*,exchange=1$" "$work/seen" || fail "no comments: $(cat "$work/seen")"
ip -n "$host" link add late type veth peer name early
ip -n "$host" link set late up
ip -n "$host" link set early up
ip -n "$host" addr add 10.99.0.1/24 dev late
ip -n "$host" neigh add 10.99.0.2 lladdr 02:00:00:00:00:09 dev late
late() { # nobody says when it is attached to: what passed before is not seen
	on host curl -s --max-time 0.5 http://10.99.0.2/
	grep -q '^late' "$work/seen"
}
until_ 10 late || fail "an interface that came later is not seen"
kill -9 "$reader"
ip -n "$host" link del late
ended 10

# --- what Wireshark does ---

pipe dumpcap -q -i - -w "$work/dumped.pcapng"
get "http://10.77.2.2/hello?dumped"
until_ 10 sh -c 'tshark -n -r "$0" -Y "http.request.uri contains dumped" 2>/dev/null | grep -q .' "$work/dumped.pcapng" ||
	fail "dumpcap has not read it"
kill -9 "$reader"
get "http://10.77.2.2/hello?late"
ended 10

# --- a reader that is too slow ---

watch_slow() {
	: >"$work/err"
	{ ip netns exec "$host" "$perisco" watch --ring 128k -w - 2>"$work/err"; echo $? >"$work/status"; } |
		{ until [ -e "$work/read" ]; do sleep 0.1; done; cat; } >"$work/slow.pcapng" &
	slow=$!
	until_ 10 begun "$work/err" || fail "watch --ring 128k -w - does not begin"
}
head -c 3000000 /dev/urandom >"$work/www/large"
watch_slow
for i in 1 2 3 4 5 6; do
	get "http://10.77.2.2/large?$i"
done
touch "$work/read"
told() { # when nothing is at hand, what was lost is told
	get "http://10.77.2.2/hello?end"
	"$perisco" replay -q -o json "$work/slow.pcapng" | grep -q '"loss"'
}
until_ 10 told || fail "losses are not told in between"
ip netns pids "$host" | while read -r pid; do
	[ "$(cat "/proc/$pid/comm")" != perisco ] || kill -INT "$pid"
done
wait "$slow"
expect "exit status" "$(cat "$work/status")" 0
lost=$("$perisco" replay -q -o json "$work/slow.pcapng" | jq -s 'map(.loss.packets // 0) | add')
expect "lost" "$(sed -n 's/^lost: \([0-9]*\) packets.*/\1/p' "$work/err")" "$lost"
capinfos -M "$work/slow.pcapng" >/dev/null || fail "capinfos complains of what was lost"

# --- files ---

watch -w "$work/%s.pcapng" -G 1 -W 3
for i in 1 2 3 4 5 6 7 8; do
	get "http://10.77.2.2/hello?$i"
	sleep 0.5
done
ended 10
expect "files" "$(find "$work" -name '1*.pcapng' | wc -l)" 3
"$perisco" replay -q -o json "$work"/1*.pcapng >"$work/again"
cmp "$work/out" "$work/again" || fail "files give other records"

watch -w "$work/x.pcapng"
get "http://10.77.2.2/hello?1"
until_ 10 grep -q 'hello?1' "$work/out"
sleep 0.3
mv "$work/x.pcapng" "$work/before.pcapng"
kill -HUP "$watcher"
until_ 10 test -s "$work/x.pcapng" || fail "SIGHUP: no new file"
get "http://10.77.2.2/hello?2"
watched
"$perisco" replay -q -o json "$work/before.pcapng" "$work/x.pcapng" | cmp "$work/out" - || fail "SIGHUP: files give other records"
grep -q 'hello?2' <("$perisco" replay -q -o json "$work/x.pcapng") || fail "SIGHUP: the new file is not used"
pass
