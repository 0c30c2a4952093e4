# SPDX-License-Identifier: MIT
# From JSON records to what the page has to say of them, in the order of its samples: "requests LABELS N", "timed LABELS N". Whether a
# status is missing for want of an answer or of sight is the page's alone: "-".
def known: ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
def method: .l7.request.Record.Http.method | if . == null then "unknown" elif IN(known[]) then . else "other" end;
def class: .l7.response.Record.Http.code | if . == null then "-" else "\(. / 100 | floor)xx" end;
def server: if .backend then "\(.backend.ip) \(.backend.port)" else "\(.ip.server) \(.l4.Protocol.TCP.server_port)" end;
def labels:
	if .l7.grpc then
		"grpc \(server) \(.l7.grpc.service // "unknown") \(.l7.grpc.method // "unknown") \(.l7.grpc | .status_name // if .status then "other" else "-" end)"
	else "http \(server) \(method) \(class)" end;
[inputs | select(.l7 and (.l7.progress | not)) | {labels: labels, timed: (.l7.duration_ns != null)}] | group_by(.labels)[] |
	"requests \(.[0].labels) \(length)", "timed \(.[0].labels) \(map(select(.timed)) | length)"
