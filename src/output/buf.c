/* SPDX-License-Identifier: MIT */
#include "output/buf.h"

#include <stdlib.h>

#define BUF_FIRST ((size_t)64 << 10)

void buf_release(struct buf *b)
{
	free(b->p);
	*b = buf_of(b->max);
}

/* Room for `n` bytes behind the first `used` ones. */
static uint8_t *ensure(struct buf *b, size_t used, size_t n)
{
	size_t size = b->size ? b->size : BUF_FIRST;
	uint8_t *p;

	if (n > b->max || used > b->max - n)
		return NULL;
	while (size < used + n)
		size *= 2;
	if (size > b->max)
		size = b->max;
	p = realloc(b->p, size);
	if (!p)
		return NULL;
	b->p = p;
	b->size = size;
	return p + used;
}

uint8_t *buf_start(struct buf *b, size_t n)
{
	return b->size - b->n >= n && b->p ? b->p + b->n : ensure(b, b->n, n);
}

uint8_t *buf_grow(struct buf *b, uint8_t *w, size_t n)
{
	return w ? ensure(b, (size_t)(w - b->p), n) : NULL;
}
