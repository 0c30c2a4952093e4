#!/bin/bash
# SPDX-License-Identifier: MIT
# Records that go to Elasticsearch: all of them arrive, once or told apart by their ids; those that do not are counted.
. tests/run/common
. tests/run/sinks_common

bulk=(python3 tests/run/bulk_server.py)
control() {
	curl -s -d "$1" -o "$work/answer" "http://127.0.0.1:$port/control"
}
report() { # JQ
	curl -s -o "$work/report" "http://127.0.0.1:$port/report" && jq -r "$1" "$work/report"
}

serve python3 tests/run/ports.py 1
serve "${bulk[@]}" "$port"
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

serve "${bulk[@]}" "$port"
control '{"limit": 40000}'
replay all -o "elasticsearch://127.0.0.1:$port/behind/a-proxy/perisco?gzip=no"
expect "the exit status, in small requests" $? 0
expect "delivered in small requests" "$(said delivered)" $total
expect "tries of small requests" "$(said 'tries again')" ""
expect "where a proxy has them" "$(report '.where | join(" ")')" "/behind/a-proxy/_index_template/perisco /behind/a-proxy/perisco/_bulk"
[ "$(report .large)" -gt 10 ] || fail "no request is too large"
stop

serve "${bulk[@]}" "$port"
control '{"status": 503, "times": 2, "garbage": 1, "each": {"400": 10, "429": 7, "503": 3}}'
replay all -o "elasticsearch://127.0.0.1:$port/perisco"
expect "the exit status, some refused" $? 7
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
expect "without a server" $? 7
expect "dropped without a server" "$(said 'dropped at the end')" $total
grep -q "/perisco: waiting up to 10 s for $total records to be taken, longer while some are$" "$work/said" || fail "it waits and says nothing"
expect "the last words without a server" "$(tail -1 "$work/said")" "perisco: an output is not complete: some of its records never arrive"
expect "records in a file beside it" "$(wc -l <"$work/all.json")" $total
replay all -o "elasticsearch://127.0.0.1:$port/perisco" --spool "$work/spool"
expect "without a server, but with a spool" $? 0
expect "spooled" "$(said 'left in the spool')" $total
serve "${bulk[@]}" "$port"
replay one -o "elasticsearch://127.0.0.1:$port/perisco" --spool "$work/spool"
expect "recovered" "$(said 'found in the spool')" $total
expect "documents, with those of the run before" "$(report .ids)" $((total + 1))
expect "documents of two runs that came twice" "$(report .again)" 0
stop

# --- every record of the golden captures: no field has two types, so that no mapping can be at odds
serve "${bulk[@]}" "$port"
for talk in tests/pcaps/*.talk; do
	"$B/pcap-make" "$talk" "$work/golden.pcap"
	replay golden --flows --body 1k -o "elasticsearch://127.0.0.1:$port/golden" || fail "$talk: $(cat "$work/said")"
done
expect "fields of two types" "$(report '.bad | join(", ")')" ""
[ "$(report .ids)" -gt 400 ] || fail "only $(report .ids) golden records"
stop

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
refused "elasticsearch://u:secret@127.0.0.1/x?api-key-file=/f" "one of USER:PASSWORD"
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
exit $status
