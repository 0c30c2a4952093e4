#!/bin/bash
# SPDX-License-Identifier: MIT
# HTTP/2 between real peers: nghttpd, nginx and nghttpx (which can be asked to upgrade) serve, h2load and curl ask. As many
# records as they count, none twice, nothing missing.
. tests/live/common perisco-h2
serve
printf 'hello\n' >"$work/www/hello"
head -c 100000 /dev/zero >"$work/www/large"
on b nghttpd --no-tls -a 10.77.2.2 -d "$work/www" 8080 >"$work/nghttpd" 2>&1 &
on b nghttpx --conf=/dev/null --no-ocsp --workers=1 -f '10.77.2.2,8081;no-tls' -b '10.77.2.2,80' >"$work/nghttpx" 2>&1 &
for port in 82 8080; do
	until_ 10 get --http2-prior-knowledge "http://10.77.2.2:$port/hello" || fail "no HTTP/2 on port $port"
done
until_ 10 get --http2 http://10.77.2.2:8081/hello || fail "nghttpx does not answer"

# All that was seen is whole: FILTER says which records are meant.
whole() { # WHAT WANTED FILTER
	jq -r "select(.l7) | select($3) | \"\\(.flow_id) \\(.l7.stream_id) \\(.l7.request and .l7.response and
		(.missing or .l7.ended or .l7.reset_code | not))\"" "$work/out" >"$work/told"
	expect "$1: exchanges" "$(wc -l <"$work/told")" "$2"
	expect "$1: whole exchanges" "$(grep -c true "$work/told")" "$2"
	expect "$1: exchanges told twice" "$(sort "$work/told" | uniq -d | wc -l)" 0
	grep -qx '0 lost' "$work/err" || fail "$1: something was lost"
}

load() { # REQUESTS PORT PATH H2LOAD-ARGUMENTS...
	watch
	on a h2load -n "$1" -t 1 "${@:4}" "http://10.77.2.2:$2$3" >"$work/h2load" 2>&1
	watched
	grep -q ", $1 done, $1 succeeded," "$work/h2load" || fail "h2load ${*:4}: $(grep ^requests: "$work/h2load")"
	whole "h2load ${*:4}, port $2" "$1" ".l7.request.Record.Http.url == \"$3\" and .l7.response.Record.Http.code == 200"
}

n=$((${SECONDS_OF_LOAD:-10} * 4000))
load $n 8080 /hello -c 8 -m 100
load $n 82 /hello -c 4 -m 32
load $((n / 10)) 8080 /hello -c $((n / 100)) -m 4
load $((n / 40)) 8080 /large -c 4 -m 10
load $((n / 10)) 8080 /hello -c 4 -m 10 -d "$work/www/hello" -H 'x-test: with content'

ask() { # EXCHANGES PORT COMMAND...
	watch
	on a "${@:3}" "http://10.77.2.2:$2/hello" >"$work/answer" 2>&1 || fail "${*:3}, port $2: $(tail -n 1 "$work/answer")"
	watched
	whole "${*:3}, port $2" "$1" ".l4.Protocol.TCP.server_port == $2 and .l7.stream_id and
		.l7.response.Record.Http.protocol == \"HTTP/2.0\" and .l7.response.Record.Http.code == 200"
}

for port in 82 8080 8081; do
	ask 1 $port curl -sf --http2-prior-knowledge
	ask 2 $port nghttp -v "http://10.77.2.2:$port/hello?again"
done
ask 1 8081 curl -sf --http2
expect "curl's upgrade" "$(exchanges '.l7.stream_id == 1 and .l7.turned == "h2c"')" 1
ask 2 8081 nghttp -vu "http://10.77.2.2:8081/hello?again"
expect "nghttp's upgrade" "$(exchanges '.l7.stream_id == 1 and .l7.turned == "h2c"')" 1
pass
