#!/bin/bash
# SPDX-License-Identifier: MIT
# Interfaces that come, are renamed, move and go while perisco watches: they are captured at and forgotten.
. tests/live/common perisco-hot

fds() {
	find "/proc/$watcher/fd" -mindepth 1 | wc -l
}

has_fds() {
	[ "$(fds)" = "$1" ]
}

says() {
	until_ 20 grep -q "$1" "$work/err" || fail "$hook: not said: $1"
}

come() {
	scripts/netns pods "$host"
	says "$host-a: attached to its way out"
	says "$host-b: attached to its way out"
	serve
	get 'http://10.77.2.2/hello?new'
}

change() {
	ip -n "$host" link set "$host-a" down
	ip -n "$host" link set "$host-a" name renamed
	ip -n "$host" link set renamed up
	get --retry 5 --retry-all-errors 'http://10.77.2.2/hello?renamed' || fail "$hook: no traffic after renaming"
}

# Off to a pod: not ours any more, whatever passes there.
move() {
	ip -n "$host" link add moves type veth peer name stays
	says "moves: attached to its way out"
	ip -n "$host" link set moves netns "$host-a"
	says "moves: gone"
	ip -n "$host" link del stays
}

# News of interfaces that the kernel had no room for: they are asked for.
overrun() {
	kill -STOP "$watcher"
	seq 20 | sed 's/.*/link add hot& type veth peer name tub&/' | ip -n "$host" -b -
	seq 4000 | sed 's/.*/link set hot1 alias &/' | ip -n "$host" -b -
	seq 21 40 | sed 's/.*/link add hot& type veth peer name tub&/' | ip -n "$host" -b -
	seq 10 | sed 's/.*/link del hot&/' | ip -n "$host" -b -
	on host awk '$9 > 0 {n++} END {exit !n}' /proc/net/netlink || fail "$hook: no news were dropped"
	kill -CONT "$watcher"
	says "hot40: attached to its way out"
	says "tub11: attached to its way out"
	! grep -qE '(hot|tub)([1-9]|10): attached' "$work/err" || fail "$hook: what was gone before was attached to"
	seq 11 40 | sed 's/.*/link del hot&/' | ip -n "$host" -b -
	says 'tub40: gone'
}

go() {
	for _ in 1 2; do
		seq 30 | sed 's/.*/link add hot& type veth peer name tub&/' | ip -n "$host" -b -
		seq 30 | sed 's/.*/link del hot&/' | ip -n "$host" -b -
	done
	ip -n "$host" link del renamed
	ip -n "$host" link del "$host-b"
	until_ 30 has_fds "$1" || fail "$hook: $(fds) descriptors instead of $1"
}

# More interfaces than descriptors that a process has at first.
ulimit -Sn 64
for hook in $(hooks); do
	ip netns pids "$host-b" | xargs -r kill -9
	scripts/netns del "$host"
	ip netns add "$host"
	watch -v --hook "$hook"
	grep -q 'no interface' "$work/err" || fail "$hook: there is something to watch on an empty host"
	before=$(fds)
	come
	change
	move
	overrun
	go "$before"
	watched
	expect "$hook: exchanges at the start" "$(exchanges '.l7.request.Record.Http.url == "/hello?new"')" 1
	expect "$hook: exchanges after renaming" "$(exchanges '.l7.request.Record.Http.url == "/hello?renamed"')" 1
	grep -qx '0 lost' "$work/err" || fail "$hook: something was lost"
done
pass
