#!/bin/bash
# SPDX-License-Identifier: MIT
# --metrics while it watches: the page, and a Prometheus that scrapes it, say what nginx's log and the clients say. Who asks for the page
# in other ways than is proper costs no packet.
. tests/live/common perisco-metr routed
. tests/metrics_page
serve
on b /usr/bin/python3 tests/live/grpc_calls.py serve 10.77.2.2:50051 >"$work/server" 2>&1 &
until_ 10 on b grep -q ':C383 ' /proc/net/tcp6 /proc/net/tcp || fail "the gRPC server does not listen"
: >"$work/access"

page() {
	on host curl -s --max-time 5 -o "$work/page" http://127.0.0.1:9090/metrics
}
says() { # NAME N
	page && [ "$(sample "$1" "$work/page")" = "$2" ]
}
query() { # in the host's namespace, where Prometheus is
	on host curl -s --max-time 5 --data-urlencode "query=$1" http://127.0.0.1:9091/api/v1/query | jq -r '.data.result[0].value[1]' 2>/dev/null
}
scraped() { # PROMQL N
	[ "$(query "$1")" = "$2" ]
}

watch --metrics :9090
until_ 5 on host curl -sf -o /dev/null http://127.0.0.1:9090/readyz || fail "it is not ready: $(on host curl -s http://127.0.0.1:9090/readyz)"
on host curl -sf -o /dev/null http://127.0.0.1:9090/healthz || fail "it is not healthy"
on a curl -s -o /dev/null --max-time 1 http://10.77.2.1:9090/metrics && fail "the page is served to others"
if command -v prometheus >/dev/null; then
	mkdir "$work/prometheus"
	echo "{global: {scrape_interval: 3s}, scrape_configs: [{job_name: x, static_configs: [{targets: ['127.0.0.1:9090']}]}]}" \
		>"$work/prometheus/config"
	ip netns exec "$host" prometheus --config.file="$work/prometheus/config" --storage.tsdb.path="$work/prometheus/data" \
		--web.listen-address=127.0.0.1:9091 >"$work/prometheus/log" 2>&1 &
	until_ 20 scraped up 1 || fail "Prometheus does not scrape: $(tail -3 "$work/prometheus/log")"
fi

# a crowd at the page, while there is traffic at full speed
for _ in {1..30}; do
	ip netns exec "$host" bash -c 'exec 9<>/dev/tcp/127.0.0.1/9090 && printf "GET /me" >&9 && exec sleep 20' 2>/dev/null &
done
ip netns exec "$host" bash -c "while curl -s -o $work/crowd http://127.0.0.1:9090/metrics; do :; done" &
wrk -t 1 -c 16 -d 3s http://10.77.2.2/hello
wrk -t 1 -c 4 -d 1s http://10.77.2.2/nowhere
get -X DELETE http://10.77.2.2:81/hello
get -X POST -d x http://10.77.2.2/hello
on a /usr/bin/python3 tests/live/grpc_calls.py call 10.77.2.2:50051 >"$work/called" 2>"$work/err.calls"
served
nginx=$(wc -l <"$work/access")
calls=$(awk '{ sum += $1 } END { print sum }' "$work/called")
all_counted() { # a page may be one second old
	says perisco_http_requests_total "$nginx" && [ "$(sample perisco_grpc_requests_total "$work/page")" = "$calls" ]
}
until_ 10 all_counted || fail "$(sample perisco_http_requests_total "$work/page") of nginx's $nginx requests,
	$(sample perisco_grpc_requests_total "$work/page") of $calls calls"
awk '{ port = 80 } /DELETE/ { port = 81 } { print "http 10.77.2.2", port, substr($6, 2), substr($9, 1, 1) "xx" }' "$work/access" |
	sort | uniq -c | awk '{ print "requests", $2, $3, $4, $5, $6, $1 }' | LC_ALL=C sort >"$work/wanted"
page_counts "$work/page" | grep '^requests http' >"$work/counted"
diff "$work/wanted" "$work/counted" || fail "the page (>) counts other than nginx (<)"
expect "durations" "$(sample perisco_http_request_duration_seconds_count "$work/page")" "$nginx"
expect "drops" "$(sample perisco_capture_dropped_packets_total "$work/page")" 0
expect "interfaces" "$(sample perisco_interfaces "$work/page")" 2
expect "the ring" "$(awk '/^perisco_capture_ring_(size|peak)/ { print ($2 > 0) }' "$work/page" | sort -u)" 1
[ -z "$(promtool check metrics <"$work/page" 2>&1)" ] || fail "promtool: $(promtool check metrics <"$work/page" 2>&1 | head -3)"
if command -v prometheus >/dev/null; then
	until_ 20 scraped 'sum(perisco_http_requests_total)' "$nginx" || fail "Prometheus has $(query 'sum(perisco_http_requests_total)') of $nginx"
	expect "of class 4xx" "$(query 'sum(perisco_http_requests_total{status_class="4xx"})')" "$(grep -c '" 404 ' "$work/access")"
	expect "scrapes that failed" "$(query 'count_over_time((up == 0)[1m:1s]) or vector(0)')" 0
fi
watched
record_counts "$work/out" >"$work/wanted"
page_counts "$work/page" >"$work/counted"
diff "$work/wanted" "$work/counted" || fail "the page (>) counts other than the records (<)"
grep -qx '0 lost' "$work/err" || fail "something was lost"

# where the port is taken, and from other hosts when that is asked for
watch --metrics 0.0.0.0:9090
timeout 10 ip netns exec "$host" "$perisco" watch -o null --metrics 9090 >"$work/out2" 2>"$work/err2"
expect "the exit status where somebody listens" $? 7
until_ 5 on a curl -sf -o /dev/null --max-time 2 http://10.77.2.1:9090/healthz || fail "0.0.0.0 is not served to others"
watched
pass
