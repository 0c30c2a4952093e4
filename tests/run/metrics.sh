#!/bin/bash
# SPDX-License-Identifier: MIT
# --metrics during a replay: the page says what the records say, promtool and a real Prometheus take it, and who misbehaves hurts nobody.
. tests/run/common
. tests/metrics_page
perisco=$B/perisco

# begin OPTION...: a replay of the pipe, with metrics at $url; descriptor 3 is the pipe
mkfifo "$work/pipe"
begin() {
	: >"$work/err"
	timeout -s KILL 120 "$perisco" replay --metrics 0 "$@" - <"$work/pipe" 2>"$work/err" &
	pid=$!
	pids+=($pid)
	exec 3>"$work/pipe"
	until_ 10 grep -q 'metrics: ' "$work/err" || fail "no address is told: $(cat "$work/err")"
	url=$(sed -n 's|.*metrics: \(http://.*\)/metrics|\1|p' "$work/err")
	[[ $url == http://127.0.0.1:* ]] || fail "not the loopback address: $url"
}

end() { # [STATUS]
	exec 3>&-
	wait $pid
	expect "the exit status" $? "${1:-0}"
}

page() {
	curl -s --max-time 10 -o "$work/page" "$url/metrics"
}

# says NAME N: a metric has this sum by now
says() {
	page && [ "$(sample "$1" "$work/page")" = "$2" ]
}

# --- conversations of all kinds, one after the other
i=0
for talk in tests/pcaps/grpc-{unary,streams,errors,cancel,deadline,gap,web,mid}.talk tests/pcaps/{methods,keep-alive,pipelined,no-response}*.talk; do
	[ -e "$talk" ] || continue
	"$B/pcap-make" "$talk" "$work/talk.pcap" && editcap -t $((++i * 100000)) "$work/talk.pcap" "$work/talk.$i.pcapng"
done
mergecap -w "$work/all.pcapng" "$work"/talk.*.pcapng || exit 1

begin -o "json:$work/out" -o "elasticsearch://user:secret@127.0.0.1:1/x?queue=1M" -o "tcp://127.0.0.1:1?queue=2M"
cat "$work/all.pcapng" >&3
packets=$(capinfos -Mc "$work/all.pcapng" | sed -n 's/.*packets: *//p')
until_ 10 says 'perisco_packets_total ' "$packets" || fail "$packets packets are not on the page"
all_counted() { # what is in the file by now, by the page
	says 'perisco_output_records_total{output="elasticsearch://127.0.0.1:1/x"}' "$(wc -l <"$work/out")" || return 1
	record_counts "$work/out" >"$work/wanted"
	page_counts "$work/page" >"$work/counted"
	cmp -s "$work/wanted" "$work/counted"
}
until_ 10 all_counted || fail "the page (>) counts other than the records (<): $(diff "$work/wanted" "$work/counted")"
[ "$(grep -c ' grpc ' "$work/wanted")" -gt 10 ] && [ "$(grep -c ' http ' "$work/wanted")" -gt 10 ] || fail "not much to compare"
for what in http_request_duration grpc_request_duration; do
	sum=$(sample "perisco_${what}_seconds_sum" "$work/page")
	[[ $sum =~ ^0$ ]] && fail "$what is nothing"
done
expect "duration" "$(awk '/_request_duration_seconds_sum/ { sum += $NF } END { printf "%.6f", sum }' "$work/page")" \
	"$(jq -n '[inputs | select(.l7) | .l7.duration_ns // 0] | add / 1e9' "$work/out" | awk '{ printf "%.6f", $1 }')"
expect "latency" "$(awk '/_response_latency_seconds_sum/ { sum += $NF } END { printf "%.6f", sum }' "$work/page")" \
	"$(jq -n '[inputs | select(.l7) | .l7.latency_ns // 0] | add / 1e9' "$work/out" | awk '{ printf "%.6f", $1 }')"
expect "outcomes" "$(sample perisco_exchanges_ended_total "$work/page")" "$(grep -c '"l7"' "$work/out")"
grep -q secret "$work/page" && fail "a secret is on the page"
expect "outputs" "$(grep -c '^perisco_output_records_total' "$work/page")" 2
if command -v promtool >/dev/null; then
	[ -z "$(promtool check metrics <"$work/page" 2>&1)" ] || fail "promtool: $(promtool check metrics <"$work/page" 2>&1 | head)"
	PAGE=$work/hostile "$B/unit/page" >/dev/null 2>&1
	[ -s "$work/hostile" ] && [ -z "$(promtool check metrics <"$work/hostile" 2>&1)" ] || fail "promtool, of hostile names"
fi

# --- who asks
same_page() { # but when a second is over in between
	curl -s -o "$work/one" "$url/metrics" -o "$work/two" "$url/metrics" && cmp -s "$work/one" "$work/two"
}
until_ 3 same_page || fail "a page is made for each who asks at the same time"
answer() { # CURL-ARGUMENTS...
	curl -s -o /dev/null -w '%{http_code}' --max-time 10 "$@"
}
expect healthz "$(answer "$url/healthz")" 200
expect readyz "$(answer "$url/readyz")" 200
expect "another path" "$(answer "$url/")" 404
expect "another method" "$(answer -X PUT -d x "$url/metrics")" 405
expect "type" "$(curl -sI "$url/metrics" | tr -d '\r' | grep -i '^content-type')" "Content-Type: text/plain; version=0.0.4; charset=utf-8"
"$perisco" replay --metrics "${url##*:}" /dev/null 2>"$work/busy"
expect "the exit status where somebody listens" $? 7
grep -q "cannot listen at 127.0.0.1, port ${url##*:}: Address already in use" "$work/busy" || fail "a port in use: $(cat "$work/busy")"

# --- a real Prometheus
if command -v prometheus >/dev/null; then
	start_prometheus "$work/prometheus" "${url#http://}" 3>&-
	pids+=("$prometheus_pid")
	calls=$(jq -n '[inputs | select(.l7.grpc)] | length' "$work/out")
	has() { [ "$(query "$1")" = "$2" ]; } # QUERY VALUE: by now, and when it is not too busy to answer
	until_ 30 has 'sum(perisco_grpc_requests_total)' "$calls" || fail "Prometheus has not $calls calls: $(tail -3 "$work/prometheus/log")"
	until_ 10 has up 1 || fail "Prometheus does not say that it is up"
	until_ 10 has 'histogram_quantile(0.99, sum by (le) (perisco_http_request_duration_seconds_bucket)) > bool 0' 1 || fail "no quantile"
	expect "types" "$(curl -s "http://127.0.0.1:$prometheus/api/v1/targets/metadata?metric=perisco_http_request_duration_seconds" |
		jq -r '.data[0].type')" histogram
	kill "$prometheus_pid" && wait "$prometheus_pid" 2>/dev/null
fi
end 7 # nobody took the records

# --- what is not selected is not counted
begin -o "json:$work/out" --status 4xx,grpc:1-16
cat "$work/all.pcapng" >&3
until_ 10 says 'perisco_packets_total ' "$packets" || fail "$packets packets are not on the page of a selection"
selected_counted() {
	page && diff <(record_counts "$work/out") <(page_counts "$work/page")
} >"$work/differ"
until_ 10 selected_counted || fail "the page (>) counts other than the selected records (<): $(cat "$work/differ")"
[ "$(grep -c '"l7"' "$work/out")" -gt 5 ] || fail "next to nothing is selected"
end

# --- threads, and a crowd that asks all the time, or slowly, or never finishes its question
"$B/bench-make" small 30 "$work/small.pcap" >/dev/null
total=$("$perisco" replay -o null "$work/small.pcap" 2>&1 | sed -n 's/ exchanges.*//p')
begin -o null --workers 2
port=${url##*:}
(
	for _ in {1..40}; do
		exec {slow}<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /met' >&"$slow"
	done
	: >"$work/crowded"
	exec sleep 100
) 2>/dev/null 3>&- &
pids+=($!)
curl -s -o /dev/null --limit-rate 100 "$url/metrics" 3>&- &
pids+=($!)
(while curl -s -o "$work/crowd" "$url/metrics"; do :; done) 3>&- &
pids+=($!)
cat "$work/small.pcap" >&3
until_ 30 says 'perisco_http_requests_total{' "$total" || fail "of $total exchanges the page has $(sample 'perisco_http_requests_total{' "$work/page")"
until_ 10 says perisco_exchanges_total "$total" || fail "the engines tell of $(sample perisco_exchanges_total "$work/page") exchanges"
expect "the histogram" "$(grep 'le="+Inf"' "$work/page" | awk '{ sum += $NF } END { print sum }')" "$total"
until_ 30 test -e "$work/crowded" || fail "there is no crowd" # of those who come later eight may push out who asks
expect "health in a crowd" "$(answer "$url/healthz")" 200
end
grep -qx "$total exchanges" "$work/err" || fail "the summary: $(cat "$work/err")"

# --- what comes at the end: as long as a host takes its time there is a page, it says what becomes of records, and what is told agrees
"$B/bench-make" small 1 "$work/few.pcap" >/dev/null
total=$("$perisco" replay -o null "$work/few.pcap" 2>&1 | sed -n 's/ exchanges.*//p')
control() { # PORT JSON
	curl -s --max-time 10 -d "$2" -o "$work/answer" "http://127.0.0.1:$1/control"
}
serve python3 tests/run/bulk_server.py
slow=$port
serve python3 tests/run/bulk_server.py
control "$slow" '{"slow": 25}' && control "$port" '{"each": {"400": 10}}' || fail "the servers do not obey"
begin -o "elasticsearch://127.0.0.1:$slow/x?queue=2M" -o "elasticsearch://127.0.0.1:$port/x" -o json:/dev/full
cat "$work/few.pcap" >&3
exec 3>&-
ends() {
	[ "$(answer "$url/readyz")" = 503 ] && curl -s --max-time 10 "$url/readyz" | grep -q '^ending: '
}
of() { # METRIC PORT: of the output there
	sample "perisco_output_$1{output=\"elasticsearch://127.0.0.1:$2/x\"" "$work/page"
}
has_fate() {
	page && [ $(($(of delivered_records_total "$port") + $(of dropped_records_total "$port"))) = "$total" ]
}
until_ 30 ends || fail "readyz does not say that the run ends"
expect "healthz at the end" "$(answer "$url/healthz")" 200
grep -qx "$total exchanges" "$work/err" || fail "the summary waits for hosts: $(cat "$work/err")"
until_ 30 has_fate || fail "the page does not say what the quick host took at the end"
before=$(of delivered_records_total "$slow")
[ "$(of waiting_records "$slow")" -gt 0 ] || fail "nothing waits for the slow host"
control "$slow" '{"slow": 3}' || fail "the slow server does not obey"
moved() {
	page && [ "$(of delivered_records_total "$slow")" -gt "$before" ]
}
until_ 30 moved || fail "the page stands still at the end"
refused=$(sample "perisco_output_dropped_records_total{output=\"elasticsearch://127.0.0.1:$port/x\",cause=\"refused\"}" "$work/page")
missed=$(sample 'perisco_output_dropped_records_total{output="/dev/full",cause="disk"}' "$work/page")
control "$slow" '{"slow": 0}'
wait $pid
expect "the exit status, some refused" $? 7
expect "the page of a file that cannot be written" "$missed" "$total"
grep -q "^perisco: /dev/full: $missed dropped because" "$work/err" || fail "$missed on the page: $(cat "$work/err")"
[ "$refused" -ge $((total / 11)) ] && grep -q "$port/x: $((total - refused)) delivered, $refused refused$" "$work/err" ||
	fail "$refused refused on the page: $(cat "$work/err")"
grep -q "$slow/x?queue=2M: $total delivered$" "$work/err" || fail "the slow host: $(cat "$work/err")"
exit $status
