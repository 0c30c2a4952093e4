/* SPDX-License-Identifier: MIT */
/*
 * The consumer's end of a BPF ring buffer (kernel/bpf/ringbuf.c): records are read where they lie. The kernel never
 * wakes us up by itself; see wait_for_packets in tc.c.
 */
#ifndef PERISCO_CAPTURE_TC_RING_H
#define PERISCO_CAPTURE_TC_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Invariant: *consumer <= at <= *producer; all count bytes since the start, and wrap with their type. */
struct ring {
	const uint8_t *data;           /* the buffer, mapped twice in a row, so that no record wraps */
	size_t size;                   /* of the buffer, a power of two */
	unsigned long *consumer;       /* what lies before it belongs to the kernel again */
	const unsigned long *producer; /* what lies behind it is not reserved yet */
	unsigned long at;              /* the next record */
	void *map[2];
	size_t map_n[2];
};

/* Maps the ring buffer map `fd` of `size` bytes. 0 or a negative errno; release it in both cases. */
int ring_open(struct ring *r, int fd, size_t size);
void ring_release(struct ring *r);

/*
 * The next record that is complete, its length in *n; NULL when there is none. It stays until the next call of
 * ring_next or ring_free.
 */
const void *ring_next(struct ring *r, uint32_t *n);

/* Gives what was read back to the kernel. ring_next does so too from time to time. */
void ring_free(struct ring *r);

/* What is reserved up to now: once `at` is there, everything written before this call was read. */
unsigned long ring_end(const struct ring *r);

/* Everything that was written before `end` was read. */
static inline bool ring_passed(const struct ring *r, unsigned long end)
{
	return (long)(r->at - end) >= 0;
}

#endif
