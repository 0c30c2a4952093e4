/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "reassembly/piece.h"

#define TAIL_MAX ((uint64_t)16 << 20) /* no acknowledgement is believed further than this beyond what was seen */

void stream_init(struct stream *st)
{
	memset(st, 0, sizeof(*st));
	st->fin = OFFSET_UNKNOWN;
}

void stream_release(struct stream *st, struct pool *pool)
{
	while (st->head) {
		struct piece *p = st->head;

		st->head = p->next;
		piece_free(st, pool, p);
	}
	if (st->owned)
		piece_free(st, pool, st->owned);
	kept_drop(st, pool);
	st->owned = st->tail = NULL;
	st->pieces = 0;
	st->cur = (struct slice){NULL, 0};
	assert(st->waiting == 0);
}

void stream_start(struct stream *st, uint32_t seq)
{
	st->next_seq = seq;
	st->acked = 0;
	st->started = true;
}

/* The bytes at `next` are these. */
static void cur_set(struct stream *st, struct slice data, uint32_t cut, uint64_t ts_ns, uint64_t ack)
{
	st->cur = data;
	st->cur_cut = cut;
	st->cut_cause = CAUSE_SNAPLEN;
	st->cur_ts_ns = ts_ns;
	st->cur_ack = ack;
	st->fresh = true;
}

/* Puts the parts of a span that are not here yet into the list; the one at `next`, if any, becomes `cur`. */
static int place(struct stream *st, struct pool *pool, const struct span *span, uint64_t off, struct slice data,
		 uint32_t cut)
{
	uint64_t end = off + data.n + cut;
	struct piece *prev = NULL, *p = st->head;
	bool stored = false;
	int r = 0;

	if (st->tail && off >= piece_end(st->tail)) {
		prev = st->tail;
		p = NULL;
	}
	while (off < end && !r) {
		uint64_t stop = p && p->off < end ? p->off : end;

		if (off < stop) {
			struct slice part = slice_first(data, stop - off);
			uint32_t part_cut = (uint32_t)(stop - off - part.n);

			if (off == st->next && !st->cur.n && !st->cur_cut) {
				cur_set(st, part, part_cut, span->ts_ns, span->ack);
			} else {
				r = pieces_store(st, pool, span, off, part, part_cut, &prev);
				stored = true;
			}
		} else if (off < piece_end(p)) {
			stop = piece_end(p) < end ? piece_end(p) : end;
			st->differs += piece_differs(p, off, slice_first(data, stop - off));
			st->retransmitted += stop - off;
			prev = p;
			p = p->next;
		} else {
			stop = off;
			prev = p;
			p = p->next;
		}
		data = slice_from(data, stop - off);
		off = stop;
	}
	st->out_of_order += stored;
	return r;
}

/* The sender itself says where it is: the offset of that. A begin that lies too far off was none. */
static int64_t confirm(struct stream *st, uint32_t seq)
{
	int64_t off = stream_offset(st, seq);

	if (!st->started || (st->tentative && (off < -(int64_t)TAIL_MAX || off > (int64_t)TAIL_MAX))) {
		stream_start(st, seq);
		off = (int64_t)st->next;
	}
	st->tentative = false;
	return off;
}

int stream_insert(struct stream *st, struct pool *pool, const struct span *span)
{
	struct slice data = span->payload;
	uint32_t cut = span->cut;
	int64_t off;
	uint64_t old, end;

	off = confirm(st, span->seq);
	end = (uint64_t)(off + (int64_t)data.n + cut);
	if ((int64_t)end <= (int64_t)st->next) {
		st->retransmitted += data.n + cut;
		return 0;
	}
	if (off < (int64_t)st->next) {
		old = (uint64_t)((int64_t)st->next - off);
		st->retransmitted += old;
		if (old > data.n)
			cut -= (uint32_t)(old - data.n);
		data = slice_from(data, old);
		off = (int64_t)st->next;
	}
	if (st->fin != OFFSET_UNKNOWN && end > st->fin) {
		if ((uint64_t)off >= st->fin)
			return 0;
		data = slice_first(data, st->fin - (uint64_t)off);
		cut = (uint32_t)(st->fin - (uint64_t)off - data.n);
		end = st->fin;
	}
	if (end > st->top)
		st->top = end;
	if (!st->head && (uint64_t)off == st->next) {
		cur_set(st, data, cut, span->ts_ns, span->ack);
		return 0;
	}
	return place(st, pool, span, (uint64_t)off, data, cut);
}

void stream_fin(struct stream *st, uint32_t seq)
{
	int64_t off = confirm(st, seq);

	if (st->fin == OFFSET_UNKNOWN && off >= (int64_t)st->next && off >= (int64_t)st->top)
		st->fin = (uint64_t)off;
}

uint64_t stream_acked(struct stream *st, uint32_t ack)
{
	uint64_t seen = st->top > st->next ? st->top : st->next;
	int64_t off;

	if (seen < st->elided_to && st->elided_to - seen < INT32_MAX)
		seen = st->elided_to;
	if (!st->started) {
		stream_start(st, ack);
		st->tentative = true;
	}
	off = stream_offset(st, ack);
	if (off - (int64_t)seen > (int64_t)TAIL_MAX)
		return OFFSET_UNKNOWN;
	if (off > (int64_t)st->acked)
		st->acked = (uint64_t)off;
	if (st->acked > st->fin)
		st->acked = st->fin;
	return off < 0 ? 0 : (uint64_t)off;
}

uint64_t stream_hole_end(const struct stream *st)
{
	uint64_t at = st->next + st->cur.n, fin = 1, end;

	if (at < st->elided_to && !st->closing) {
		at = st->elided_to;
		fin = 0; /* a byte that is wanted follows */
	}
	if (st->cur_cut)
		return st->next;
	if (st->head)
		return st->head->off > at ? st->head->off : st->next;
	if (st->fin != OFFSET_UNKNOWN)
		return st->fin > at ? st->fin : st->next;
	/* one byte too many acknowledged is a FIN that was not captured */
	end = st->acked > at + fin ? st->acked : st->next;
	/* what was seen and is not here was let go */
	return st->top > at && st->top > end ? st->top : end;
}

void stream_give_up(struct stream *st, enum cause cause)
{
	st->skip_to = stream_hole_end(st);
	st->skip_cause = st->shed ? CAUSE_MEMORY : cause;
	st->shed = false;
}

void stream_close(struct stream *st, enum cause cause)
{
	st->closing = true;
	st->skip_cause = st->shed ? CAUSE_MEMORY : cause;
}

static void advance(struct stream *st, uint64_t n)
{
	st->next += n;
	st->next_seq += (uint32_t)n;
}

uint64_t stream_skip(struct stream *st, uint32_t seq, uint32_t n, bool fin)
{
	int64_t news = confirm(st, seq) + n - (int64_t)st->next;

	if (news > 0)
		advance(st, (uint64_t)news);
	st->ended |= fin;
	if (news > n && !st->elided_to)
		news = n;
	return news > 0 ? (uint64_t)news : 0;
}

void stream_resume(struct stream *st)
{
	uint64_t to = st->acked > st->top ? st->acked : st->top;

	if (to > st->next)
		advance(st, to - st->next);
	st->elided_to = 0;
	st->begun = st->anchored = false;
}

/* The bytes of `cur` were taken, or are somewhere else now. */
static void cur_drop(struct stream *st, struct pool *pool)
{
	advance(st, st->cur.n);
	st->cur = (struct slice){NULL, 0};
	if (st->owned)
		piece_free(st, pool, st->owned);
	st->owned = NULL;
}

/* There is no room for the bytes of `cur`: they are lost. */
static void cur_lose(struct stream *st)
{
	st->cur_cut += (uint32_t)st->cur.n;
	st->cut_cause = CAUSE_MEMORY;
	st->cur = (struct slice){NULL, 0};
}

/* Moves `cur`, which was offered, to `kept`, which is empty. */
static void keep(struct stream *st, struct pool *pool)
{
	if (!kept_widen(st, pool, st->cur.n)) {
		cur_lose(st);
		return;
	}
	memcpy(st->kept, st->cur.p, st->cur.n);
	st->kept_n = (uint32_t)st->cur.n;
	st->kept_ts_ns = st->cur_ts_ns;
	st->kept_ack = st->cur_ack;
	cur_drop(st, pool);
}

static void pop_piece(struct stream *st)
{
	struct piece *p = st->head;

	st->head = p->next;
	if (!st->head)
		st->tail = NULL;
	st->pieces--;
	st->owned = p;
	cur_set(st, slice_of(p->data + p->at, p->n), p->cut, p->ts_ns, p->ack);
}

static bool offer_data(struct stream *st, struct pool *pool, struct chunk *ret)
{
	*ret = (struct chunk){.data = st->cur};
	if (st->kept_n) {
		if (!st->joined && !kept_widen(st, pool, st->cur.n)) {
			cur_lose(st);
			return false;
		}
		if (!st->joined)
			memcpy(st->kept + st->kept_n, st->cur.p, st->cur.n);
		st->joined = true;
		*ret = (struct chunk){.data = slice_of(st->kept, st->kept_n + st->cur.n), .kept = st->kept_n,
				      .kept_ts_ns = st->kept_ts_ns, .kept_ack = st->kept_ack};
	}
	ret->kind = st->offer = CHUNK_DATA;
	ret->n = ret->data.n;
	ret->off = st->next - st->kept_n;
	ret->ts_ns = st->cur_ts_ns;
	ret->ack = st->cur_ack;
	return true;
}

/* A gap from `next` to `end`, or that part of it that has one cause. */
static bool offer_gap(struct stream *st, uint64_t end, enum cause cause, struct chunk *ret)
{
	uint64_t n;

	if (st->next < st->elided_to && st->next < end) {
		end = st->elided_to < end ? st->elided_to : end;
		cause = CAUSE_ELIDED;
	}
	n = end - st->next;
	*ret = (struct chunk){.kind = CHUNK_GAP, .cause = cause, .off = st->next, .n = n,
			      .data = slice_of(st->kept, st->kept_n), .kept = st->kept_n, .kept_ts_ns = st->kept_ts_ns,
			      .kept_ack = st->kept_ack, .ts_ns = st->cur_ts_ns, .ack = OFFSET_UNKNOWN};
	st->offer = CHUNK_GAP;
	st->offer_cause = (uint8_t)cause;
	st->offer_n = n;
	return true;
}

static bool offer_end(struct stream *st, struct chunk *ret)
{
	offer_gap(st, st->next, st->skip_cause, ret);
	ret->kind = st->offer = CHUNK_END;
	return true;
}

/* How far the hole at `next` may be offered as a gap now. */
static uint64_t gap_end(const struct stream *st)
{
	uint64_t end = st->closing ? stream_hole_end(st) : st->skip_to, seen = st->head ? st->head->off : st->fin;

	if (end < st->elided_to && seen != OFFSET_UNKNOWN)
		end = st->elided_to;
	return seen < end ? seen : end;
}

bool stream_peek(struct stream *st, struct pool *pool, struct chunk *ret)
{
	if (st->ended)
		return false;
	for (;;) {
		uint64_t end;

		if (st->cur.n && st->fresh && offer_data(st, pool, ret))
			return true;
		if (st->cur.n)
			keep(st, pool);
		if (st->cur_cut)
			return offer_gap(st, st->next + st->cur_cut, st->cut_cause, ret);
		if (st->owned) {
			piece_free(st, pool, st->owned);
			st->owned = NULL;
		}
		if (st->head && st->head->off <= st->next) {
			pop_piece(st);
			continue;
		}
		end = gap_end(st);
		if (end > st->next) {
			if (st->begun || st->anchored || !st->head || st->skip_cause == CAUSE_MEMORY)
				return offer_gap(st, end, st->skip_cause, ret);
			st->next_seq += (uint32_t)(end - st->next); /* it began later than the other side led to believe */
			st->next = end;
			continue;
		}
		if (st->closing || st->fin == st->next)
			return offer_end(st, ret);
		return false;
	}
}

static void consume_data(struct stream *st, struct pool *pool, size_t n)
{
	assert(n <= st->kept_n + st->cur.n);
	if (n < st->kept_n) {
		st->kept_n += (uint32_t)(st->cur.n - n);
		memmove(st->kept, st->kept + n, st->kept_n);
		st->joined = false;
		cur_drop(st, pool);
		return;
	}
	n -= st->kept_n;
	kept_drop(st, pool);
	if (n == st->cur.n) {
		cur_drop(st, pool);
	} else {
		st->cur = slice_from(st->cur, n);
		advance(st, n);
	}
}

void stream_consume(struct stream *st, struct pool *pool, size_t n)
{
	st->begun = true;
	st->fresh = false;
	switch (st->offer) {
	case CHUNK_DATA:
		consume_data(st, pool, n);
		break;
	case CHUNK_GAP:
		st->lost[st->offer_cause] += st->offer_n;
		st->cur_cut -= st->cur_cut ? (uint32_t)st->offer_n : 0;
		cur_drop(st, pool);
		advance(st, st->offer_n);
		kept_drop(st, pool);
		break;
	default:
		st->ended = true;
		kept_drop(st, pool);
		break;
	}
}

void stream_settle(struct stream *st, struct pool *pool)
{
	struct piece *p;

	if (st->cur.n && !st->fresh)
		keep(st, pool);
	if (!st->cur.n && !st->cur_cut)
		return;
	/* not offered yet, or not consumed at all: the caller waits for the other side */
	p = st->owned;
	if (p) {
		p->at += p->n - (uint32_t)st->cur.n;
		p->off = st->next;
		p->n = (uint32_t)st->cur.n;
		p->cut = st->cur_cut;
		piece_link(st, p, NULL);
	} else {
		struct span span = {.ts_ns = st->cur_ts_ns, .ack = st->cur_ack};
		struct piece *prev = NULL;

		pieces_store(st, pool, &span, st->next, st->cur, st->cur_cut, &prev);
	}
	st->owned = NULL;
	st->cur = (struct slice){NULL, 0};
	st->cur_cut = 0;
	st->fresh = st->joined = false;
}
