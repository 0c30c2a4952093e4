/* SPDX-License-Identifier: MIT */
/*
 * One side's messages: where they begin and end. The start line is ours, because a watcher must know any method and find its way
 * back after garbage; content of known length is only counted.
 */
#include "proto/http1.h"

/* --- the parts of a message ----------------------------------------------------------------------------------------- */

/* A response is that of a call if its request was one. */
void http1_content(struct http1_side *s, struct slice data)
{
	if (!s->draft->body_bytes && (s->role == 0 || s->x->grpc || !s->x->request.seen))
		grpc_type(s->conn, s->x, s->role, draft_header(s->draft, SLICE("content-type")));
	exchange_content(s->conn, s->x, s->role, data);
}

/* Bytes of the message came, which tell of its exchange. */
static __attribute__((noinline)) void note(const struct http1_side *s)
{
	exchange_note(s->conn, s->role && s->interim ? s->announced : s->x);
}

void http1_count(struct http1_side *s, const struct chunk *ch, size_t n)
{
	s->draft->wire_bytes += n;
	draft_seen(s->draft, ch->ts_ns);
	if (exchange_asked(s->conn))
		note(s);
}

static bool begin(struct conn *c, struct http1_side *s, const struct startline *line, const struct chunk *ch, size_t at)
{
	if (!http1_begin(c, s, line, ch, at)) {
		http1_lose(c, s);
		return false;
	}
	http1_head_begin(s, line->status);
	s->state = HTTP1_HEAD;
	s->in_chunk = s->last_chunk = s->rechunked = false;
	s->draft->first_ns = s->draft->last_ns = chunk_ts(ch, at);
	return true;
}

void http1_end_message(struct conn *c, struct http1_side *s, bool complete)
{
	s->state = complete ? HTTP1_START : HTTP1_SEARCH;
	s->trusted = complete && !s->rechunked;
	draft_fields_end(s->draft);
	http1_done(c, s, complete);
}

void http1_lose(struct conn *c, struct http1_side *s)
{
	if (s->x)
		http1_end_message(c, s, false);
	s->state = HTTP1_SEARCH;
	((struct http1 *)c->state)->doubt = true;
}

/* --- feeding -------------------------------------------------------------------------------------------------------- */

/* May a start line of this side begin here? "H" and "HT" may still become either side's. */
static enum verdict probe_side(const struct http1_side *s, struct slice in)
{
	bool response;
	enum verdict v = startline_probe(in, &response);

	if (v == VERDICT_MORE && in.n < 3 && slice_starts(SLICE("HTTP"), in))
		return v;
	return response == s->role ? v : VERDICT_NO;
}

static size_t feed_start(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t at)
{
	struct slice in = slice_from(ch->data, at);
	const uint8_t *lf;
	struct startline line;
	size_t n = 0;

	while (n < in.n && (in.p[n] == '\r' || in.p[n] == '\n')) /* RFC 9112 section 2.2 */
		n++;
	if (n)
		return at + n;
	lf = memchr(in.p, '\n', in.n < HTTP1_LINE_MAX ? in.n : HTTP1_LINE_MAX);
	if (!lf && in.n < HTTP1_LINE_MAX && (s->trusted || probe_side(s, in) != VERDICT_NO))
		return at;
	if (s->role == 0 && slice_starts(in, SLICE("PRI * HTTP/2.0\r\n"))) {
		http1_preface(c);
		return at;
	}
	if (!lf || !startline_parse(slice_of(in.p, (size_t)(lf - in.p)), s->trusted, &line) || line.response != s->role ||
	    (line.version == HTTP_20 && !line.response)) {
		http1_lose(c, s);
		c->env->stats->garbage++;
		return at + 1; /* the search goes on behind it */
	}
	n = (size_t)(lf + 1 - in.p);
	if (!begin(c, s, &line, ch, at))
		return at + n;
	draft_text(c, s->draft, in.p, n);
	http1_count(s, ch, n);
	if (line.version == HTTP_09)
		http1_end_message(c, s, true);
	return at + n;
}

/* Looks for a start line at the begin of each packet's bytes and of each line. */
static size_t feed_search(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t from)
{
	bool line_begin = from == 0 || ch->data.p[from - 1] == '\n';
	size_t at = from;

	while (at < ch->data.n) {
		struct slice in = slice_from(ch->data, at);
		enum verdict v = line_begin ? probe_side(s, in) : VERDICT_NO;
		const uint8_t *lf;
		size_t n;

		if (v == VERDICT_MORE && in.n >= HTTP1_LINE_MAX)
			v = VERDICT_NO;
		if (v == VERDICT_YES) {
			s->state = HTTP1_START;
			s->trusted = false;
		}
		if (v != VERDICT_NO)
			break;
		lf = memchr(in.p, '\n', in.n);
		n = lf ? (size_t)(lf + 1 - in.p) : in.n;
		at = at < ch->kept && at + n > ch->kept ? ch->kept : at + n;
		line_begin = true;
	}
	c->env->stats->garbage += at - from;
	return at;
}

static size_t feed_length(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t at)
{
	size_t n = ch->data.n - at;

	if (n > s->left)
		n = s->left;
	http1_content(s, slice_of(ch->data.p + at, n));
	http1_count(s, ch, n);
	s->left -= n;
	if (!s->left)
		http1_end_message(c, s, true);
	return at + n;
}

/* In content, or between its chunks? */
static bool in_content(const struct http1_side *s)
{
	return s->state >= HTTP1_LENGTH && s->state <= HTTP1_UNTIL_END;
}

/*
 * A message whose end is not certain, and another one begins: the one before is over. So it is with the answer to a HEAD that
 * was not seen, where the client went on to ask the next thing, and with chunks behind a hole when the client had an answer
 * in between.
 */
static enum verdict next_message(struct conn *c, const struct http1_side *s, const struct chunk *ch)
{
	const struct http1 *h = c->state;
	const struct exchange *x = s->x;
	bool open_end = s->state == HTTP1_UNTIL_END || s->rechunked;
	struct slice in = ch->data;

	if (!in_content(s) || s->in_chunk)
		return VERDICT_NO;
	if (s->role == 0 && (!s->rechunked || chunk_ack(ch, 0) == OFFSET_UNKNOWN || chunk_ack(ch, 0) <= x->expected_off))
		return VERDICT_NO;
	if (s->role == 1 && x->request.seen && !(open_end && x == h->head && x->next && x->next->expected_off == ch->off))
		return VERDICT_NO;
	while (s->rechunked && in.n && (in.p[0] == '\r' || in.p[0] == '\n'))
		in = slice_from(in, 1);
	return probe_side(s, in);
}

/* Content without a certain end, which goes on behind a hole: not if the client has asked the next thing before. */
static bool ended_in_hole(struct conn *c, const struct http1_side *s, const struct chunk *ch)
{
	const struct http1 *h = c->state;

	return h->doubt && s->role == 1 && s->x && s->x == h->head && (s->state == HTTP1_UNTIL_END || s->state == HTTP1_RECHUNK) &&
	       http1_answered_before(h, ch->off);
}

static size_t feed_until_end(struct http1_side *s, const struct chunk *ch, size_t at)
{
	http1_content(s, slice_of(ch->data.p + at, ch->data.n - at));
	http1_count(s, ch, ch->data.n - at);
	return ch->data.n;
}

static size_t feed(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t at)
{
	switch (s->state) {
	case HTTP1_START:
		return feed_start(c, s, ch, at);
	case HTTP1_HEAD:
		return http1_head(c, s, ch, at);
	case HTTP1_LENGTH:
		return feed_length(c, s, ch, at);
	case HTTP1_CHUNKED:
		return http1_chunked(c, s, ch, at);
	case HTTP1_RECHUNK:
		return http1_rechunk(s, ch, at);
	case HTTP1_UNTIL_END:
		return feed_until_end(s, ch, at);
	default:
		return feed_search(c, s, ch, at);
	}
}

static size_t feed_all(struct conn *c, struct http1_side *s, const struct chunk *ch)
{
	size_t at = 0, was;
	bool moved = true;

	while (at < ch->data.n && moved && !c->done && !c->again) {
		uint8_t state = s->state;
		bool careful = s->careful;

		was = at;
		at = feed(c, s, ch, at);
		moved = at != was || s->state != state || s->careful != careful;
	}
	return at;
}

/* Content bytes to come that are certain to be content: of all of it, or of a chunk. */
static uint64_t content_left(const struct http1_side *s)
{
	if (s->role == 1 && !s->x->request.seen)
		return 0;
	return s->state == HTTP1_LENGTH ? s->left : s->in_chunk && !s->rechunked ? s->parser->content_length : 0;
}

/* The content's last byte is wanted: it says when that came. Whether this is a call is known with the first one. */
static void skip_content(struct conn *c, struct http1_side *s, uint64_t off)
{
	uint64_t left = content_left(s);

	if (left > 1 && s->draft->body_bytes && exchange_counts(c, s->x, s->role))
		conn_skip(c, s->role ? !c->client : (unsigned)c->client, off + left - 1);
}

size_t http1_feed(struct conn *c, struct http1_side *s, const struct chunk *ch)
{
	enum verdict next = next_message(c, s, ch);
	size_t n;

	if (next == VERDICT_MORE && ch->data.n < HTTP1_LINE_MAX)
		return 0;
	if (next == VERDICT_YES)
		http1_end_message(c, s, !s->rechunked);
	else if (ended_in_hole(c, s, ch))
		http1_lose(c, s);
	n = feed_all(c, s, ch);
	if (n < ch->data.n && s->x && exchange_asked(c))
		note(s);
	if (s->x && in_content(s)) {
		exchange_progress(c, s->x, ch->ts_ns);
		skip_content(c, s, ch->off + n);
	}
	return n;
}

/* --- what is missing ------------------------------------------------------------------------------------------------ */

void http1_rest(struct conn *c, struct http1_side *s, const struct chunk *ch)
{
	struct chunk left = *ch;

	if (!ch->data.n || !in_content(s))
		return;
	left.off -= ch->data.n;
	left.ts_ns = ch->kept_ts_ns;
	feed_all(c, s, &left);
}

bool http1_partial(struct conn *c, struct http1_side *s, const struct chunk *ch)
{
	struct chunk left = *ch;
	struct startline line;

	if (!ch->data.n || !startline_partial(ch->data, &line) || line.response != s->role) {
		c->env->stats->garbage += ch->data.n;
		return false;
	}
	left.off -= ch->data.n;
	left.ts_ns = ch->kept_ts_ns;
	if (!begin(c, s, &line, &left, 0))
		return false;
	draft_text(c, s->draft, ch->data.p, ch->data.n);
	http1_count(s, &left, ch->data.n);
	return true;
}

static void content_gone(struct http1_side *s, uint64_t n)
{
	if (s->state == HTTP1_CHUNKED)
		s->parser->content_length -= n;
	if (s->state == HTTP1_LENGTH)
		s->left -= n;
}

/* A hole in content whose length is known costs nothing but its bytes. */
bool http1_body_gap(struct conn *c, struct http1_side *s, const struct chunk *ch)
{
	uint64_t left = s->state == HTTP1_LENGTH ? s->left : s->state == HTTP1_UNTIL_END ? UINT64_MAX :
			s->in_chunk ? s->parser->content_length : 0;
	uint64_t left_out = left;

	if (s->state != HTTP1_LENGTH || ch->n < left)
		left_out = ch->n;
	if (ch->cause == CAUSE_ELIDED && ch->n < content_left(s)) {
		exchange_elided(c, s->x, s->role, ch->n, ch->ts_ns);
		content_gone(s, ch->n);
		return true;
	}
	draft_missing(s->draft, s->last_chunk ? PART_TRAILERS : PART_BODY, ch->cause, left_out);
	grpc_gap(s->x->grpc, s->role, left_out);
	if (ch->n > left || s->state == HTTP1_UNTIL_END || !s->x->request.seen)
		http1_missed(c->state, s, ch);
	if (s->state == HTTP1_RECHUNK || (s->state == HTTP1_CHUNKED && !s->last_chunk && (ch->n > left || !left))) {
		s->state = HTTP1_RECHUNK;
		s->rechunked = true;
		s->in_chunk = false;
		return true;
	}
	if (ch->n > left || !left)
		return false;
	content_gone(s, ch->n);
	if (s->state == HTTP1_LENGTH && !s->left)
		http1_end_message(c, s, true);
	return true;
}
