/* SPDX-License-Identifier: MIT */
/* The consumer of the ring buffer, against a producer that does what the kernel does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/tc_ring.h"

#define SIZE 4096UL

/* The kernel's side of a ring, in a file that both sides map. */
struct kernel {
	int fd;
	uint8_t *data;
	unsigned long *consumer, *producer;
	size_t mapped;
	struct ring ring;
};

static int setup(void **state)
{
	static struct kernel k;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p;

	k.mapped = 2 * page + 2 * SIZE;
	k.fd = memfd_create("ring", 0);
	if (k.fd < 0 || ftruncate(k.fd, (off_t)k.mapped) < 0)
		return -1;
	p = mmap(NULL, k.mapped, PROT_READ | PROT_WRITE, MAP_SHARED, k.fd, 0);
	k.consumer = (void *)p;
	k.producer = (void *)(p + page);
	k.data = p + 2 * page;
	*state = &k;
	return 0;
}

static int teardown(void **state)
{
	struct kernel *k = *state;

	ring_release(&k->ring);
	munmap(k->consumer, k->mapped);
	return close(k->fd);
}

/* Both copies of the buffer are one in the kernel. */
static void put(struct kernel *k, unsigned long at, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (int copy = 0; copy < 2; copy++)
			k->data[((at + i) & (SIZE - 1)) + copy * SIZE] = ((const uint8_t *)p)[i];
}

/* Adds a record of `n` bytes `fill`; returns where it is, or ULONG_MAX when there is no room. */
static unsigned long produce(struct kernel *k, uint32_t n, uint8_t fill, uint32_t flags)
{
	uint32_t head[2] = {n | flags, 0};
	unsigned long at = *k->producer, whole = (n + 8 + 7) & ~7UL;
	uint8_t bytes[SIZE];

	if (at + whole - *k->consumer > SIZE - 1)
		return ~0UL;
	memset(bytes, fill, n);
	put(k, at, head, sizeof(head));
	put(k, at + 8, bytes, n);
	__atomic_store_n(k->producer, at + whole, __ATOMIC_RELEASE);
	return at;
}

static void consume(struct kernel *k, uint32_t n, uint8_t fill)
{
	uint32_t got = 0;
	const uint8_t *p = ring_next(&k->ring, &got);

	assert_non_null(p);
	assert_int_equal(got, n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(p[i], fill);
}

static void consume_nothing(struct kernel *k)
{
	uint32_t n;

	assert_null(ring_next(&k->ring, &n));
}

static void reads_in_order(void **state)
{
	struct kernel *k = *state;

	assert_int_equal(ring_open(&k->ring, k->fd, SIZE), 0);
	consume_nothing(k);
	produce(k, 1, 'a', 0);
	produce(k, 17, 'b', 0);
	consume(k, 1, 'a');
	consume(k, 17, 'b');
	consume_nothing(k);
	produce(k, 0, 0, 0);
	consume(k, 0, 0);
}

static void skips_what_was_discarded(void **state)
{
	struct kernel *k = *state;

	assert_int_equal(ring_open(&k->ring, k->fd, SIZE), 0);
	produce(k, 100, 'x', BPF_RINGBUF_DISCARD_BIT);
	produce(k, 8, 'y', 0);
	produce(k, 100, 'z', BPF_RINGBUF_DISCARD_BIT);
	consume(k, 8, 'y');
	consume_nothing(k);
	assert_int_equal(k->ring.at, *k->producer);
}

static void waits_for_what_is_not_complete(void **state)
{
	struct kernel *k = *state;
	uint32_t head = 8;
	unsigned long at;

	assert_int_equal(ring_open(&k->ring, k->fd, SIZE), 0);
	at = produce(k, 8, 'a', BPF_RINGBUF_BUSY_BIT);
	produce(k, 8, 'b', 0);
	consume_nothing(k);
	consume_nothing(k);
	put(k, at, &head, sizeof(head));
	consume(k, 8, 'a');
	consume(k, 8, 'b');
}

static void gives_room_back(void **state)
{
	struct kernel *k = *state;

	assert_int_equal(ring_open(&k->ring, k->fd, SIZE), 0);
	produce(k, 8, 'a', 0);
	consume(k, 8, 'a');
	assert_int_equal(*k->consumer, 0);
	ring_free(&k->ring);
	assert_int_equal(*k->consumer, 16);
	while (produce(k, 100, 'b', 0) != ~0UL)
		;
	for (int i = 0; i < 5; i++)
		consume(k, 100, 'b');
	assert_true(*k->consumer > 16); /* without being asked */
	assert_true(*k->consumer < k->ring.at);
}

static void knows_what_was_passed(void **state)
{
	struct kernel *k = *state;
	unsigned long end;

	assert_int_equal(ring_open(&k->ring, k->fd, SIZE), 0);
	assert_true(ring_passed(&k->ring, ring_end(&k->ring)));
	produce(k, 8, 'a', 0);
	end = ring_end(&k->ring);
	produce(k, 8, 'b', 0);
	assert_false(ring_passed(&k->ring, end));
	consume(k, 8, 'a');
	assert_true(ring_passed(&k->ring, end));
	assert_false(ring_passed(&k->ring, ring_end(&k->ring)));
}

/* Round and round, and over the end of the counters. */
static void wraps(void **state)
{
	struct kernel *k = *state;
	unsigned seed = 1, in = 0, out = 0;
	uint32_t size[256];

	*k->consumer = *k->producer = -(16 * SIZE);
	assert_int_equal(ring_open(&k->ring, k->fd, SIZE), 0);
	while (out < 2000) {
		seed = seed * 1103515245 + 12345;
		size[in % 256] = (seed >> 16) % 700;
		while (produce(k, size[in % 256], (uint8_t)in, 0) != ~0UL) {
			in++;
			size[in % 256] = (seed >> 16) % 700;
		}
		for (unsigned n = (seed >> 8) % 8; n && out != in; n--, out++)
			consume(k, size[out % 256], (uint8_t)out);
		ring_free(&k->ring);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(reads_in_order),
		TEST(skips_what_was_discarded),
		TEST(waits_for_what_is_not_complete),
		TEST(gives_room_back),
		TEST(knows_what_was_passed),
		TEST(wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
