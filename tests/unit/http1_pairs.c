/* SPDX-License-Identifier: MIT */
/* Which response answers which request, when packets are lost: rather none than a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../engine_rig.h"

static struct talk *all; /* the conversation */

static int tear_up(void **state)
{
	(void)state;
	all = talk_new();
	talk_open(all);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(all);
	return 0;
}

/* --- what is said --------------------------------------------------------------------------------------------------- */

static char said[1 << 20]; /* what is said with numbers in it */
static size_t said_n;

__attribute__((format(printf, 1, 2))) static struct slice say(const char *fmt, ...)
{
	struct slice s = {(const uint8_t *)said + said_n, 0};
	va_list ap;

	va_start(ap, fmt);
	s.n = (size_t)vsnprintf(said + said_n, sizeof(said) - said_n, fmt, ap);
	va_end(ap);
	said_n += s.n;
	assert_in_range(said_n, 0, sizeof(said) - 1);
	return s;
}

struct dice {
	uint64_t state;
};

static uint32_t roll(struct dice *d, uint32_t sides)
{
	d->state = d->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((d->state >> 33) % sides);
}

/* Says it in segments of at most `size` bytes. */
static void in_segments(unsigned side, struct slice s, size_t size, bool acks)
{
	for (; s.n; s = slice_from(s, size)) {
		struct slice part = slice_first(s, size);

		talk_bytes(all, side, part.p, part.n);
		if (acks)
			talk_ack(all, !side);
	}
}

static const char *const methods[] = {"GET", "POST", "HEAD", "DELETE"};

static struct slice request(struct dice *d, unsigned id, unsigned method)
{
	unsigned n = method == 1 ? roll(d, 300) : 0;

	if (method == 1 && roll(d, 2))
		return say("POST /%u HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%0*u\r\n0\r\n\r\n", id, n + 1,
			   (int)n + 1, 0);
	if (method == 1)
		return say("POST /%u HTTP/1.1\r\nContent-Length: %u\r\n\r\n%0*u", id, n + 1, (int)n + 1, 0);
	return say("%s /%u HTTP/1.1\r\nHost: h\r\n\r\n", methods[method], id);
}

static struct slice response(struct dice *d, unsigned id, unsigned method)
{
	unsigned n = 1 + roll(d, 400);

	if (method == 2)
		return say("HTTP/1.1 200 OK\r\nX-Id: %u\r\nContent-Length: %u\r\n\r\n", id, n);
	switch (roll(d, 5)) {
	case 0:
		return say("HTTP/1.1 304 Not Modified\r\nX-Id: %u\r\n\r\n", id);
	case 1:
		return say("HTTP/1.1 200 OK\r\nX-Id: %u\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%0*u\r\n0\r\n\r\n", id, n,
			   (int)n, 0);
	case 2:
		return say("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nX-Id: %u\r\nContent-Length: 0\r\n\r\n", id);
	default:
		return say("HTTP/1.1 200 OK\r\nX-Id: %u\r\nContent-Length: %u\r\n\r\n%0*u", id, n, (int)n, 0);
	}
}

/*
 * A conversation in rounds: up to so many requests at once, then their responses. A client pipelines always or never: one that
 * begins to after a while can not be told from one that does not when the first requests of its first pipeline are lost.
 * Returns the number of exchanges.
 */
static unsigned make_pairs(struct dice *d, unsigned rounds, unsigned depth, bool acks)
{
	unsigned id = 100, first;

	all->n = 3;
	all->seq[CLIENT] = all->shots[2].seq;
	all->seq[SERVER] = all->shots[2].ack;
	said_n = 0;
	while (rounds--) {
		unsigned n = depth > 1 ? 2 + roll(d, depth - 1) : 1, method[16];
		size_t size = roll(d, 3) ? 1460 : 40 + roll(d, 200);
		struct slice s = {(const uint8_t *)said + said_n, 0};

		first = id;
		for (unsigned i = 0; i < n; i++)
			s.n += request(d, id++, method[i] = roll(d, 4)).n;
		in_segments(CLIENT, s, size, acks);
		for (unsigned i = 0; i < n; i++) {
			s = response(d, first + i, method[i]);
			in_segments(SERVER, s, roll(d, 2) ? size : 1460, acks);
		}
	}
	talk_close(all);
	return id - 100;
}

/* --- what is found -------------------------------------------------------------------------------------------------- */

static unsigned paired, wrong, seen_requests;

/* Requests carry their number as target, responses that of their request in a field. */
static void check_pair(void *ctx, const struct record *r)
{
	const struct message *q = &r->exchange.request, *a = &r->exchange.response;
	struct slice id = fields_get(&a->headers, SLICE("X-Id"));

	(void)ctx;
	seen_requests += q->seen;
	if (!q->target.n || !id.n)
		return;
	paired++;
	if (!slice_eq(slice_from(q->target, 1), id)) {
		wrong++;
		fprintf(stderr, "request %.*s, response %.*s\n", (int)q->target.n, q->target.p, (int)id.n, id.p);
	}
}

/* Plays what is not dropped; `drop` has a bit for each packet. */
static unsigned play_pairs(const struct talk *t, const bool *drop)
{
	struct rig r = {.on_record = check_pair};

	paired = wrong = seen_requests = 0;
	rig_open(&r);
	for (unsigned i = 0; i < t->n; i++)
		if (!drop[i])
			shot_play(r.e, &t->shots[i], false);
	rig_close(&r);
	return paired;
}

/* --- loss ----------------------------------------------------------------------------------------------------------- */

/* Each packet dropped in turn, then each two, of conversations with `depth` requests at once. */
static void drop_in_turn(unsigned depth)
{
	static bool drop[SHOTS_MAX];
	unsigned found = 0, possible = 0;

	for (unsigned round = 0; round < 30; round++) {
		struct dice d = {round * 77 + depth};
		unsigned n = make_pairs(&d, 3, depth, round & 1);

		assert_int_equal(play_pairs(all, drop), n);
		assert_int_equal(wrong, 0);
		for (unsigned i = 0; i < all->n; i++)
			for (unsigned k = i; k < all->n && k < i + 12; k++) {
				drop[i] = drop[k] = true;
				found += play_pairs(all, drop);
				possible += n;
				drop[i] = drop[k] = false;
				if (wrong)
					fail_msg("conversation %u, without packets %u and %u: wrong pairs", round, i, k);
			}
	}
	printf("depth %u: %u of %u paired\n", depth, found, possible);
	assert_true(found > possible / 2);
}

static void loss_in_sequence(void **state)
{
	(void)state;
	drop_in_turn(1);
}

static void loss_in_pipelines(void **state)
{
	(void)state;
	drop_in_turn(2);
	drop_in_turn(5);
}

/* More and more loss, on conversations of both kinds, and starts in the middle of those that do not pipeline. */
static void heavy_loss(void **state)
{
	static bool drop[SHOTS_MAX];

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct dice d = {round};
		unsigned depth = 1 + roll(&d, 4) * roll(&d, 2), rate = 1 + roll(&d, 50), start;

		make_pairs(&d, 1 + roll(&d, 8), depth, roll(&d, 2));
		start = roll(&d, 3) || depth > 1 ? 0 : roll(&d, all->n);
		for (unsigned i = 0; i < all->n; i++)
			drop[i] = i < start || (roll(&d, 100) < rate && (i > 2 || depth == 1));
		play_pairs(all, drop);
		if (wrong)
			fail_msg("conversation %u: %u wrong pairs", round, wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, tear_up, tear_down)
		TEST(loss_in_sequence), TEST(loss_in_pipelines), TEST(heavy_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
