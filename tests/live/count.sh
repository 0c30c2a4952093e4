#!/bin/bash
# SPDX-License-Identifier: MIT
# wrk against nginx as fast as they can: as many records as nginx served requests, none twice, none missing.
. tests/live/common perisco-cnt
serve

load() { # HOOK WRK-ARGUMENTS...
	local hook=$1
	shift
	: >"$work/access"
	watch --hook "$hook"
	on a wrk -t 1 -c 16 -d "${SECONDS_OF_LOAD:-3}s" "$@" http://10.77.2.2/hello >"$work/wrk"
	sleep 0.2
	watched
	expect "$hook, $*: exchanges" "$(exchanges true)" "$(wc -l <"$work/access")"
	expect "$hook, $*: exchanges with something missing" "$(exchanges .missing)" 0
	expect "$hook, $*: exchanges told twice" \
		"$(jq -c 'select(.l7) | [.flow_id, .ts]' "$work/out" | sort | uniq -d | wc -l)" 0
	grep -qx '0 lost' "$work/err" || fail "$hook, $*: something was lost"
}

for hook in auto packet; do
	load $hook -H 'X-Test: keep-alive'
	load $hook -H 'Connection: close'
done
pass
