/* SPDX-License-Identifier: MIT */
/* Text on a terminal: colours, and lines that fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "output/names.h"
#include "output/paint.h"
#include "output/print.h"
#include "../text_rig.h"

/* The next line, without its line feed, as on a terminal of `width` columns (0: no terminal), and no columns of lines before. */
static char *line_of(bool color, unsigned width)
{
	const struct look look = {color, width};

	memset(columns, 0, format_text.state_size);
	format_text.look(columns, &look);
	out.n = 0;
	assert_true(format_text.write(columns, &view, &s.r, &out));
	assert_int_equal(out.p[out.n - 1], '\n');
	out.p[out.n - 1] = 0;
	return (char *)out.p;
}

/* Takes colours out; all that is left must be visible. */
static char *plain(char *line)
{
	char *to = line;

	for (const char *p = line; *p; p++) {
		if (*p == '\x1b') {
			assert_int_equal(p[1], '[');
			p += 2 + strspn(p + 2, "0123456789;");
			assert_int_equal(*p, 'm');
			continue;
		}
		assert_in_range(*p, ' ', '~');
		*to++ = *p;
	}
	*to = 0;
	return line;
}

#define ENDS "\x1b[2m10:54:09.234567\x1b[0m 10.0.0.1:51234 -> 10.0.0.2:80  HTTP/1.1 \x1b[1mGET\x1b[0m /index.html  "

static void test_colors(void **state)
{
	struct exchange_record *x = &s.r.exchange;
	static const struct {
		uint16_t status;
		const char *shown;
	} statuses[] = {
		{200, "\x1b[32m200\x1b[0m"}, {101, "\x1b[36m101\x1b[0m"},   {304, "\x1b[36m304\x1b[0m"},
		{404, "\x1b[35m404\x1b[0m"}, {503, "\x1b[1;31m503\x1b[0m"}, {999, "\x1b[1;31m999\x1b[0m"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		char want[256];

		x->response.status = statuses[i].status;
		snprintf(want, sizeof(want), ENDS "%s  1.2ms  4.3kB", statuses[i].shown);
		assert_string_equal(line_of(true, 0), want);
	}
	x->response = (struct message){0};
	x->timed = false;
	assert_string_equal(line_of(true, 0), ENDS "-        -      - \x1b[35m [no response]\x1b[0m");
	s.r.kind = RECORD_LOSS;
	s.r.loss = (struct loss_record){"ring", 12, 18000, 0};
	assert_string_equal(line_of(true, 0), "\x1b[2m10:54:09.234567\x1b[0m \x1b[1;31m!! lost 12 packets, 18kB: ring\x1b[0m");
}

static void test_grpc_colors(void **state)
{
	/* by status: OK, the client's faults, the server's, and one that is none */
	static const char kinds[] = "32 35 1;31 35 1;31 35 35 35 35 35 35 35 1;31 1;31 1;31 1;31 35 1;31 ";
	const char *kind = kinds;
	char want[64];

	(void)state;
	sample_call(&s);
	for (int i = 0; i <= 17; i++, kind = strchr(kind, ' ') + 1) {
		s.r.exchange.grpc.status = i;
		snprintf(want, sizeof(want), "  \x1b[%.*sm%s\x1b[0m  ", (int)strcspn(kind, " "), kind,
			 i < 17 ? name_of_grpc_status(i) : "17");
		assert_non_null(strstr(line_of(true, 0), want));
	}
	s.r.exchange.grpc.status = -1;
	assert_non_null(strstr(line_of(true, 0), "SayHello  -    800us"));
}

/* On 120 columns and more it is only the target that is shortened, and notes. */
static void test_wide(void **state)
{
	struct message *m = &s.r.exchange.request;

	(void)state;
	m->target = sample_text(&s, "/api/v1/namespaces/default/pods/shop-7d9c5b7f4-abcde/log?follow=true");
	assert_string_equal(line_of(false, 120), "10:54:09.234567 10.0.0.1:51234 -> 10.0.0.2:80  HTTP/1.1 GET "
						 "/api/v1/namespaces/default...?follow=true  200  1.2ms  4.3kB");
	m->headers = sample_fields(&s, "Host: shop.example\r\n");
	m->body_bytes = 7;
	assert_string_equal(
		line_of(false, 160),
		"10:54:09.234567 10.0.0.1:51234 -> 10.0.0.2:80  HTTP/1.1 GET "
		"/api/v1/namespaces/default/pods/shop-7...cde/log?follow=true  200  1.2ms  4.3kB  shop.example  [s...");
	m->target = sample_text(&s, "/");
	s.r.exchange.response.complete = false;
	assert_string_equal(line_of(false, 120), "10:54:09.234567 10.0.0.1:51234 -> 10.0.0.2:80  HTTP/1.1 GET /  "
						 "200  1.2ms  4.3kB  shop.example ... [response incomplete]");
}

static void test_narrow(void **state)
{
	(void)state;
	s.r.exchange.request.target = sample_text(&s, "/api/v1/namespaces/default/pods");
	assert_string_equal(line_of(false, 100),
			    "10:54:09 10.0.0.1:51234 -> 10.0.0.2:80  GET /api/v1/namespaces/default/pods  200  1.2ms  4.3kB");
	assert_string_equal(line_of(false, 80),
			    "10:54:09 10.0.0.1 -> 10.0.0.2:80  GET /api/v1/namespaces...ault/pods  200  1.2ms");
	assert_string_equal(line_of(false, 60), "10:54:09 10.0.0.2:80  GET /api/v1/names...t/pods  200  1.2ms");
	assert_string_equal(line_of(false, 1), line_of(false, 60));
	sample_end(&s.r.ends.key, 0, "2001:db8:1111:2222:3333:4444:5555:6666", 51234);
	sample_end(&s.r.ends.key, 1, "2001:db8:1111:2222:3333:4444:5555:7777", 65535);
	assert_string_equal(line_of(false, 80),
			    "10:54:09 [2001:...66] -> [2001:...77]:65535  GET /api/v1/nam.../pods  200  1.2ms");
	sample_call(&s);
	s.r.exchange.grpc.status = 8;
	assert_string_equal(line_of(false, 60), "10:54:09 10.0.0.2:50051  SayHello  RESOURC...TED  800us");
}

/* What hosts send changes no colour and moves no cursor. */
static void test_hostile(void **state)
{
	static const char evil[] = "/\x1b[2J\x1b]0;x\x07\x9b"
				   "31m\r\n\t\b\xc2\x9b\x7f";
	struct exchange_record *x = &s.r.exchange;
	char with[512], without[512];

	(void)state;
	sample_call(&s);
	x->request.target = x->request.method = x->request.authority = sample_bytes(&s, evil, sizeof(evil));
	x->grpc.service = x->grpc.method = x->grpc.message = x->request.target;
	x->grpc.status = 2;
	for (int grpc = 0; grpc < 2; grpc++) {
		x->is_grpc = grpc;
		snprintf(without, sizeof(without), "%s", line_of(false, 0));
		snprintf(with, sizeof(with), "%s", line_of(true, 0));
		assert_null(strchr(without, '\x1b'));
		assert_string_equal(plain(with), without);
	}
}

static uint32_t any(uint32_t below)
{
	static uint32_t random_state = 1;

	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

static struct slice any_text(uint32_t most)
{
	static uint8_t text[8][512];
	static unsigned turn;
	uint8_t *p = text[turn++ % 8];
	uint32_t n = any(most + 1);

	for (uint32_t i = 0; i < n; i++)
		p[i] = (uint8_t)(any(4) ? 'a' + any(26) : any(256));
	return slice_of(p, n);
}

static void any_end(int side)
{
	static const char *const ips[] = {"::1", "2001:db8::1", "fd00:1111:2222:3333:4444:5555:6666:7777", "10.0.0.1",
					  "255.255.255.255"};
	uint32_t version = s.r.ends.key.version;

	sample_end(&s.r.ends.key, side, ips[side ? version == 6 ? any(3) : 3 + any(2) : any(5)], (uint16_t)any(65536));
}

static void any_exchange(void)
{
	struct exchange_record *x = &s.r.exchange;

	any_end(0);
	any_end(1);
	x->is_grpc = any(2);
	x->grpc = (struct grpc_record){.service = any_text(80),
				       .method = any_text(80),
				       .status = (int)any(18) - 1,
				       .message = any_text(100),
				       .web = any(2),
				       .counted = {true, any(2)},
				       .messages = {any(1 << 20), any(1 << 20)},
				       .cancelled_by = (int)any(3) - 1};
	x->request.method = any_text(20);
	x->request.target = any_text(200);
	x->request.authority = any_text(80);
	x->request.body_bytes = any(2) * 123456;
	x->request.complete = any(4);
	x->response.status = (uint16_t)any(1000);
	x->response.complete = any(4);
	x->response.missings = any(4) ? 0 : 1;
	x->response.missing[0] = (struct missing){PART_BODY, CAUSE_NETWORK, any(1 << 20)};
	x->latency_ns = (uint64_t)1 << any(48);
	x->was_reset = !any(4);
	x->reset_code = any(20);
	x->ended = any(6);
}

/* Does the line say the status, as it is told when there is room for all, and the time it took? */
static void check_said(const char *line, const char *whole)
{
	const struct exchange_record *x = &s.r.exchange;
	const char *name = x->is_grpc ? name_of_grpc_status(x->grpc.status) : NULL;
	char status[64], head[8];

	snprintf(status, sizeof(status), "  %s ", name ? name : "");
	snprintf(head, sizeof(head), "  %.4s", name ? name : "");
	if (name && !strstr(line, status) && !strstr(line, head))
		fail_msg("no %s in '%s', of '%s'", name, line, whole);
	if (!x->is_grpc && x->response.status) {
		snprintf(status, sizeof(status), "  %u ", x->response.status);
		assert_non_null(strstr(line, status));
	}
	*print_duration((uint8_t *)status, x->latency_ns) = 0;
	if (!strstr(line, status))
		fail_msg("no %s in '%s', of '%s'", status, line, whole);
}

static void test_any_width(void **state)
{
	char whole[4096], line[4096];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		unsigned width = 50 + any(200);

		sample_release(&s);
		sample_exchange(&s);
		any_exchange();
		s.r.kind = any(20) ? RECORD_EXCHANGE : any(2) ? RECORD_FLOW : RECORD_LOSS;
		if (s.r.kind == RECORD_FLOW)
			s.r.flow = (struct flow_record){
				.protocol = "http1", .exchanges = any(999), .side = {{.bytes = any(9999), .lost_ring = any(9)}}};
		if (s.r.kind == RECORD_LOSS)
			s.r.loss = (struct loss_record){"a cause of many words that takes its place, and more of it", any(9999),
							any(9999), 0};
		snprintf(whole, sizeof(whole), "%s", line_of(false, 0));
		snprintf(line, sizeof(line), "%s", line_of(true, 0));
		assert_string_equal(plain(line), whole);
		snprintf(line, sizeof(line), "%s", line_of(true, width));
		plain(line);
		assert_in_range(strlen(line), 1, width < 60 ? 60 : width);
		assert_string_equal(line, line_of(false, width));
		if (s.r.kind == RECORD_EXCHANGE)
			check_said(line, whole);
	}
}

/* What is set aside for the colours is what the longest ones take. */
static void test_most_paint(void **state)
{
	uint8_t line[2 * PAINT_PARTS + PAINT_MAX];
	struct paint paint = {0};

	(void)state;
	memset(line, 'x', sizeof(line));
	for (size_t i = 0; i < PAINT_PARTS; i++)
		paint_part(&paint, line + 2 * i, line + 2 * i + 1, PAINT_BAD);
	assert_ptr_equal(paint_line(&paint, line + 2 * PAINT_PARTS), line + sizeof(line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(colors), TEST(grpc_colors), TEST(wide), TEST(narrow), TEST(hostile), TEST(any_width), TEST(most_paint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
