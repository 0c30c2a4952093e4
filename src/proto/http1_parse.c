/* SPDX-License-Identifier: MIT */
/*
 * One side's messages. The start line is ours, because a watcher must know any method and find its way back after garbage;
 * llhttp reads the fields and chunks; content of known length is only counted.
 */
#include "proto/http1.h"

#define LINE_MAX ((size_t)64 << 10) /* of a start line or, in a careful head, a field line */

static llhttp_settings_t settings;
static llhttp_t fresh[2];       /* parsers that have just read a start line, ... */
static llhttp_t fresh_chunk[2]; /* ... or the head of a message with chunked content */

/* --- what llhttp tells ---------------------------------------------------------------------------------------------- */

static uint32_t place(const struct http1_side *s, const char *at)
{
	return s->places + (uint32_t)(uintptr_t)at;
}

static struct field *last_field(struct draft *d)
{
	return &d->fields[d->fields_n - 1];
}

static int open_field(struct http1_side *s, const char *at, size_t n)
{
	uint32_t name = place(s, at);

	s->field_open = true;
	s->in_value = false;
	s->draft->fields[s->draft->fields_n++] = (struct field){name, (uint32_t)n, name + (uint32_t)n, 0};
	return 0;
}

/* A name that comes in pieces, or that needs more room. Not inlined: what is usual needs no registers saved. */
static __attribute__((noinline)) int more_field(struct http1_side *s, const char *at, size_t n)
{
	if (s->field_open && !s->in_value) {
		last_field(s->draft)->name_len += (uint32_t)n;
		last_field(s->draft)->value += (uint32_t)n;
		return 0;
	}
	if (draft_widen(s->conn, s->draft))
		return open_field(s, at, n);
	s->field_open = s->in_value = false;
	return 0;
}

static int on_field_name(llhttp_t *p, const char *at, size_t n)
{
	struct http1_side *s = p->data;

	if ((s->field_open && !s->in_value) || s->draft->fields_n == s->draft->fields_size)
		return more_field(s, at, n);
	return open_field(s, at, n);
}

/* A folded value (RFC 9112 section 5.2) comes in pieces; it is shown as it was sent. */
static int on_field_value(llhttp_t *p, const char *at, size_t n)
{
	struct http1_side *s = p->data;
	uint32_t value = place(s, at);
	struct field *f;

	s->in_value = true;
	if (!n || !s->field_open)
		return 0;
	f = last_field(s->draft);
	if (!f->value_len)
		f->value = value;
	f->value_len = value + (uint32_t)n - f->value;
	if ((uint8_t)at[n - 1] <= ' ')
		s->draft->untidy = true;
	return 0;
}

static int on_headers_complete(llhttp_t *p)
{
	p->upgrade = 0; /* whether the protocol changes is for us to say, when the response is whole */
	return HPE_PAUSED;
}

/* A response is that of a call if its request was one. */
void http1_content(struct http1_side *s, struct slice data)
{
	if (!s->draft->body_bytes && (s->role == 0 || s->x->grpc || !s->x->request.seen))
		grpc_type(s->conn, s->x, s->role, draft_header(s->draft, SLICE("content-type")));
	exchange_content(s->conn, s->x, s->role, data);
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct http1_side *s = p->data;

	http1_content(s, slice_of(at, n));
	return 0;
}

static int on_chunk_header(llhttp_t *p)
{
	struct http1_side *s = p->data;

	s->in_chunk = p->content_length > 0;
	s->last_chunk = !s->in_chunk;
	return 0;
}

static int on_chunk_complete(llhttp_t *p)
{
	((struct http1_side *)p->data)->in_chunk = false;
	return 0;
}

static int on_message_complete(llhttp_t *p)
{
	(void)p;
	return HPE_PAUSED;
}

/* Runs before main; constant from then on. */
__attribute__((constructor)) static void prepare(void)
{
	static llhttp_settings_t none;
	static const char chunked[] = "Transfer-Encoding: chunked\r\n\r\n";
	static const char *const line[2] = {"GET / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n"};

	llhttp_settings_init(&none);
	llhttp_settings_init(&settings);
	settings.on_header_field = on_field_name;
	settings.on_header_value = on_field_value;
	settings.on_headers_complete = on_headers_complete;
	settings.on_body = on_body;
	settings.on_chunk_header = on_chunk_header;
	settings.on_chunk_complete = on_chunk_complete;
	settings.on_message_complete = on_message_complete;
	for (unsigned i = 0; i < 2; i++) {
		llhttp_init(&fresh[i], i ? HTTP_RESPONSE : HTTP_REQUEST, &none);
		llhttp_execute(&fresh[i], line[i], strlen(line[i]));
		fresh[i].settings = &settings;
		llhttp_set_lenient_headers(&fresh[i], 1);
		llhttp_set_lenient_chunked_length(&fresh[i], 1);
		llhttp_set_lenient_keep_alive(&fresh[i], 1);
		llhttp_set_lenient_transfer_encoding(&fresh[i], 1);
		fresh_chunk[i] = fresh[i];
		fresh_chunk[i].settings = &none;
		llhttp_execute(&fresh_chunk[i], chunked, strlen(chunked));
		fresh_chunk[i].settings = &settings;
	}
}

int http1_execute(struct http1_side *s, const void *p, size_t *n)
{
	const char *begin = p, *stop;
	int r;

	s->places = s->draft->text_n - (uint32_t)(uintptr_t)p;
	r = llhttp_execute(s->parser, p, *n);
	if (r == HPE_OK)
		return r;
	stop = llhttp_get_error_pos(s->parser);
	if (stop >= begin && stop <= begin + *n)
		*n = (size_t)(stop - begin);
	return r;
}

void http1_chunk_parser(struct http1_side *s)
{
	*s->parser = fresh_chunk[s->role];
	s->parser->data = s;
}

/* --- the parts of a message ----------------------------------------------------------------------------------------- */

void http1_count(struct http1_side *s, const struct chunk *ch, size_t n)
{
	s->draft->wire_bytes += n;
	draft_seen(s->draft, ch->ts_ns);
}

static bool begin(struct conn *c, struct http1_side *s, const struct startline *line, const struct chunk *ch, size_t at)
{
	if (!http1_begin(c, s, line, ch, at)) {
		http1_lose(c, s);
		return false;
	}
	_Static_assert(sizeof(llhttp_t) <= sizeof(s->x->scratch[0]), "the parser fits into an exchange");
	s->parser = (llhttp_t *)s->x->scratch[s->role];
	*s->parser = fresh[s->role];
	s->parser->data = s;
	s->parser->status_code = line->status;
	s->state = HTTP1_HEAD;
	s->field_open = s->in_value = s->in_chunk = s->last_chunk = s->rechunked = s->careful = false;
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

/* Messages that end with the header section whatever it says (RFC 9112 section 6.3). */
static bool is_bodyless(const struct http1_side *s)
{
	unsigned status = s->parser->status_code;
	struct slice method;

	if (s->role == 0)
		return false;
	if (status / 100 == 1 || status == 204 || status == 304)
		return true;
	method = draft_method(&s->x->request);
	return slice_eq(method, SLICE("HEAD")) || (slice_eq(method, SLICE("CONNECT")) && status / 100 == 2);
}

/* The header section is whole: what of the message is to come (RFC 9112 section 6.3). */
static void head_done(struct conn *c, struct http1_side *s)
{
	llhttp_t *p = s->parser;

	draft_fields_end(s->draft);
	draft_trailers(s->draft);
	s->careful = false;
	if (is_bodyless(s)) {
		http1_end_message(c, s, true);
	} else if (p->flags & F_CHUNKED) {
		s->state = HTTP1_CHUNKED;
		s->field_open = s->in_value = false;
		llhttp_resume(p);
	} else if (p->flags & F_TRANSFER_ENCODING) {
		s->state = HTTP1_UNTIL_END;
	} else if (p->flags & F_CONTENT_LENGTH && p->content_length) {
		s->state = HTTP1_LENGTH;
		s->left = p->content_length;
	} else if (p->flags & F_CONTENT_LENGTH || s->role == 0) {
		http1_end_message(c, s, true);
	} else {
		s->state = HTTP1_UNTIL_END;
	}
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
	lf = memchr(in.p, '\n', in.n < LINE_MAX ? in.n : LINE_MAX);
	if (!lf && in.n < LINE_MAX && (s->trusted || probe_side(s, in) != VERDICT_NO))
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

		if (v == VERDICT_MORE && in.n >= LINE_MAX)
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

/* Where the fields stand, to go back there. */
struct mark {
	llhttp_t parser;
	uint32_t fields_n;
	struct field last;
	bool field_open, in_value;
};

static void mark(const struct http1_side *s, struct mark *ret)
{
	ret->parser = *s->parser;
	ret->fields_n = s->draft->fields_n;
	if (ret->fields_n)
		ret->last = *last_field(s->draft);
	ret->field_open = s->field_open;
	ret->in_value = s->in_value;
}

static void rewind_to(struct http1_side *s, const struct mark *m)
{
	*s->parser = m->parser;
	s->draft->fields_n = m->fields_n;
	if (m->fields_n)
		*last_field(s->draft) = m->last;
	s->field_open = m->field_open;
	s->in_value = m->in_value;
}

/*
 * llhttp gets whole lines only: a line that it refuses can then be read again from its begin, however it was cut into
 * packets. A head that ends in this chunk, as nearly all do, needs no look for the last line end.
 */
static size_t feed_head(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t at)
{
	size_t n = ch->data.n - at;
	const uint8_t *lf;
	struct mark m;
	int r;

	mark(s, &m);
	r = http1_execute(s, ch->data.p + at, &n);
	if (r == HPE_OK) {
		rewind_to(s, &m);
		lf = memrchr(ch->data.p + at, '\n', ch->data.n - at);
		if (!lf && ch->data.n - at < LINE_MAX)
			return at;
		n = lf ? (size_t)(lf + 1 - ch->data.p) - at : ch->data.n - at;
		r = http1_execute(s, ch->data.p + at, &n);
	}
	if (r != HPE_OK && r != HPE_PAUSED) {
		rewind_to(s, &m);
		s->careful = true;
		return at;
	}
	draft_text(c, s->draft, ch->data.p + at, n);
	http1_count(s, ch, n);
	if (r == HPE_PAUSED)
		head_done(c, s);
	return at + n;
}

/* Takes a field line that llhttp refuses as it is: it is shown, but has no say in the framing. */
static void refused_line(struct conn *c, struct http1_side *s, struct slice line)
{
	const uint8_t *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
	struct field *f = colon && colon > line.p ? draft_field(c, s->draft) : NULL;

	c->env->stats->head_errors++;
	s->field_open = s->in_value = false;
	if (!f) {
		draft_missing(s->draft, PART_HEADERS, CAUSE_GRAMMAR, line.n);
		return;
	}
	*f = (struct field){.name = s->draft->text_n, .name_len = (uint32_t)(colon - line.p)};
	for (colon++; colon < line.p + line.n && is_space(*colon); colon++)
		;
	f->value = s->draft->text_n + (uint32_t)(colon - line.p);
	f->value_len = (uint32_t)(line.p + line.n - colon);
	s->draft->untidy = true;
}

/* A head that broke the grammar: one line at a time, line ends made CRLF, what llhttp refuses left out. */
static size_t feed_careful(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t at)
{
	struct slice in = slice_from(ch->data, at);
	const uint8_t *lf = memchr(in.p, '\n', in.n);
	size_t all = lf ? (size_t)(lf + 1 - in.p) : in.n, n = lf ? all - 1 : all, two = 2;
	uint32_t text_n = s->draft->text_n;
	struct mark m;
	int r = HPE_OK;

	if (!lf && in.n < LINE_MAX)
		return at;
	if (!lf) {
		http1_lose(c, s);
		return at;
	}
	while (n && in.p[n - 1] == '\r')
		n--;
	mark(s, &m);
	if (n)
		r = http1_execute(s, in.p, &(size_t){n});
	if (r == HPE_OK) {
		draft_text(c, s->draft, in.p, n);
		r = http1_execute(s, "\r\n", &two);
		if (r != HPE_OK && r != HPE_PAUSED)
			s->draft->text_n = text_n;
		else
			n = 0;
	}
	if (r != HPE_OK && r != HPE_PAUSED) {
		rewind_to(s, &m);
		refused_line(c, s, slice_of(in.p, n));
		draft_text(c, s->draft, in.p, n);
	}
	draft_text(c, s->draft, "\r\n", 2);
	http1_count(s, ch, all);
	if (r == HPE_PAUSED)
		head_done(c, s);
	return at + all;
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
		return s->careful ? feed_careful(c, s, ch, at) : feed_head(c, s, ch, at);
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

size_t http1_feed(struct conn *c, struct http1_side *s, const struct chunk *ch)
{
	enum verdict next = next_message(c, s, ch);
	size_t n;

	if (next == VERDICT_MORE && ch->data.n < LINE_MAX)
		return 0;
	if (next == VERDICT_YES)
		http1_end_message(c, s, !s->rechunked);
	else if (ended_in_hole(c, s, ch))
		http1_lose(c, s);
	n = feed_all(c, s, ch);
	if (s->x && in_content(s))
		exchange_progress(c, s->x, ch->ts_ns);
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

/* A hole in content whose length is known costs nothing but its bytes. */
bool http1_body_gap(struct conn *c, struct http1_side *s, const struct chunk *ch)
{
	uint64_t left = s->state == HTTP1_LENGTH ? s->left : s->state == HTTP1_UNTIL_END ? UINT64_MAX :
			s->in_chunk ? s->parser->content_length : 0;
	uint64_t left_out = left;

	if (s->state != HTTP1_LENGTH || ch->n < left)
		left_out = ch->n;
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
	if (s->state == HTTP1_CHUNKED)
		s->parser->content_length -= ch->n;
	if (s->state == HTTP1_LENGTH)
		s->left -= ch->n;
	if (s->state == HTTP1_LENGTH && !s->left)
		http1_end_message(c, s, true);
	return true;
}
