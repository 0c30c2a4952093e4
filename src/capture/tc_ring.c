/* SPDX-License-Identifier: MIT */
#include "capture/tc_ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

/* Each record has a header of two words: its length with two flag bits, and where its page is. */
#define HEADER BPF_RINGBUF_HDR_SZ
#define FLAGS  (BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)

static void *map_part(struct ring *r, int i, int fd, size_t n, int prot, off_t at)
{
	void *p = mmap(NULL, n, prot, MAP_SHARED, fd, at);

	if (p == MAP_FAILED)
		return NULL;
	r->map[i] = p;
	r->map_n[i] = n;
	return p;
}

int ring_open(struct ring *r, int fd, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p;

	*r = (struct ring){.size = size};
	r->consumer = map_part(r, 0, fd, page, PROT_READ | PROT_WRITE, 0);
	if (!r->consumer)
		return -errno;
	p = map_part(r, 1, fd, page + 2 * size, PROT_READ, (off_t)page);
	if (!p)
		return -errno;
	r->producer = (const unsigned long *)p;
	r->data = p + page;
	r->at = *r->consumer;
	return 0;
}

void ring_release(struct ring *r)
{
	for (int i = 0; i < 2; i++)
		if (r->map[i])
			munmap(r->map[i], r->map_n[i]);
	*r = (struct ring){0};
}

unsigned long ring_end(const struct ring *r)
{
	return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
}

void ring_free(struct ring *r)
{
	__atomic_store_n(r->consumer, r->at, __ATOMIC_RELEASE);
}

const void *ring_next(struct ring *r, uint32_t *n)
{
	unsigned long end = ring_end(r);
	const uint8_t *p;
	uint32_t head;

	if (r->at - *r->consumer > r->size / 16)
		ring_free(r);
	while (r->at != end) {
		p = r->data + (r->at & (r->size - 1));
		head = __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
		if (head & BPF_RINGBUF_BUSY_BIT)
			return NULL;
		*n = head & ~(uint32_t)FLAGS;
		r->at += (HEADER + *n + 7) & ~7UL;
		if (!(head & BPF_RINGBUF_DISCARD_BIT))
			return p + HEADER;
	}
	return NULL;
}
