#!/bin/bash
# SPDX-License-Identifier: MIT
# How watch ends: a right or a device that is missing, enough exchanges, an interrupt.
. tests/live/common perisco-end
serve

ended() { # STATUS
	local got=0
	wait "$watcher" || got=$?
	expect "exit status" $got "$1"
}

cp "$perisco" "$work/perisco" && chmod 755 "$work" "$work/perisco"
on host setpriv --reuid 65534 --clear-groups "$work/perisco" watch >"$work/out" 2>"$work/err"
expect "without rights: exit status" $? 5
on host "$perisco" watch -i nosuch >"$work/out" 2>"$work/err"
expect "without the device: exit status" $? 3
grep -q "nosuch" "$work/err" || fail "without the device: it is not named"

watch -n 2
get http://10.77.2.2/hello
get http://10.77.2.2/hello
ended 0
expect "records of -n 2" "$(wc -l <"$work/out")" 2

for signal in INT TERM; do
	watch -f 'port 80'
	get http://10.77.2.2/hello
	kill -$signal "$watcher"
	ended 0
	expect "records before SIG$signal" "$(wc -l <"$work/out")" 1
	grep -qx '0 lost' "$work/err" || fail "SIG$signal: no summary"
done
pass
