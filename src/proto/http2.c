/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2 in clear (RFC 9113), as a third party sees it: header blocks are inflated, streams become exchanges. Nothing is
 * expected of either end. Where bytes are missing it goes on inside a DATA frame of known length, or at the next place where
 * frames follow each other; what the lost header blocks taught the table is unknown from there on.
 */
#include "proto/http2.h"

#include "proto/list.h"

#define RESET_NS UINT64_C(1000000000)
#define STREAMS_MAX 16384u /* open at once on a connection; then the oldest is let go */

/* --- streams -------------------------------------------------------------------------------------------------------- */

/* Is the stream over, so that this is only late? `request`: it would be its request. */
static bool is_over(const struct http2 *h, uint32_t id, bool request)
{
	const struct h2closed *closed;

	if (request && (id & 1) && id > h->max_id)
		return false;
	closed = h2streams_closed(&h->streams, id);
	if (closed)
		return closed->request || !request;
	return (id & 1) && h->fresh_from && id >= h->fresh_from && id <= h->max_id;
}

/* No frame goes on in this exchange; NULL: in any. */
static void forget(struct http2 *h, const struct exchange *x)
{
	for (unsigned i = 0; i < 2; i++) {
		struct h2side *s = &h->side[i];

		if (!x || s->block_x == x) {
			s->block = NULL;
			s->block_x = NULL;
		}
		if (!x || (s->data && s->data->x == x))
			s->data = NULL;
	}
}

static void finish(struct conn *c, struct http2 *h, struct h2stream *st, enum ended how, int by)
{
	forget(h, st->x);
	h2streams_end(c, &h->streams, st, how, by);
}

static void finish_all(struct conn *c, struct http2 *h, enum ended how, int by)
{
	forget(h, NULL);
	h2streams_release(c, &h->streams, how, by);
}

struct h2stream *http2_stream(struct conn *c, struct http2 *h, uint32_t id, bool request)
{
	struct h2stream *st = h2streams_find(&h->streams, id);

	if (st || !id || is_over(h, id, request))
		return st;
	if (h->streams.n >= STREAMS_MAX)
		finish(c, h, h->streams.oldest, ENDED_EVICTED, -1);
	return h2streams_add(c, &h->streams, id, NULL);
}

void http2_side_ended(struct conn *c, struct http2 *h, struct h2stream *st, unsigned role)
{
	st->ended[role] = true;
	exchange_side(st->x, role)->complete = st->headers[role];
	if (st->ended[1] && (st->ended[0] || st->gap[0] || st->x->was_reset || !st->x->request.seen))
		finish(c, h, st, ENDED_WELL, -1);
}

void http2_touch(const struct http2 *h, const struct h2side *s, struct draft *d)
{
	if (!d->first_ns)
		d->first_ns = s->frame_ns;
	draft_seen(d, h->now_ns);
	d->wire_bytes += H2_HEADER + s->lead_n + s->pad;
	d->seen = true;
}

/* --- frames --------------------------------------------------------------------------------------------------------- */

static bool is_block(const struct h2frame *f)
{
	return f->type == H2_HEADERS || f->type == H2_CONTINUATION || f->type == H2_PUSH_PROMISE;
}

/* A frame of DATA begins: the stream that it belongs to, or NULL. */
static inline struct h2stream *data_begin(struct conn *c, struct http2 *h, struct h2side *s, unsigned role, const struct h2frame *f)
{
	struct h2stream *st = h2streams_find(&h->streams, f->stream);
	struct draft *d;

	/* a stream that began before: its request or response is known to exist, no more */
	if (!st && s->joined && f->length)
		st = http2_stream(c, h, f->stream, false);
	if (!st)
		return NULL;
	d = exchange_side(st->x, role);
	exchange_touch(c, st->x);
	if (!d->seen && !f->length)
		return st;
	if (!d->seen)
		draft_missing(d, PART_HEADERS, CAUSE_NETWORK, 0);
	http2_touch(h, s, d);
	return st;
}

static inline void data(struct conn *c, struct http2 *h, struct exchange *x, unsigned role, struct slice in)
{
	struct draft *d = exchange_side(x, role);

	draft_seen(d, h->now_ns);
	d->wire_bytes += in.n;
	exchange_touch(c, x);
	exchange_content(c, x, role, in);
	exchange_progress(c, x, h->now_ns);
}

static void data_end(struct conn *c, struct http2 *h, struct h2stream *st, unsigned role)
{
	draft_seen(exchange_side(st->x, role), h->now_ns);
	http2_side_ended(c, h, st, role);
}

/* The client does not want the oldest of these responses: it has had its time. */
static void drop_reset(struct conn *c, struct http2 *h)
{
	struct h2stream *st = h2streams_find(&h->streams, h->reset[0]);

	if (st && st->x->was_reset)
		finish(c, h, st, ENDED_RESET, -1);
	memmove(h->reset, h->reset + 1, --h->resets * sizeof(h->reset[0]));
}

/* ... which is a while, for what was under way when it was reset (RFC 9113 section 5.1). */
static void drop_resets(struct conn *c, struct http2 *h, uint64_t now_ns)
{
	while (h->resets) {
		const struct h2stream *st = h2streams_find(&h->streams, h->reset[0]);

		if (st && st->x->was_reset && now_ns < st->x->reset_ns + RESET_NS)
			return;
		drop_reset(c, h);
	}
}

static void rst_stream(struct conn *c, struct http2 *h, struct h2side *s, unsigned side)
{
	struct h2stream *st = h2streams_find(&h->streams, s->frame.stream);
	uint32_t code = h2_u32(s->lead);

	if (!st || st->x->was_reset)
		return;
	exchange_touch(c, st->x);
	/* NO_ERROR after a whole response only says: stop sending (RFC 9113 section 8.1) */
	st->x->was_reset = !st->ended[1] || code != H2_NO_ERROR;
	st->x->reset_code = code;
	st->x->reset_ns = h->now_ns;
	st->x->reset_by = (int8_t)side;
	if (conn_role(c, side) == 1 || st->ended[1]) {
		finish(c, h, st, ENDED_WELL, -1);
		return;
	}
	if (h->resets == H2_RESETS)
		drop_reset(c, h);
	h->reset[h->resets++] = st->id;
}

/* The streams that the other side began beyond the last one that is handled (RFC 9113 section 6.8). */
static void goaway(struct conn *c, struct http2 *h, struct h2side *s, unsigned side)
{
	uint32_t last = h2_u32(s->lead) & 0x7fffffff, odd = conn_role(c, side) == 1, code = h2_u32(s->lead + 4);

	if (last >= s->last_id)
		return;
	s->last_id = last;
	for (struct h2stream *st = h->streams.oldest, *next; st; st = next) {
		next = st->newer;
		if (st->id <= last || (st->id & 1) != odd || st->headers[odd])
			continue;
		st->x->was_reset = code != H2_NO_ERROR;
		st->x->reset_code = code;
		st->x->reset_ns = h->now_ns;
		finish(c, h, st, ENDED_GOAWAY, (int)side);
	}
}

/* Header blocks are not interrupted (RFC 9113 section 4.3). */
static bool keeps_order(struct conn *c, struct http2 *h, unsigned side)
{
	struct h2side *s = http2_side(h, side);
	bool goes_on = s->frame.type == H2_CONTINUATION && s->in_block && s->frame.stream == s->block_frames;

	if (s->in_block && !goes_on)
		http2_block_abort(c, h, side);
	return goes_on || s->frame.type != H2_CONTINUATION;
}

void http2_malformed(struct conn *c, unsigned side)
{
	struct http2 *h = c->state;
	struct h2side *s = http2_side(h, side);

	c->env->stats->frame_errors++;
	if (s->in_block)
		http2_block_abort(c, h, side);
	if (is_block(&s->frame))
		http2_table_lost(c, s);
}

static void headers(struct conn *c, struct http2 *h, struct h2side *s, unsigned role)
{
	s->block_end_stream = s->frame.flags & H2_END_STREAM;
	s->block_push = false;
	http2_block_begin(c, h, s, role, s->frame.stream);
}

bool http2_frame(struct conn *c, unsigned side)
{
	struct http2 *h = c->state;
	struct h2side *s = http2_side(h, side);
	unsigned role = conn_role(c, side);
	const uint8_t *promised = s->lead + (s->frame.flags & H2_PADDED ? 1 : 0);

	if (!keeps_order(c, h, side))
		return false;
	s->setting_n = 0;
	switch (s->frame.type) {
	case H2_DATA:
		s->data = data_begin(c, h, s, role, &s->frame);
		return s->frame.stream;
	case H2_HEADERS:
		headers(c, h, s, role);
		return true;
	case H2_PUSH_PROMISE:
		s->block_end_stream = false;
		s->block_push = true;
		http2_block_begin(c, h, s, role, h2_u32(promised) & 0x7fffffff);
		return true;
	case H2_CONTINUATION:
		if (s->block)
			http2_touch(h, s, s->block);
		return true;
	case H2_RST_STREAM:
		rst_stream(c, h, s, side);
		return true;
	case H2_GOAWAY:
		goaway(c, h, s, side);
		return true;
	default:
		return true;
	}
}

/* What one side announces is for the frames of the other (RFC 9113 section 6.5.2). */
static void setting(struct h2side *other, const uint8_t *p)
{
	uint32_t value = h2_u32(p + 2);

	if (p[0] == 0 && p[1] == H2_SETTINGS_MAX_FRAME_SIZE && value > other->max_frame && value >> 24 == 0)
		other->max_frame = value;
}

static void settings(struct http2 *h, unsigned side, struct slice in)
{
	struct h2side *s = http2_side(h, side);

	for (size_t i = 0; i < in.n; i++) {
		s->setting[s->setting_n++] = in.p[i];
		if (s->setting_n < sizeof(s->setting))
			continue;
		s->setting_n = 0;
		setting(&h->side[!side], s->setting);
	}
}

void http2_content(struct conn *c, unsigned side, struct slice in, bool last)
{
	struct http2 *h = c->state;
	struct h2side *s = http2_side(h, side);

	if (s->frame.type == H2_DATA && s->data && in.n)
		data(c, h, s->data->x, conn_role(c, side), in);
	else if (is_block(&s->frame) && s->in_block)
		http2_block_feed(c, h, side, in, last && (s->frame.flags & H2_END_HEADERS));
	else if (s->frame.type == H2_SETTINGS)
		settings(h, side, in);
}

void http2_frame_end(struct conn *c, unsigned side)
{
	struct http2 *h = c->state;
	struct h2side *s = http2_side(h, side);
	struct h2stream *st = s->frame.type == H2_DATA ? s->data : NULL;

	s->data = NULL;
	if (st && s->frame.flags & H2_END_STREAM)
		data_end(c, h, st, conn_role(c, side));
}

/* Not inlined, or the walk over frames would have no registers left. */
__attribute__((noinline)) void http2_whole_data(struct conn *c, unsigned side, const struct h2frame *f, struct slice in)
{
	struct http2 *h = c->state;
	struct h2side *s = http2_side(h, side);
	unsigned role = conn_role(c, side);
	struct h2stream *st;

	s->frame_ns = h->now_ns;
	st = data_begin(c, h, s, role, f);
	if (st && in.n)
		data(c, h, st->x, role, in);
	if (st && f->flags & H2_END_STREAM)
		data_end(c, h, st, role);
}

void http2_whole_headers(struct conn *c, unsigned side, const struct h2frame *f, struct slice in)
{
	struct http2 *h = c->state;
	struct h2side *s = http2_side(h, side);

	s->frame = *f;
	s->frame_ns = h->now_ns;
	headers(c, h, s, conn_role(c, side));
	http2_block_feed(c, h, side, in, true);
}

/* A server that does not speak HTTP/2 answers the preface as it can. */
static enum verdict is_refused(struct conn *c, unsigned side, const struct chunk *ch)
{
	if (conn_role(c, side) == 0 || ch->off != c->begin[side])
		return VERDICT_NO;
	return slice_starts(ch->data, SLICE("HTTP/1.")) ? VERDICT_YES
	       : slice_starts(SLICE("HTTP/1."), ch->data) ? VERDICT_MORE : VERDICT_NO;
}

/* What is left of a DATA frame, but for its last byte, which says when it came. */
static void skip_content(struct conn *c, struct h2side *s, unsigned side, uint64_t off)
{
	if (s->state == H2_WALK_CONTENT && s->frame.type == H2_DATA && s->data && s->left > 1 &&
	    exchange_counts(c, s->data->x, conn_role(c, side)))
		conn_skip(c, side, off + s->left - 1);
}

static size_t http2_data(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http2 *h = c->state;
	enum verdict refused = is_refused(c, side, ch);
	size_t n;

	if (refused == VERDICT_YES)
		conn_again(c, &proto_http1, NULL);
	if (refused != VERDICT_NO)
		return 0;
	h->feeding = side;
	if (h->resets)
		drop_resets(c, h, ch->ts_ns);
	n = http2_walk(c, side, ch);
	skip_content(c, &h->side[side], side, ch->off + n);
	return n;
}

/* --- what is missing ------------------------------------------------------------------------------------------------ */

/* The hole lies inside a frame whose content teaches nothing: it costs its bytes. */
static bool frame_gap(struct conn *c, struct http2 *h, unsigned side, const struct chunk *ch)
{
	struct h2side *s = http2_side(h, side);
	struct h2stream *st = s->frame.type == H2_DATA ? h2streams_find(&h->streams, s->frame.stream) : NULL;
	unsigned role = conn_role(c, side);

	if ((s->state != H2_WALK_CONTENT && s->state != H2_WALK_PAD) || is_block(&s->frame))
		return false;
	if (st && ch->cause == CAUSE_ELIDED && ch->n < s->left) {
		exchange_elided(c, st->x, role, ch->n, h->now_ns);
	} else if (st && s->left) {
		draft_missing(exchange_side(st->x, role), PART_BODY, ch->cause, ch->n < s->left ? ch->n : s->left);
		grpc_gap(st->x->grpc, role, ch->n);
	}
	return http2_walk_skip(c, side, ch->n);
}

/* Any stream may have gone on, and ended, in the hole. */
static void streams_gap(struct http2 *h, unsigned role, enum cause cause)
{
	for (struct h2stream *st = h->streams.oldest; st; st = st->newer) {
		if (st->ended[role])
			continue;
		st->gap[role] = true;
		if (st->headers[role])
			draft_missing(exchange_side(st->x, role), PART_BODY, cause, 0);
		grpc_gap(st->x->grpc, role, UINT64_MAX);
	}
}

static void http2_gap(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http2 *h = c->state;
	struct h2side *s = http2_side(h, side);

	h->feeding = side;
	h->now_ns = ch->ts_ns;
	c->env->stats->garbage += ch->data.n;
	if (h->resets)
		drop_resets(c, h, ch->ts_ns);
	if (frame_gap(c, h, side, ch))
		return;
	if (s->in_block && s->block)
		draft_missing(s->block, s->block->in_trailers ? PART_TRAILERS : PART_HEADERS, ch->cause, ch->n);
	if (s->in_block)
		http2_block_end(c, h, side);
	streams_gap(h, conn_role(c, side), ch->cause);
	if (conn_role(c, side) == 0)
		h->fresh_from = 0;
	h->gap_to[conn_role(c, side)] = ch->off + ch->n;
	http2_table_lost(c, s);
	http2_walk_lost(s);
}

static void http2_end(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http2 *h = c->state;

	h->now_ns = ch->ts_ns;
	c->env->stats->garbage += ch->data.n;
	if (conn_role(c, side) == 1)
		finish_all(c, h, conn_how(c), c->how ? c->by : (int)side);
}

static void http2_close(struct conn *c)
{
	struct http2 *h = c->state;

	finish_all(c, h, conn_how(c), c->by);
	hpack_free(c, h->side[0].hpack);
	hpack_free(c, h->side[1].hpack);
}

/* --- the begin ------------------------------------------------------------------------------------------------------ */

/* The request that upgraded the connection is that of stream 1 (RFC 7540 section 3.2). */
static void take_stream_1(struct conn *c, struct http2 *h)
{
	struct h2stream *st = h2streams_add(c, &h->streams, 1, c->handed);

	h->max_id = 1;
	if (!st) {
		exchange_free(c, c->handed);
		return;
	}
	st->headers[0] = true;
	st->ended[0] = true;
	st->gap[1] = c->gapped;
}

static void http2_open(struct conn *c)
{
	struct http2 *h = c->state;
	bool joined = c->midstream || c->gapped;

	h->sure = !c->midstream;
	h->fresh_from = !joined;
	if (c->handed)
		take_stream_1(c, h);
	for (unsigned i = 0; i < 2; i++) {
		h->side[i].joined = joined;
		h->side[i].table = joined ? HPACK_DEFAULT : HPACK_EMPTY;
		h->side[i].max_frame = H2_FRAME_SIZE;
		h->side[i].last_id = UINT32_MAX;
		h->side[i].state = joined ? H2_WALK_SEARCH : conn_role(c, i) == 0 ? H2_WALK_PREFACE : H2_WALK_HEADER;
	}
}

/* Who sends a header block that begins so? Static indexes of pseudo-header fields tell (RFC 7541 appendix A). */
static int sender(struct slice data)
{
	while (data.n > H2_HEADER) {
		struct h2frame f = h2frame_read(data.p);
		size_t at = H2_HEADER + h2frame_lead(&f);

		if (f.type == H2_HEADERS && data.n > at && data.p[at] >= 0x82 && data.p[at] <= 0x8e)
			return data.p[at] <= 0x87;
		if (f.type == H2_SETTINGS || data.n < H2_HEADER + f.length)
			break;
		data = slice_from(data, H2_HEADER + f.length);
	}
	return -1;
}

static enum verdict http2_probe(const struct conn *c, struct slice data, bool first, bool cut, int *from_client)
{
	static const enum verdict verdicts[] = {
		[H2_CHAIN_NO] = VERDICT_NO, [H2_CHAIN_MORE] = VERDICT_MORE, [H2_CHAIN_YES] = VERDICT_YES,
	};
	size_t n = data.n < H2_PREFACE.n ? data.n : H2_PREFACE.n;

	if (n && memcmp(data.p, H2_PREFACE.p, n) == 0) {
		*from_client = 1;
		return n == H2_PREFACE.n ? VERDICT_YES : cut ? VERDICT_NO : VERDICT_MORE;
	}
	if ((!c->midstream && !c->gapped) || first || data.n < H2_HEADER)
		return VERDICT_NO;
	*from_client = sender(data);
	return verdicts[h2frame_chain(data, true, H2_FRAME_SIZE)];
}

const struct proto proto_http2 = {
	.name = "http2", .state_size = sizeof(struct http2), .probe = http2_probe, .open = http2_open, .data = http2_data,
	.gap = http2_gap, .end = http2_end, .close = http2_close,
};
