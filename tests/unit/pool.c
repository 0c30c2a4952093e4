/* SPDX-License-Identifier: MIT */
/* The pool: classes, the ceiling, and that memory given back serves whoever asks next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/pool.h"
#include "base/slice.h"

#define SLAB   ((size_t)256 << 10) /* what the pool takes from the heap at a time */
#define BLOCKS 512

/* An ordinary heap that counts, and fails from the call on that `left` names. */
struct heap {
	unsigned calls, left;
};

static void *heap_get(void *ctx, size_t align, size_t n)
{
	struct heap *h = ctx;

	h->calls++;
	return h->left && h->left-- ? aligned_alloc(align, n) : NULL;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* The next size up is at most half as large again, and a block is never smaller than what was asked for. */
static void rounds_up(void **state)
{
	(void)state;
	assert_int_equal(pool_round(0), POOL_MIN);
	assert_int_equal(pool_round(1), POOL_MIN);
	assert_int_equal(pool_round(POOL_MIN), POOL_MIN);
	assert_int_equal(pool_round(POOL_MIN + 1), 96);
	assert_int_equal(pool_round(97), 128);
	assert_int_equal(pool_round(POOL_MAX), POOL_MAX);
	for (size_t n = 1; n <= POOL_MAX; n += 1 + n / 61) {
		assert_in_range(pool_round(n), n, POOL_MAX);
		assert_int_equal(pool_round(pool_round(n)), pool_round(n));
		if (n > POOL_MIN)
			assert_true(pool_round(n) < n + (n + 1) / 2);
	}
}

struct block {
	uint8_t *p, fill;
	size_t n;
};

static void block_check(const struct block *b)
{
	for (size_t i = 0; i < b->n; i += 1 + i / 8)
		assert_int_equal(b->p[i], b->fill);
	if (b->n)
		assert_int_equal(b->p[b->n - 1], b->fill);
}

static size_t random_size(uint64_t *seed)
{
	size_t n = next_random(seed) % (next_random(seed) % 100 ? 2000 : POOL_MAX);

	return next_random(seed) % 8 ? n : pool_round(n);
}

/* Blocks come and go at random: none overlaps another, and the sums are right all the time. */
static void blocks_do_not_overlap(void **state)
{
	struct heap heap = {.left = UINT32_MAX};
	struct pool *pool = pool_new((size_t)64 << 20, heap_get, &heap);
	struct block blocks[BLOCKS] = {{0}};
	uint64_t seed = 1;
	size_t used = 0;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		struct block *b = &blocks[next_random(&seed) % BLOCKS];

		if (b->p) {
			block_check(b);
			pool_put(pool, b->p, b->n);
			used -= pool_round(b->n);
			b->p = NULL;
		} else {
			b->n = random_size(&seed);
			b->fill = (uint8_t)i;
			b->p = pool_get(pool, b->n);
			if (!b->p)
				continue;
			assert_int_equal((uintptr_t)b->p % 16, 0);
			memset(b->p, b->fill, b->n);
			used += pool_round(b->n);
		}
		assert_int_equal(pool_used(pool), used);
		assert_in_range(pool_held(pool), used, (size_t)64 << 20);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		if (blocks[i].p) {
			block_check(&blocks[i]);
			pool_put(pool, blocks[i].p, blocks[i].n);
		}
	assert_int_equal(pool_used(pool), 0);
	pool_free(pool);
}

static unsigned take_all(struct pool *pool, size_t n, void **head)
{
	unsigned count = 0;
	void *p;

	for (*head = NULL; (p = pool_get(pool, n)); count++) {
		memcpy(p, head, sizeof(*head));
		*head = p;
	}
	return count;
}

static void give_all(struct pool *pool, size_t n, void *head)
{
	for (void *next; head; head = next) {
		memcpy(&next, head, sizeof(next));
		pool_put(pool, head, n);
	}
}

/* The ceiling holds for each class, and all of it is there again for the next class. */
static void ceiling(void **state)
{
	static const size_t limits[] = {0, SLAB - 1, SLAB, 3 * SLAB, 9 * SLAB + 77, 33 * SLAB};
	void *blocks;

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct heap heap = {.left = UINT32_MAX};
		struct pool *pool = pool_new(limits[i], heap_get, &heap);
		size_t slabs = limits[i] / SLAB;

		for (size_t n = 1; n <= POOL_MAX; n = pool_round(n) + 1) {
			unsigned got = take_all(pool, n, &blocks);

			assert_in_range(pool_held(pool), 0, limits[i]);
			assert_int_equal(pool_used(pool), got * pool_round(n));
			if (n <= SLAB / 4)
				assert_int_equal(got, slabs * ((SLAB - 64) / pool_round(n)));
			give_all(pool, n, blocks);
			assert_int_equal(pool_used(pool), 0);
		}
		pool_free(pool);
	}
}

static void too_large(void **state)
{
	struct pool *pool = pool_new((size_t)64 << 20, NULL, NULL);

	(void)state;
	assert_null(pool_get(pool, POOL_MAX + 1));
	assert_null(pool_get(pool, SIZE_MAX));
	assert_null(pool_get(pool, SIZE_MAX / 2));
	pool_put(pool, NULL, 100);
	pool_put(pool, NULL, POOL_MAX);
	assert_int_equal(pool_used(pool), 0);
	assert_int_equal(pool_held(pool), 0);
	pool_free(pool);
	pool_free(NULL);
}

/* Once warm, the same work asks the heap for nothing. */
static void steady_state(void **state)
{
	struct heap heap = {.left = UINT32_MAX};
	struct pool *pool = pool_new((size_t)64 << 20, heap_get, &heap);
	unsigned warm = 0;

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		void *small[1000], *large[50];

		for (unsigned i = 0; i < 1000; i++)
			small[i] = pool_get(pool, 64 + i);
		for (unsigned i = 0; i < 50; i++)
			large[i] = pool_get(pool, 20000);
		for (unsigned i = 0; i < 1000; i++)
			pool_put(pool, small[i], 64 + i);
		for (unsigned i = 0; i < 50; i++)
			pool_put(pool, large[i], 20000);
		if (round == 0)
			warm = heap.calls;
	}
	assert_int_equal(heap.calls, warm);
	pool_free(pool);
}

/* A heap that says no takes nothing away: what could be had can be given back, and the pool goes on. */
static void heap_fails(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 20; k++) {
		struct heap heap = {.left = k};
		struct pool *pool = pool_new((size_t)64 << 20, heap_get, &heap);
		struct block blocks[60] = {{0}};
		unsigned got = 0;

		for (unsigned i = 0; i < 60; i++) {
			blocks[i].n = (size_t)64 << i % 12;
			blocks[i].p = pool_get(pool, blocks[i].n);
			got += blocks[i].p != NULL;
		}
		assert_true(k == 0 ? got == 0 : got > 0);
		assert_int_equal(heap.left, k > 17 ? k - 17 : 0); /* 11 classes of which one takes two slabs, and 5 blocks */
		for (unsigned i = 0; i < 60; i++)
			pool_put(pool, blocks[i].p, blocks[i].n);
		assert_int_equal(pool_used(pool), 0);
		heap.left = 1000;
		assert_non_null(blocks[0].p = pool_get(pool, POOL_MAX));
		pool_put(pool, blocks[0].p, POOL_MAX);
		pool_free(pool);
	}
}

/* What is in use when the pool goes, goes with it; a sanitizer would see a leak. */
static void frees_all(void **state)
{
	struct pool *pool = pool_new((size_t)64 << 20, NULL, NULL);

	(void)state;
	for (size_t n = 1; n <= POOL_MAX; n *= 2)
		assert_non_null(pool_get(pool, n));
	pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rounds_up),    cmocka_unit_test(blocks_do_not_overlap),
		cmocka_unit_test(ceiling),      cmocka_unit_test(too_large),
		cmocka_unit_test(steady_state), cmocka_unit_test(heap_fails),
		cmocka_unit_test(frees_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
