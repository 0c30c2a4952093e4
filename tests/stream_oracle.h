/* SPDX-License-Identifier: MIT */
/*
 * A stream beside a map of all its bytes, which says what the stream must offer. Whoever includes this defines CHECK(x).
 * Places are positions in the map; place 0 has the sequence number `base`, the stream's offset 0 lies at place `zero`.
 */
#ifndef PERISCO_TESTS_STREAM_ORACLE_H
#define PERISCO_TESTS_STREAM_ORACLE_H

#include <stdlib.h>

#include "reassembly/stream.h"

#define ORACLE_KEEP 4096               /* what the decoder may leave, at most */
#define ORACLE_HALT SIZE_MAX           /* instead of a number of bytes taken: not now */

struct place {
	enum place_kind { PLACE_ABSENT, PLACE_CUT, PLACE_HERE } kind : 8;
	uint8_t value, shown;          /* of the copy that came first; what was offered */
	uint8_t variants;              /* bits: all that were ever sent */
	uint32_t stamp;                /* the segment that brought it */
};

struct oracle {
	struct pool *pool;             /* borrowed */
	struct stream st;
	bool strict;                   /* there is memory enough: all must be exact */
	uint32_t base;
	bool started, tentative, begun, closing, ended, stray;
	int64_t zero, first, top, acked, fin, skip_to; /* -1: not known */
	int64_t at, offered;           /* all below was consumed; all below was offered */
	enum cause cause;
	uint64_t old, lost[5], delivered, left;
	uint32_t stamp, kept_stamp;    /* of the last segment; of the bytes that were offered but not consumed */
	/* How many bytes of `n` the decoder takes, or ORACLE_HALT. */
	size_t (*take)(void *ctx, size_t n);
	void *ctx;
	int64_t size;
	struct place place[];
};

static inline uint8_t oracle_byte(int64_t place, unsigned variant)
{
	return (uint8_t)((uint64_t)place * 167 + ((uint64_t)place >> 8) * 13 + variant * 101);
}

static inline struct oracle *oracle_new(uint32_t base, int64_t size, struct pool *pool, bool strict)
{
	struct oracle *o = calloc(1, sizeof(*o) + ((size_t)size + 1) * sizeof(struct place));

	CHECK(o && pool_used(pool) == 0);
	o->pool = pool;
	o->strict = strict;
	o->base = base;
	o->size = size;
	o->fin = o->acked = o->skip_to = -1;
	stream_init(&o->st);
	return o;
}

static inline void oracle_start(struct oracle *o, int64_t place)
{
	o->started = true;
	o->zero = o->first = o->at = o->offered = o->top = place;
}

/* As the engine does with a SYN: it may come late, but not after data. */
static inline void oracle_syn(struct oracle *o, int64_t place)
{
	if (place < 0 || place > o->size || (o->started && (!o->tentative || o->begun)))
		return;
	oracle_start(o, place);
	o->acked = -1;
	o->tentative = o->st.tentative = false;
	stream_start(&o->st, o->base + (uint32_t)place);
	o->st.syn_seen = o->st.anchored = true;
}

static inline void oracle_place(struct oracle *o, int64_t place, enum place_kind kind, unsigned variant)
{
	struct place *p = &o->place[place];

	p->variants |= (uint8_t)(1 << variant);
	if (o->fin >= 0 && place >= o->fin)
		return;
	if (place < o->offered || p->kind != PLACE_ABSENT) {
		o->old++;
		return;
	}
	p->kind = kind;
	p->value = oracle_byte(place, variant);
	p->stamp = o->stamp;
	if (place >= o->top)
		o->top = place + 1;
}

static inline void oracle_hole_check(const struct oracle *o);
static inline void oracle_drain(struct oracle *o);

/* A segment of `n` bytes and `cut` more that were not captured; its bytes go away when it was handled. */
static inline void oracle_insert(struct oracle *o, int64_t place, size_t n, uint32_t cut, unsigned variant)
{
	uint8_t *bytes;
	struct span span = {.seq = o->base + (uint32_t)place, .cut = cut, .ts_ns = ++o->stamp, .ack = o->stamp + 7u};

	if (place < 0 || place + (int64_t)n + cut > o->size || o->ended || !(n + cut))
		return;
	if (!o->started)
		oracle_start(o, place);
	o->tentative = false;
	CHECK(bytes = malloc(n ? n : 1));
	for (size_t i = 0; i < n; i++)
		bytes[i] = oracle_byte(place + (int64_t)i, variant);
	span.payload = slice_of(bytes, n);
	for (size_t i = 0; i < n + cut; i++)
		oracle_place(o, place + (int64_t)i, i < n ? PLACE_HERE : PLACE_CUT, variant);
	o->stray |= variant != 0;
	CHECK(stream_insert(&o->st, o->pool, &span) == 0 || !o->strict);
	oracle_drain(o);
	free(bytes);
}

static inline void oracle_fin(struct oracle *o, int64_t place)
{
	if (place < 0 || place > o->size || o->ended)
		return;
	if (!o->started)
		oracle_start(o, place);
	o->tentative = false;
	if (o->fin < 0 && place >= o->offered && place >= o->top)
		o->fin = place;
	stream_fin(&o->st, o->base + (uint32_t)place);
	oracle_drain(o);
}

static inline void oracle_acked(struct oracle *o, int64_t place)
{
	if (place < 0 || place > o->size)
		return;
	if (!o->started) {
		oracle_start(o, place);
		o->tentative = true;
	}
	if (place > o->acked)
		o->acked = place;
	stream_acked(&o->st, o->base + (uint32_t)place);
	oracle_hole_check(o);
}

/* The end of the hole behind what was offered; what was offered if there is none. */
static inline int64_t oracle_hole_end(const struct oracle *o)
{
	for (int64_t i = o->offered; i < o->top; i++)
		if (o->place[i].kind != PLACE_ABSENT)
			return i;
	if (o->fin >= 0)
		return o->fin;
	return o->acked > o->offered + 1 ? o->acked : o->offered;
}

static inline void oracle_hole_check(const struct oracle *o)
{
	if (o->strict && o->started && !o->ended && o->st.kept_n == o->offered - o->at)
		CHECK((int64_t)stream_hole_end(&o->st) + o->zero == oracle_hole_end(o));
}

static inline void oracle_give_up(struct oracle *o, enum cause cause)
{
	if (!stream_hole(&o->st) || o->ended)
		return;
	if (!o->closing)
		o->cause = cause;
	o->skip_to = oracle_hole_end(o);
	stream_give_up(&o->st, o->cause);
	oracle_drain(o);
}

static inline void oracle_check_bytes(struct oracle *o, int64_t at, struct slice data)
{
	for (size_t i = 0; i < data.n; i++, at++) {
		struct place *p = &o->place[at];
		bool sent = false;

		CHECK(at < o->size && (at >= o->offered || data.p[i] == p->shown));
		CHECK(!o->strict || (p->kind == PLACE_HERE && data.p[i] == p->value));
		for (unsigned v = 0; v < 8; v++)
			sent |= (p->variants & 1 << v) && data.p[i] == oracle_byte(at, v);
		CHECK(sent);
		p->shown = data.p[i];
	}
}

static inline bool oracle_data(struct oracle *o, const struct chunk *ch)
{
	int64_t end = o->at + (int64_t)ch->n;
	size_t n;

	CHECK((int64_t)ch->off + o->zero == o->at && ch->data.n == ch->n && end > o->offered);
	CHECK(!o->strict || (int64_t)ch->kept == o->offered - o->at);
	oracle_check_bytes(o, o->at, ch->data);
	CHECK(!ch->kept || (ch->kept_ts_ns == o->kept_stamp && ch->kept_ack == ch->kept_ts_ns + 7) || !o->strict);
	for (int64_t i = o->offered; i < end && o->strict; i++)
		CHECK(ch->ts_ns == o->place[i].stamp && ch->ack == ch->ts_ns + 7);
	n = o->take(o->ctx, ch->n);
	if (n == ORACLE_HALT && !o->closing)
		return false;
	if (n > ch->n)
		n = ch->n;
	if (ch->n - n > ORACLE_KEEP)
		n = ch->n - ORACLE_KEEP;
	o->at += (int64_t)n;
	if (o->at >= o->offered)
		o->kept_stamp = (uint32_t)ch->ts_ns;
	o->offered = end;
	o->delivered += n;
	stream_consume(&o->st, o->pool, n);
	return true;
}

static inline void oracle_gap(struct oracle *o, const struct chunk *ch)
{
	int64_t begin = (int64_t)ch->off + o->zero, end = begin + (int64_t)ch->n;
	bool cut = o->place[o->offered].kind == PLACE_CUT;

	CHECK(ch->n && begin - (int64_t)ch->data.n == o->at);
	CHECK(begin == o->offered || (!o->strict && begin == o->at && ch->cause == CAUSE_MEMORY)); /* not even kept */
	oracle_check_bytes(o, o->at, ch->data);
	if (o->strict && !cut)
		CHECK(end == oracle_hole_end(o) && (o->closing || end <= o->skip_to) && ch->cause == o->cause);
	for (int64_t i = begin; i < end && o->strict; i++)
		CHECK(cut ? o->place[i].kind == PLACE_CUT && ch->cause == CAUSE_SNAPLEN : o->place[i].kind == PLACE_ABSENT);
	o->left += ch->data.n;
	o->lost[ch->cause] += ch->n;
	o->at = o->offered = end;
	stream_consume(&o->st, o->pool, 0);
}

static inline void oracle_end(struct oracle *o, const struct chunk *ch)
{
	CHECK((int64_t)ch->off + o->zero == o->offered && (int64_t)ch->data.n == o->offered - o->at);
	CHECK(o->fin == o->offered || (o->closing && (!o->strict || oracle_hole_end(o) == o->offered)));
	oracle_check_bytes(o, o->at, ch->data);
	o->left += ch->data.n;
	o->at = o->offered;
	o->ended = true;
	stream_consume(&o->st, o->pool, 0);
}

/* Takes what the stream offers, until it offers nothing or the decoder wants to wait. */
static inline void oracle_drain(struct oracle *o)
{
	bool halted = false;
	struct chunk ch;

	while (!halted && stream_peek(&o->st, o->pool, &ch)) {
		int64_t at = (int64_t)ch.off + o->zero;

		CHECK(!o->ended && !stream_idle(&o->st));
		if (!o->begun && !o->st.anchored && at > o->at) /* the begin was a guess from an acknowledgement */
			o->first = o->at = o->offered = at;
		if (ch.kind == CHUNK_DATA)
			halted = !oracle_data(o, &ch);
		else if (ch.kind == CHUNK_GAP)
			oracle_gap(o, &ch);
		else
			oracle_end(o, &ch);
		o->begun |= !halted;
	}
	if (!halted && !o->ended && o->strict)
		CHECK(o->fin != o->offered && !o->closing && o->skip_to <= o->offered &&
		      (o->offered >= o->top || o->place[o->offered].kind == PLACE_ABSENT));
	stream_settle(&o->st, o->pool);
	CHECK(pool_used(o->pool) == o->st.waiting && !o->st.cur.n && !o->st.owned);
	if (!halted)
		oracle_hole_check(o);
}

/* Nothing will come any more: the sums are right, and nothing is left. */
static inline void oracle_close(struct oracle *o, enum cause cause)
{
	if (!o->ended) {
		o->cause = cause;
		o->closing = true;
		stream_close(&o->st, cause);
		oracle_drain(o);
	}
	CHECK(o->ended && o->at == o->offered);
	CHECK((int64_t)(o->delivered + o->left + o->lost[0] + o->lost[1] + o->lost[2] + o->lost[4]) == o->at - o->first);
	CHECK(memcmp(o->lost, o->st.lost, sizeof(o->lost)) == 0);
	CHECK(!o->strict || (o->old == o->st.retransmitted && !o->lost[CAUSE_MEMORY] && (o->stray || !o->st.differs)));
	CHECK(o->fin < 0 || o->fin == o->at);
	CHECK(o->st.waiting == 0);
	stream_release(&o->st, o->pool);
	CHECK(pool_used(o->pool) == 0);
	free(o);
}

#endif
