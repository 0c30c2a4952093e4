#!/bin/bash
# SPDX-License-Identifier: MIT
# Records that go to Kafka: all of them arrive in order, or are told apart by their ids; those that do not are counted.
. tests/run/common
. tests/run/kafka_common
kafka_build || { echo "needs librdkafka and kcat"; exit 77; }
. tests/run/sinks_common

kafka_begin
order fail 5
replay all -o "kafka://$brokers/perisco?linger.ms=2" -X compression.type=zstd
expect "messages delivered" "$(said delivered)" $total
timeout 60 kcat -C -b "$brokers" -t perisco -e -q -f '%k %h %s\n' >"$work/messages" 2>/dev/null
expect "messages, told apart" "$(cut -d' ' -f2 "$work/messages" | sort -u | wc -l)" $total
expect "keys" "$(cut -d' ' -f1 "$work/messages" | sort -u | wc -l)" 1
cut -d' ' -f3- "$work/messages" | awk '!seen[$0]++' | jq -r .l7.request.Record.Http.url >"$work/urls"
expect "order in a flow" "$(seq -f '/%.0f' $total | cmp - "$work/urls" && echo same)" same
declare -A words=([deny]='authorization failed' [large]='too large' [bad]='failed to validate')
for how in deny large bad; do # a batch that is given up for now, that may be smaller, or whose records may be sent alone
	timeout 60 kcat -C -b "$brokers" -t perisco -e -q -f '%o\n' >"$work/before" 2>/dev/null
	order $how 1
	replay all -o "kafka://$brokers/perisco?batch.size=40000"
	expect "messages delivered after $how" "$(said delivered)" $total
	expect "messages refused after $how" "$(said refused)" ""
	grep -q "${words[$how]}.*trying again" "$work/said" ||
		fail "$how is told as: $(cat "$work/said")"
	timeout 60 kcat -C -b "$brokers" -t perisco -e -q -f '%h %s\n' 2>/dev/null | tail -n "+$(($(wc -l <"$work/before") + 1))" |
		awk '!seen[$1]++' | cut -d' ' -f2- | jq -r .l7.request.Record.Http.url >"$work/urls"
	expect "order in a flow after $how" "$(seq -f '/%.0f' $total | cmp - "$work/urls" && echo same)" same
done
order down
replay all -o "kafka://$brokers/perisco" --spool "$work/spool"
expect "messages accounted for" "$(($(said delivered) + $(said 'left in the spool')))" $total
order up
replay one -o "kafka://$brokers/perisco" --spool "$work/spool"
expect "messages recovered" "$(said 'found in the spool')" $total
expect "messages delivered later" "$(said delivered)" $((total + 1))
replay one -o "kafka://$brokers/perisco?no.such=1"
expect "a property that does not exist" $? 2
exit $status
