/* SPDX-License-Identifier: MIT */
/* One direction of a connection, back in order: thousands of random streams beside a map of their bytes, and what is special. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static unsigned seed; /* of the stream that runs */
#define CHECK(x)                                                                                                       \
	do {                                                                                                           \
		if (!(x))                                                                                              \
			fail_msg("stream %u: %s", seed, #x);                                                           \
	} while (0)
#include "../stream_oracle.h"

#define STREAMS 2000

/* --- random streams ------------------------------------------------------------------------------------------------- */

struct dice {
	uint64_t state;
	unsigned halt, part; /* how often in 100 the decoder waits, or takes a part */
};

static uint32_t roll(struct dice *d, uint32_t sides)
{
	d->state = d->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((d->state >> 33) % sides);
}

static size_t take_random(void *ctx, size_t n)
{
	struct dice *d = ctx;

	if (roll(d, 100) < d->halt)
		return ORACLE_HALT;
	return roll(d, 100) < d->part ? roll(d, (uint32_t)n + 1) : n;
}

struct event {
	int64_t place;
	uint32_t n, cut;
	uint8_t variant;
	enum { DATA, FIN, ACK } kind;
};

/* What a stream is like; in 100. */
struct weather {
	unsigned lost, twice, overlap, differs, cut, acks, size, window;
	bool syn, fin, give_up, little_memory;
};

#define EVENTS_MAX 400000

static struct event events[EVENTS_MAX];
static struct pool *pool;
static uint64_t lost_memory;

static unsigned make_events(struct dice *d, const struct weather *w, int64_t from, int64_t to)
{
	unsigned n = 0;

	for (int64_t at = from; at < to && n < EVENTS_MAX - 8;) {
		uint32_t size = 1 + roll(d, w->size), cut = roll(d, 100) < w->cut ? roll(d, size + 1) : 0;
		struct event e = {at, size, 0, 0, DATA};

		if (size > to - at)
			e.n = size = (uint32_t)(to - at);
		if (cut <= size)
			e.n -= cut, e.cut = cut;
		at += size;
		if (roll(d, 100) >= w->lost)
			events[n++] = e;
		if (roll(d, 100) < w->twice)
			events[n++] = e;
		if (roll(d, 100) < w->overlap) {
			e.place -= roll(d, w->size);
			e.n += e.cut;
			e.cut = 0;
			e.variant = roll(d, 100) < w->differs ? (uint8_t)(1 + roll(d, 7)) : 0;
			events[n++] = e;
		}
		if (roll(d, 100) < w->acks)
			events[n++] = (struct event){.place = at - roll(d, w->size), .kind = ACK};
	}
	if (w->fin)
		events[n++] = (struct event){.place = to, .kind = FIN};
	return n;
}

/* Nothing moves further than the window. */
static void shuffle(struct dice *d, unsigned n, unsigned window)
{
	for (unsigned i = 0; i + 1 < n && window > 1; i++) {
		unsigned j = i + roll(d, window < n - i ? window : n - i);
		struct event e = events[i];

		events[i] = events[j];
		events[j] = e;
	}
}

/* Returns how many bytes were delivered or left to the decoder's end. */
static uint64_t run(struct dice *d, const struct weather *w, int64_t from, int64_t to)
{
	struct oracle *o = oracle_new(UINT32_MAX - roll(d, (uint32_t)(2 * to)), to + 1, pool, !w->little_memory);
	unsigned n = make_events(d, w, from, to);
	uint64_t all;

	o->take = take_random;
	o->ctx = d;
	shuffle(d, n, w->window);
	if (w->syn)
		oracle_syn(o, from);
	for (unsigned i = 0; i < n; i++) {
		const struct event *e = &events[i];

		if (e->kind == DATA)
			oracle_insert(o, e->place, e->n, e->cut, e->variant);
		else if (e->kind == FIN)
			oracle_fin(o, e->place);
		else
			oracle_acked(o, e->place);
		if (w->give_up && roll(d, 10) == 0)
			oracle_give_up(o, roll(d, 2) ? CAUSE_RING : CAUSE_NETWORK);
	}
	if (!o->ended) {
		o->cause = CAUSE_NETWORK;
		o->closing = true;
		stream_close(&o->st, o->cause);
		oracle_drain(o);
	}
	all = o->delivered + o->left;
	lost_memory += o->lost[CAUSE_MEMORY];
	oracle_close(o, CAUSE_NETWORK);
	return all;
}

static void run_many(const struct weather *w, unsigned halt, unsigned part, bool whole)
{
	for (seed = 0; seed < STREAMS; seed++) {
		struct dice d = {.state = seed * 0x9e3779b97f4a7c15u + w->size, .halt = halt, .part = part};
		struct weather here = *w;
		int64_t from = roll(&d, 3000), to = from + 1 + roll(&d, seed % 100 ? 2000 : 60000);
		uint64_t all;

		here.size = 1 + roll(&d, w->size);
		all = run(&d, &here, from, to);
		if (whole)
			assert_int_equal(all, to - from);
	}
}

static void any_order(void **state)
{
	(void)state;
	run_many(&(struct weather){.size = 300, .window = 40, .twice = 10, .acks = 20, .syn = true, .fin = true}, 0, 0, true);
}

static void decoder_takes_parts(void **state)
{
	(void)state;
	run_many(&(struct weather){.size = 100, .window = 10, .twice = 10, .overlap = 10, .syn = true, .fin = true}, 0, 50, true);
}

static void decoder_waits(void **state)
{
	(void)state;
	run_many(&(struct weather){.size = 100, .window = 10, .twice = 10, .overlap = 10, .acks = 20, .syn = true,
				   .fin = true}, 40, 40, true);
}

static void overlaps(void **state)
{
	(void)state;
	run_many(&(struct weather){.size = 200, .window = 30, .twice = 20, .overlap = 60, .differs = 50, .syn = true,
				   .fin = true}, 5, 10, true);
}

static void without_begin_and_end(void **state)
{
	(void)state;
	run_many(&(struct weather){.size = 200, .window = 30, .twice = 20, .overlap = 40, .acks = 60},
		 5, 10, false);
}

static void loss(void **state)
{
	(void)state;
	run_many(&(struct weather){.size = 200, .window = 20, .lost = 20, .twice = 20, .overlap = 20, .differs = 30, .acks = 40,
				   .syn = true, .fin = true, .give_up = true}, 10, 20, false);
}

static void snaplen(void **state)
{
	(void)state;
	run_many(&(struct weather){.size = 300, .window = 20, .lost = 10, .twice = 20, .overlap = 10, .cut = 60, .acks = 20,
				   .syn = true, .fin = true, .give_up = true}, 10, 20, false);
}

/* All of it at once, and no begin. */
static void storm(void **state)
{
	(void)state;
	run_many(&(struct weather){.size = 400, .window = 60, .lost = 20, .twice = 30, .overlap = 40, .differs = 60, .cut = 20,
				   .acks = 50, .fin = true, .give_up = true}, 20, 30, false);
}

/* Memory for one block size only, or for a few, or for none: what is shown was sent, what is missing is said. */
static void little_memory(void **state)
{
	struct pool *large = pool;

	(void)state;
	for (size_t slabs = 0; slabs < 4; slabs++) {
		lost_memory = 0;
		pool = pool_new(slabs << 18, NULL, NULL);
		run_many(&(struct weather){.size = 3000, .window = 30, .lost = 5, .twice = 30, .overlap = 40, .differs = 30,
					   .cut = 5, .acks = 30, .syn = true, .fin = true, .give_up = true,
					   .little_memory = true}, 10, 30, false);
		assert_true(lost_memory > 0);
		pool_free(pool);
	}
	pool = large;
}

/* --- one by one ----------------------------------------------------------------------------------------------------- */

#define MANY 70000

static uint8_t bytes[MANY];

/* Nothing waits for anything, and nothing is left behind. */
static void release(struct stream *st)
{
	stream_release(st, pool);
	assert_int_equal(st->waiting, 0);
	assert_int_equal(pool_used(pool), 0);
}

static int insert(struct stream *st, uint32_t seq, size_t n, uint32_t cut)
{
	return stream_insert(st, pool, &(struct span){.seq = seq, .payload = slice_of(bytes, n), .cut = cut, .ts_ns = seq});
}

/* Takes all that is there; returns how many bytes of data that was. */
static uint64_t drain(struct stream *st)
{
	struct chunk ch;
	uint64_t n = 0;

	while (stream_peek(st, pool, &ch)) {
		n += ch.data.n;
		stream_consume(st, pool, ch.data.n);
	}
	stream_settle(st, pool);
	return n;
}

static void in_order_is_not_copied(void **state)
{
	struct stream st;
	struct chunk ch;

	(void)state;
	stream_init(&st);
	for (uint32_t seq = UINT32_MAX - 3000; seq != 7000 - 1; seq += 1000) {
		insert(&st, seq, 1000, 0);
		assert_true(stream_peek(&st, pool, &ch));
		assert_int_equal(ch.kind, CHUNK_DATA);
		assert_ptr_equal(ch.data.p, bytes);
		assert_int_equal(ch.data.n, 1000);
		stream_consume(&st, pool, 1000);
		assert_false(stream_peek(&st, pool, &ch));
		assert_true(stream_idle(&st));
		stream_settle(&st, pool);
		assert_int_equal(pool_used(pool), 0);
	}
	assert_int_equal(st.next, 10000);
	release(&st);
}

/* A segment out of order may be larger than any block: GSO. */
static void large_segments(void **state)
{
	struct stream st;

	(void)state;
	stream_init(&st);
	stream_start(&st, 0);
	for (unsigned i = 10; i > 0; i--) {
		insert(&st, i * MANY, MANY, 0);
		assert_int_equal(drain(&st), 0);
	}
	assert_true(st.waiting >= 10 * MANY);
	assert_int_equal(st.out_of_order, 10);
	insert(&st, 0, MANY, 0);
	assert_int_equal(drain(&st), 11 * MANY);
	release(&st);
}

/* The same offer again as long as nothing was taken, in the segment or after it. */
static void peek_twice(void **state)
{
	struct stream st;
	struct chunk ch;

	(void)state;
	stream_init(&st);
	insert(&st, 0, 10, 0);
	assert_true(stream_peek(&st, pool, &ch));
	stream_consume(&st, pool, 4); /* 6 bytes are kept */
	assert_false(stream_peek(&st, pool, &ch));
	stream_settle(&st, pool);
	insert(&st, 10, 5, 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(stream_peek(&st, pool, &ch));
		assert_int_equal(ch.off, 4);
		assert_int_equal(ch.n, 11);
		assert_int_equal(ch.kept, 6);
		assert_int_equal(ch.kept_ts_ns, 0);
		assert_int_equal(ch.ts_ns, 10);
		if (i % 2 == 0)
			stream_settle(&st, pool);
	}
	stream_consume(&st, pool, 11);
	assert_false(stream_peek(&st, pool, &ch));
	release(&st);
}

/* An acknowledgement alone says where the stream may begin; the first data says it better. */
static void begin_by_acknowledgement(void **state)
{
	struct stream st;

	(void)state;
	stream_init(&st);
	stream_acked(&st, 1000);
	stream_acked(&st, 5000);
	assert_true(stream_hole(&st));
	insert(&st, 2000000000, 100, 0);
	assert_false(stream_hole(&st));
	assert_int_equal(drain(&st), 100);
	assert_false(stream_hole(&st)); /* the 4000 bytes were of another stream */
	release(&st);

	stream_init(&st);
	stream_acked(&st, 1000);
	insert(&st, 1500, 100, 0);
	stream_settle(&st, pool);
	assert_true(stream_hole(&st));
	stream_give_up(&st, CAUSE_NETWORK);
	assert_int_equal(drain(&st), 100); /* 500 bytes that were never there are not lost */
	assert_int_equal(st.lost[CAUSE_NETWORK], 0);
	release(&st);
}

static void holes_by_acknowledgement(void **state)
{
	struct stream st;

	(void)state;
	stream_init(&st);
	insert(&st, 0, 100, 0);
	drain(&st);
	stream_acked(&st, 101); /* a FIN that was not seen */
	assert_false(stream_hole(&st));
	stream_acked(&st, 300);
	assert_int_equal(stream_hole_end(&st), 300);
	stream_acked(&st, 200);
	assert_int_equal(stream_hole_end(&st), 300);
	stream_fin(&st, 250);
	assert_int_equal(stream_hole_end(&st), 250);
	insert(&st, 150, 20, 0);
	drain(&st);
	assert_int_equal(stream_hole_end(&st), 150);
	stream_close(&st, CAUSE_RING);
	assert_int_equal(drain(&st), 20);
	assert_int_equal(st.lost[CAUSE_RING], 130);
	assert_true(st.ended);
	release(&st);
}

/* Who forges an acknowledgement gains nothing, now or when the stream gets near. */
static void absurd_acknowledgement(void **state)
{
	struct stream st;
	uint32_t seq = 0;

	(void)state;
	stream_init(&st);
	insert(&st, seq, MANY, 0);
	drain(&st);
	stream_acked(&st, seq + ((uint32_t)20 << 20));
	for (unsigned i = 0; i < 400; i++) {
		assert_false(stream_hole(&st));
		insert(&st, seq += MANY, MANY, 0);
		assert_int_equal(drain(&st), MANY);
	}
	release(&st);
}

static void data_behind_the_end(void **state)
{
	struct stream st;

	(void)state;
	stream_init(&st);
	stream_start(&st, 0);
	insert(&st, 50, 50, 0);
	stream_settle(&st, pool);
	stream_fin(&st, 60); /* there is data behind it */
	assert_int_equal(st.fin, OFFSET_UNKNOWN);
	stream_fin(&st, 100);
	stream_fin(&st, 200);
	assert_int_equal(st.fin, 100);
	insert(&st, 90, 50, 0);
	insert(&st, 100, 50, 0);
	stream_settle(&st, pool);
	insert(&st, 0, 200, 0);
	assert_int_equal(drain(&st), 100);
	assert_true(st.ended);
	release(&st);
}

static void skipping(void **state)
{
	struct stream st;

	(void)state;
	stream_init(&st);
	assert_int_equal(stream_skip(&st, UINT32_MAX - 99, 100, false), 100);
	assert_int_equal(stream_skip(&st, UINT32_MAX - 99, 150, false), 50);
	assert_int_equal(stream_skip(&st, UINT32_MAX - 99, 150, false), 0);
	assert_int_equal(stream_skip(&st, 1000, 10, false), 10);
	assert_int_equal(stream_skip(&st, 0, 1005, false), 0);
	assert_int_equal(stream_skip(&st, 1010, 0, true), 0);
	assert_int_equal(st.next, 1110);
	assert_true(st.ended);
	release(&st);
}

static int make_pool(void **state)
{
	(void)state;
	pool = pool_new((size_t)64 << 20, NULL, NULL);
	return pool ? 0 : -1;
}

static int free_pool(void **state)
{
	(void)state;
	pool_free(pool);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order),
		cmocka_unit_test(decoder_takes_parts),
		cmocka_unit_test(decoder_waits),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(without_begin_and_end),
		cmocka_unit_test(loss),
		cmocka_unit_test(snaplen),
		cmocka_unit_test(storm),
		cmocka_unit_test(little_memory),
		cmocka_unit_test(in_order_is_not_copied),
		cmocka_unit_test(large_segments),
		cmocka_unit_test(peek_twice),
		cmocka_unit_test(begin_by_acknowledgement),
		cmocka_unit_test(holes_by_acknowledgement),
		cmocka_unit_test(absurd_acknowledgement),
		cmocka_unit_test(data_behind_the_end),
		cmocka_unit_test(skipping),
	};

	return cmocka_run_group_tests(tests, make_pool, free_pool);
}
