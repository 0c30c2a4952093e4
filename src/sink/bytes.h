/* SPDX-License-Identifier: MIT */
/* A run of bytes that grows, to be filled in by its owner. All zero at first; `p` is freed at the end. */
#ifndef PERISCO_SINK_BYTES_H
#define PERISCO_SINK_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

struct bytes {
	char *p;
	size_t n, size; /* n <= size */
};

/* Room for `n` bytes in all, what is there included. False when out of memory. */
static inline bool bytes_reserve(struct bytes *b, size_t n)
{
	char *p;

	if (n <= b->size)
		return true;
	p = realloc(b->p, n * 2);
	if (!p)
		return false;
	b->p = p;
	b->size = n * 2;
	return true;
}

#endif
