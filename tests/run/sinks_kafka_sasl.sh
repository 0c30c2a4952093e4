#!/bin/bash
# SPDX-License-Identifier: MIT
# Records on their way to Kafka behind a password: let in, kept out and told why, and let in later.
. tests/run/common
if ! cc -o "$work/kafka_mock" tests/run/kafka_mock.c -lrdkafka 2>/dev/null || ! command -v kcat >/dev/null; then
	echo "needs librdkafka and kcat"
	exit 77
fi

mkfifo "$work/orders" "$work/packets"
"$work/kafka_mock" <"$work/orders" >"$work/brokers" 2>/dev/null &
pids+=($!)
exec 3>"$work/orders"
until_ 30 test -s "$work/brokers" || fail "no brokers"
behind=$(cat "$work/brokers")
echo 's3cr@t' >"$work/password"
serve python3 tests/run/sasl_proxy.py "$behind" "$work/password"
brokers=$port

total=500
{
	echo "conn 10.0.0.1:51234 -> 10.0.0.2:80"
	for ((i = 1; i <= total; i++)); do
		printf 'c| GET /%d HTTP/1.1\nc| Host: example.com\nc|\n\ns| HTTP/1.1 200 x\ns| Content-Length: 0\ns|\n\n' "$i"
	done
} >"$work/talk"
"$B/pcap-make" "$work/talk" "$work/all.pcap" || exit 1

send() { # FILE MECHANISM PASSWORD OPTION...
	timeout -s KILL 100 "$B/perisco" replay "$1" -o "kafka://sniffer:$3@$brokers/perisco" -X security.protocol=SASL_PLAINTEXT \
		-X "sasl.mechanisms=$2" "${@:4}" 2>"$work/said"
}

arrived() { # WHAT WANTED: messages that are there, told apart
	timeout 60 kcat -C -b "$behind" -t perisco -e -q -f '%h\n' >"$work/messages" 2>/dev/null
	expect "$1" "$(sort -u "$work/messages" | wc -l)" "$2"
}

told() { # WHAT
	grep -qi authentication "$work/said" || fail "$1: that it is the password is not said: $(cat "$work/said")"
	grep -qE 's3cr|wr0ng' "$work/said" && fail "$1: the password is told"
}

sent=0
for mechanism in PLAIN SCRAM-SHA-256 SCRAM-SHA-512; do
	send "$work/all.pcap" $mechanism s3cr%40t
	expect "status with $mechanism" $? 0
	sent=$((sent + total))
	arrived "by $mechanism" $sent
done

for mechanism in PLAIN SCRAM-SHA-512; do
	send "$work/all.pcap" $mechanism wr0ng
	expect "status with a wrong password by $mechanism" $? 7
	told $mechanism
	expect "records that a wrong password keeps back" "$(grep -o '[0-9]* delivered.*' "$work/said")" "0 delivered, $total dropped at the end"
	arrived "what was not let in by $mechanism" $sent
done

echo other >"$work/password"
send "$work/packets" PLAIN s3cr%40t &
run=$!
exec 4>"$work/packets"
cat "$work/all.pcap" >&4
until_ 60 grep -qi authentication "$work/said" || fail "waits without a word: $(cat "$work/said")"
echo 's3cr@t' >"$work/password"
until_ 60 grep -q 'delivers again' "$work/said" || fail "is not let in later: $(cat "$work/said")"
exec 4>&-
wait $run
expect "status when the password was put right" $? 0
sent=$((sent + total))
arrived "when the password was put right" $sent

send "$work/all.pcap" SCRAM-SHA-256 wr0ng --strict
expect "a strict run with a wrong password" $? 7
told strict
grep -q delivered "$work/said" && fail "a strict run begins: $(cat "$work/said")"
exit $status
