/* SPDX-License-Identifier: MIT */
/* What a stream keeps: copies of bytes that wait for those before them, and of bytes that were offered and not consumed. */
#ifndef PERISCO_REASSEMBLY_PIECE_H
#define PERISCO_REASSEMBLY_PIECE_H

#include "reassembly/stream.h"

struct piece {
	struct piece *next;
	uint64_t off, ts_ns, ack;
	uint32_t n, cut;        /* bytes here, and bytes missing right behind them */
	uint32_t at;            /* first byte of data[] that is still wanted */
	uint32_t size;          /* of the block, as asked for */
	uint8_t data[];
};

static inline uint64_t piece_end(const struct piece *p)
{
	return p->off + p->n + p->cut;
}

/* Puts the piece behind `prev`; NULL: it is the first. */
void piece_link(struct stream *st, struct piece *p, struct piece *prev);

void piece_free(struct stream *st, struct pool *pool, struct piece *p);

/* Do the bytes of `data` (at `off`) and those of the piece differ where both have them? */
bool piece_differs(const struct piece *p, uint64_t off, struct slice data);

/*
 * Copies [off, off + data.n + cut) of the span behind `prev` as one or more pieces, and moves *prev on. 0, or -ENOMEM: what did
 * not fit is shed.
 */
int pieces_store(struct stream *st, struct pool *pool, const struct span *span, uint64_t off, struct slice data, uint32_t cut,
		 struct piece **prev);

/* Makes room for `n` bytes behind those that are kept. False when out of memory. */
bool kept_widen(struct stream *st, struct pool *pool, size_t n);

void kept_drop(struct stream *st, struct pool *pool);

#endif
