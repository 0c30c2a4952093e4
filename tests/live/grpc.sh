#!/bin/bash
# SPDX-License-Identifier: MIT
# gRPC between real peers: calls of all kinds, errors, deadlines, cancelled calls, large and compressed messages. The records
# agree with what the client counted.
. tests/live/common perisco-grpc
on b /usr/bin/python3 tests/live/grpc_calls.py serve 10.77.2.2:50051 >"$work/server" 2>&1 &
until_ 10 on b grep -q ':C383 ' /proc/net/tcp6 /proc/net/tcp || fail "the server does not listen"

# What a record counts, as the client does. A call that the client resets has no status on the wire: its time was over, or it
# was cancelled.
cat >"$work/counts.jq" <<'END'
def sent(name): .l7.request.Record.Http.headers | map(select(.key == name).value)[0];
def status:
	if .l7.grpc.status_name then .l7.grpc.status_name
	elif .l7.ended != {how: "reset", by: "client"} then "none, and not reset by the client"
	elif .l7.grpc.timed_out then "DEADLINE_EXCEEDED"
	elif .l7.grpc.cancelled_by == "client" then "CANCELLED"
	else "none, and not cancelled" end;
def side(n): if n != null then n elif .l7.response then "unknown" else 0 end;
select(.l7) | [
	.l7.grpc.method, status, .l7.grpc.request_messages,
	if sent("grpc-encoding") == "gzip" then "-" else .l7.grpc.request_message_bytes end,
	side(.l7.grpc.response_messages), side(.l7.grpc.response_message_bytes)
] | map(tostring) | join(" ")
END

call() {
	on a /usr/bin/python3 tests/live/grpc_calls.py call 10.77.2.2:50051 >"$work/called.$1" 2>"$work/err.$1"
}

watch
call 1 &
client=$!
call 2 || fail "the second client fails"
wait $client || fail "the first client fails"
watched
cat "$work"/called.* | awk '{ n = $1; $1 = ""; sum[$0] += n } END { for (call in sum) print sum[call] call }' |
	LC_ALL=C sort >"$work/wanted"
jq -r -f "$work/counts.jq" "$work/out" | LC_ALL=C sort | uniq -c | sed 's/^ *//' | LC_ALL=C sort >"$work/counted"
diff "$work/wanted" "$work/counted" || fail "the clients counted other calls"
expect "calls with something missing" "$(exchanges .missing)" 0
expect "calls of another service" "$(exchanges '.l7.grpc.service != "test.Calls"')" 0
expect "errors with the server's message" "$(exchanges '.l7.grpc.message == "failed: 100 % wanted, über\nall"')" 34
expect "messages that are small because they are compressed" "$(exchanges '.l7.grpc.request_message_bytes < 100 and
	(.l7.request.Record.Http.headers | any(. == {key: "grpc-encoding", value: "gzip"})) and
	.l7.grpc.response_message_bytes > 999')" 10
grep -qx '0 lost' "$work/err" || fail "something was lost"
pass
