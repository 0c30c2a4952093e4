/* SPDX-License-Identifier: MIT */
/* Frames in the bytes of one side (RFC 9113 section 4), cut anywhere; and how to find them again when the place was lost. */
#include "proto/http2.h"

#define SEARCH_MAX ((size_t)48 << 10) /* so much may wait for what decides whether frames begin there */

void http2_walk_lost(struct h2side *s)
{
	s->state = H2_WALK_SEARCH;
	s->lead_n = 0;
	s->left = s->pad = 0;
}

static size_t preface(struct conn *c, struct h2side *s, struct slice in)
{
	struct slice rest = slice_from(H2_PREFACE, s->lead_n);
	size_t n = in.n < rest.n ? in.n : rest.n;

	if (memcmp(in.p, rest.p, n) != 0) {
		http2_table_lost(c, s);
		http2_walk_lost(s);
		return 0;
	}
	s->lead_n += (uint8_t)n;
	if (n == rest.n) {
		s->state = H2_WALK_HEADER;
		s->lead_n = 0;
	}
	return n;
}

/* Takes what is missing to `want` bytes of s->lead. */
static size_t gather(struct h2side *s, struct slice in, size_t want)
{
	size_t n = want - s->lead_n;

	if (in.n < n)
		n = in.n;
	memcpy(s->lead + s->lead_n, in.p, n);
	s->lead_n += (uint8_t)n;
	return n;
}

static void frame_end(struct conn *c, unsigned side)
{
	struct h2side *s = http2_side(c->state, side);

	s->state = H2_WALK_HEADER;
	s->lead_n = 0;
	http2_frame_end(c, side);
}

static void content_end(struct conn *c, struct h2side *s, unsigned side)
{
	s->state = H2_WALK_PAD;
	if (!s->pad)
		frame_end(c, side);
}

static void content(struct conn *c, struct h2side *s, unsigned side, struct slice in)
{
	s->left -= (uint32_t)in.n;
	http2_content(c, side, in, !s->left);
	if (!s->left)
		content_end(c, s, side);
}

bool http2_walk_skip(struct conn *c, unsigned side, uint64_t n)
{
	struct h2side *s = http2_side(c->state, side);

	if (n > (uint64_t)s->left + s->pad)
		return false;
	if (n > s->left)
		s->pad -= (uint32_t)n - s->left;
	s->left = n > s->left ? 0 : s->left - (uint32_t)n;
	if (!s->left)
		content_end(c, s, side);
	return true;
}

/* What stands before the content is here. */
static void lead_done(struct conn *c, struct h2side *s, unsigned side)
{
	const struct h2frame *f = &s->frame;
	bool padded = (f->flags & H2_PADDED) && (f->type == H2_DATA || f->type == H2_HEADERS || f->type == H2_PUSH_PROMISE);

	s->left = f->length - s->lead_n;
	s->pad = padded && s->lead_n ? s->lead[0] : 0;
	s->state = H2_WALK_CONTENT;
	if (s->pad > s->left || s->lead_n < h2frame_lead(f) || !http2_frame(c, side)) {
		http2_malformed(c, side);
		s->frame.type = UINT8_MAX;
		s->pad = s->left;
	}
	s->left -= s->pad;
	if (!s->left)
		content(c, s, side, SLICE(""));
}

/* The frame has nothing but content: the stream it is for, no padding and no priority. */
static bool is_bare(const struct h2frame *f)
{
	return f->stream && !(f->flags & (H2_PADDED | H2_PRIO));
}

/*
 * A frame that is here as a whole, as most are, and needs no steps: PING, WINDOW_UPDATE and the like say nothing of any message,
 * DATA is content, HEADERS are one block. Returns its size; 0: it must go the long way.
 */
static size_t whole_frame(struct conn *c, struct h2side *s, unsigned side, struct slice in)
{
	struct h2frame f;
	size_t n;

	if (in.n < H2_HEADER || s->state != H2_WALK_HEADER || s->lead_n || s->in_block)
		return 0;
	f = h2frame_read(in.p);
	n = H2_HEADER + (size_t)f.length;
	if (in.n < n)
		return 0;
	if (f.type == H2_DATA && is_bare(&f))
		http2_whole_data(c, side, &f, slice_of(in.p + H2_HEADER, f.length));
	else if (f.type == H2_HEADERS && is_bare(&f) && f.flags & H2_END_HEADERS)
		http2_whole_headers(c, side, &f, slice_of(in.p + H2_HEADER, f.length));
	else if (f.type != H2_WINDOW_UPDATE && f.type != H2_PING && f.type != H2_PRIORITY)
		return 0;
	return n;
}

static void header_done(struct conn *c, struct h2side *s, unsigned side)
{
	s->lead_n = 0;
	s->state = H2_WALK_LEAD;
	if (s->frame.length > s->max_frame)
		s->max_frame = s->frame.length;
	if (!h2frame_lead(&s->frame) || !s->frame.length)
		lead_done(c, s, side);
}

static size_t header(struct conn *c, struct h2side *s, unsigned side, struct slice in)
{
	size_t n;

	if (!s->lead_n)
		s->frame_ns = ((struct http2 *)c->state)->now_ns;
	if (s->lead_n || in.n < H2_HEADER) {
		n = gather(s, in, H2_HEADER);
		if (s->lead_n < H2_HEADER)
			return n;
		s->frame = h2frame_read(s->lead);
		header_done(c, s, side);
		return n;
	}
	s->frame = h2frame_read(in.p);
	header_done(c, s, side);
	return H2_HEADER;
}

static size_t lead(struct conn *c, struct h2side *s, unsigned side, struct slice in)
{
	uint32_t want = h2frame_lead(&s->frame);
	size_t n;

	if (want > s->frame.length)
		want = s->frame.length;
	n = gather(s, in, want);
	if (s->lead_n == want)
		lead_done(c, s, side);
	return n;
}

static size_t pad(struct conn *c, struct h2side *s, unsigned side, struct slice in)
{
	size_t n = in.n < s->pad ? in.n : s->pad;

	s->pad -= (uint32_t)n;
	if (!s->pad)
		frame_end(c, side);
	return n;
}

/* Do frames, or the preface, begin here? */
static enum h2_chain begins(const struct h2side *s, struct slice in, bool begin)
{
	size_t n = in.n < H2_PREFACE.n ? in.n : H2_PREFACE.n;

	if (memcmp(in.p, H2_PREFACE.p, n) == 0)
		return n == H2_PREFACE.n ? H2_CHAIN_YES : H2_CHAIN_MORE;
	return h2frame_chain(in, begin, s->max_frame);
}

/* Sets *taken to the bytes that are certainly no frames. True: frames begin behind them. Not inlined, as step() is not. */
static __attribute__((noinline)) bool search(struct conn *c, struct h2side *s, struct slice in, size_t *taken)
{
	enum h2_chain found = H2_CHAIN_NO;
	size_t at;

	for (at = 0; at < in.n; at++) {
		found = begins(s, slice_from(in, at), at == 0);
		if (found == H2_CHAIN_YES || (found == H2_CHAIN_MORE && in.n - at < SEARCH_MAX))
			break;
	}
	*taken = at;
	c->env->stats->garbage += at;
	if (at == in.n || found != H2_CHAIN_YES)
		return false;
	s->state = in.p[at] == 'P' ? H2_WALK_PREFACE : H2_WALK_HEADER;
	if (s->state == H2_WALK_PREFACE) {
		hpack_free(c, s->hpack);
		s->hpack = NULL;
		s->table = HPACK_EMPTY;
		s->joined = false;
	}
	return true;
}

/* Not inlined, so that frames which are here as a whole need no room for it. */
static __attribute__((noinline)) size_t step(struct conn *c, struct h2side *s, unsigned side, struct slice in)
{
	struct slice part;

	switch (s->state) {
	case H2_WALK_HEADER:
		return header(c, s, side, in);
	case H2_WALK_PREFACE:
		return preface(c, s, in);
	case H2_WALK_LEAD:
		return lead(c, s, side, in);
	case H2_WALK_CONTENT:
		part = slice_first(in, s->left);
		content(c, s, side, part);
		return part.n;
	default:
		return pad(c, s, side, in);
	}
}

size_t http2_walk(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http2 *h = c->state;
	struct h2side *s = http2_side(h, side);
	struct slice in = ch->data;
	size_t at, n;

	for (at = 0; in.n; at += n, in = slice_from(in, n)) {
		if (!at || ch->kept) {
			h->now_ns = chunk_ts(ch, at);
			h->now_ack = chunk_ack(ch, at);
		}
		n = whole_frame(c, s, side, in);
		if (!n && s->state != H2_WALK_SEARCH)
			n = step(c, s, side, in);
		else if (!n && !search(c, s, in, &n))
			return at + n;
	}
	return at;
}
