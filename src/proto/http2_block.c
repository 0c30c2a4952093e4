/* SPDX-License-Identifier: MIT */
/*
 * Header blocks: their fields go to the message that they begin or end (RFC 9113 section 8.1). What is lost or broken puts the
 * table of HPACK out of step; then it begins anew with what can be supposed of it.
 */
#include "proto/http2.h"

#define TABLES_MAX 16u

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
	for (unsigned i = 0; i < 2; i++)
		if (h->side[i].block)
			h->side[i].block = exchange_side(h->side[i].block_x, h->side[i].block == &h->side[i].block_x->request);
	SWAP_ROLES(h->gap_to);
	h->fresh_from = h->max_id = 0;
	c->client = !c->client;
}

/* Trailers have no status (RFC 9113 section 8.1): what came before was interim, with a status that was not known. */
static void not_trailers(struct h2side *s)
{
	draft_begin_anew(s->block);
	s->block->first_ns = s->frame_ns;
	h2stream_of(s->block_x)->headers[1] = false;
}

static void field(struct conn *c, struct http2 *h, struct h2side *s, struct slice name, struct slice value)
{
	int role = h->sure || s->block_push ? -1 : sent_by(name);

	if (role >= 0) {
		h->sure = true;
		if ((unsigned)role != conn_role(c, h->feeding))
			turn_round(c, h);
	}
	if (!s->block)
		return;
	if (s->block->in_trailers && slice_eq(name, SLICE(":status")) && !s->block->status && s->block == &s->block_x->response)
		not_trailers(s);
	h2stream_field(c, s->block_x, s->block, name, value);
}

/* A request of the client, whose streams are counted upwards (RFC 9113 section 5.1.1). */
static void note_request(struct http2 *h, uint32_t id)
{
	if (id <= h->max_id)
		return;
	h->max_id = id;
	if (!h->fresh_from)
		h->fresh_from = id;
}

/* The first header block of a side begins its message, a later one is its trailers (RFC 9113 section 8.1). */
void http2_block_begin(struct conn *c, struct http2 *h, struct h2side *s, unsigned role, uint32_t id)
{
	bool request = role == 0 || s->block_push;
	struct h2stream *st = http2_stream(c, h, id, request);

	s->block_frames = s->frame.stream;
	s->in_block = true;
	s->block_broken = false;
	s->block = NULL;
	s->block_x = NULL;
	if (role == 0)
		note_request(h, id);
	if (!st)
		return;
	if (role == 0 && h->now_ack < h->gap_to[1]) /* its response may be in what is missing behind that */
		st->gap[1] = true;
	s->block_x = st->x;
	s->block = exchange_side(st->x, !request);
	draft_prefetch(s->block);
	exchange_touch(c, st->x);
	if (st->headers[!request] || s->block->body_bytes)
		draft_trailers(s->block);
	http2_touch(h, s, s->block);
}

/* An interim response (RFC 9113 section 8.1): its fields go again, the final one is to come. */
static void block_interim(struct http2 *h, struct draft *d)
{
	draft_interim(d, h->now_ns, d->status);
	draft_begin_anew(d);
	d->first_ns = d->wire_bytes = 0;
	d->seen = false;
}

/* Trailers whose header section was not seen: no status, but the status of a call, or the end and nothing unknown. */
static bool is_lone_trailers(const struct h2side *s, const struct h2stream *st, const struct draft *d)
{
	return s->joined && !s->block_broken && !st->headers[1] && !d->status && !d->in_trailers &&
	       (draft_header(d, SLICE("grpc-status")).p || (s->block_end_stream && !d->unknown_fields));
}

/* What a response says of extended CONNECT and of CONNECT (RFC 8441 section 5, RFC 9113 section 8.5). */
static void settle_connect(struct exchange *x)
{
	if (x->turned == TURNED_H2C)
		return;
	if (x->response.status / 100 != 2)
		x->turned = TURNED_NOT;
	else if (!x->turned && slice_eq(draft_method(&x->request), SLICE("CONNECT")))
		x->turned = TURNED_TUNNEL;
}

void http2_block_end(struct conn *c, struct http2 *h, unsigned side)
{
	struct h2side *s = http2_side(h, side);
	struct h2stream *st = s->block ? h2stream_of(s->block_x) : NULL;
	struct draft *d = s->block;
	unsigned role = conn_role(c, side), as = role && !s->block_push;

	s->in_block = false;
	s->block = NULL;
	s->block_x = NULL;
	if (!st)
		return;
	if (as && d->status / 100 == 1 && d->status != 101 && !st->headers[1] && !d->body_bytes) {
		block_interim(h, d);
		return;
	}
	if (as && is_lone_trailers(s, st, d)) {
		d->in_trailers = true;
		d->headers_n = 0;
		draft_missing(d, PART_HEADERS, CAUSE_NETWORK, 0);
	}
	draft_fields_end(d);
	if (as && !st->headers[1])
		settle_connect(st->x);
	st->headers[as] = true;
	st->x->pushed |= s->block_push;
	if (s->block_push || s->block_end_stream)
		http2_side_ended(c, h, st, as);
}

void http2_table_lost(struct conn *c, struct h2side *s)
{
	s->joined = true;
	if (s->table == HPACK_EMPTY)
		s->table = HPACK_DEFAULT;
	hpack_free(c, s->hpack);
	s->hpack = NULL;
}

/* The rest of the header block is of no use, and nor is what it would have taught the table. */
static void block_break(struct conn *c, struct h2side *s)
{
	c->env->stats->head_errors++;
	s->block_broken = true;
	if (s->block)
		draft_missing(s->block, s->block->in_trailers ? PART_TRAILERS : PART_HEADERS, CAUSE_GRAMMAR, 0);
	if (s->table == HPACK_DEFAULT)
		s->table = HPACK_LARGE;
	http2_table_lost(c, s);
}

/* Not for ever: to begin a table costs more than to send a block that breaks it. */
static bool table_ready(struct conn *c, struct h2side *s)
{
	if (!s->hpack && s->tables <= TABLES_MAX + s->blocks / TABLES_MAX) {
		s->hpack = hpack_new(c, s->table);
		s->tables++;
	}
	return s->hpack;
}

static bool read_fields(struct conn *c, struct http2 *h, struct h2side *s, struct slice in, bool last)
{
	struct slice name, value;
	int r;

	while ((r = hpack_next(s->hpack, &in, last, &name, &value)) > 0)
		field(c, h, s, name, value);
	return r == 0;
}

void http2_block_feed(struct conn *c, struct http2 *h, unsigned side, struct slice in, bool last)
{
	struct h2side *s = http2_side(h, side);

	if (s->block) {
		s->block->wire_bytes += in.n;
		draft_seen(s->block, h->now_ns);
		exchange_touch(c, s->block_x);
	}
	if (!s->block_broken && (!table_ready(c, s) || !read_fields(c, h, s, in, last)))
		block_break(c, s);
	if (!last)
		return;
	s->blocks += !s->block_broken;
	http2_block_end(c, h, side);
}

void http2_block_abort(struct conn *c, struct http2 *h, unsigned side)
{
	struct h2side *s = http2_side(h, side);

	block_break(c, s);
	s->block_end_stream = false;
	http2_block_end(c, h, side);
}
