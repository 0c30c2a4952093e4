/* SPDX-License-Identifier: MIT */
/*
 * The header section (RFC 9112 section 5), read by llhttp, which reads chunk sizes and trailers as well. A head that breaks the
 * grammar is read on line by line, without what llhttp refuses.
 */
#include "proto/http1.h"

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

void http1_head_begin(struct http1_side *s, unsigned status)
{
	_Static_assert(sizeof(llhttp_t) <= sizeof(s->x->scratch[0]), "the parser fits into an exchange");
	s->parser = (llhttp_t *)s->x->scratch[s->role];
	*s->parser = fresh[s->role];
	s->parser->data = s;
	s->parser->status_code = (uint16_t)status;
	s->field_open = s->in_value = s->careful = false;
}

/* --- the end of the head -------------------------------------------------------------------------------------------- */

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
		if (!lf && ch->data.n - at < HTTP1_LINE_MAX)
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

	if (!lf && in.n < HTTP1_LINE_MAX)
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

size_t http1_head(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t at)
{
	return s->careful ? feed_careful(c, s, ch, at) : feed_head(c, s, ch, at);
}
