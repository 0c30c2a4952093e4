#!/bin/bash
# SPDX-License-Identifier: MIT
# More load than the CPU budget allows: less and less is made of it, which is said, and everything again when it is over. What is
# recorded is right, what is not is counted, and the pods notice nothing.
. tests/live/common perisco-bud
serve

cat >"$work/both.lua" <<'END'
local n = 0
request = function()
	n = n + 1
	return wrk.format("GET", n % 3 == 0 and "/nowhere" or "/hello")
end
END

# Of some side neither the fields, nor that they are missing.
# shellcheck disable=SC2016
headless='. as $r | ["request", "response"] | any(. as $side | $r.l7[$side] and ($r.l7[$side].Record.Http.headers | not) and
	([$r.missing[]? | select(.side == $side and .part == "headers")] | length == 0))'

steps() { # JQ-FILTER: of the budget records
	grep '"budget":{' "$work/out" | jq -r ".budget | $1"
}

load() {
	on a h2load -c 4 -m 4 -D 4 http://10.77.2.2:82/hello >"$work/h2load" 2>&1 &
	local h2load=$!
	wrk -t 1 -c 64 -d 4s --timeout 20s -s "$work/both.lua" http://10.77.2.2
	wait $h2load
	grep -q "Socket errors" "$work/wrk" && fail "the pods noticed: $(cat "$work/wrk")"
	grep -q " 0 failed, 0 errored" "$work/h2load" || fail "the pods noticed: $(cat "$work/h2load")"
}

watch --cpu-budget 2% --flows -v
grep -q "not measured" "$work/err" && fail "the kernel does not say what the programs cost"
for _ in {1..15}; do # of a slow machine's seconds some more are too many
	load
	grep -q '"step":"counts"' "$work/out" && break
done
load # new connections, of which some are only counted
until_ 100 grep -q '"step":"whole"' "$work/out" || fail "it does not climb back: $(steps .step | paste -sd' ')"
: >"$work/access"
get http://10.77.2.2/hello
watched

expect "the way down" "$(steps .step | uniq | head -3 | paste -sd' ')" "heads lines counts"
expect "the way back" "$(steps .step | uniq | tail -3 | paste -sd' ')" "lines heads whole"
grep '"budget":{' "$work/out" | jq -s -e '[.[] | .budget] | . as $b | all(range(1; length); $b[.].before == $b[. - 1].step) and
	all(.[] | select(.step == "counts"); .one_in >= 2) and .[0].cpu_ns > .[0].limit_ns and .[-1].cpu_ns < .[-1].limit_ns and
	all(.[]; .limit_ns == 20000000) and
	([.[] | select(.before == "counts") | .cpu_ns] | min) < .[0].cpu_ns' >"$work/jq" ||
	fail "the budget's records make no sense: $(steps tojson)"
grep -q "^cpu: .* of 2.0%: .*s counts, [1-9][0-9]* connections only counted" "$work/err" || fail "the summary says nothing of it"

# of each exchange: has it another one's answer, does it not say that it lacks headers, was it cut off, which one is it
jq -r "select(.l7) | [(.l7.request and .l7.response and
	(.l7.request.Record.Http.url // \"/hello\" | if . == \"/nowhere\" then 404 else 200 end) != (.l7.response.Record.Http.code // 200)
	and (.l7.request.Record.Http.url or .l4.Protocol.TCP.server_port == 82)), ($headless), .l7.ended.how == \"budget\",
	if .l7.response then \"\(.flow_id) \(.ts) \(.l7.stream_id)\" else null end] | @tsv" "$work/out" >"$work/all"
expect "exchanges with another's answer" "$(cut -f1 "$work/all" | grep -c true)" 0
expect "exchanges without headers that do not say so" "$(cut -f2 "$work/all" | grep -c true)" 0
expect "exchanges told twice" "$(cut -f4 "$work/all" | grep . | sort | uniq -d | wc -l)" 0
expect "exchanges whole, at the end" "$(tail -n 20 "$work/out" | jq -c 'select(.l7.request.Record.Http.headers)
	| select(.missing | not)' | wc -l)" 1
cut -f3 "$work/all" | grep -q true || fail "no exchange was cut off by the budget"
pass
