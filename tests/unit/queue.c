/* SPDX-License-Identifier: MIT */
/* What one thread writes the other reads, in order, whatever the blocks are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "workers/queue.h"

#define BLOCK 256u
#define MANY  20000u

struct note {
	uint64_t n, size; /* its number, and its bytes, which are the low ones of its number */
};

static uint64_t size_of(uint64_t n)
{
	return sizeof(struct note) + (n % 1000 == 7 ? 5 * BLOCK : n * 13 % 90);
}

static void write_note(struct queue *q, uint64_t n)
{
	struct note *note = queue_write(q, size_of(n));

	assert_non_null(note);
	assert_int_equal((uintptr_t)note % 8, 0);
	*note = (struct note){n, size_of(n)};
	memset(note + 1, (int)(n & 0xff), size_of(n) - sizeof(*note));
}

static void *write_many(void *ctx)
{
	for (uint64_t n = 0; n < MANY; n++) {
		write_note(ctx, n);
		if (n % 37 == 0)
			queue_push(ctx);
	}
	queue_close(ctx);
	return NULL;
}

/* Reads a block, whose first note is number `n`; returns the number after its last one. */
static uint64_t read_block(struct slice block, uint64_t n)
{
	for (size_t at = 0; at < block.n; n++) {
		const struct note *note = (const void *)(block.p + at);
		const uint8_t *bytes = (const uint8_t *)(note + 1);

		assert_int_equal(note->n, n);
		assert_int_equal(note->size, size_of(n));
		for (size_t i = 0; i < note->size - sizeof(*note); i++)
			assert_int_equal(bytes[i], n & 0xff);
		at += (note->size + 7) & ~(size_t)7;
	}
	return n;
}

static void between_threads(void **state)
{
	struct queue q;
	struct slice block;
	pthread_t writer;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(queue_init(&q, BLOCK), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_many, &q), 0);
	while (queue_take(&q, &block)) {
		n = read_block(block, n);
		queue_done(&q);
	}
	assert_int_equal(n, MANY);
	pthread_join(writer, NULL);
	queue_release(&q);
}

/* What was not handed over is not there; what was is, also when the queue is closed. */
static void handed_over(void **state)
{
	struct queue q;
	struct slice block;

	(void)state;
	assert_int_equal(queue_init(&q, BLOCK), 0);
	queue_push(&q);
	assert_int_equal(q.pushed, 0);
	for (unsigned n = 0; n < QUEUE_BLOCKS; n++) {
		write_note(&q, n);
		assert_int_equal(q.pushed, n);
		queue_push(&q);
	}
	queue_close(&q);
	for (unsigned n = 0; n < QUEUE_BLOCKS; n++) {
		assert_true(queue_take(&q, &block));
		assert_int_equal(read_block(block, n), n + 1);
		queue_done(&q);
	}
	assert_false(queue_take(&q, &block));
	queue_release(&q);
}

/* A block that had to be larger is an ordinary one again. */
static void huge(void **state)
{
	struct queue q;
	struct slice block;

	(void)state;
	assert_int_equal(queue_init(&q, BLOCK), 0);
	for (unsigned round = 0; round < 2 * QUEUE_BLOCKS; round++) {
		size_t n = round % QUEUE_BLOCKS == 3 && round < QUEUE_BLOCKS ? 100 * BLOCK : 8;

		memset(queue_write(&q, n), 'x', n);
		queue_push(&q);
		assert_true(queue_take(&q, &block));
		assert_int_equal(block.n, n);
		queue_done(&q);
	}
	for (unsigned i = 0; i < QUEUE_BLOCKS; i++)
		assert_int_equal(q.block[i].size, BLOCK);
	queue_close(&q);
	queue_release(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(between_threads),
		cmocka_unit_test(handed_over),
		cmocka_unit_test(huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
