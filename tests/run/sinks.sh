#!/bin/bash
# SPDX-License-Identifier: MIT
# Records that go to other hosts: all of them arrive, once or told apart by their ids; those that do not are counted.
. tests/run/common
pids=()
trap 'exec 3>&-; kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$work"' EXIT

expect() { # WHAT GOT WANTED
	[ "$2" = "$3" ] || fail "$1: '$2', not '$3'"
}

total=20000
{
	echo "conn 10.0.0.1:51234 -> 10.0.0.2:80"
	for ((i = 1; i <= total; i++)); do
		printf 'c| GET /%d HTTP/1.1\nc| Host: example.com\nc|\n\ns| HTTP/1.1 %d x\ns| Content-Length: 0\ns|\n\n' $i $((i % 10 ? 200 : 503))
	done
} >"$work/talk"
"$B/pcap-make" "$work/talk" "$work/all.pcap" || exit 1
"$B/pcap-make" <(head -8 "$work/talk") "$work/one.pcap" || exit 1

# serve PROGRAM ARGUMENT...: one more server of the tests, that prints its port
serve() {
	: >"$work/port"
	"$@" >"$work/port" 2>"$work/server" &
	server=$!
	pids+=("$server")
	for _ in {1..50}; do
		[ -s "$work/port" ] && port=$(cat "$work/port") && return
		sleep 0.1
	done
	fail "$1 does not start: $(cat "$work/server")"
}

stop() {
	kill "$server"
	wait "$server" 2>/dev/null
}

replay() { # FILE OPTION...
	timeout -s KILL 100 "$B/perisco" replay "$work/$1.pcap" "${@:2}" 2>"$work/said"
}

# said WORDS: the number that stands before them in what was told of the records
said() {
	grep -o "[0-9]\+ $1" "$work/said" | head -1 | cut -d' ' -f1
}

# --- Elasticsearch
bulk=(python3 tests/run/bulk_server.py)
control() {
	curl -s -d "$1" -o "$work/answer" "http://127.0.0.1:$port/control"
}
report() { # JQ
	curl -s -o "$work/report" "http://127.0.0.1:$port/report" && jq -r "$1" "$work/report"
}

serve "${bulk[@]}"
replay all -o "elasticsearch://127.0.0.1:$port/perisco" -o "opensearch://127.0.0.1:$port/other-%Y.%m?status=503&gzip=no"
expect "documents" "$(report .ids)" $((total + total / 10))
expect "documents that came twice" "$(report .again)" 0
expect "what was wrong" "$(report '.bad | length')" 0
expect "delivered" "$(said delivered)" $total
expect "indices" "$(report '.indices | map(tostring) | sort | join(" ")')" "$((total / 10)) $total"
expect "templates" "$(report '.templates | map(.template.mappings.properties["@timestamp"].type) | join(" ")')" "date_nanos date_nanos"
replay one -o "elasticsearch://$(printf "127.0.0.1:$port,%.0s" {1..60})127.0.0.1:$port/perisco"
expect "delivered to a place of many words" "$(said delivered)" 1
stop

serve "${bulk[@]}"
control '{"status": 503, "times": 2, "garbage": 1, "each": {"400": 10, "429": 7, "503": 3}}'
replay all -o "elasticsearch://127.0.0.1:$port/perisco"
expect "documents, some refused" "$(report .ids)" $((total - total / 10))
expect "delivered, some refused" "$(said delivered)" $((total - total / 10))
expect "refused" "$(said refused)" $((total / 10))
expect "documents that came twice after answers of all kinds" "$(report .again)" 0
grep -q 'as told' "$work/said" || fail "nothing is said of an answer"
control '{"words": "\u001b[31mno\u009b"}'
replay one -o "elasticsearch://127.0.0.1:$port/perisco" --strict
expect "strict, and refused" $? 7
grep -q '500: ?\[31mno' "$work/said" || fail "what a server says to --strict: $(cat -v "$work/said")"
stop

replay one -o "elasticsearch://127.0.0.1:$port/perisco" --strict
expect "strict" $? 7
replay all -o "elasticsearch://127.0.0.1:$port/perisco" -o "json:$work/all.json"
expect "without a server" $? 0
expect "dropped without a server" "$(said 'dropped at the end')" $total
expect "records in a file beside it" "$(wc -l <"$work/all.json")" $total
replay all -o "elasticsearch://127.0.0.1:$port/perisco" --spool "$work/spool"
expect "spooled" "$(said 'left in the spool')" $total
serve "${bulk[@]}" "$port"
replay one -o "elasticsearch://127.0.0.1:$port/perisco" --spool "$work/spool"
expect "recovered" "$(said 'found in the spool')" $total
expect "documents, with those of the run before" "$(report .ids)" $((total + 1))
expect "documents of two runs that came twice" "$(report .again)" 0
stop

# --- Kafka
if cc -o "$work/kafka_mock" tests/run/kafka_mock.c -lrdkafka 2>/dev/null && command -v kcat >/dev/null; then
	mkfifo "$work/orders"
	"$work/kafka_mock" <"$work/orders" >"$work/brokers" 2>/dev/null &
	pids+=($!)
	exec 3>"$work/orders"
	until [ -s "$work/brokers" ]; do sleep 0.1; done
	brokers=$(cat "$work/brokers")
	echo "fail 5" >&3
	replay all -o "kafka://$brokers/perisco?linger.ms=2" -X compression.type=zstd
	expect "messages delivered" "$(said delivered)" $total
	timeout 60 kcat -C -b "$brokers" -t perisco -e -q -f '%k %h %s\n' >"$work/messages" 2>/dev/null
	expect "messages, told apart" "$(cut -d' ' -f2 "$work/messages" | sort -u | wc -l)" $total
	expect "keys" "$(cut -d' ' -f1 "$work/messages" | sort -u | wc -l)" 1
	cut -d' ' -f3- "$work/messages" | awk '!seen[$0]++' | jq -r .l7.request.Record.Http.url >"$work/urls"
	expect "order in a flow" "$(seq -f '/%.0f' $total | cmp - "$work/urls" && echo same)" same
	for order in deny large; do # a batch that is given up for now, or that may be smaller
		timeout 60 kcat -C -b "$brokers" -t perisco -e -q -f '%o\n' >"$work/before" 2>/dev/null
		echo "$order 1" >&3
		sleep 0.1
		replay all -o "kafka://$brokers/perisco?batch.size=20000"
		expect "messages delivered after $order" "$(said delivered)" $total
		expect "messages refused after $order" "$(said refused)" ""
		grep -q "$([ $order = deny ] && echo 'authorization failed' || echo 'too large').*trying again" "$work/said" ||
			fail "$order is told as: $(cat "$work/said")"
		timeout 60 kcat -C -b "$brokers" -t perisco -e -q -f '%h %s\n' 2>/dev/null | tail -n "+$(($(wc -l <"$work/before") + 1))" |
			awk '!seen[$1]++' | cut -d' ' -f2- | jq -r .l7.request.Record.Http.url >"$work/urls"
		expect "order in a flow after $order" "$(seq -f '/%.0f' $total | cmp - "$work/urls" && echo same)" same
	done
	echo down >&3
	sleep 0.2
	replay all -o "kafka://$brokers/perisco" --spool "$work/spool"
	expect "messages accounted for" "$(($(said delivered) + $(said 'left in the spool')))" $total
	echo up >&3
	replay one -o "kafka://$brokers/perisco" --spool "$work/spool"
	expect "messages recovered" "$(said 'found in the spool')" $total
	expect "messages delivered later" "$(said delivered)" $((total + 1))
	replay one -o "kafka://$brokers/perisco?no.such=1"
	expect "a property that does not exist" $? 2
else
	echo "no librdkafka or kcat: Kafka is left out"
fi

# --- what cannot be is said at once
refused() { # PLACE WORD
	replay one -o "$1"
	expect "$1" $? 2
	grep -q "$2" "$work/said" || fail "$1 is refused with: $(cat "$work/said")"
	! grep -q secret "$work/said" || fail "$1: a secret is told"
}
refused "kafka://127.0.0.1" TOPIC
refused "kafka:///t" HOST
refused "kafka://127.0.0.1:port/t" HOST
refused "kafka://127.0.0.1/to/pic" TOPIC
refused "kafka://u:secret@127.0.0.1/t?no.such=1" no.such
refused "kafka://u:a/secret@127.0.0.1/t" "kafka://...': write"
refused "kafka://u:a?status=secret@127.0.0.1/t" "kafka://...': write"
refused "ka_fka://u:secret@127.0.0.1/t" "unknown output format"
refused "kafka://127.0.0.1/t?acks=many" acks
refused "elasticsearch://u:secret?@127.0.0.1/Index" "lower case"
refused "elasticsearch://127.0.0.1/x?speed=1" speed
refused "elasticsearch://127.0.0.1/x?queue=9k" queue
refused "tcp://127.0.0.1" HOST:PORT
refused "tcp://127.0.0.1:99999" HOST:PORT
refused "tcp://127.0.0.1:1/path" HOST:PORT
refused "unix://host/path" unix:///PATH
refused "http://127.0.0.1/x" "unknown transport"
refused "xml:tcp://127.0.0.1:1" "unknown output format"
refused "json:-?size=1M" "cannot rotate standard output"
refused "json:/dev/stdout?every=1h" "cannot rotate /dev/stdout"
refused "json:/dev/null?size=1M" "cannot rotate /dev/null"
refused "json:$work/x?keep=3" rotation

# --- every record of the golden captures: no field has two types, so that no mapping can be at odds
serve "${bulk[@]}"
for talk in tests/pcaps/*.talk; do
	"$B/pcap-make" "$talk" "$work/golden.pcap"
	replay golden --flows --body 1k -o "elasticsearch://127.0.0.1:$port/golden" || fail "$talk: $(cat "$work/said")"
done
expect "fields of two types" "$(report '.bad | join(", ")')" ""
[ "$(report .ids)" -gt 400 ] || fail "only $(report .ids) golden records"
stop

# --- sockets: one that goes after some lines, and comes again
serve python3 tests/run/line_server.py 0 "$work/lines" 777
(
	wait_for=$server
	while kill -0 "$wait_for" 2>/dev/null; do sleep 0.1; done
	exec python3 tests/run/line_server.py "$port" "$work/lines" >/dev/null
) &
pids+=($!)
replay all -o "tcp://127.0.0.1:$port"
expect "lines accounted for" "$(said delivered)" $total
tail -n +778 "$work/lines" >"$work/later"
[ "$(jq -s 'map(.l7.request.Record.Http.url) | unique | length' "$work/lines")" -ge $((total - 5000)) ] || fail "lines are lost"

# --- two that read steadily, for longer than a replay waits for one that does not
cat >"$work/slow.py" <<'END'
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
s.bind(("127.0.0.1", 0))
s.listen()
print(s.getsockname()[1], flush=True)
c = s.accept()[0]
while got := c.recv(60000):
    time.sleep(len(got) / float(sys.argv[1]))
END
serve python3 "$work/slow.py" 1300000
first=$port
serve python3 "$work/slow.py" 1000000
replay all -o "tcp://127.0.0.1:$first" -o "tcp://127.0.0.1:$port"
expect "lines delivered to slow readers" "$(grep -o '[0-9]* delivered' "$work/said" | tr '\n' ' ')" "$total delivered $total delivered "

for where in 0 "$work/half"; do # one that ends its half at once, and reads on; nobody else is there
	rm -f "$work/lines"
	serve python3 tests/run/line_server.py "$where" "$work/lines" 1 politely
	replay all -o "$([ "$where" = 0 ] && echo "tcp://127.0.0.1:$port" || echo "json:unix://$where")"
	wait "$server"
	expect "lines to one that sends no more" "$(wc -l <"$work/lines")" $total
	expect "tries to one that sends no more" "$(said 'tries again')" ""
done
serve python3 tests/run/line_server.py "$work/socket" "$work/unix"
replay all -o "text:unix://$work/socket"
for _ in {1..50}; do
	[ "$(wc -l <"$work/unix")" -lt $total ] || break
	sleep 0.1
done
expect "lines to a Unix socket" "$(wc -l <"$work/unix")" $total
exit $status
