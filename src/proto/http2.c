/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2 in clear (RFC 9113), as a third party sees it: frames are walked, header blocks inflated, streams become exchanges.
 * Nothing is expected of either end. Where bytes are missing the walk goes on inside a DATA frame of known length, or at the
 * next place where frames follow each other; what the lost header blocks taught the table is unknown from there on.
 */
#include "proto/h2frame.h"
#include "proto/h2stream.h"
#include "proto/hpack.h"

enum walk {
	WALK_PREFACE, /* the client's first bytes (RFC 9113 section 3.4) */
	WALK_HEADER,  /* in the nine bytes before a frame */
	WALK_LEAD,    /* in the bytes before its content: pad length, priority, promised stream */
	WALK_BODY,    /* in its content */
	WALK_PAD,
	WALK_SEARCH,  /* lost: looking for frames */
};

struct h2side {
	struct hpack *hpack;
	struct h2frame frame;         /* at hand */
	uint8_t state;                /* enum walk */
	uint8_t lead[16], lead_n, lead_want;
	uint32_t left;                /* of its content */
	uint32_t pad;                 /* behind that */
	uint32_t block_stream;        /* of a header block that goes on in CONTINUATION frames; 0: none */
	bool block_end_stream, block_broken, block_push;
	struct draft *block;          /* where its fields go; NULL: nowhere */
	bool joined;                  /* its begin was not seen, or it was lost */
};

struct http2 {
	struct h2side side[2];
	struct h2streams streams;
	bool sure;                    /* it is known who the client is */
	const struct chunk *chunk;    /* being fed */
	unsigned feeding;             /* the side of it */
};

/* --- header blocks -------------------------------------------------------------------------------------------------- */

/* Who sends such a field? 0 the client, 1 the server, -1 either. */
static int sent_by(struct slice name)
{
	static const struct {
		struct slice name;
		int role;
	} tell[] = {
		{SLICE_INIT(":method"), 0}, {SLICE_INIT(":path"), 0}, {SLICE_INIT(":scheme"), 0}, {SLICE_INIT(":authority"), 0},
		{SLICE_INIT("te"), 0}, {SLICE_INIT("user-agent"), 0}, {SLICE_INIT("grpc-timeout"), 0}, {SLICE_INIT(":status"), 1},
		{SLICE_INIT("grpc-status"), 1}, {SLICE_INIT("server"), 1},
	};

	for (size_t i = 0; i < sizeof(tell) / sizeof(tell[0]); i++)
		if (slice_eq(name, tell[i].name))
			return tell[i].role;
	return -1;
}

/* It was the other way round: what was a request so far is a response. */
static void turn_round(struct conn *c, struct http2 *h)
{
	for (struct h2stream *st = h->streams.oldest; st; st = st->newer)
		h2stream_turn_round(st);
	for (unsigned i = 0; i < 2; i++) {
		struct h2stream *st = h->side[i].block ? h2streams_find(&h->streams, h->side[i].block_stream) : NULL;

		if (st)
			h->side[i].block = h->side[i].block == &st->x->request ? &st->x->response : &st->x->request;
	}
	c->client = !c->client;
}

static void on_field(void *ctx, struct slice name, struct slice value)
{
	struct conn *c = ctx;
	struct http2 *h = c->state;
	struct h2side *s = &h->side[h->feeding];
	int role = h->sure || s->block_push ? -1 : sent_by(name);

	if (role >= 0) {
		h->sure = true;
		if ((unsigned)role != conn_role(c, h->feeding))
			turn_round(c, h);
	}
	if (s->block)
		h2stream_field(c, s->block, name, value);
}

static struct h2stream *stream_get(struct conn *c, struct http2 *h, uint32_t id)
{
	struct h2stream *st = h2streams_find(&h->streams, id);

	return st ? st : h2streams_add(c, &h->streams, id, NULL);
}

static void touch(struct http2 *h, struct draft *d, size_t n)
{
	if (!d->first_ns)
		d->first_ns = h->chunk->ts_ns;
	d->last_ns = h->chunk->ts_ns;
	d->wire_bytes += n;
}

static void finish(struct conn *c, struct http2 *h, struct h2stream *st, enum ended how, int by)
{
	for (unsigned i = 0; i < 2; i++)
		if (h->side[i].block == &st->x->request || h->side[i].block == &st->x->response)
			h->side[i].block = NULL;
	h2streams_end(c, &h->streams, st, how, by);
}

/* One side of the stream has said all. */
static void side_ended(struct conn *c, struct http2 *h, struct h2stream *st, unsigned role)
{
	struct draft *d = role ? &st->x->response : &st->x->request;

	st->ended[role] = true;
	d->done = true;
	d->complete = d->seen;
	if (st->ended[1] && (st->ended[0] || !st->x->request.seen))
		finish(c, h, st, ENDED_WELL, -1);
}

/* The first header block of a side begins its message, a later one is its trailers (RFC 9113 section 8.1). */
static void block_begin(struct conn *c, struct http2 *h, struct h2side *s, unsigned role, uint32_t id, bool push)
{
	struct h2stream *st = stream_get(c, h, id);

	s->block_stream = id;
	s->block_broken = false;
	s->block_push = push;
	s->block = NULL;
	if (!st)
		return;
	s->block = role && !push ? &st->x->response : &st->x->request;
	if (st->headers[role && !push])
		draft_trailers(s->block);
	if (role == 0 || push)
		st->x->request_off = h->chunk->off;
}

/* An interim response (RFC 9113 section 8.1): its fields go again, the final one is to come. */
static void block_interim(struct http2 *h, struct draft *d)
{
	if (d->interims < INTERIM_MAX)
		d->interim[d->interims] = (struct interim){h->chunk->ts_ns, d->status};
	d->interims += d->interims < UINT8_MAX;
	d->status = 0;
	d->fields_n = d->text_n = 0;
	d->first_ns = 0;
}

static void block_end(struct conn *c, struct http2 *h, struct h2side *s, unsigned role)
{
	struct h2stream *st = h2streams_find(&h->streams, s->block_stream);
	struct draft *d = s->block;
	unsigned as = role && !s->block_push;

	s->block_stream = 0;
	s->block = NULL;
	if (!st || !d)
		return;
	if (as && d->status / 100 == 1 && d->status != 101) {
		block_interim(h, d);
		return;
	}
	/* trailers whose header section was not seen: no status, but the end, or the status of a call */
	if (!st->headers[as] && as && !d->status && (s->block_end_stream || draft_header(d, SLICE("grpc-status")).p) &&
	    s->joined && !d->in_trailers) {
		d->in_trailers = true;
		d->headers_n = 0;
	}
	d->seen = true;
	st->headers[as] = true;
	draft_fields_end(d);
	if (s->block_push)
		st->ended[0] = st->x->request.done = st->x->request.complete = true;
	if (s->block_end_stream)
		side_ended(c, h, st, role);
}

static void block_feed(struct conn *c, struct http2 *h, struct h2side *s, unsigned role, struct slice in, bool last)
{
	if (!s->block_broken) {
		if (!s->hpack)
			s->hpack = hpack_new(c, s->joined);
		if (!s->hpack || hpack_feed(s->hpack, in, last, on_field, c) < 0) {
			s->block_broken = s->joined = true;
			c->env->stats->head_errors++;
			if (s->block)
				draft_missing(s->block, s->block->in_trailers ? PART_TRAILERS : PART_HEADERS, CAUSE_GRAMMAR, in.n);
		}
	}
	if (last)
		block_end(c, h, s, role);
}

/* --- frames --------------------------------------------------------------------------------------------------------- */

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* How many bytes stand before the content of this frame, that are to be read as a whole. */
static uint8_t lead_of(const struct h2frame *f)
{
	bool padded = f->flags & H2_PADDED;

	switch (f->type) {
	case H2_DATA:
		return padded;
	case H2_HEADERS:
		return (uint8_t)(padded + (f->flags & H2_PRIO ? 5 : 0));
	case H2_PUSH_PROMISE:
		return (uint8_t)(padded + 4);
	case H2_RST_STREAM:
		return 4;
	case H2_GOAWAY:
		return 8;
	default:
		return 0;
	}
}

static bool is_block(const struct h2frame *f)
{
	return f->type == H2_HEADERS || f->type == H2_CONTINUATION || f->type == H2_PUSH_PROMISE;
}

static void data_begin(struct conn *c, struct http2 *h, struct h2side *s, unsigned role)
{
	struct h2stream *st = h2streams_find(&h->streams, s->frame.stream);
	struct draft *d;

	/* a stream that began before: its request or response is known to exist, no more */
	if (!st && s->joined && s->frame.length)
		st = h2streams_add(c, &h->streams, s->frame.stream, NULL);
	if (!st)
		return;
	d = role ? &st->x->response : &st->x->request;
	if (!d->seen && s->frame.length) {
		draft_missing(d, PART_HEADERS, CAUSE_NETWORK, 0);
		d->seen = true;
	}
	touch(h, d, H2_HEADER + s->frame.length);
}

static void rst_stream(struct conn *c, struct http2 *h, struct h2side *s, unsigned side)
{
	struct h2stream *st = h2streams_find(&h->streams, s->frame.stream);

	if (!st)
		return;
	st->was_reset = true;
	st->reset_code = u32(s->lead);
	/* NO_ERROR after a whole response only says: stop sending (RFC 9113 section 8.1) */
	finish(c, h, st, st->ended[1] && !st->reset_code ? ENDED_WELL : ENDED_RESET, (int)side);
}

/* The bytes before the content are here. */
static void lead_done(struct conn *c, struct http2 *h, unsigned side)
{
	struct h2side *s = &h->side[side];
	unsigned role = conn_role(c, side);
	const uint8_t *p = s->lead;

	s->left = s->frame.length - s->lead_n;
	s->pad = 0;
	if ((s->frame.flags & H2_PADDED) && (s->frame.type == H2_DATA || s->frame.type == H2_HEADERS ||
					     s->frame.type == H2_PUSH_PROMISE) && s->lead_n)
		s->pad = *p++;
	if (s->pad > s->left)
		s->pad = s->left;
	s->left -= s->pad;
	s->state = WALK_BODY;
	switch (s->frame.type) {
	case H2_DATA:
		data_begin(c, h, s, role);
		break;
	case H2_HEADERS:
		s->block_end_stream = s->frame.flags & H2_END_STREAM;
		block_begin(c, h, s, role, s->frame.stream, false);
		break;
	case H2_PUSH_PROMISE:
		s->block_end_stream = false;
		block_begin(c, h, s, role, u32(p) & 0x7fffffff, true);
		break;
	case H2_RST_STREAM:
		rst_stream(c, h, s, side);
		break;
	default:
		break;
	}
	if (is_block(&s->frame) && s->block)
		touch(h, s->block, H2_HEADER + s->frame.length);
}

static void frame_begin(struct conn *c, struct http2 *h, unsigned side)
{
	struct h2side *s = &h->side[side];

	s->frame = h2frame_read(s->lead);
	s->lead_n = 0;
	s->lead_want = lead_of(&s->frame);
	if (s->lead_want > s->frame.length)
		s->lead_want = (uint8_t)s->frame.length;
	s->state = WALK_LEAD;
	if (!s->lead_want)
		lead_done(c, h, side);
}

/* The frame is over. */
static void frame_end(struct conn *c, struct http2 *h, unsigned side)
{
	struct h2side *s = &h->side[side];
	struct h2stream *st;

	s->state = WALK_HEADER;
	s->lead_n = 0;
	if (s->frame.type != H2_DATA || !(s->frame.flags & H2_END_STREAM))
		return;
	st = h2streams_find(&h->streams, s->frame.stream);
	if (st)
		side_ended(c, h, st, conn_role(c, side));
}

/* Content of the frame; `last`: all of it is here now. */
static void frame_content(struct conn *c, struct http2 *h, unsigned side, struct slice in, bool last)
{
	struct h2side *s = &h->side[side];
	unsigned role = conn_role(c, side);
	struct h2stream *st;

	if (s->frame.type == H2_DATA) {
		st = h2streams_find(&h->streams, s->frame.stream);
		if (!st)
			return;
		draft_body(c, role ? &st->x->response : &st->x->request, in.p, in.n);
		(role ? &st->x->response : &st->x->request)->last_ns = h->chunk->ts_ns;
		grpc_data(&st->grpc[role], in);
	} else if (is_block(&s->frame) && s->block_stream) {
		block_feed(c, h, s, role, in, last && (s->frame.flags & H2_END_HEADERS));
	}
}

/* --- the walk ------------------------------------------------------------------------------------------------------- */

static size_t walk_preface(struct h2side *s, struct slice in)
{
	size_t n = H2_PREFACE.n - s->left;

	if (in.n < n)
		n = in.n;
	s->left += (uint32_t)n;
	if (s->left == H2_PREFACE.n)
		s->state = WALK_HEADER;
	return n;
}

static size_t walk_lead(struct h2side *s, struct slice in, size_t want)
{
	size_t n = want - s->lead_n;

	if (in.n < n)
		n = in.n;
	memcpy(s->lead + s->lead_n, in.p, n);
	s->lead_n += (uint8_t)n;
	return n;
}

static size_t walk_body(struct conn *c, struct http2 *h, unsigned side, struct slice in)
{
	struct h2side *s = &h->side[side];
	struct slice part = slice_first(in, s->left);

	s->left -= (uint32_t)part.n;
	frame_content(c, h, side, part, !s->left);
	if (!s->left)
		s->state = WALK_PAD;
	return part.n;
}

static size_t walk_pad(struct conn *c, struct http2 *h, unsigned side, struct slice in)
{
	struct h2side *s = &h->side[side];
	size_t n = in.n < s->pad ? in.n : s->pad;

	s->pad -= (uint32_t)n;
	if (!s->pad)
		frame_end(c, h, side);
	return n;
}

/* Frames are found again where two follow each other, or one fills a packet to its end. */
static size_t walk_search(struct conn *c, struct h2side *s, struct slice in)
{
	for (size_t at = 0; at < in.n; at++) {
		bool exact;
		unsigned n = h2frame_chain(slice_from(in, at), &exact);

		if (n >= 3 || (n == 2 && (exact || !at)) || (n == 1 && exact && !at)) {
			s->state = WALK_HEADER;
			s->lead_n = 0;
			c->env->stats->garbage += at;
			return at;
		}
	}
	c->env->stats->garbage += in.n;
	return in.n;
}

static size_t walk(struct conn *c, struct http2 *h, unsigned side, struct slice in)
{
	struct h2side *s = &h->side[side];
	size_t n;

	switch (s->state) {
	case WALK_PREFACE:
		return walk_preface(s, in);
	case WALK_HEADER:
		n = walk_lead(s, in, H2_HEADER);
		if (s->lead_n == H2_HEADER)
			frame_begin(c, h, side);
		return n;
	case WALK_LEAD:
		n = walk_lead(s, in, s->lead_want);
		if (s->lead_n == s->lead_want)
			lead_done(c, h, side);
		return n;
	case WALK_BODY:
		return walk_body(c, h, side, in);
	case WALK_PAD:
		return walk_pad(c, h, side, in);
	default:
		return walk_search(c, s, in);
	}
}

/* States that need no more bytes to move on. */
static bool restless(const struct h2side *s)
{
	return (s->state == WALK_BODY && !s->left) || (s->state == WALK_PAD && !s->pad);
}

static size_t http2_data(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http2 *h = c->state;
	size_t at = 0;

	h->chunk = ch;
	h->feeding = side;
	while (at < ch->data.n || restless(&h->side[side]))
		at += walk(c, h, side, slice_from(ch->data, at));
	return at;
}

/* --- what is missing ------------------------------------------------------------------------------------------------ */

/* The hole lies in the content of a DATA frame. */
static bool data_gap(struct conn *c, struct http2 *h, unsigned side, const struct chunk *ch)
{
	struct h2side *s = &h->side[side];
	struct h2stream *st = h2streams_find(&h->streams, s->frame.stream);
	unsigned role = conn_role(c, side);

	if (s->state != WALK_BODY || s->frame.type != H2_DATA)
		return false;
	if (st) {
		draft_missing(role ? &st->x->response : &st->x->request, PART_BODY, ch->cause, ch->n < s->left ? ch->n : s->left);
		grpc_gap(&st->grpc[role], ch->n);
	}
	if (ch->n > s->left)
		return false;
	s->left -= (uint32_t)ch->n;
	return true;
}

static void http2_gap(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http2 *h = c->state;
	struct h2side *s = &h->side[side];

	h->chunk = ch;
	h->feeding = side;
	if (data_gap(c, h, side, ch))
		return;
	if (s->block_stream && s->block) {
		draft_missing(s->block, s->block->in_trailers ? PART_TRAILERS : PART_HEADERS, ch->cause, ch->n);
		s->block_end_stream = false;
		block_end(c, h, s, conn_role(c, side));
	}
	for (struct h2stream *st = h->streams.oldest; st; st = st->newer)
		st->grpc[conn_role(c, side)].doubt = true;
	s->block_stream = 0;
	s->block = NULL;
	s->state = WALK_SEARCH;
	s->joined = true;
	hpack_free(c, s->hpack);
	s->hpack = NULL;
}

static void http2_end(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http2 *h = c->state;
	bool server = conn_role(c, side) == 1;

	h->chunk = ch;
	h->feeding = side;
	if (server)
		h2streams_release(c, &h->streams, c->how ? (enum ended)c->how : ENDED_CLOSED, c->how ? c->by : (int)side);
}

static void http2_close(struct conn *c)
{
	struct http2 *h = c->state;

	h2streams_release(c, &h->streams, c->how ? (enum ended)c->how : ENDED_CLOSED, c->by);
	hpack_free(c, h->side[0].hpack);
	hpack_free(c, h->side[1].hpack);
}

/* The request that upgraded the connection is that of stream 1 (RFC 7540 section 3.2). */
static void take_stream_1(struct conn *c, struct http2 *h)
{
	struct h2stream *st = h2streams_add(c, &h->streams, 1, c->handed);

	if (!st) {
		exchange_free(c, c->handed);
		return;
	}
	st->headers[0] = true;
	st->ended[0] = true;
}

static void http2_open(struct conn *c)
{
	struct http2 *h = c->state;

	h->sure = !c->midstream;
	if (c->handed)
		take_stream_1(c, h);
	for (unsigned i = 0; i < 2; i++) {
		h->side[i].joined = c->midstream;
		h->side[i].state = c->midstream ? WALK_SEARCH : conn_role(c, i) == 0 ? WALK_PREFACE : WALK_HEADER;
	}
}

/* Who sends a header block that begins so? Static indexes of pseudo-header fields tell (RFC 7541 appendix A). */
static int sender(struct slice data)
{
	while (data.n > H2_HEADER) {
		struct h2frame f = h2frame_read(data.p);
		size_t at = H2_HEADER + lead_of(&f);

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
	size_t n = data.n < H2_PREFACE.n ? data.n : H2_PREFACE.n;
	bool exact;
	unsigned frames;

	if (n && memcmp(data.p, H2_PREFACE.p, n) == 0) {
		*from_client = 1;
		return n == H2_PREFACE.n ? VERDICT_YES : cut ? VERDICT_NO : VERDICT_MORE;
	}
	if (!c->midstream || first)
		return VERDICT_NO;
	frames = h2frame_chain(data, &exact);
	*from_client = sender(data);
	if (frames >= 3 || (frames == 2 && (exact || *from_client >= 0)) || (frames && exact && *from_client >= 0))
		return VERDICT_YES;
	return VERDICT_NO;
}

const struct proto proto_http2 = {
	.name = "http2", .state_size = sizeof(struct http2), .probe = http2_probe, .open = http2_open, .data = http2_data,
	.gap = http2_gap, .end = http2_end, .close = http2_close,
};
