/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "output/escape.h"
#include "output/print.h"
#include "../text_rig.h"

/* The next line is `want`. */
static void expect(const char *want)
{
	size_t n = strlen(want);

	out.n = 0;
	assert_true(format_text.write(columns, &view, &s.r, &out));
	out.p[out.n - 1] = out.p[out.n - 1] == '\n' ? 0 : '?';
	assert_string_equal((char *)out.p, want);
	assert_int_equal(out.n, n + 1);
}

/* The same without columns of lines before. */
static void expect_alone(const char *want)
{
	memset(columns, 0, format_text.state_size);
	expect(want);
}

#define ENDS "10:54:09.234567 10.0.0.1:51234 -> 10.0.0.2:80  "
#define GET  ENDS "HTTP/1.1 GET /index.html  "

static void test_exchange(void **state)
{
	(void)state;
	expect(GET "200  1.2ms  4.3kB");
	s.r.ts_ns += 1000000000;
	expect("10:54:10.234567 10.0.0.1:51234 -> 10.0.0.2:80  HTTP/1.1 GET /index.html  200  1.2ms  4.3kB");
	setenv("TZ", "XYZ-5:30", 1);
	tzset();
	expect_alone("16:24:10.234567 10.0.0.1:51234 -> 10.0.0.2:80  HTTP/1.1 GET /index.html  200  1.2ms  4.3kB");
}

static void test_columns(void **state)
{
	(void)state;
	expect(GET "200  1.2ms  4.3kB");
	s.r.ends.key.port[0] = 1;
	s.r.exchange.request.target = sample_text(&s, "/");
	s.r.exchange.response.body_bytes = 0;
	s.r.exchange.latency_ns = 12;
	expect("10:54:09.234567 10.0.0.1:1 -> 10.0.0.2:80      HTTP/1.1 GET /            200   12ns     0B");
	s.r.exchange.request.target = sample_text(&s, "/long/er/index.html");
	expect("10:54:09.234567 10.0.0.1:1 -> 10.0.0.2:80      HTTP/1.1 GET /long/er/index.html  200   12ns     0B");
	s.r.exchange.request.target = sample_text(&s, "/");
	expect("10:54:09.234567 10.0.0.1:1 -> 10.0.0.2:80      HTTP/1.1 GET /                    200   12ns     0B");
}

static void test_no_response(void **state)
{
	struct exchange_record *x = &s.r.exchange;

	(void)state;
	x->timed = false;
	x->response = (struct message){0};
	expect(GET "-        -      -  [no response]");
	x->ended = ENDED_RESET;
	x->ended_by = 1;
	expect(GET "-        -      -  [reset by server]");
	x->ended = ENDED_CLOSED;
	x->ended_by = 0;
	expect(GET "-        -      -  [closed by client]");
	x->ended = ENDED_TIMEOUT;
	x->ended_by = -1;
	expect(GET "-        -      -  [timeout]");
	x->ended = ENDED_LOST;
	x->request.complete = false;
	expect(GET "-        -      -  [request incomplete] [lost]");
}

static void test_no_request(void **state)
{
	struct exchange_record *x = &s.r.exchange;

	(void)state;
	x->timed = false;
	x->request = (struct message){0};
	expect(ENDS "HTTP/1.1 -  200      -  4.3kB  [no request]");
	x->request.seen = true;
	x->response.protocol.n = 0;
	expect_alone(ENDS "-        - -  200      -  4.3kB  [request incomplete]");
}

static void test_notes(void **state)
{
	struct exchange_record *x = &s.r.exchange;

	(void)state;
	x->request.body_bytes = 20000;
	x->response.interims = 2;
	x->response.interim[0].status = 100;
	x->response.interim[1].status = 103;
	x->turned = TURNED_WEBSOCKET;
	x->response.complete = false;
	x->response.missings = 2;
	x->response.missing[0] = (struct missing){PART_BODY, CAUSE_NETWORK, 1448};
	x->response.missing[1] = (struct missing){PART_TRAILERS, CAUSE_RING, 0};
	x->request.missings = 1;
	x->request.missing[0] = (struct missing){PART_HEADERS, CAUSE_SNAPLEN, 7};
	expect(GET "200  1.2ms  4.3kB  [sent 20kB] [interim 100 103] [websocket] [response incomplete] "
		   "[-7B request headers snaplen] [-1448B body network] [-? trailers ring]");
	x->response.interims = 200;
	x->response.missings = x->request.missings = MISSING_MAX;
	out.n = 0;
	assert_true(format_text.write(columns, &view, &s.r, &out));
}

static void test_host(void **state)
{
	struct message *m = &s.r.exchange.request;

	(void)state;
	m->headers = sample_fields(&s, "Host: 10.0.0.2:80\r\n");
	expect(GET "200  1.2ms  4.3kB");
	m->headers = sample_fields(&s, "Host: shop.example\r\n");
	expect(GET "200  1.2ms  4.3kB  shop.example");
	m->body_bytes = 1;
	expect(GET "200  1.2ms  4.3kB  shop.example  [sent 1B]");
	m->body_bytes = 0;
	m->method = sample_text(&s, "CONNECT");
	m->target = sample_text(&s, "h:443");
	expect_alone(ENDS "HTTP/1.1 CONNECT h:443  200  1.2ms  4.3kB");
	m->target.n = 0;
	m->authority = sample_text(&s, "db:5432");
	expect_alone(ENDS "HTTP/1.1 CONNECT db:5432  200  1.2ms  4.3kB");
	m->target = sample_text(&s, "/chat");
	expect_alone(ENDS "HTTP/1.1 CONNECT /chat  200  1.2ms  4.3kB  db:5432");
	m->authority.n = 0;
	m->target = sample_text(&s, "http://u:p@h/");
	expect_alone(ENDS "HTTP/1.1 CONNECT http://u:p@h/  200  1.2ms  4.3kB");
}

static void test_ipv6_and_backend(void **state)
{
	struct endpoints *e = &s.r.ends;

	(void)state;
	sample_end(&e->key, 0, "2001:db8::1", 1);
	sample_end(&e->key, 1, "::1", 65535);
	s.r.exchange.request.headers = sample_fields(&s, "Host: [::1]:65535\r\n");
	expect("10:54:09.234567 [2001:db8::1]:1 -> [::1]:65535  HTTP/1.1 GET /index.html  200  1.2ms  4.3kB");
	e->client = 1;
	expect("10:54:09.234567 [::1]:65535 -> [2001:db8::1]:1  HTTP/1.1 GET /index.html  200  1.2ms  4.3kB  "
	       "[::1]:65535");
	e->translated = true;
	sample_end(&e->other, 0, "10.0.0.9", 8080);
	e->other_client = 1;
	e->client = 0;
	expect("10:54:09.234567 [2001:db8::1]:1 -> [::1]:65535  HTTP/1.1 GET /index.html  200  1.2ms  4.3kB  "
	       "[to 10.0.0.9:8080]");
}

static void test_target(void **state)
{
	struct message *m = &s.r.exchange.request;
	char target[5000];

	(void)state;
	m->target = sample_bytes(&s, "/\x1b]0;x\x07 \\\xc3\xa4\0", 12);
	expect_alone(ENDS "HTTP/1.1 GET /\\x1b]0;x\\x07\\x20\\\\\\xc3\\xa4\\x00  200  1.2ms  4.3kB");
	m->target = sample_text(&s, "/a?password=x&b=1#c");
	expect_alone(ENDS "HTTP/1.1 GET /a?password=x&b=1#c  200  1.2ms  4.3kB");
	memset(target, 'm', sizeof(target));
	memcpy(target, "/head", 5);
	memcpy(target + sizeof(target) - 4, "tail", 4);
	m->target = sample_bytes(&s, target, sizeof(target));
	expect_alone(ENDS
		     "HTTP/1.1 GET /headmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm...mmmmmmmmmmmmmmmtail  200  1.2ms  4.3kB");
	memset(target, 0xff, sizeof(target));
	m->target = m->method = sample_bytes(&s, target, sizeof(target));
	expect_alone(ENDS "HTTP/1.1 \\xff\\xff...\\xff \\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff..."
			  "\\xff\\xff\\xff\\xff  200  1.2ms  4.3kB");
}

#define CALL "10:54:09.234567 10.0.0.1:51234 -> 10.0.0.2:50051  grpc greet.Greeter/SayHello  "

static void test_grpc(void **state)
{
	struct grpc_record *g = sample_call(&s);

	(void)state;
	expect(CALL "OK   800us  1/1 msgs");
	s.r.exchange.request.authority = sample_text(&s, "greeter:50051");
	expect(CALL "OK   800us  1/1 msgs  greeter:50051");
	s.r.exchange.request.authority.n = 0;
	g->web = true;
	g->messages[1] = 100;
	g->counted[0] = false;
	expect_alone("10:54:09.234567 10.0.0.1:51234 -> 10.0.0.2:50051  grpc-web greet.Greeter/SayHello  OK   800us  "
		     "-/100 msgs");
	g->web = false;
	g->service.n = 0;
	expect_alone("10:54:09.234567 10.0.0.1:51234 -> 10.0.0.2:50051  grpc -/SayHello  OK   800us  -/100 msgs");
	g->method.n = 0;
	s.r.exchange.request.target = sample_text(&s, "/x y");
	expect_alone("10:54:09.234567 10.0.0.1:51234 -> 10.0.0.2:50051  grpc /x\\x20y  OK   800us  -/100 msgs");
	s.r.exchange.request.target.n = 0;
	expect_alone("10:54:09.234567 10.0.0.1:51234 -> 10.0.0.2:50051  grpc -  OK   800us  -/100 msgs");
}

/* Its lines and those of HTTP/2 and HTTP/1 align. */
static void test_grpc_columns(void **state)
{
	struct grpc_record *g = sample_call(&s);

	(void)state;
	expect(CALL "OK   800us  1/1 msgs");
	g->status = 5;
	expect(CALL "NOT_FOUND  800us  1/1 msgs");
	g->status = 0;
	expect(CALL "OK         800us  1/1 msgs");
	g->status = 8;
	expect(CALL "RESOURCE_EXHAUSTED  800us  1/1 msgs");
	g->status = 99;
	expect(CALL "99         800us  1/1 msgs");
	g->status = -1;
	expect(CALL "-          800us  1/1 msgs");
	s.r.exchange.is_grpc = false;
	expect("10:54:09.234567 10.0.0.1:51234 -> 10.0.0.2:50051  HTTP/2.0 POST /greet.Greeter/SayHello  "
	       "200        800us    18B  [sent 12B]");
	sample_release(&s);
	sample_exchange(&s);
	expect("10:54:09.234567 10.0.0.1:51234 -> 10.0.0.2:80     HTTP/1.1 GET /index.html               "
	       "200        1.2ms  4.3kB");
}

static void test_grpc_outcome(void **state)
{
	struct exchange_record *x = &s.r.exchange;
	struct grpc_record *g = sample_call(&s);

	(void)state;
	g->message = sample_text(&s, "no \"such\" thing\n\\ \x1b[31m] [reset by client");
	expect(CALL "OK   800us  1/1 msgs");
	g->status = 2;
	expect_alone(CALL "UNKNOWN  800us  1/1 msgs  \"no \\\"such\\\" thing\\x0a\\\\ \\x1b[31m] [reset by client\"");
	g->message = sample_text(&s, "0123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 end");
	expect_alone(CALL "UNKNOWN  800us  1/1 msgs  \"0123456789 123456789 123456789 123456789 123456789 1...9 123456789 "
			  "123456789 end\"");
	g->message.n = 0;
	g->status = -1;
	x->response.status = 503;
	expect_alone(CALL "-    800us  1/1 msgs  [HTTP 503]");
	x->response.status = 200;
	g->has_timeout = true;
	expect_alone(CALL "-    800us  1/1 msgs");
	g->timed_out = true;
	expect_alone(CALL "-    800us  1/1 msgs  [timed out]");
	g->cancelled_by = 0;
	x->was_reset = true;
	x->reset_code = 8;
	x->ended = ENDED_RESET;
	x->ended_by = 0;
	x->response.complete = false;
	expect_alone(CALL "-    800us  1/1 msgs  [response incomplete] [timed out] [cancelled by client]");
	g->timed_out = false;
	x->ended_by = 1;
	expect_alone(CALL "-    800us  1/1 msgs  [response incomplete] [cancelled by client] [reset CANCEL by server]");
}

static void test_http2_notes(void **state)
{
	struct exchange_record *x = &s.r.exchange;

	(void)state;
	x->was_reset = true;
	x->ended_by = 1;
	expect(GET "200  1.2ms  4.3kB");
	x->reset_code = 7;
	expect(GET "200  1.2ms  4.3kB  [reset REFUSED_STREAM by server]");
	x->reset_code = 99;
	x->ended = ENDED_RESET;
	x->ended_by = -1;
	expect(GET "200  1.2ms  4.3kB  [reset 99]");
	x->reset_code = 0;
	x->ended = ENDED_GOAWAY;
	x->ended_by = 1;
	expect(GET "200  1.2ms  4.3kB  [goaway NO_ERROR by server]");
	x->was_reset = false;
	expect(GET "200  1.2ms  4.3kB  [goaway by server]");
	x->ended = ENDED_WELL;
	x->pushed = true;
	x->request.unknown_fields = 1;
	expect(GET "200  1.2ms  4.3kB  [pushed] [1 header unknown]");
	x->response.unknown_fields = UINT32_MAX;
	x->pushed = false;
	expect(GET "200  1.2ms  4.3kB  [4294967296 headers unknown]");
}

static void test_progress(void **state)
{
	struct exchange_record *x = &s.r.exchange;

	(void)state;
	sample_call(&s);
	x->progress = true;
	x->request.complete = x->response.complete = false;
	x->grpc.status = -1;
	x->grpc.messages[0] = 1234;
	expect(CALL "-    800us  1234/1 msgs  [goes on]");
	x->response = (struct message){0};
	x->timed = false;
	expect(CALL "-        -  1234/1 msgs  [goes on]");
}

static void test_flow_and_loss(void **state)
{
	const struct flow_record f = {
		.first_ns = 1,
		.last_ns = 1200000001,
		.side = {{1, 430, 1448, 4, 5, 0, 0, 0}, {.bytes = 4300}},
		.protocol = "http1",
		.exchanges = 1,
		.syn_seen = true,
		.handshake_ns = 90000,
		.ended = ENDED_CLOSED,
		.ended_by = 0,
	};

	(void)state;
	s.r.kind = RECORD_FLOW;
	s.r.flow = f;
	expect(ENDS "flow http1  1 exchange  1.2s  client 430B [1448B retransmitted] [5B lost network]  server 4.3kB  "
		    "handshake 90us [closed by client]");
	s.r.flow = (struct flow_record){.verdict = "tls", .ended_by = -1};
	expect(ENDS "flow not decoded: tls  0 exchanges  0ns  client 0B  server 0B [start not seen]");
	s.r.flow.verdict = NULL;
	expect(ENDS "flow -  0 exchanges  0ns  client 0B  server 0B [start not seen]");
	s.r.kind = RECORD_LOSS;
	s.r.loss = (struct loss_record){"ring", 12, 18000, 0};
	s.r.ends = (struct endpoints){.ifindex = 3, .ifname = "eth\n0"};
	expect("10:54:09.234567 !! lost 12 packets, 18kB, on eth\\x0a0: ring");
	s.r.loss = (struct loss_record){"copy", 2, 0, 4};
	expect("10:54:09.234567 !! lost 2 packets, on eth\\x0a0, on cpu 3: copy");
	s.r.loss = (struct loss_record){"file", 1, 0, 0};
	s.r.ends.ifname = NULL;
	expect("10:54:09.234567 !! lost 1 packet, on interface 3: file");
	s.r.kind = RECORD_BUDGET;
	s.r.budget = (struct budget_record){DETAIL_COUNTS, DETAIL_LINES, 8, 150000000, 100000000, 0};
	expect("10:54:09.234567 !! CPU time a second: 150ms of 100ms: connections are only counted, all but one in 8");
	s.r.budget.detail = DETAIL_WHOLE;
	expect("10:54:09.234567 !! CPU time a second: 150ms of 100ms: everything again");
}

static void check_print(uint8_t *(*print)(uint8_t *, uint64_t), uint64_t v, const char *want)
{
	uint8_t text[64] = "";

	*print(text, v) = 0;
	assert_string_equal((char *)text, want);
}

static void test_durations_and_sizes(void **state)
{
	(void)state;
	check_print(print_duration, 0, "0ns");
	check_print(print_duration, 999, "999ns");
	check_print(print_duration, 1000, "1.0us");
	check_print(print_duration, 9949, "9.9us");
	check_print(print_duration, 9950, "10us");
	check_print(print_duration, 57508, "58us");
	check_print(print_duration, 999499, "999us");
	check_print(print_duration, 999500, "1.0ms");
	check_print(print_duration, 1200000, "1.2ms");
	check_print(print_duration, 999500000, "1.0s");
	check_print(print_duration, 61200000000, "61s");
	check_print(print_duration, 86400000000000, "86400s");
	check_print(print_duration, UINT64_MAX, "18446744074s");
	check_print(print_size, 999, "999B");
	check_print(print_size, 1000, "1.0kB");
	check_print(print_size, 4300, "4.3kB");
	check_print(print_size, 999500, "1.0MB");
	check_print(print_size, UINT64_MAX, "18447PB");
}

static void test_hex_and_padded(void **state)
{
	uint8_t text[32] = "";

	(void)state;
	check_print(print_hex64, 0, "0000000000000000");
	check_print(print_hex64, 0xfedcba9876543210, "fedcba9876543210");
	check_print(print_hex64, UINT64_MAX, "ffffffffffffffff");
	*print_padded(text, 12345, 3) = 0;
	assert_string_equal((char *)text, "345");
	*print_padded(text, 7, 6) = 0;
	assert_string_equal((char *)text, "000007");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exchange), TEST(columns), TEST(no_response),      TEST(no_request), TEST(notes),
		TEST(host),     TEST(target),  TEST(ipv6_and_backend), TEST(flow_and_loss),
		TEST(grpc),     TEST(progress), TEST(grpc_columns),    TEST(grpc_outcome), TEST(http2_notes),
		TEST(durations_and_sizes),     TEST(hex_and_padded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
