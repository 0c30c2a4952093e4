/* SPDX-License-Identifier: MIT */
#include "proto/http2.h"

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

void http2_finish_all(struct conn *c, struct http2 *h, enum ended how, int by)
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

/* The oldest of the responses that the client does not want has had its time. */
static void drop_reset(struct conn *c, struct http2 *h)
{
	struct h2stream *st = h2streams_find(&h->streams, h->reset[0]);

	if (st && st->x->was_reset)
		finish(c, h, st, ENDED_RESET, -1);
	memmove(h->reset, h->reset + 1, --h->resets * sizeof(h->reset[0]));
}

void http2_drop_resets(struct conn *c, struct http2 *h, uint64_t now_ns)
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
	if (h2frame_is_block(&s->frame))
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
	else if (h2frame_is_block(&s->frame) && s->in_block)
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
