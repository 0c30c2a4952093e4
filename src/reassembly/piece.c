/* SPDX-License-Identifier: MIT */
#include "reassembly/piece.h"

#include <errno.h>

#define PIECE_DATA_MAX ((uint32_t)(16384 - sizeof(struct piece)))

void piece_link(struct stream *st, struct piece *p, struct piece *prev)
{
	if (prev) {
		p->next = prev->next;
		prev->next = p;
	} else {
		p->next = st->head;
		st->head = p;
	}
	if (!p->next)
		st->tail = p;
	st->pieces++;
}

void piece_free(struct stream *st, struct pool *pool, struct piece *p)
{
	st->waiting -= (uint32_t)pool_round(p->size);
	pool_put(pool, p, p->size);
}

bool piece_differs(const struct piece *p, uint64_t off, struct slice data)
{
	uint64_t from = off > p->off ? off : p->off;
	uint64_t to = off + data.n < p->off + p->n ? off + data.n : p->off + p->n;

	return from < to && memcmp(data.p + (from - off), p->data + p->at + (from - p->off), to - from) != 0;
}

static struct piece *piece_new(struct stream *st, struct pool *pool, uint64_t off, struct slice data, uint32_t cut)
{
	uint32_t size = (uint32_t)(sizeof(struct piece) + data.n);
	struct piece *p = pool_get(pool, size);

	if (!p)
		return NULL;
	*p = (struct piece){.off = off, .n = (uint32_t)data.n, .cut = cut, .size = size};
	if (data.n)
		memcpy(p->data, data.p, data.n);
	st->waiting += (uint32_t)pool_round(size);
	return p;
}

int pieces_store(struct stream *st, struct pool *pool, const struct span *span, uint64_t off, struct slice data, uint32_t cut,
		 struct piece **prev)
{
	do {
		struct slice part = slice_first(data, PIECE_DATA_MAX);
		bool last = part.n == data.n;
		struct piece *p = piece_new(st, pool, off, part, last ? cut : 0);

		if (!p) {
			st->shed = true;
			return -ENOMEM;
		}
		p->ts_ns = span->ts_ns;
		p->ack = span->ack;
		piece_link(st, p, *prev);
		*prev = p;
		off += part.n;
		data = slice_from(data, part.n);
	} while (data.n);
	return 0;
}

void kept_drop(struct stream *st, struct pool *pool)
{
	if (!st->kept)
		return;
	st->waiting -= st->kept_size;
	pool_put(pool, st->kept, st->kept_size);
	st->kept = NULL;
	st->kept_n = st->kept_size = 0;
	st->joined = false;
}

bool kept_widen(struct stream *st, struct pool *pool, size_t n)
{
	uint32_t size = (uint32_t)pool_round(st->kept_n + n), old = st->kept_n;
	uint8_t *p;

	if (size <= st->kept_size)
		return true;
	p = size > POOL_MAX ? NULL : pool_get(pool, size);
	if (!p)
		return false;
	if (old)
		memcpy(p, st->kept, old);
	kept_drop(st, pool);
	st->kept = p;
	st->kept_n = old;
	st->kept_size = size;
	st->waiting += size;
	return true;
}
