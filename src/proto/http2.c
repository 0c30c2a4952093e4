/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2 in clear (RFC 9113), as a third party sees it: header blocks are inflated, streams become exchanges. Nothing is
 * expected of either end. Where bytes are missing it goes on inside a DATA frame of known length, or at the next place where
 * frames follow each other; what the lost header blocks taught the table is unknown from there on.
 */
#include "proto/http2.h"

#include "proto/list.h"

/* --- what is here --------------------------------------------------------------------------------------------------- */

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
		http2_drop_resets(c, h, ch->ts_ns);
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

	if ((s->state != H2_WALK_CONTENT && s->state != H2_WALK_PAD) || h2frame_is_block(&s->frame))
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
		http2_drop_resets(c, h, ch->ts_ns);
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
		http2_finish_all(c, h, conn_how(c), c->how ? c->by : (int)side);
}

static void http2_close(struct conn *c)
{
	struct http2 *h = c->state;

	http2_finish_all(c, h, conn_how(c), c->by);
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
