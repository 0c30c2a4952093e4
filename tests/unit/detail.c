/* SPDX-License-Identifier: MIT */
/*
 * Less detail, to stay within the CPU budget: from whatever packet on, until whatever packet. A record may say less then, and that it
 * does, but nothing that is wrong; a flow's bytes are all there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../elide_rig.h"

#define EXCHANGES 6
#define SEED 7
#define LARGE 900000

static unsigned begin_shot[EXCHANGES], end_shot[EXCHANGES]; /* of each exchange */
static unsigned from, to;                                   /* what is between these shots is only counted */
static bool large;                                          /* the first body is, and the second one is empty */
static unsigned whole_ones;                                 /* exchanges of which all was said, a bit for each */

/* Exchange i asks for /i, and is answered with status 400 + i and i * 100 bytes. */
static void converse(void)
{
	static char lines[2 * EXCHANGES][64]; /* the talk borrows them */

	talk_open(t);
	for (unsigned i = 0; i < EXCHANGES; i++) {
		char *line = lines[2 * i], *answer = lines[2 * i + 1];

		begin_shot[i] = t->n;
		snprintf(line, sizeof(lines[0]), "GET /%u HTTP/1.1\r\nHost: a\r\n\r\n", i);
		talk_say(t, CLIENT, line);
		snprintf(answer, sizeof(lines[0]), "HTTP/1.1 %u OK\r\nContent-Length: %u\r\n\r\n", 400 + i, i * 100);
		talk_say(t, SERVER, answer);
		if (i)
			talk_bytes(t, SERVER, bytes, i * 100);
		talk_ack(t, CLIENT);
		end_shot[i] = t->n;
	}
	talk_close(t);
}

static void look(void *ctx, const struct record *r)
{
	const struct message *q = &r->exchange.request, *a = &r->exchange.response;
	unsigned i;

	(void)ctx;
	if (r->kind != RECORD_EXCHANGE || !q->seen || !a->seen)
		return;
	assert_int_equal(q->target.n, 2);
	i = q->target.p[1] - '0';
	assert_int_equal(a->status, 400 + i);
	if (!q->complete || !a->complete || q->missings || a->missings)
		return;
	assert_int_equal(r->exchange.ended, ENDED_WELL);
	assert_int_equal(a->body_bytes, large ? (i ? 0 : LARGE) : i * 100);
	whole_ones |= 1u << i;
}

static void count_between(uint64_t share)
{
	both_open();
	part.on_record = look;
	whole_ones = 0;
	shared.share = 0;
	for (unsigned j = 0; j < t->n; j++) {
		if (j == from)
			shared.share = share;
		if (j == to)
			shared.share = 0;
		shot_play(whole.e, &t->shots[j], false);
		pass(&t->shots[j]);
	}
	shared.share = 0;
	both_finish();
}

/* The last line that was said is that of the flow: what of it begins with the bytes that were lost, and those that were sent. */
static const char *flow_bytes(const struct rig *r)
{
	const char *flow = strstr(r->text, "flow ");

	assert_non_null(flow);
	assert_null(strstr(flow + 1, "flow "));
	flow = strstr(flow, ", lost ");
	assert_non_null(flow);
	return flow;
}

/* With this seed one of two is not the only connection that there is. */
static uint64_t share_without(void)
{
	struct half_key k = half_key_shot(&t->shots[0]);

	for (uint64_t seed = 0;; seed++)
		if (is_counted(&k, seed << 32 | 0x101))
			return seed << 32 | 0x101;
}

static void counted_between(void **state)
{
	uint64_t share, left_out = 0, flows = 0;

	converse();
	share = share_without();
	for (from = 0; from < t->n; from++) {
		for (to = from + 1; to <= t->n + 1; to++) {
			for (lag = 0; lag < 8; lag += 7) {
				count_between(share);
				for (unsigned i = 0; i < EXCHANGES; i++)
					if (end_shot[i] <= from || begin_shot[i] > to)
						assert_true(whole_ones >> i & 1);
				assert_string_equal(flow_bytes(&part), flow_bytes(&whole));
				left_out += counted.elided;
				flows += engine_stats(part.e)->flows_counted;
				both_close();
			}
		}
	}
	assert_true(left_out > t->n * t->n);
	assert_true(flows > t->n * t->n / 2);
	teardown(state);
	setup(state);
}

/* What was left out of a body, because nobody wanted it, is counted on: it is no loss then, and no byte of it is forgotten. */
static void counted_while_left_out(void **state)
{
	uint64_t share;

	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, "GET /0 HTTP/1.1\r\n\r\n");
	say_response("HTTP/1.1 400 Bad Request\r\nContent-Length: 900000\r\n\r\n", LARGE);
	talk_say(t, CLIENT, "GET /1 HTTP/1.1\r\n\r\n");
	say_response("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 0);
	talk_close(t);
	for (unsigned j = 0; j < t->n; j++)
		t->shots[j].ts_ns += j * UINT64_C(300000000); /* it takes a while, in which there are signs of life */
	share = share_without();
	lag = 0;
	large = true;
	for (from = 20; from < t->n; from += t->n / 9) {
		for (to = from + 1; to <= t->n; to += t->n / 11) {
			count_between(share);
			assert_string_equal(flow_bytes(&part), flow_bytes(&whole));
			both_close();
		}
	}
	large = false;
}

/* Whom the hash does not choose, nothing happens to. */
static void not_counted(void **state)
{
	struct half_key k;
	uint64_t seed = 0;

	(void)state;
	converse();
	k = half_key_shot(&t->shots[0]);
	while (is_counted(&k, seed << 32 | 0x106))
		seed++;
	from = 5;
	to = t->n;
	for (unsigned shift = 1; shift <= 6; shift++) {
		count_between(seed << 32 | 0x100 | shift);
		assert_int_equal(whole_ones, (1 << EXCHANGES) - 1);
		assert_string_equal(part.text, whole.text);
		both_close();
	}
}

/* Counted again and again, always with the same seed: it is told each time. */
static void by_turns(void **state)
{
	uint64_t share;

	(void)state;
	converse();
	share = share_without();
	both_open();
	part.on_record = look;
	for (unsigned j = 0; j < t->n; j++) {
		shared.share = j / 4 & 1 ? share + (j << 8) : 0;
		shot_play(whole.e, &t->shots[j], false);
		pass(&t->shots[j]);
	}
	shared.share = 0;
	both_finish();
	assert_string_equal(flow_bytes(&part), flow_bytes(&whole));
	assert_int_equal(engine_stats(part.e)->flows_counted, 1);
}

static void fair(void **state)
{
	unsigned n[7] = {0}, twice = 0;

	(void)state;
	for (unsigned port = 0; port < 16384; port++) {
		struct half_key k = {.sport = htons((uint16_t)(32768 + port)), .dport = htons(80)}, r;

		k.src[15] = (uint8_t)(port % 7);
		k.dst[15] = 9;
		r = reverse(&k);
		for (unsigned shift = 1; shift <= 6; shift++) {
			n[shift] += !is_counted(&k, (uint64_t)SEED << 32 | shift);
			assert_int_equal(is_counted(&k, (uint64_t)SEED << 32 | shift), is_counted(&r, (uint64_t)SEED << 32 | shift));
			if (shift > 1 && !is_counted(&k, (uint64_t)SEED << 32 | shift))
				assert_false(is_counted(&k, (uint64_t)SEED << 32 | (shift - 1)));
		}
		twice += !is_counted(&k, (uint64_t)SEED << 32 | 1) && !is_counted(&k, (uint64_t)(SEED + 1) << 32 | 1);
	}
	for (unsigned shift = 1; shift <= 6; shift++)
		assert_in_range(n[shift], (16384 >> shift) * 8 / 10, (16384 >> shift) * 12 / 10);
	assert_in_range(twice, 4096 * 8 / 10, 4096 * 12 / 10); /* another seed, another choice */
}

/* --- bodies, messages, fields --------------------------------------------------------------------------------------- */

#define KEEP 250

static void look_at_body(void *ctx, const struct record *r)
{
	const struct message *a = &r->exchange.response;

	(void)ctx;
	if (r->kind != RECORD_EXCHANGE)
		return;
	assert_int_equal(a->body_bytes, 300);
	assert_true(a->body.n <= KEEP);
	assert_memory_equal(a->body.p, "0123456789", a->body.n < 10 ? a->body.n : 10);
	for (size_t i = 10; i < a->body.n; i++)
		assert_int_equal(a->body.p[i], a->body.p[i % 10] + (i >= 100) + (i >= 200));
	assert_int_equal(!!(a->left_out & 1u << PART_BODY), a->body.n < KEEP);
	whole_ones += a->body.n == KEEP;
}

/* What is kept of a body is its begin, whenever more or less is wanted. */
static void body_in_parts(void **state)
{
	static char piece[3][101];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 101; k++)
			piece[i][k] = k < 100 ? (char)('0' + k % 10 + i) : '\0';
	talk_open(t);
	talk_say(t, CLIENT, GET);
	talk_say(t, SERVER, LONG(300));
	for (unsigned i = 0; i < 3; i++)
		talk_say(t, SERVER, piece[i]);
	talk_close(t);
	whole_ones = 0;
	whole.config.body_keep = KEEP;
	whole.on_record = look_at_body;
	for (unsigned bits = 0; bits < 1u << 8; bits++) {
		rig_open(&whole);
		for (unsigned j = 0; j < t->n; j++) {
			engine_detail(whole.e, j < 8 && bits >> j & 1 ? DETAIL_HEADS : DETAIL_WHOLE);
			shot_play(whole.e, &t->shots[j], false);
		}
		rig_finish(&whole);
		rig_close(&whole);
	}
	assert_int_equal(whole_ones, 1 << 5); /* when it is whole for the three pieces, whatever for the others */
}

static unsigned parts[2], fields[2];

static void note_parts(void *ctx, const struct record *r)
{
	(void)ctx;
	if (r->kind != RECORD_EXCHANGE)
		return;
	parts[0] = r->exchange.request.left_out;
	parts[1] = r->exchange.response.left_out;
	fields[0] = r->exchange.request.headers.n;
	fields[1] = r->exchange.response.trailers.n;
}

/* They can still be selected by: that they are not to be shown is for the output. */
static void lines_only(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, GET);
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx: y\r\n\r\n");
	talk_close(t);
	whole.on_record = note_parts;
	for (enum detail d = DETAIL_WHOLE; d < DETAILS; d++) {
		rig_open(&whole);
		engine_detail(whole.e, d);
		for (unsigned j = 0; j < t->n; j++)
			shot_play(whole.e, &t->shots[j], false);
		rig_finish(&whole);
		assert_int_equal(parts[0], d >= DETAIL_LINES ? 1 << PART_HEADERS : 0);
		assert_int_equal(parts[1], d >= DETAIL_LINES ? 1 << PART_HEADERS | 1 << PART_TRAILERS : 0);
		assert_int_equal(fields[0], 1);
		assert_int_equal(fields[1], 1);
		rig_close(&whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(counted_between), T(counted_while_left_out), T(not_counted), T(by_turns), T(fair), T(body_in_parts), T(lines_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
