#!/bin/bash
# SPDX-License-Identifier: MIT
# wrk against nginx as fast as they can: as many records as nginx served requests, none twice, none missing.
. tests/live/common perisco-cnt
serve

load() { # HOOK WRK-ARGUMENTS...
	local hook=$1
	shift
	: >"$work/access"
	watch --hook "$hook" --ring 256M # on a busy host it is not always read in time
	wrk -t 1 -c 16 -d "${SECONDS_OF_LOAD:-3}s" "$@" http://10.77.2.2/hello
	served
	watched
	jq -r 'select(.l7) | "\(.flow_id) \(.ts) \(.missing | not)"' "$work/out" >"$work/told"
	expect "$hook, $*: exchanges" "$(wc -l <"$work/told")" "$(wc -l <"$work/access")"
	expect "$hook, $*: exchanges with something missing" "$(grep -c false "$work/told")" 0
	expect "$hook, $*: exchanges told twice" "$(sort "$work/told" | uniq -d | wc -l)" 0
	grep -qx '0 lost' "$work/err" || fail "$hook, $*: something was lost"
}

for hook in auto packet; do
	load $hook -H 'X-Test: keep-alive'
	load $hook -H 'Connection: close'
done
pass
