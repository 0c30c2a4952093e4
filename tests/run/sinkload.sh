#!/bin/bash
# SPDX-License-Identifier: MIT
# Many records through each kind of place, which dies in between and comes again: what is delivered, refused, dropped and left
# makes what was produced; with a spool all of it arrives, and what came twice can be told. RECORDS says how many; PLACES which.
. tests/run/common
. tests/run/kafka_common
total=${RECORDS:-30000}

# a hundred connections, and one without a record
awk -v n="$total" 'BEGIN {
	for (i = 1; i <= n; i++) {
		if (i % int(n / 100) == 1)
			print "conn 10.0.0.1:" 10000 + c++ " -> 10.0.0.2:80"
		print "c| GET /" i " HTTP/1.1\nc| Host: example.com\nc|\n\ns| HTTP/1.1 200 OK\ns| Content-Length: 0\ns|\n"
	}
}' >"$work/talk"
"$B/pcap-make" "$work/talk" "$work/all.pcap" || exit 1
"$B/pcap-make" <(echo "conn 10.0.0.1:9 -> 10.0.0.2:80") "$work/none.pcap" || exit 1
rm "$work/talk"

# start FILE PLACE OPTION...: in the background
start() {
	timeout -s KILL 500 "$B/perisco" replay "$work/$1.pcap" -o "$2" "${@:3}" 2>"$work/said" &
	perisco=$!
	begun=${EPOCHREALTIME/./}
}
finish() {
	wait "$perisco" 2>/dev/null
	took=$(((${EPOCHREALTIME/./} - begun) / 1000))
}

said() { # WORDS: the number before them
	local n
	n=$(grep -o "[0-9]\+ $1" "$work/said" | head -1 | cut -d' ' -f1)
	echo "${n:-0}"
}

# All of it has a fate that was told.
accounted() {
	local lost=$(($(said 'refused') + $(said 'dropped because') + $(said 'dropped at') + $(said 'left in')))
	expect "records accounted for" $(($(said delivered) + lost - $(said 'found in'))) "$total"
}

report() { # WORDS
	printf '%-24s %8s records in %6s ms, %7s/s  %s\n' "$place" "$total" "$took" $((total * 1000 / (took + 1))) "$*"
}

until_true() { # COMMAND...
	until_ 60 "$@" || fail "never so: $*"
}

ask() { # JQ
	curl -s "http://127.0.0.1:$port/report" | jq -r "$1"
}
some_came() {
	[ "$(ask .ids)" -gt $((total / 100)) ]
}
bulk_server() {
	serve python3 tests/run/bulk_server.py "$port" "$work/ids"
}

slow() { # SECONDS
	curl -s -d "{\"slow\": $1}" "http://127.0.0.1:$port/control" >/dev/null
}

# to_one_that_dies OPTION...: all records, and it comes again
to_one_that_dies() {
	rm -f "$work/ids"
	bulk_server
	slow 0.3
	start all "elasticsearch://127.0.0.1:$port/x" "$@"
	until_true some_came
	stop
	sleep 0.5
	bulk_server
	finish
	accounted
}

elasticsearch() {
	serve python3 tests/run/ports.py 1
	rm -f "$work/ids"
	bulk_server
	start all "elasticsearch://127.0.0.1:$port/x"
	finish
	expect "documents" "$(ask .ids)" "$total"
	accounted
	report
	stop

	place="elasticsearch, killed"
	to_one_that_dies
	expect "documents" "$(ask .ids)" "$(said delivered)"
	report "$(said 'tries again') tried again, $(said 'dropped because') dropped, $(ask .again) came twice"
	stop

	place="elasticsearch, spool"
	to_one_that_dies --spool "$work/spool"
	start none "elasticsearch://127.0.0.1:$port/x" --spool "$work/spool"
	wait "$perisco"
	expect "documents" "$(ask .ids)" "$total"
	expect "what is wrong" "$(ask '.bad | join(", ")')" ""
	report "$(ask .again) came twice"

	place="perisco, killed"
	slow 0.3
	start all "elasticsearch://127.0.0.1:$port/x" --spool "$work/spool"
	sleep 1
	kill -9 "$(pgrep -P "$perisco")"
	finish 2>/dev/null
	before=$(ask .ids)
	slow 0
	start none "elasticsearch://127.0.0.1:$port/x" --spool "$work/spool" -v
	finish
	expect "what is wrong" "$(ask '.bad | join(", ")')" ""
	expect "left in a spool" "$(find "$work/spool" -name '*.spool' | wc -l)" 0
	report "$((before - total)) delivered, $(($(ask .ids) - before)) from the spool"
	stop
}

kafka() {
	if ! kafka_build; then
		echo "no librdkafka or kcat: Kafka is left out"
		return
	fi
	for how in "" ", down"; do
		place=kafka$how
		rm -f "$work/messages"
		kafka_begin
		order rtt 200 # the mock keeps 5 MB of a partition: it must not get them faster than they are read
		kcat -C -E -b "$brokers" -t perisco -q -u -o beginning -X fetch.wait.max.ms=20 -X max.partition.fetch.bytes=20000000 \
			-f '%h\n' >"$work/messages" 2>/dev/null &
		consumer=$!
		pids+=($!)
		if [ -n "$how" ]; then
			start all "kafka://$brokers/perisco" --spool "$work/spool"
			until_true test -s "$work/messages"
			order down
			sleep 1
			order up
		else
			start all "kafka://$brokers/perisco"
		fi
		finish
		accounted
		if [ -n "$how" ]; then
			start none "kafka://$brokers/perisco" --spool "$work/spool"
			wait "$perisco"
		fi
		all_came() { sleep 0.2; [ "$(wc -l <"$work/messages")" -ge "$total" ] && [ "$(sort -u "$work/messages" | wc -l)" -ge "$total" ]; }
		until_true all_came
		kill -9 "$consumer" "$server" && wait "$consumer" "$server" 2>/dev/null
		exec 3>&-
		expect "messages, told apart" "$(sort -u "$work/messages" | wc -l)" "$total"
		report "$(($(wc -l <"$work/messages") - total)) came twice"
	done
}

lines_came() { # those that came twice are no others
	[ "$(sort -u "$work/lines" | wc -l)" -ge "$total" ]
}
# lines PLACE-FORMAT ADDRESS HOW...: to a server that ends after a third of the lines, and comes again
lines() {
	rm -f "$work/lines"
	serve python3 tests/run/line_server.py "$2" "$work/lines"
	# shellcheck disable=SC2059
	start all "$(printf "$1" "$port")"
	finish
	until_true lines_came
	expect "lines" "$(wc -l <"$work/lines")" "$total"
	accounted
	report
	stop

	place="$place, ended"
	rm -f "$work/lines"
	serve python3 tests/run/line_server.py "$2" "$work/lines" $((total / 3)) "${@:3}"
	# shellcheck disable=SC2059
	start all "$(printf "$1" "$port")" --spool "$work/spool"
	while kill -0 "$server" 2>/dev/null; do sleep 0.1; done
	serve python3 tests/run/line_server.py "$port" "$work/lines"
	finish
	accounted
	# shellcheck disable=SC2059
	start none "$(printf "$1" "$port")" --spool "$work/spool"
	wait "$perisco"
	until_true lines_came
	expect "lines, told apart" "$(sort -u "$work/lines" | wc -l)" "$total"
	report "$(($(wc -l <"$work/lines") - total)) came twice"
	stop
}

tcp() {
	serve python3 tests/run/ports.py 1
	lines tcp://127.0.0.1:%s "$port" politely
}

unix() {
	lines unix://%s "$work/socket"
}

files() {
	start all "json:$work/x.json?size=$((total * 60))&keep=100"
	finish
	expect "lines" "$(cat "$work"/x.json* | wc -l)" "$total"
	[ -e "$work/x.json.3" ] || fail "the file is not rotated"
	report "$(find "$work" -name 'x.json*' | wc -l) files"
	rm "$work"/x.json*
	if command -v zstd >/dev/null; then
		place=file.zst
		start all "json:$work/y.json.zst"
		finish
		expect "lines" "$(zstd -dcq "$work/y.json.zst" | wc -l)" "$total"
		report "$(stat -c %s "$work/y.json.zst") bytes"
	fi
}

for place in ${PLACES:-elasticsearch kafka tcp unix files}; do
	$place
done
exit $status
