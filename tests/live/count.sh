#!/bin/bash
# SPDX-License-Identifier: MIT
# wrk against nginx as fast as they can: as many records as nginx served requests, none twice, none missing.
. tests/live/common perisco-cnt
serve

load() { # WRK-ARGUMENTS...
	: >"$work/access"
	watch
	on a wrk -t 1 -c 16 -d "${SECONDS_OF_LOAD:-3}s" "$@" http://10.77.2.2/hello >"$work/wrk"
	sleep 0.2
	watched
	expect "$*: exchanges" "$(exchanges true)" "$(wc -l <"$work/access")"
	expect "$*: exchanges with something missing" "$(exchanges .missing)" 0
	expect "$*: exchanges told twice" \
		"$(jq -c 'select(.l7) | [.flow_id, .ts]' "$work/out" | sort | uniq -d | wc -l)" 0
	grep -qx '0 lost' "$work/err" || fail "$*: something was lost"
}

load -H 'X-Test: keep-alive'
load -H 'Connection: close'
pass
