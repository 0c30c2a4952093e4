/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "../jsonread.h"
#include "../sample.h"
#include "output/format.h"

static struct sample s;
static struct view view;
static struct buf out;

static int set_up(void **state)
{
	(void)state;
	sample_exchange(&s);
	view = (struct view){0};
	out = buf_of(1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sample_release(&s);
	view_release(&view);
	buf_release(&out);
	return 0;
}

/* The record as a line; valid until the next call. */
static struct slice written(void)
{
	out.n = 0;
	assert_true(format_json.write(NULL, &view, &s.r, &out));
	assert_true(json_is_line(slice_of(out.p, out.n)));
	return slice_of(out.p, out.n);
}

/* The text of the value at `path` is `want`; NULL: there is none. */
static void expect(const char *path, const char *want)
{
	struct slice found = json_at(written(), path);
	char text[1024] = "";

	assert_true(found.n < sizeof(text));
	if (!want) {
		assert_null(found.p);
		return;
	}
	if (found.n)
		memcpy(text, found.p, found.n);
	assert_string_equal(text, want);
}

#define REQUEST  "l7.request.Record.Http."
#define RESPONSE "l7.response.Record.Http."

static void test_whole_line(void **state)
{
	static const char want[] =
		"{\"ts\":{\"seconds\":1664880849,\"nanos\":234567890},"
		"\"ip\":{\"client\":\"10.0.0.1\",\"server\":\"10.0.0.2\",\"ipVersion\":1},"
		"\"l4\":{\"Protocol\":{\"TCP\":{\"client_port\":51234,\"server_port\":80}}},"
		"\"l7\":{\"latency_ns\":1200000,\"duration_ns\":1500000,"
		"\"request\":{\"Record\":{\"Http\":{\"protocol\":\"HTTP/1.1\",\"method\":\"GET\","
		"\"url\":\"/index.html\","
		"\"headers\":[{\"key\":\"Host\",\"value\":\"10.0.0.2\"},{\"key\":\"User-Agent\",\"value\":\"t\"}],"
		"\"authority\":\"10.0.0.2\",\"duration_ns\":1000,\"body_bytes\":0,\"wire_bytes\":60}}},"
		"\"response\":{\"Record\":{\"Http\":{\"protocol\":\"HTTP/1.1\",\"code\":200,"
		"\"headers\":[{\"key\":\"Content-Length\",\"value\":\"4300\"}],"
		"\"reason\":\"OK\",\"duration_ns\":300000,\"body_bytes\":4300,\"wire_bytes\":4400}}}},"
		"\"flow_id\":\"0123456789abcdef\"}\n";
	struct slice line = written();

	(void)state;
	assert_int_equal(line.n, sizeof(want) - 1);
	assert_memory_equal(line.p, want, line.n);
}

static void test_records_follow_each_other(void **state)
{
	struct slice one = written();
	size_t n = one.n;

	(void)state;
	for (int i = 1; i < 1000; i++)
		assert_true(format_json.write(NULL, &view, &s.r, &out));
	assert_int_equal(out.n, 1000 * n);
	for (int i = 0; i < 1000; i++)
		assert_memory_equal(out.p + (size_t)i * n, out.p, n);
}

static void test_unknown_is_absent(void **state)
{
	struct exchange_record *x = &s.r.exchange;

	(void)state;
	x->timed = false;
	x->request = (struct message){.seen = true};
	x->response.status = 0;
	x->response.reason.n = 0;
	s.r.ends.flow_id = 0;
	expect("l7.latency_ns", NULL);
	expect("l7.duration_ns", NULL);
	expect(REQUEST "protocol", NULL);
	expect(REQUEST "method", NULL);
	expect(REQUEST "url", NULL);
	expect(REQUEST "authority", NULL);
	expect(REQUEST "duration_ns", NULL);
	expect(REQUEST "headers", "[]");
	expect(REQUEST "trailers", NULL);
	expect(REQUEST "complete", "false");
	expect(RESPONSE "complete", NULL);
	expect(RESPONSE "code", NULL);
	expect(RESPONSE "reason", NULL);
	expect("iface", NULL);
	expect("flow_id", NULL);
	expect("missing", NULL);
	expect("backend", NULL);
	expect("l7.ended", NULL);
	expect("l7.turned", NULL);
	expect("l7.interim", NULL);
}

static void test_one_side_only(void **state)
{
	(void)state;
	s.r.exchange.response.seen = false;
	s.r.exchange.timed = false;
	s.r.exchange.ended = ENDED_RESET;
	s.r.exchange.ended_by = 1;
	expect("l7.response", NULL);
	expect("l7.ended", "{\"how\":\"reset\",\"by\":\"server\"}");
	s.r.exchange.ended = ENDED_OPEN;
	s.r.exchange.ended_by = -1;
	expect("l7.ended", "{\"how\":\"open\"}");
	s.r.exchange.request.seen = false;
	s.r.exchange.response.seen = true;
	expect("l7.request", NULL);
	expect(RESPONSE "code", "200");
}

static void test_interim_and_turned(void **state)
{
	struct message *m = &s.r.exchange.response;

	(void)state;
	m->interims = 2;
	m->interim[0] = (struct interim){s.r.ts_ns + 300, 100};
	m->interim[1] = (struct interim){s.r.ts_ns + 500, 103};
	s.r.exchange.turned = TURNED_WEBSOCKET;
	expect("l7.interim", "[{\"code\":100,\"after_ns\":300},{\"code\":103,\"after_ns\":500}]");
	expect("l7.interims", NULL);
	expect("l7.turned", "\"websocket\"");
	m->interims = 9;
	expect("l7.interims", "9");
	s.r.exchange.request.first_ns = 0;
	expect("l7.interim.0", "{\"code\":100}");
}

static void test_missing(void **state)
{
	struct exchange_record *x = &s.r.exchange;
	char path[32];

	(void)state;
	x->request.missings = 1;
	x->request.missing[0] = (struct missing){PART_START_LINE, CAUSE_SNAPLEN, 7};
	expect("missing", "[{\"side\":\"request\",\"part\":\"start_line\",\"cause\":\"snaplen\",\"bytes\":7}]");
	x->response.missings = MISSING_MAX;
	for (unsigned i = 0; i < MISSING_MAX; i++)
		x->response.missing[i] = (struct missing){PART_BODY, CAUSE_NETWORK, 0};
	snprintf(path, sizeof(path), "missing.%d", MISSING_MAX);
	expect(path, "{\"side\":\"response\",\"part\":\"body\",\"cause\":\"network\"}");
	snprintf(path, sizeof(path), "missing.%d", MISSING_MAX + 1);
	expect(path, NULL);
	expect(RESPONSE "headers.0.key", "\"Content-Length\"");
	x->response.missing[1].part = PART_HEADERS;
	expect(RESPONSE "headers.0.key", "\"Content-Length\"");
	x->response.headers.n = 0;
	expect(RESPONSE "headers", NULL);
}

static void test_where(void **state)
{
	struct endpoints *e = &s.r.ends;

	(void)state;
	e->ifindex = 12;
	e->ifname = "veth\"0";
	e->vantage = VANTAGE_BOTH;
	expect("iface", "{\"index\":12,\"name\":\"veth\\\"0\",\"vantage\":\"both\"}");
	*e = (struct endpoints){.key = e->key, .vlan = 101, .tunnel = TUNNEL_VXLAN, .tunnel_id = 7};
	expect("iface", "{\"vlan\":100,\"tunnel\":{\"type\":\"vxlan\",\"id\":7}}");
	e->client = 1;
	expect("ip", "{\"client\":\"10.0.0.2\",\"server\":\"10.0.0.1\",\"ipVersion\":1}");
	expect("l4.Protocol.TCP", "{\"client_port\":80,\"server_port\":51234}");
}

static void test_backend(void **state)
{
	struct endpoints *e = &s.r.ends;

	(void)state;
	e->translated = true;
	sample_end(&e->other, 0, "10.0.0.1", 51234);
	sample_end(&e->other, 1, "172.16.3.4", 8080);
	expect("backend", "{\"ip\":\"172.16.3.4\",\"port\":8080}");
	e->other_client = 1;
	expect("backend", "{\"ip\":\"10.0.0.1\",\"port\":51234}");
}

static void test_ipv6(void **state)
{
	static const char *const addresses[] = {
		"::", "::1", "1::", "2001:db8::1", "2001:db8:0:1:1:1:1:1", "2001:db8::1:0:0:1", "1:0:0:2::3",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "1:2:3:4:5:6:7::", "::ffff:192.0.2.255", "fe80::10:200:3000",
	};
	char want[64];

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		sample_end(&s.r.ends.key, 1, addresses[i], 80);
		s.r.ends.key.version = 6;
		snprintf(want, sizeof(want), "\"%s\"",
			 strcmp(addresses[i], "1:2:3:4:5:6:7::") ? addresses[i] : "1:2:3:4:5:6:7:0");
		expect("ip.server", want);
		expect("ip.ipVersion", "2");
	}
}

static void test_numbers(void **state)
{
	uint64_t v = 0;
	char want[32];

	(void)state;
	for (int digits = 0; digits < 20; digits++, v = v * 10 + (uint64_t)(digits % 10)) {
		s.r.exchange.latency_ns = v;
		snprintf(want, sizeof(want), "%llu", (unsigned long long)v);
		expect("l7.latency_ns", want);
	}
	s.r.exchange.latency_ns = UINT64_MAX;
	expect("l7.latency_ns", "18446744073709551615");
}

static void test_headers(void **state)
{
	(void)state;
	s.r.exchange.response.trailers = sample_fields(&s, "X-Sum: 1\r\nContent-Length: 2\r\n");
	expect(RESPONSE "trailers.0", "{\"key\":\"X-Sum\",\"value\":\"1\"}");
	assert_int_equal(view_headers(&view, "host,content-length"), 0);
	expect(REQUEST "headers", "[{\"key\":\"Host\",\"value\":\"10.0.0.2\"}]");
	expect(RESPONSE "trailers", "[{\"key\":\"Content-Length\",\"value\":\"2\"}]");
	assert_int_equal(view_headers(&view, "none"), 0);
	expect(REQUEST "headers", NULL);
	expect(RESPONSE "trailers", NULL);
	expect(REQUEST "authority", "\"10.0.0.2\"");
}

#define GRPC "l7.grpc"

static void test_grpc(void **state)
{
	struct grpc_record *g = sample_call(&s);

	(void)state;
	expect(GRPC, "{\"service\":\"greet.Greeter\",\"method\":\"SayHello\",\"status\":0,\"status_name\":\"OK\","
		     "\"request_messages\":1,\"request_message_bytes\":7,\"response_messages\":1,"
		     "\"response_message_bytes\":13,\"kind\":\"unary\"}");
	expect(REQUEST "protocol", "\"HTTP/2.0\"");
	expect(REQUEST "authority", "\"10.0.0.2:50051\"");
	expect(REQUEST "scheme", "\"http\"");
	expect(REQUEST "url", "\"/greet.Greeter/SayHello\"");
	expect(RESPONSE "trailers", "[{\"key\":\"grpc-status\",\"value\":\"0\"}]");
	expect("l7.stream_id", "3");
	g->kind = GRPC_BIDI_STREAMING;
	expect(GRPC ".kind", "\"bidi_streaming\"");
	s.r.exchange.is_grpc = false;
	expect(GRPC, NULL);
}

static void test_grpc_outcome(void **state)
{
	struct grpc_record *g = sample_call(&s);

	(void)state;
	g->status = 5;
	g->message = sample_text(&s, "no \"such\"\n\xff");
	expect(GRPC ".status", "5");
	expect(GRPC ".status_name", "\"NOT_FOUND\"");
	expect(GRPC ".message", "\"no \\\"such\\\"\\n\\uefff\"");
	g->status = 17;
	expect(GRPC ".status", "17");
	expect(GRPC ".status_name", NULL);
	g->timed_out = true;
	g->timeout_ns = 1;
	expect(GRPC ".timed_out", NULL);
	expect(GRPC ".timeout_ns", NULL);
	g->has_timeout = true;
	expect(GRPC ".timed_out", "true");
	expect(GRPC ".timeout_ns", "1");
	g->timed_out = false;
	g->timeout_ns = UINT64_MAX;
	expect(GRPC ".timed_out", NULL);
	g->in_time = true;
	expect(GRPC ".timed_out", "false");
	expect(GRPC ".timeout_ns", "18446744073709551615");
	expect(GRPC ".cancelled_by", NULL);
	g->cancelled_by = 0;
	expect(GRPC ".cancelled_by", "\"client\"");
	g->cancelled_by = 1;
	expect(GRPC ".cancelled_by", "\"server\"");
}

static void test_grpc_messages(void **state)
{
	struct grpc_record *g = sample_call(&s);

	(void)state;
	expect(GRPC ".request_encoding", NULL);
	expect(GRPC ".response_compressed", NULL);
	expect(GRPC ".web", NULL);
	g->encoding[0] = sample_text(&s, "gzip");
	g->encoding[1] = sample_text(&s, "identity");
	g->compressed[0] = 1;
	g->messages[1] = g->bytes[1] = g->compressed[1] = UINT64_MAX;
	g->web = true;
	expect(GRPC ".request_encoding", "\"gzip\"");
	expect(GRPC ".response_encoding", "\"identity\"");
	expect(GRPC ".request_compressed", "1");
	expect(GRPC ".response_messages", "18446744073709551615");
	expect(GRPC ".response_message_bytes", "18446744073709551615");
	expect(GRPC ".response_compressed", "18446744073709551615");
	expect(GRPC ".web", "true");
}

/* What was not counted has no number, not even 0; without any there is no kind. */
static void test_grpc_not_known(void **state)
{
	struct grpc_record *g = sample_call(&s);

	(void)state;
	g->compressed[0] = g->compressed[1] = 1;
	g->counted[0] = false;
	expect(GRPC ".request_messages", NULL);
	expect(GRPC ".request_message_bytes", NULL);
	expect(GRPC ".request_compressed", NULL);
	expect(GRPC ".response_messages", "1");
	expect(GRPC ".kind", "\"unary\"");
	g->counted[1] = false;
	expect(GRPC ".kind", NULL);
	g->counted[0] = true;
	g->messages[0] = g->bytes[0] = 0;
	expect(GRPC ".request_messages", "0");
	expect(GRPC ".kind", "\"unary\"");
	*g = (struct grpc_record){.status = -1, .cancelled_by = -1};
	expect(GRPC, "{}");
	g->web = true;
	expect(GRPC, "{\"web\":true}");
}

static void test_http2(void **state)
{
	struct exchange_record *x = &s.r.exchange;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		expect(((const char *[]){"l7.stream_id", "l7.pushed", "l7.reset_code", "l7.progress"})[i], NULL);
	x->stream_id = 4;
	x->pushed = x->progress = true;
	x->request.unknown_fields = 2;
	expect("l7.stream_id", "4");
	expect("l7.pushed", "true");
	expect("l7.progress", "true");
	expect(REQUEST "unknown_headers", "2");
	expect(RESPONSE "unknown_headers", NULL);
	x->was_reset = true;
	expect("l7.reset_code", "0");
	expect("l7.reset_name", "\"NO_ERROR\"");
	x->reset_code = 8;
	expect("l7.reset_name", "\"CANCEL\"");
	x->reset_code = 13;
	expect("l7.reset_name", "\"HTTP_1_1_REQUIRED\"");
	x->reset_code = 14;
	expect("l7.reset_code", "14");
	expect("l7.reset_name", NULL);
	x->reset_code = UINT32_MAX;
	expect("l7.reset_code", "4294967295");
	expect("l7.reset_name", NULL);
	x->ended = ENDED_GOAWAY;
	x->ended_by = 1;
	expect("l7.ended", "{\"how\":\"goaway\",\"by\":\"server\"}");
}

/* Whatever headers are shown. */
static void test_trace(void **state)
{
	struct message *m = &s.r.exchange.request;

	(void)state;
	expect("trace", NULL);
	m->headers = sample_fields(&s, "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n");
	for (view.headers = HEADERS_ALL; view.headers <= HEADERS_LIST; view.headers++)
		expect("trace",
		       "{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\"}");
	expect("flow_id", "\"0123456789abcdef\"");
	s.r.kind = RECORD_FLOW;
	s.r.flow = (struct flow_record){.ended_by = -1};
	expect("trace", NULL);
}

/* Whole values of some fields; nothing else, whatever it looks like. */
static void test_secrets(void **state)
{
	struct message *m = &s.r.exchange.request;

	(void)state;
	m->target = sample_text(&s, "http://u:p@h:81/a?x=1&access_token=abc&token=&sig=%41#f");
	m->headers = sample_fields(&s, "Cookie: a=b\r\nLocation: /cb?id_token=xyz&n=1\r\nHost: no\r\n");
	m->trailers = sample_fields(&s, "A: b\r\nAUTHORIZATION: \r\nCookies: 1\r\n");
	for (int shown = 0; shown <= 1; shown++) {
		view.show_secrets = shown;
		expect(REQUEST "url", "\"http://u:p@h:81/a?x=1&access_token=abc&token=&sig=%41#f\"");
		expect(REQUEST "authority", "\"h:81\"");
		expect(REQUEST "scheme", "\"http\"");
		expect(REQUEST "headers.0.value", shown ? "\"a=b\"" : "\"REDACTED\"");
		expect(REQUEST "headers.1.value", "\"/cb?id_token=xyz&n=1\"");
		expect(REQUEST "trailers.1", shown ? "{\"key\":\"AUTHORIZATION\",\"value\":\"\"}"
						   : "{\"key\":\"AUTHORIZATION\",\"value\":\"REDACTED\"}");
		expect(REQUEST "trailers.2.value", "\"1\"");
	}
}

static void test_body(void **state)
{
	struct message *m = &s.r.exchange.response;

	(void)state;
	m->body = sample_text(&s, "line\n\xc3\xa4 \"\xe2\x82");
	expect(RESPONSE "body", "\"line\\n\xc3\xa4 \\\"\\uefe2\\uef82\"");
	expect(RESPONSE "body_base64", NULL);
	m->body = sample_bytes(&s, "\0\1\2\3", 4);
	expect(RESPONSE "body", NULL);
	expect(RESPONSE "body_base64", "\"AAECAw==\"");
	m->body = sample_text(&s, "\xff\xfe");
	expect(RESPONSE "body_base64", "\"//4=\"");
	m->body = sample_text(&s, "\x80" "abc");
	expect(RESPONSE "body_base64", "\"gGFi" "Yw==\"");
}

static void test_flow_record(void **state)
{
	const struct flow_record f = {
		.first_ns = 1, .last_ns = 1001, .side = {{1, 2, 3, 4, 5, 6, 7, 8}, {.segments = 9}},
		.protocol = "http1", .exchanges = 3, .handshake_ns = 77, .ended = ENDED_CLOSED, .ended_by = 0,
	};

	(void)state;
	s.r.kind = RECORD_FLOW;
	s.r.flow = f;
	expect("flow.duration_ns", "1000");
	expect("flow.handshake_ns", "77");
	expect("flow.protocol", "\"http1\"");
	expect("flow.verdict", NULL);
	expect("flow.exchanges", "3");
	expect("flow.syn_seen", "false");
	expect("flow.client", "{\"segments\":1,\"bytes\":2,\"retransmitted_bytes\":3,\"out_of_order_segments\":4,"
			      "\"lost_bytes\":{\"network\":5,\"ring\":6,\"snaplen\":7,\"memory\":8}}");
	expect("flow.server.segments", "9");
	expect("flow.ended", "{\"how\":\"closed\",\"by\":\"client\"}");
	expect("ip.client", "\"10.0.0.1\"");
	expect("flow_id", "\"0123456789abcdef\"");
	expect("l7", NULL);
}

static void test_loss_record(void **state)
{
	(void)state;
	s.r.kind = RECORD_LOSS;
	s.r.ends = (struct endpoints){.ifindex = 3, .ifname = "eth0"};
	s.r.loss = (struct loss_record){"ring", 12, 0, 0};
	expect("loss", "{\"cause\":\"ring\",\"packets\":12}");
	expect("iface", "{\"index\":3,\"name\":\"eth0\"}");
	expect("ip", NULL);
	expect("ts.seconds", "1664880849");
	s.r.loss.bytes = 9000;
	s.r.loss.cpu = 1;
	expect("loss.bytes", "9000");
	expect("loss.cpu", "0");
}

static void test_budget_record(void **state)
{
	(void)state;
	s.r.kind = RECORD_BUDGET;
	s.r.ends = (struct endpoints){0};
	s.r.budget = (struct budget_record){DETAIL_LINES, DETAIL_COUNTS, 1, 90000000, 100000000, 3000000000};
	expect("budget", "{\"step\":\"lines\",\"before\":\"counts\",\"cpu_ns\":90000000,\"limit_ns\":100000000,"
	       "\"lasted_ns\":3000000000}");
	expect("ip", NULL);
	s.r.budget.detail = DETAIL_COUNTS;
	s.r.budget.one_in = 4;
	expect("budget.step", "\"counts\"");
	expect("budget.one_in", "4");
}

/* What was left out for the budget is not shown, though it is there, and said. */
static void test_left_out(void **state)
{
	struct exchange_record *x = &s.r.exchange;

	(void)state;
	x->request.left_out = 1 << PART_HEADERS;
	x->response.left_out = 1 << PART_BODY;
	expect("l7.request.Record.Http.headers", NULL);
	assert_non_null(json_at(written(), "l7.response.Record.Http.headers").p);
	expect("missing", "[{\"side\":\"request\",\"part\":\"headers\",\"cause\":\"budget\"},"
	       "{\"side\":\"response\",\"part\":\"body\",\"cause\":\"budget\"}]");
	x->request.left_out = 0;
	x->response.left_out = 1 << PART_HEADERS | 1 << PART_TRAILERS;
	assert_non_null(json_at(written(), "l7.request.Record.Http.headers").p);
	expect("l7.response.Record.Http.headers", NULL);
	expect("l7.response.Record.Http.trailers", NULL);
}

/* Whatever the room, there is a whole line or nothing; what was there before stays. */
static void test_no_room(void **state)
{
	static const char long_target[30000];
	bool done = false;
	size_t refused = 0;

	(void)state;
	s.r.exchange.request.target = sample_bytes(&s, long_target, sizeof(long_target));
	for (size_t max = 0; !done; max += 997) {
		struct buf b = buf_of(max);

		done = format_json.write(NULL, &view, &s.r, &b);
		assert_true(done ? json_is_line(slice_of(b.p, b.n)) : b.n == 0);
		refused += !done;
		buf_release(&b);
	}
	assert_true(refused > 10);
}

/* The same when the buffer is nearly full: it grows in time, or refuses. A sanitizer sees what lies behind its end. */
static void test_little_room(void **state)
{
	struct exchange_record *x = &s.r.exchange;
	const size_t size = 1 << 16;
	char lines[30 * 8] = "";

	(void)state;
	for (int i = 0; i < 30; i++)
		strcat(lines, "a: b\r\n");
	x->request.headers = x->request.trailers = x->response.headers = x->response.trailers =
		sample_fields(&s, lines);
	s.r.ends = (struct endpoints){.key = s.r.ends.key,
				      .other = s.r.ends.key,
				      .translated = true,
				      .tunnel = TUNNEL_VXLAN,
				      .tunnel_id = UINT32_MAX,
				      .vlan = 4095,
				      .ifindex = UINT32_MAX,
				      .vantage = VANTAGE_CLIENT,
				      .ifname = "veth0123456789a",
				      .flow_id = UINT64_MAX};
	x->ended = ENDED_REPLACED;
	x->turned = TURNED_WEBSOCKET;
	x->request.missings = x->response.missings = MISSING_MAX;
	x->response.interims = 255;
	x->is_grpc = x->pushed = x->progress = x->was_reset = true;
	x->grpc = (struct grpc_record){.messages = {UINT64_MAX, UINT64_MAX}, .counted = {true, true}, .has_timeout = true};
	x->grpc.service = x->grpc.method = x->grpc.message = sample_text(&s, "some\"text");
	x->grpc.encoding[0] = x->grpc.encoding[1] = x->grpc.message;
	for (int i = 0; i < MISSING_MAX; i++)
		x->request.missing[i] = x->response.missing[i] =
			(struct missing){PART_START_LINE, CAUSE_NETWORK, UINT64_MAX};
	for (size_t left = 0; left < 16000; left += left < 9000 ? 1 : 50) {
		for (size_t max = size; max <= 4 * size; max *= 4) {
			struct buf b = buf_of(max);

			assert_non_null(buf_start(&b, 1));
			assert_int_equal(b.size, size);
			memset(b.p, 'x', size);
			b.n = size - left;
			if (format_json.write(NULL, &view, &s.r, &b)) {
				assert_true(json_is_line(slice_of(b.p + size - left, b.n - (size - left))));
			} else {
				assert_int_equal(max, size);
				assert_int_equal(b.n, size - left);
			}
			assert_int_equal(b.p[b.n > size - left && left < size ? size - left - 1 : 0], 'x');
			buf_release(&b);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
		TEST(whole_line),  TEST(records_follow_each_other), TEST(unknown_is_absent), TEST(one_side_only),
		TEST(missing),     TEST(interim_and_turned),        TEST(where),             TEST(backend),
		TEST(ipv6),        TEST(numbers),                   TEST(headers),           TEST(secrets),
		TEST(body),        TEST(flow_record),               TEST(loss_record),       TEST(no_room),
		TEST(budget_record), TEST(left_out),
		TEST(little_room), TEST(grpc),                      TEST(grpc_outcome),      TEST(grpc_messages),
		TEST(http2),       TEST(grpc_not_known),            TEST(trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
