#!/bin/bash
# SPDX-License-Identifier: MIT
# Hosts that are away, mute, babble, lie or reset: fifteen of them at once change neither what is captured nor what a file beside
# them gets; memory stays what was promised, the end comes in time, and each of them has the fate of every record.
. tests/live/common perisco-snk routed
serve

echo 'function delay() return 1 end' >"$work/delay.lua"
on host python3 tests/run/bad_server.py mute reset babble liar >"$work/ports" &
until_ 10 test -s "$work/ports" || fail "no servers"

peak() { # in KB
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$watcher/status"
}

load() { # OUTPUT...
	: >"$work/access"
	watch --memory 64M -o "json:$work/file" "$@"
	wrk -t 1 -c 16 -d "${SECONDS_OF_LOAD:-5}s" -s "$work/delay.lua" http://10.77.2.2/hello
	served
	memory=$(peak)
	kill -INT "$watcher"
	begun=${EPOCHREALTIME/./}
	status=0
	wait "$watcher" || status=$?
	expect "the exit status" $status $(($# ? 7 : 0)) # 7: something was dropped
	took=$(((${EPOCHREALTIME/./} - begun) / 1000))
	served=$(wc -l <"$work/access")
	[ "$served" -gt 5000 ] || fail "only $served requests were served"
	grep -qx '0 lost' "$work/err" || fail "something was lost"
	expect "records in the file" "$(wc -l <"$work/file")" "$served"
	expect "records with something missing" "$(grep -c '"missing"' "$work/file")" 0
}

outputs=()
for port in 1 $(cat "$work/ports"); do
	outputs+=(-o "tcp://127.0.0.1:$port?queue=1M" -o "elasticsearch://127.0.0.1:$port/x?queue=1M" -o "kafka://127.0.0.1:$port/x?queue=1M")
done
# Whoever else is on this machine may spoil how much is served, and nothing else: only for that there is another round.
for round in 1 2 3; do
	load
	alone=$memory
	alone_served=$served
	load "${outputs[@]}"
	[ "$took" -lt 20000 ] || fail "the end takes $took ms"
	# of each: its queue, as much under way, and what its library takes
	[ $((memory - alone)) -lt $((15 * 4 * 1024)) ] || fail "memory is $memory KB instead of $alone KB"
	[ $((served * 10)) -le $((alone_served * 6)) ] || break
	[ $round -lt 3 ] || fail "$served requests were served instead of $alone_served"
done
for ((i = 1; i < ${#outputs[@]}; i += 2)); do
	line=$(grep -F "${outputs[i]}: " "$work/err" | grep ' delivered') || fail "nothing is said of ${outputs[i]}"
	fates=$(grep -oE '[0-9]+ (delivered|refused|dropped|left)' <<<"$line" | awk '{n += $1} END {print n}')
	expect "${outputs[i]}: records with a fate" "$fates" "$served"
done
[ "$(grep -c 'trying again' "$work/err")" -le $((15 * 2)) ] || fail "the same is said again and again"
echo "$served of $alone_served requests, $memory of $alone KB, the end after $took ms"
pass
