/* SPDX-License-Identifier: MIT */
/*
 * Chunked content (RFC 9112 section 7.1). llhttp reads sizes and trailers; where a line and a chunk end is for us to say. Behind
 * a hole the content goes on with the next chunk that is seen.
 */
#include "proto/http1.h"

#define SIZE_LINE_MAX ((size_t)4 << 10)

/* The chunks broke the grammar: where the content goes on, nobody knows. */
static void broken(struct conn *c, struct http1_side *s)
{
	if (s->rechunked) {
		s->state = HTTP1_RECHUNK; /* it was no size line that we went on with */
		s->in_chunk = false;
		return;
	}
	draft_missing(s->draft, s->last_chunk ? PART_TRAILERS : PART_BODY, CAUSE_GRAMMAR, 0);
	http1_lose(c, s);
}

/* --- the size line -------------------------------------------------------------------------------------------------- */

/* Is it one that llhttp can be given as it is? It takes any byte behind a CR for the LF. */
static bool is_plain(struct slice line)
{
	const uint8_t *cr = memchr(line.p, '\r', line.n);

	return !cr || cr + 2 == line.p + line.n;
}

/* How many digits does the line begin with? 0: it is no size line. White space behind the size is allowed, and a bare LF met. */
static size_t digits(struct slice line)
{
	size_t n = 0, ret;

	while (ascii_hex(line.p[n]) >= 0)
		n++;
	ret = n;
	while (line.p[n] == ' ' || line.p[n] == '\t')
		n++;
	n += line.p[n] == '\r';
	return line.p[n] == ';' || n + 1 == line.n ? ret : 0;
}

/* A line that ends with an LF. What llhttp refuses is read for its size alone, but not where it is a guess that chunks go on. */
static bool read_size(struct http1_side *s, struct slice line)
{
	size_t n = line.n, two = 2;

	if (is_plain(line) && http1_execute(s, line.p, &n) == HPE_OK)
		return true;
	n = s->rechunked ? 0 : digits(line);
	http1_chunk_parser(s);
	return n && http1_execute(s, line.p, &n) == HPE_OK && http1_execute(s, "\r\n", &two) == HPE_OK;
}

static size_t feed_size(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t at)
{
	struct slice in = slice_first(slice_from(ch->data, at), SIZE_LINE_MAX);
	const uint8_t *lf = memchr(in.p, '\n', in.n);
	size_t n = lf ? (size_t)(lf + 1 - in.p) : 0;

	if (!lf && in.n < SIZE_LINE_MAX)
		return at;
	if (!lf || !read_size(s, slice_first(in, n))) {
		broken(c, s);
		return at;
	}
	http1_count(s, ch, n);
	return at + n;
}

/* --- chunks --------------------------------------------------------------------------------------------------------- */

/* The CRLF behind a chunk, which llhttp does not look at; a bare LF is met. */
static size_t feed_chunk_end(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t at)
{
	const uint8_t *p = ch->data.p + at;
	size_t n = p[0] == '\r' ? 2 : 1, two = 2;

	if (n > ch->data.n - at)
		return at;
	if (p[n - 1] != '\n') {
		broken(c, s);
		return at;
	}
	http1_execute(s, "\r\n", &two);
	http1_count(s, ch, n);
	return at + n;
}

size_t http1_chunked(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t at)
{
	size_t n = ch->data.n - at;
	int r;

	if (!s->in_chunk && !s->last_chunk)
		return feed_size(c, s, ch, at);
	if (s->in_chunk && !s->parser->content_length)
		return feed_chunk_end(c, s, ch, at);
	if (s->in_chunk && n > s->parser->content_length)
		n = s->parser->content_length;
	r = http1_execute(s, ch->data.p + at, &n);
	if (s->last_chunk)
		draft_text(c, s->draft, ch->data.p + at, n);
	http1_count(s, ch, n);
	if (r == HPE_PAUSED)
		http1_end_message(c, s, true);
	else if (r != HPE_OK)
		broken(c, s);
	return at + n;
}

/* --- behind a hole -------------------------------------------------------------------------------------------------- */

/*
 * How long is what begins here, if it is the end of a chunk and the size line of the next one ("\r\n1f40\r\n")? 0: it is
 * not; more than `in.n`: perhaps.
 */
static size_t border(struct slice in)
{
	size_t n = 2;

	if (in.n < 2 || in.p[1] != '\n')
		return in.n < 2 ? 3 : 0;
	while (n < in.n && n < 2 + 8 && ascii_hex(in.p[n]) >= 0)
		n++;
	if (n == in.n)
		return n + 1;
	if (n == 2 || in.p[n] != '\r' || (n == 3 && in.p[2] != '0')) /* one digit alone: only the last chunk */
		return 0;
	return n + 1 == in.n || in.p[n + 1] == '\n' ? n + 2 : 0;
}

size_t http1_rechunk(struct http1_side *s, const struct chunk *ch, size_t at)
{
	struct slice in = slice_from(ch->data, at);
	size_t found = 0;

	while (in.n && !found) {
		const uint8_t *cr = memchr(in.p, '\r', in.n);

		in = slice_from(in, cr ? (size_t)(cr - in.p) : in.n);
		found = in.n ? border(in) : 0;
		if (in.n && !found)
			in = slice_from(in, 1);
	}
	http1_content(s, slice_of(ch->data.p + at, ch->data.n - at - in.n));
	http1_count(s, ch, ch->data.n - at - in.n);
	if (!found || found > in.n)
		return ch->data.n - in.n;
	http1_chunk_parser(s);
	s->in_chunk = s->last_chunk = false;
	s->state = HTTP1_CHUNKED;
	http1_count(s, ch, 2);
	return ch->data.n - in.n + 2;
}
