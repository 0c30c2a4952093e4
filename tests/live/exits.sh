#!/bin/bash
# SPDX-License-Identifier: MIT
# How watch ends: a right or a device that is missing, enough exchanges, an interrupt.
set -u
work=$(mktemp -d)
host="perisco-end"
perisco=$(realpath "$B/perisco")
unset "${!PERISCO_@}"
clean() {
	for ns in $host $host-a $host-b; do
		ip netns pids "$ns" 2>/dev/null | xargs -r kill
	done
	wait
	scripts/netns del $host
	rm -rf "$work"
}
scripts/netns del $host
trap clean EXIT
scripts/netns add $host || exit 1
status=0
fail() {
	echo "$*"
	cat "$work/err"
	status=1
}

# watch OPTIONS...: in the background; back when it is watching
watch() {
	: >"$work/err" # or that of the last run would be read
	ip netns exec $host "$perisco" watch "$@" >"$work/out" 2>"$work/err" &
	pid=$!
	for _ in {1..200}; do
		grep -q watching "$work/err" && return
		sleep 0.05
	done
	fail "watch does not begin"
}

ended() {
	local got=0
	wait "$pid" || got=$?
	[ $got = "$1" ] || fail "exit status $got instead of $1"
}

cp "$perisco" "$work/perisco" && chmod 755 "$work" "$work/perisco"
ip netns exec $host setpriv --reuid 65534 --clear-groups "$work/perisco" watch >"$work/out" 2>"$work/err"
got=$?
[ $got = 5 ] || fail "without rights: exit status $got instead of 5"
ip netns exec $host "$perisco" watch -i nosuch >"$work/out" 2>"$work/err"
got=$?
[ $got = 3 ] || fail "without the device: exit status $got instead of 3"
grep -q "nosuch" "$work/err" || fail "without the device: it is not named"

ip netns exec $host-b python3 -m http.server --directory "$work" 80 >/dev/null 2>&1 &
client() {
	ip netns exec $host-a curl -s -o /dev/null --max-time 5 "$@"
}
for _ in {1..100}; do
	client http://10.77.2.2/ && break
	sleep 0.05
done

watch -n 2
client http://10.77.2.2/1
client http://10.77.2.2/2
ended 0
[ "$(wc -l <"$work/out")" = 2 ] || fail "-n 2 gave $(wc -l <"$work/out") records"

for signal in INT TERM; do
	watch -f 'port 80'
	client http://10.77.2.2/
	kill -$signal "$pid"
	ended 0
	[ "$(wc -l <"$work/out")" = 1 ] || fail "SIG$signal lost the record"
	grep -qx '0 lost' "$work/err" || fail "SIG$signal: no summary"
done
exit $status
