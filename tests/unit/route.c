/* SPDX-License-Identifier: MIT */
/* All of a connection goes to one worker, and so does what is seen of it elsewhere, under another address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "workers/route.h"

#define SECOND  UINT64_C(1000000000)
#define WORKERS 5u

static struct route *r;
static uint64_t now;

static int set_up(void **state)
{
	(void)state;
	now = 1000 * SECOND;
	r = route_new(WORKERS, 1 << 20, 42);
	return r ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	route_free(r);
	return 0;
}

/* A segment of the n'th connection from a network. */
static struct segment segment(uint8_t network, uint32_t n, uint8_t flags, uint32_t seq)
{
	struct segment s = {.ts_ns = now, .seq = seq, .ack = flags & TCP_ACK ? seq ^ 0x5555 : 0, .flags = flags, .window = 1000};

	s.key = (struct flow_key){.addr = {{[10] = 0xff, 0xff, 10, network, (uint8_t)(n >> 8), (uint8_t)n},
					   {[10] = 0xff, 0xff, 20, network, 0, 1}},
				  .port = {(uint16_t)(1024 + n), 80}, .version = 4};
	return s;
}

/* Where a segment goes that does not move its connection. */
static unsigned stays(const struct segment *s)
{
	unsigned left, to = route_find(r, s, now, &left);

	assert_true(to < WORKERS);
	assert_int_equal(left, to);
	return to;
}

static unsigned syn(uint8_t network, uint32_t n, uint32_t seq)
{
	struct segment s = segment(network, n, TCP_SYN, seq);

	return stays(&s);
}

static unsigned data(uint8_t network, uint32_t n, uint8_t side)
{
	struct segment s = segment(network, n, TCP_ACK, 7 + n);

	s.side = side;
	return stays(&s);
}

static void one_worker(void **state)
{
	unsigned at[2000], got[WORKERS] = {0};

	(void)state;
	for (uint32_t n = 0; n < 2000; n++)
		got[at[n] = syn(1, n, n * 1000003)]++;
	for (uint32_t n = 0; n < 2000; n++)
		for (uint8_t side = 0; side < 2; side++)
			assert_int_equal(data(1, n, side), at[n]);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_in_range(got[i], 300, 500);
}

/* The same first segment between other ends is of the same connection, and the rest of it goes there too. */
static void translated(void **state)
{
	unsigned moved = 0;

	(void)state;
	for (uint32_t n = 0; n < 100; n++) {
		unsigned at = syn(1, n, n * 1000003);
		uint64_t then = now;

		now += SECOND / 2;
		assert_int_equal(syn(2, n, n * 1000003), at);
		assert_int_equal(data(2, n, 0), at);
		assert_int_equal(data(1, n, 1), at);
		now = then + 2 * SECOND;
		moved += syn(3, n, n * 1000003) != at;
	}
	assert_in_range(moved, 60, 95); /* too late for that: four of five are not there by chance */
}

/* ... also when it is in the middle of the connection that the capture begins. */
static void joined(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 100; n++) {
		unsigned at = data(1, n, 0);

		assert_int_equal(data(2, n, 0), at);
	}
}

/* Behind the translation the ends are those of the connection before: it is said whom it leaves. */
static void moved(void **state)
{
	unsigned before[100], moves = 0;

	(void)state;
	for (uint32_t n = 0; n < 100; n++)
		before[n] = syn(2, n, n * 1000003);
	now += 10 * SECOND;
	for (uint32_t n = 0; n < 100; n++) {
		unsigned at = syn(1, n, 5 + n * 1000003), left;
		struct segment s = segment(2, n, TCP_SYN, 5 + n * 1000003);

		assert_int_equal(route_find(r, &s, now, &left), at);
		assert_int_equal(left, before[n]);
		moves += left != at;
		assert_int_equal(data(2, n, 1), at);
	}
	assert_in_range(moves, 60, 95);
}

/* A SYN that comes again moves nothing, not even if meanwhile another one began with its numbers. */
static void again(void **state)
{
	unsigned at = syn(1, 1, 9);

	(void)state;
	now += 5 * SECOND;
	for (uint32_t n = 2; n < 20; n++)
		syn(1, n, 9);
	assert_int_equal(syn(1, 1, 9), at);
	assert_int_equal(data(1, 1, 0), at);
}

/* With the least memory connections are forgotten; those that nobody translated are found where they were. */
static void forgotten(void **state)
{
	static uint8_t at[60000];

	(void)state;
	route_free(r);
	r = route_new(WORKERS, 0, 42);
	assert_non_null(r);
	for (uint32_t n = 0; n < 60000; n++) {
		now += SECOND / 1000;
		at[n] = (uint8_t)syn(1, n, n * 1000003);
	}
	now += 10 * SECOND;
	for (uint32_t n = 0; n < 60000; n++)
		assert_int_equal(data(1, n, 1), at[n]);
}

/* A reset of what is not known is of no connection. */
static void reset(void **state)
{
	struct segment s = segment(1, 1, TCP_RST | TCP_ACK, 9), other = segment(2, 1, TCP_RST | TCP_ACK, 9);
	unsigned same = 0;

	(void)state;
	for (uint32_t n = 0; n < 50; n++) {
		s.key.port[0] = other.key.port[0] = (uint16_t)(2000 + n);
		same += stays(&s) == stays(&other);
	}
	assert_in_range(same, 0, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(one_worker), TEST(translated), TEST(joined), TEST(moved), TEST(again), TEST(forgotten), TEST(reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
