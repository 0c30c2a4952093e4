/* SPDX-License-Identifier: MIT */
/*
 * From streams to decoders. The two directions meet here: bytes that answer something which is not here yet wait for it, so
 * that a capture in which a response overtakes its request reads like one in which it does not.
 */
#include "engine/internal.h"
#include "proto/detect.h"

/* A hole waits so many rounds of a second, ... */
#define HOLE_ACKED 1                   /* when the receiver has the bytes: they will not come again, but packets pass packets */
#define HOLE_ALONE 3                   /* when the receiver's side is not captured at all */
#define HOLE_OPEN 30                   /* when a retransmission may fill it */
/* ... or so many segments of its flow, ... */
#define HOLE_SEGMENTS 64
#define HOLE_SEGMENTS_ALONE 128
/* ... or until so much waits behind it. */
#define WAIT_MAX ((size_t)16 << 20)
#define PIECES_MAX 8192u
/*
 * So many payload bytes without a known protocol, and a connection is left alone, for a time. One that was joined in the
 * middle may have to bring a body to its end first.
 */
#define DETECT_MAX ((uint32_t)128 << 10)
#define DETECT_JOINED ((uint32_t)1 << 20)

static void count_delivered(struct engine *e, struct flow *f, uint64_t n)
{
	if (f->conn.proto && !f->conn.done)
		e->stats.delivered += n;
	else
		e->stats.ignored += n;
}

static void count_gap(struct engine *e, struct flow *f, unsigned side, const struct chunk *ch)
{
	switch (ch->cause) {
	case CAUSE_ELIDED:
		e->stats.elided += ch->n;
		f->side[side].bytes += ch->n;
		break;
	case CAUSE_RING:
		e->stats.lost_ring += ch->n;
		break;
	case CAUSE_SNAPLEN:
		e->stats.lost_snaplen += ch->n;
		break;
	case CAUSE_MEMORY:
		e->stats.lost_memory += ch->n;
		break;
	default:
		e->stats.lost_network += ch->n;
		break;
	}
}

static bool open_decoder(struct flow *f)
{
	struct conn *c = &f->conn;

	c->state = conn_alloc(c, c->proto->state_size);
	if (!c->state) {
		c->proto = NULL;
		c->verdict = "memory";
		c->done = true;
		return false;
	}
	memset(c->state, 0, c->proto->state_size);
	c->proto->open(c);
	return true;
}

/* The decoder has said that it is done: what it holds goes. */
static void close_decoder(struct conn *c)
{
	c->proto->close(c);
	conn_free(c, c->state, c->proto->state_size);
	c->state = NULL;
}

/* Another protocol begins where the decoder has stopped. Not inlined, nor is probe(): most chunks need neither. */
static __attribute__((noinline)) void detect_again(struct flow *f, unsigned side, uint64_t off)
{
	struct conn *c = &f->conn;

	c->again = false;
	c->proto = c->next;
	c->midstream = false;
	c->begin[side] = off;
	c->begin[!side] = f->stream[!side].next - f->stream[!side].kept_n;
	f->probed = 0;
	if (c->proto)
		open_decoder(f);
	c->handed = NULL;
}

/* Nobody decodes the flow yet. Returns the bytes that nobody needs again, or 0 when a decoder was found. */
static __attribute__((noinline)) size_t probe(struct flow *f, unsigned side, const struct chunk *ch)
{
	struct conn *c = &f->conn;
	bool first = ch->kind == CHUNK_DATA && ch->off == c->begin[side] && !c->midstream;

	switch (detect(c, side, ch->data, first, ch->kind != CHUNK_DATA)) {
	case VERDICT_YES:
		c->verdict = NULL;
		return open_decoder(f) ? 0 : ch->data.n;
	case VERDICT_MORE:
		if (ch->data.n < DETECT_MAX / 2)
			return 0;
		break;
	default:
		break;
	}
	/* one side alone does not settle it: a server may answer a TLS handshake in clear */
	c->done = c->verdict && f->stream[!side].begun;
	f->probed += ch->data.n < DETECT_MAX ? (uint32_t)ch->data.n : DETECT_MAX;
	if (f->probed >= (c->midstream ? DETECT_JOINED : DETECT_MAX) && !c->verdict) {
		c->verdict = "unknown";
		c->done = true;
	}
	return ch->data.n;
}

static size_t decode(struct flow *f, unsigned side, const struct chunk *ch)
{
	struct conn *c = &f->conn;
	size_t n = ch->data.n;

	if (ch->kind == CHUNK_DATA)
		n = c->proto->data(c, side, ch);
	else if (ch->kind == CHUNK_GAP)
		c->proto->gap(c, side, ch);
	else
		c->proto->end(c, side, ch);
	if (c->done || c->again)
		close_decoder(c);
	return c->done ? ch->data.n : n;
}

/* What follows the first `n` bytes of a chunk's data. */
static struct chunk chunk_from(const struct chunk *ch, size_t n)
{
	struct chunk rest = *ch;

	rest.data = slice_from(ch->data, n);
	rest.off += n;
	rest.n = rest.data.n;
	rest.kept = ch->kept > n ? ch->kept - n : 0;
	return rest;
}

/* Does the packet at hand have bytes of the chunk, or had it, before it was cut? */
static bool is_own(const struct segment *seg, const struct flow *f, unsigned side, const struct chunk *ch)
{
	int64_t from = stream_offset(&f->stream[side], seg->seq + (seg->flags & TCP_SYN ? 1 : 0));
	int64_t to = from + (int64_t)(seg->payload.n + seg->cut);

	return seg->side == side && from < (int64_t)(ch->off + ch->n) && (int64_t)ch->off < to;
}

/* What waited for the packet at hand is brought by it, but not what waited for bytes that never came. */
static __attribute__((noinline)) void attribute(struct engine *e, const struct flow *f, unsigned side, const struct chunk *ch)
{
	bool own;

	if (f != e->brought_to)
		return;
	own = is_own(e->brought_by, f, side, ch);
	e->past_gap |= ch->kind == CHUNK_GAP && ch->cause != CAUSE_ELIDED && !own;
	if (e->past_gap)
		e->env.bringing = own ? &f->conn : NULL;
}

/* Hands a chunk to whoever decodes the flow, and what one decoder leaves over to the next. */
static size_t give(struct engine *e, struct flow *f, unsigned side, const struct chunk *ch)
{
	struct conn *c = &f->conn;
	struct chunk rest;
	size_t n, all = 0;

	if (ch->kind == CHUNK_GAP)
		count_gap(e, f, side, ch);
	if (__builtin_expect(e->bringing != NULL, false))
		attribute(e, f, side, ch);
	for (;;) {
		n = ch->data.n;
		if (n && !c->proto && !c->done)
			n = probe(f, side, ch);
		if (c->proto && !c->done)
			n = decode(f, side, ch);
		else if (!c->proto && ch->kind == CHUNK_GAP)
			c->gapped = true;
		all += n;
		if (!c->again)
			break;
		detect_again(f, side, ch->off + n);
		if (ch->kind != CHUNK_DATA || n == ch->data.n)
			break;
		rest = chunk_from(ch, n);
		ch = &rest;
	}
	if (ch->kind == CHUNK_DATA)
		count_delivered(e, f, all);
	return all;
}

/* Does the chunk follow something of the other stream that is not here yet, and will be? */
static bool must_wait(const struct chunk *ch, const struct stream *other)
{
	uint64_t here = other->next > other->elided_to ? other->next : other->elided_to;

	return ch->kind == CHUNK_DATA && ch->ack != OFFSET_UNKNOWN && other->started && ch->ack > here && !other->ended &&
	       ch->ack - here > 1;
}

/* Hands over what one side has; returns true if that was anything. *waits: there is more, but the other side is first. */
static bool pull(struct engine *e, struct flow *f, unsigned side, bool force, bool *waits)
{
	struct stream *st = &f->stream[side], *other = &f->stream[!side];
	struct chunk ch;
	bool any = false;

	*waits = false;
	while (stream_peek(st, e->pool, &ch)) {
		*waits = !force && must_wait(&ch, other);
		if (*waits)
			break;
		force = false;
		any = true;
		stream_consume(st, e->pool, give(e, f, side, &ch));
	}
	return any;
}

void flow_deliver(struct engine *e, struct flow *f, unsigned first_side)
{
	bool waits[2] = {false, false}, any, progress = false;

	do {
		any = false;
		for (unsigned i = 0, side = first_side; i < 2; i++, side = !side)
			if (!stream_idle(&f->stream[side]))
				any |= pull(e, f, side, false, &waits[side]);
		if (!any && waits[0] && waits[1]) /* retransmissions acknowledge more than the bytes they repeat did */
			any = pull(e, f, f->stream[0].cur_ts_ns > f->stream[1].cur_ts_ns, true, &waits[0]);
		progress |= any;
	} while (any && (waits[0] || waits[1]));
	stream_settle(&f->stream[0], e->pool);
	stream_settle(&f->stream[1], e->pool);
	if (progress)
		flow_unstall(f);
	if (!f->conn.done && (waits[0] || waits[1] || stream_hole(&f->stream[0]) || stream_hole(&f->stream[1])))
		flow_stall(&e->table, f);
	else
		flow_unstall(f);
}

void flow_look_again(struct engine *e, struct flow *f)
{
	struct conn *c = &f->conn;
	uint8_t elides = f->elides;

	if (f->elides)
		flow_elided(e, f);
	flow_not_left_alone(e, f);
	for (unsigned i = 0; i < 2; i++) {
		struct stream *st = &f->stream[i];

		if (elides & 1u << i && st->top > st->next) {
			e->stats.ignored += st->top - st->next;
			f->side[i].bytes += st->top - st->next;
		}
		stream_resume(st);
	}
	c->verdict = NULL;
	c->done = false;
	c->midstream = c->gapped = true;
	f->probed = DETECT_JOINED - DETECT_MAX;
	f->left = false;
}

bool flow_pass(struct engine *e, struct flow *f, unsigned side, const struct span *span)
{
	struct stream *st = flow_stream(f, side);
	struct chunk ch;
	size_t n;

	if (!stream_continues(st, span->seq) || !stream_quiet(flow_stream(f, !side)) || span->cut || !span->payload.n)
		return false;
	ch = (struct chunk){.kind = CHUNK_DATA, .off = st->next, .n = span->payload.n, .data = span->payload,
			    .ts_ns = span->ts_ns, .ack = span->ack};
	n = give(e, f, side, &ch);
	if (n == ch.n) {
		stream_pass(st, n);
	} else {
		stream_insert(st, e->pool, span);
		stream_peek(st, e->pool, &ch);
		stream_consume(st, e->pool, n);
		stream_settle(st, e->pool);
	}
	flow_unstall(f);
	return true;
}

enum cause gap_cause(const struct engine *e, const struct flow *f)
{
	return e->ring_loss_ns && e->ring_loss_ns + 2 * SECOND > f->last_ns ? CAUSE_RING : CAUSE_NETWORK;
}

/* Has the hole at the end of this stream waited long enough? */
static bool hole_is_old(const struct flow *f, unsigned side)
{
	const struct stream *st = &f->stream[side];
	unsigned rounds = f->stalled_rounds, segments = f->stalled_segments;

	if (st->waiting > WAIT_MAX || st->pieces > PIECES_MAX)
		return true;
	if (!f->side[side].segments)
		return f->side[!side].segments > HOLE_SEGMENTS || rounds;
	if (st->acked > st->next)
		return segments >= HOLE_SEGMENTS || rounds >= HOLE_ACKED;
	if (!f->side[!side].segments)
		return segments >= HOLE_SEGMENTS_ALONE || rounds >= HOLE_ALONE;
	return rounds >= HOLE_OPEN;
}

void flow_stalled(struct engine *e, struct flow *f)
{
	bool hole[2] = {stream_hole(&f->stream[0]), stream_hole(&f->stream[1])};
	bool old = !hole[0] && !hole[1] && (f->stalled_segments >= HOLE_SEGMENTS || f->stalled_rounds);

	f->stalled_segments += f->stalled_segments < UINT8_MAX;
	for (unsigned i = 0; i < 2; i++)
		old |= hole[i] && hole_is_old(f, i);
	if (old)
		flow_give_up(e, f, gap_cause(e, f));
}

void flow_give_up(struct engine *e, struct flow *f, enum cause cause)
{
	uint64_t next[2] = {f->stream[0].next, f->stream[1].next};

	list_remove(&f->stalled);
	for (unsigned i = 0; i < 2; i++)
		if (stream_hole(&f->stream[i]) && (cause == CAUSE_MEMORY || hole_is_old(f, i)))
			stream_give_up(&f->stream[i], cause);
	flow_deliver(e, f, f->stream[0].cur_ts_ns > f->stream[1].cur_ts_ns);
	if (next[0] != f->stream[0].next || next[1] != f->stream[1].next)
		return;
	for (unsigned i = 0; i < 2; i++) { /* each side waits for the other's bytes, which will not come */
		bool waits;

		pull(e, f, i, true, &waits);
		stream_settle(&f->stream[i], e->pool);
	}
	flow_deliver(e, f, 0);
}
