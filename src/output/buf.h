/* SPDX-License-Identifier: MIT */
/*
 * A growing buffer of finished records, written to through a plain pointer: buf_start gives it, buf_room asks for room
 * (and may move it), buf_done takes what was written. A record that is given up needs no undoing. Invariant: n <= size
 * <= max; bytes from n on are scratch.
 */
#ifndef PERISCO_OUTPUT_BUF_H
#define PERISCO_OUTPUT_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *p;
	size_t n, size, max;
};

/* An empty buffer that never grows beyond `max` bytes. */
static inline struct buf buf_of(size_t max)
{
	return (struct buf){NULL, 0, 0, max};
}

void buf_release(struct buf *b);

/* Where the next record goes, with room for `n` bytes; NULL when memory or `max` are exhausted. */
uint8_t *buf_start(struct buf *b, size_t n);

/* The slow path of buf_room. */
uint8_t *buf_grow(struct buf *b, uint8_t *w, size_t n);

/*
 * Makes sure that `n` bytes can be written at `w`. Returns where `w` is now; NULL when there is no room, or `w` was
 * NULL.
 */
static inline uint8_t *buf_room(struct buf *b, uint8_t *w, size_t n)
{
	return w && (size_t)(b->p + b->size - w) >= n ? w : buf_grow(b, w, n);
}

/* The record ends at `w`. */
static inline void buf_done(struct buf *b, const uint8_t *w)
{
	b->n = (size_t)(w - b->p);
}

#endif
