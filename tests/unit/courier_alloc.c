/* SPDX-License-Identifier: MIT */
/* Every allocation of a courier and its spool fails once: nothing crashes or hangs, and what is lost is counted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../temp_dir.h"
#include "sink/courier.h"

#define BIT     2u
#define RECORD  1000
#define PARCELS 40

static atomic_uint calls, fail_at; /* 0: never */

/* glibc's own, under the names that nothing else takes; a sanitizer has others, and is left alone. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static bool fails(void)
{
	return atomic_fetch_add(&calls, 1) + 1 == fail_at;
}

extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t size), *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}
#endif

static atomic_bool away;
static uint64_t next;

static void say(const char *line)
{
	(void)line;
}

static int carry(void *self, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n)
{
	(void)self, (void)hurry;
	if (away) {
		snprintf(why, why_n, "away");
		return -ECONNREFUSED;
	}
	for (size_t i = 0; i < n; i++) {
		assert_true(items[i].number >= next);
		next = items[i].number + 1;
		items[i].fate = FATE_DELIVERED;
	}
	return 0;
}

static void close_carrier(void *self)
{
	(void)self;
}

static void put(struct courier *c, uint64_t number)
{
	struct parcel *p = parcel_new(2, 2 * RECORD);

	if (!p) {
		courier_miss(c, 1);
		return;
	}
	p->run = 9;
	memset(p->bytes, 'x', 2 * RECORD);
	p->marks[0] = (struct mark){1, 2, number, BIT, 0, RECORD / 2};
	p->marks[1] = (struct mark){1, 2, number, 1, RECORD / 2, 3 * RECORD / 2};
	courier_put(c, p);
	parcel_drop(p);
}

/* Away at first, with more than fits into half of the queue; then back. */
static void run(void)
{
	const struct carrier carrier = {NULL, NULL, carry, close_carrier};
	struct courier_config config = {.name = "place", .bit = BIT, .queue = 20000, .patience_ms = 10000, .say = say};
	struct courier_counts n;
	struct courier *c;
	char error[128];

	next = 0;
	away = true;
	if (spool_open(&config.spool, dir, 1 << 20, error, sizeof(error)) < 0)
		return;
	c = courier_new(&config, &carrier);
	if (!c)
		return;
	for (uint64_t i = 0; i < PARCELS; i++)
		put(c, i);
	away = false;
	courier_close(c, 5000, &n);
	assert_int_equal(n.accepted, PARCELS);
	assert_int_equal(n.delivered + n.dropped_full + n.dropped_spool + n.dropped_exit + n.spooled, n.accepted + n.recovered);
	assert_int_equal(n.spooled, 0);
	assert_true(fail_at ? n.delivered + 10 >= PARCELS : n.delivered == PARCELS);
}

static void test_each_once(void **state)
{
	unsigned most;

	(void)state;
	calls = 0;
	run();
	most = calls + 20;
	for (unsigned k = 1; k <= most; k++) {
		calls = 0;
		fail_at = k;
		run();
		fail_at = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_DIR(test_each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
