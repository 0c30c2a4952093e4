/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.0 and 1.1 (RFC 9112). The start line is ours, because a watcher must know any method and find its way back after
 * garbage; llhttp reads fields and framing from there on. Requests wait in a queue for their responses; where bytes are
 * missing, pairing goes by what either side had acknowledged, and what can not be proven is not paired.
 */
#include <llhttp.h>

#include "proto/exchange.h"
#include "proto/startline.h"

#define LINE_MAX ((size_t)64 << 10)   /* of a start line or, in a careful head, a field line */
#define QUEUE_MAX 1024u               /* requests that wait for a response */

enum state {
	START,    /* between messages */
	HEAD,     /* in the header section; llhttp has the say */
	BODY,     /* in content or trailers; llhttp has the say */
	SEARCH,   /* lost: looking for a start line */
};

struct side {
	llhttp_t parser;
	struct conn *conn;
	struct exchange *x;           /* of the message in the making */
	struct draft *draft;          /* its request or response; NULL: an interim response, or one not kept */
	uint8_t state, role;          /* role: 0 requests, 1 responses */
	bool in_value, in_chunk, last_chunk, until_end;
	bool careful;                 /* this head broke the grammar: line by line from here */
	bool trusted;                 /* START stands where a message must begin */
	bool gap;                     /* bytes are missing since the last message began */
	uint64_t interim_ns;
	uint16_t status;
};

struct http1 {
	struct side side[2];
	struct exchange *head, **tail;  /* requests without a final response yet, oldest first */
	unsigned queued;
	uint8_t waits;                  /* how often the client was seen to wait for all answers, up to 2 */
	bool pipelined;
	bool doubt;                     /* bytes are missing: the oldest request need not be the one answered next */
};

static llhttp_settings_t settings;
static llhttp_t fresh[2];             /* parsers that have just read a start line */

/* --- what llhttp tells ---------------------------------------------------------------------------------------------- */

static int on_field_name(llhttp_t *p, const char *at, size_t n)
{
	struct side *s = p->data;

	if (s->draft && s->in_value)
		draft_field_end(s->draft);
	s->in_value = false;
	if (s->draft)
		draft_name(s->conn, s->draft, at, n);
	return 0;
}

static int on_field_value(llhttp_t *p, const char *at, size_t n)
{
	struct side *s = p->data;

	s->in_value = true;
	if (s->draft)
		draft_value(s->conn, s->draft, at, n);
	return 0;
}

static void field_flush(struct side *s)
{
	if (s->draft)
		draft_field_end(s->draft);
	s->in_value = false;
}

/* Responses whose message ends with the header section whatever it says (RFC 9112 section 6.3). */
static bool is_bodyless(const struct side *s)
{
	struct slice method;

	if (s->role == 0)
		return false;
	if (s->status / 100 == 1 || s->status == 204 || s->status == 304)
		return true;
	if (!s->x || !s->x->request.m.seen)
		return false;
	method = slice_of(s->x->request.text, s->x->request.a_len);
	return slice_eq(method, SLICE("HEAD")) || (slice_eq(method, SLICE("CONNECT")) && s->status / 100 == 2);
}

static int on_headers_complete(llhttp_t *p)
{
	struct side *s = p->data;

	field_flush(s);
	p->upgrade = 0;               /* whether the protocol changes is for us to say, when the response is whole */
	s->state = BODY;
	s->careful = false;
	if (s->draft)
		draft_trailers(s->draft);
	if (is_bodyless(s))
		return 1;
	s->until_end = llhttp_message_needs_eof(p);
	return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct side *s = p->data;

	if (s->draft)
		draft_body(s->conn, s->draft, at, n);
	return 0;
}

static int on_chunk_header(llhttp_t *p)
{
	struct side *s = p->data;

	s->in_chunk = p->content_length > 0;
	s->last_chunk = !s->in_chunk;
	return 0;
}

static int on_chunk_complete(llhttp_t *p)
{
	((struct side *)p->data)->in_chunk = false;
	return 0;
}

static int on_message_complete(llhttp_t *p)
{
	field_flush(p->data);
	return HPE_PAUSED;
}

/* Run once before main: constant from then on. */
__attribute__((constructor)) static void prepare(void)
{
	static llhttp_settings_t none;
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
	}
}

/* --- the queue of requests ------------------------------------------------------------------------------------------ */

static void queue_push(struct http1 *h, struct exchange *x)
{
	*h->tail = x;
	h->tail = &x->next;
	h->queued++;
}

static struct exchange *queue_pop(struct http1 *h)
{
	struct exchange *x = h->head;

	h->head = x->next;
	if (!h->head)
		h->tail = &h->head;
	h->queued--;
	x->next = NULL;
	return x;
}

/* Emits an exchange, and makes sure that nobody adds to it. */
static void finish(struct conn *c, struct exchange *x, enum ended how, int by)
{
	struct http1 *h = c->state;

	for (unsigned i = 0; i < 2; i++)
		if (h->side[i].x == x) {
			h->side[i].x = NULL;
			h->side[i].draft = NULL;
		}
	exchange_emit(c, x, how, by);
}

/* The oldest request will not be answered any more. */
static void drop_oldest(struct conn *c, enum ended how, int by)
{
	finish(c, queue_pop(c->state), how, by);
}

/* Was the answer to the oldest request certainly sent before offset `off` of the server's stream? */
static bool answered_before(const struct http1 *h, uint64_t off)
{
	const struct exchange *x = h->head, *next = x ? x->next : NULL;

	return !h->pipelined && next && next->expected_off != OFFSET_UNKNOWN && x->expected_off != OFFSET_UNKNOWN &&
	       next->expected_off > x->expected_off && next->expected_off <= off;
}

/*
 * The request that a response at `off` answers, when bytes are missing; its sender had received the client's stream up to
 * `ack`. NULL: not to be told. Requests whose answers are lost are let go.
 */
static struct exchange *match_in_doubt(struct conn *c, uint64_t off, uint64_t ack)
{
	struct http1 *h = c->state;
	struct exchange *x, *found = NULL;

	if (h->pipelined && h->waits >= 2)
		for (x = h->head; x && !found; x = x->next)
			if (x->expected_off == off && x->contiguous)
				found = x;
	if (found) {
		h->doubt = false;
		while (h->head != found)
			drop_oldest(c, ENDED_LOST, -1);
		return found;
	}
	if (h->pipelined)
		return NULL;
	while (answered_before(h, off))
		drop_oldest(c, ENDED_LOST, -1);
	x = h->head;
	if (x && ack != OFFSET_UNKNOWN && ack <= x->request_off)
		return NULL;
	if (x && x->expected_off != OFFSET_UNKNOWN && off < x->expected_off)
		return NULL;
	if (x && x->expected_off == off && !x->next)
		h->doubt = false;
	return x;
}

static struct exchange *match(struct conn *c, uint64_t off, uint64_t ack)
{
	struct http1 *h = c->state;

	if (h->doubt)
		return match_in_doubt(c, off, ack);
	if (h->head && h->head->expected_off == off && h->waits < 2)
		h->waits++;
	return h->head;
}

/* --- the begin of a message ----------------------------------------------------------------------------------------- */

static void begin_request(struct conn *c, struct side *s, const struct startline *line, uint64_t off, uint64_t ack)
{
	struct http1 *h = c->state;
	struct exchange *x = exchange_new(c);

	s->x = x;
	s->draft = x ? &x->request : NULL;
	if (!x) {
		c->env->stats->exchanges_lost++;
		return;
	}
	draft_request(c, s->draft, line->method, line->target, line->version);
	x->request_off = off;
	x->expected_off = ack;
	x->contiguous = !s->gap;
	if (h->head && !h->doubt)
		h->pipelined = true;
	if (h->queued >= QUEUE_MAX)
		drop_oldest(c, ENDED_LOST, -1);
	queue_push(h, x);
}

static void begin_response(struct conn *c, struct side *s, const struct startline *line, uint64_t off, uint64_t ack,
			   uint64_t ts_ns)
{
	struct exchange *x = match(c, off, ack);
	bool interim = line->status / 100 == 1 && line->status != 101;

	s->status = line->status;
	s->interim_ns = interim ? ts_ns : 0;
	s->parser.status_code = line->status;
	s->draft = NULL;
	if (!x && !interim)
		x = exchange_new(c);
	s->x = x;
	if (!x || interim)
		return;
	s->draft = &x->response;
	draft_response(c, s->draft, line->status, line->reason, line->version);
}

/* `at`: where in the chunk's data the line begins. */
static void begin(struct conn *c, struct side *s, const struct startline *line, const struct chunk *ch, size_t at)
{
	uint64_t off = ch->off + at, ts = chunk_ts(ch, at), ack = chunk_ack(ch, at);

	s->parser = fresh[s->role];
	s->parser.data = s;
	s->parser.http_minor = line->version == HTTP_10 ? 0 : 1;
	s->state = HEAD;
	s->in_value = s->in_chunk = s->last_chunk = s->until_end = s->careful = false;
	if (s->role == 0)
		begin_request(c, s, line, off, ack);
	else
		begin_response(c, s, line, off, ack, ts);
	s->gap = false;
	if (s->draft)
		s->draft->m.first_ns = s->draft->m.last_ns = ts;
}

/* --- the end of a message ------------------------------------------------------------------------------------------- */

/* The connection is something else from here on (RFC 9110 sections 7.8 and 9.3.6). */
static bool turn(struct conn *c, struct exchange *x)
{
	struct slice method = slice_of(x->request.text, x->request.a_len), to;
	uint16_t status = x->response.m.status;

	if (status == 101) {
		to = draft_header(&x->response, SLICE("upgrade"));
		x->turned = slice_ieq(slice_first(to, 9), SLICE("websocket")) ? TURNED_WEBSOCKET :
			    slice_ieq(slice_first(to, 3), SLICE("h2c"))	      ? TURNED_H2C :
										TURNED_OTHER;
	} else if (status / 100 == 2 && slice_eq(method, SLICE("CONNECT"))) {
		x->turned = TURNED_TUNNEL;
	}
	if (!x->turned)
		return false;
	if (x->turned == TURNED_TUNNEL)
		conn_again(c);
	else
		conn_done(c, x->turned == TURNED_WEBSOCKET ? "websocket" : x->turned == TURNED_H2C ? "h2c" : "upgrade");
	return true;
}

static void response_done(struct conn *c, struct side *s, struct exchange *x)
{
	struct http1 *h = c->state;
	bool turned = x->response.m.complete && turn(c, x);

	s->x = NULL;
	s->draft = NULL;
	x->response.done = true;
	if (x == h->head)
		queue_pop(h);
	if (x->request.done || !x->request.m.seen || turned)
		finish(c, x, x->response.m.complete ? ENDED_WELL : ENDED_LOST, -1);
}

static void interim_done(struct side *s)
{
	struct message *m;

	if (!s->x)
		return;
	m = &s->x->response.m;
	if (m->interims < INTERIM_MAX)
		m->interim[m->interims] = (struct interim){s->interim_ns, s->status};
	m->interims += m->interims < UINT8_MAX;
}

/* The message is over, well or not. */
static void message_done(struct conn *c, struct side *s, bool complete)
{
	struct exchange *x = s->x;

	s->state = START;
	s->trusted = complete;
	if (s->role == 1 && s->interim_ns) {
		interim_done(s);
		s->x = NULL;
		return;
	}
	if (!x)
		return;
	s->draft->m.complete = complete;
	if (s->role == 1) {
		response_done(c, s, x);
		return;
	}
	x->request.done = true;
	s->x = NULL;
	s->draft = NULL;
	if (x->response.done)
		finish(c, x, ENDED_WELL, -1);
}

/* Where we are in the stream is not known any more. */
static void lose(struct conn *c, struct side *s)
{
	struct http1 *h = c->state;

	if (s->state == HEAD || s->state == BODY)
		message_done(c, s, false);
	s->state = SEARCH;
	h->doubt = true;
}

/* --- feeding -------------------------------------------------------------------------------------------------------- */

static void count(struct side *s, const struct chunk *ch, size_t n)
{
	if (!s->draft || !n)
		return;
	s->draft->m.wire_bytes += n;
	s->draft->m.last_ns = ch->ts_ns;
}

static size_t feed_start(struct conn *c, struct side *s, const struct chunk *ch, size_t at)
{
	struct slice in = slice_from(ch->data, at);
	const uint8_t *lf;
	struct startline line;
	bool response;
	size_t n = 0;

	while (n < in.n && (in.p[n] == '\r' || in.p[n] == '\n')) /* RFC 9112 section 2.2 */
		n++;
	if (n)
		return at + n;
	lf = memchr(in.p, '\n', in.n);
	if (!lf && in.n < LINE_MAX && (s->trusted || startline_probe(in, &response) == VERDICT_MORE))
		return at;
	if (!lf || !startline_parse(slice_of(in.p, (size_t)(lf - in.p)), s->trusted, &line) || line.response != s->role) {
		lose(c, s);
		return at;
	}
	n = (size_t)(lf + 1 - in.p);
	begin(c, s, &line, ch, at);
	count(s, ch, n);
	if (line.version == HTTP_09)
		message_done(c, s, true);
	return at + n;
}

/* Looks for a start line at the begin of the chunk and of each line in it. */
static size_t feed_search(struct conn *c, struct side *s, const struct chunk *ch, size_t at)
{
	struct slice in = slice_from(ch->data, at);
	bool line_begin = at == 0 || ch->data.p[at - 1] == '\n';

	while (in.n) {
		const uint8_t *lf;
		bool response;
		enum verdict v = line_begin ? startline_probe(in, &response) : VERDICT_NO;

		if (v != VERDICT_NO && response != s->role)
			v = VERDICT_NO;
		if (v == VERDICT_MORE && in.n >= LINE_MAX)
			v = VERDICT_NO;
		if (v == VERDICT_YES) {
			s->state = START;
			s->trusted = false;
		}
		if (v != VERDICT_NO)
			break;
		lf = memchr(in.p, '\n', in.n);
		in = slice_from(in, lf ? (size_t)(lf + 1 - in.p) : in.n);
		line_begin = true;
	}
	c->env->stats->garbage += ch->data.n - at - in.n;
	return ch->data.n - in.n;
}

/* What of the input llhttp took before it stopped. */
static size_t taken(const struct side *s, struct slice in)
{
	const uint8_t *p = (const uint8_t *)llhttp_get_error_pos(&s->parser);

	return p >= in.p && p <= in.p + in.n ? (size_t)(p - in.p) : in.n;
}

/* Takes a field line that llhttp refuses as it is: it is shown, but has no say in the framing. */
static void refused_line(struct conn *c, struct side *s, struct slice line)
{
	const uint8_t *colon = memchr(line.p, ':', line.n);

	c->env->stats->head_errors++;
	if (!s->draft)
		return;
	if (!colon || colon == line.p) {
		draft_missing(s->draft, PART_HEADERS, CAUSE_GRAMMAR, line.n);
		return;
	}
	draft_name(c, s->draft, line.p, (size_t)(colon - line.p));
	line = slice_from(line, (size_t)(colon + 1 - line.p));
	while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
		line = slice_from(line, 1);
	draft_value(c, s->draft, line.p, line.n);
	draft_field_end(s->draft);
}

/* A head that broke the grammar: one line at a time, line ends made CRLF, what llhttp refuses left out. */
static size_t feed_careful(struct conn *c, struct side *s, const struct chunk *ch, size_t at)
{
	struct slice in = slice_from(ch->data, at);
	const uint8_t *lf = memchr(in.p, '\n', in.n);
	struct slice line = slice_of(in.p, lf ? (size_t)(lf - in.p) : in.n);
	llhttp_t before = s->parser;
	struct draft_mark mark;
	int r;

	draft_mark(s->draft, &mark);
	if (!lf && in.n < LINE_MAX)
		return at;
	if (!lf) {
		lose(c, s);
		return at;
	}
	while (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	r = line.n ? llhttp_execute(&s->parser, (const char *)line.p, line.n) : HPE_OK;
	if (r == HPE_OK)
		r = llhttp_execute(&s->parser, "\r\n", 2);
	at += (size_t)(lf + 1 - in.p);
	count(s, ch, (size_t)(lf + 1 - in.p));
	if (r == HPE_PAUSED) {
		message_done(c, s, true);
	} else if (r != HPE_OK) {
		s->parser = before;
		draft_rewind(s->draft, &mark);
		refused_line(c, s, line);
	}
	return at;
}

/* A message without known length, and a new one begins: the response before had no body (its request was not seen). */
static bool next_message(struct conn *c, struct side *s, const struct chunk *ch, size_t at)
{
	const struct http1 *h = c->state;
	bool response;

	if (s->role == 0 || at || ch->kept || s->in_chunk || startline_probe(ch->data, &response) != VERDICT_YES || !response)
		return false;
	if (s->x && !s->x->request.m.seen)
		return true;
	return s->until_end && h->head && h->head->next && h->head->next->expected_off == ch->off;
}

static size_t feed_parser(struct conn *c, struct side *s, const struct chunk *ch, size_t at)
{
	struct slice in = slice_from(ch->data, at);
	struct draft_mark mark;
	llhttp_t before;
	size_t n;
	int r;

	if (s->state == BODY && next_message(c, s, ch, at)) {
		message_done(c, s, true);
		return at;
	}
	if (s->state == HEAD) {
		before = s->parser;
		draft_mark(s->draft, &mark);
	}
	r = llhttp_execute(&s->parser, (const char *)in.p, in.n);
	n = r == HPE_OK ? in.n : taken(s, in);
	if (r == HPE_OK || r == HPE_PAUSED) {
		count(s, ch, n);
		if (r == HPE_PAUSED)
			message_done(c, s, true);
		return at + n;
	}
	if (s->state == HEAD) {
		s->parser = before;
		s->careful = true;
		draft_rewind(s->draft, &mark);
		return at;
	}
	count(s, ch, n);
	if (s->draft)
		draft_missing(s->draft, s->last_chunk ? PART_TRAILERS : PART_BODY, CAUSE_GRAMMAR, in.n - n);
	lose(c, s);
	return at + n;
}

static size_t http1_data(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct side *s = &((struct http1 *)c->state)->side[side];
	size_t at = 0, was;
	bool moved = true;

	while (at < ch->data.n && moved && !c->done && !c->again) {
		uint8_t state = s->state;
		bool careful = s->careful;

		was = at;
		if (s->state == START)
			at = feed_start(c, s, ch, at);
		else if (s->state == SEARCH)
			at = feed_search(c, s, ch, at);
		else
			at = s->careful ? feed_careful(c, s, ch, at) : feed_parser(c, s, ch, at);
		moved = at != was || s->state != state || s->careful != careful;
	}
	return at;
}

/* --- what is missing ------------------------------------------------------------------------------------------------ */

/* A start line that was cut off: what is certain of it begins a message. */
static bool begin_partial(struct conn *c, struct side *s, const struct chunk *ch)
{
	struct chunk left = *ch;
	struct startline line;

	if (!ch->data.n || !startline_partial(ch->data, &line) || line.response != s->role) {
		c->env->stats->garbage += ch->data.n;
		return false;
	}
	left.off -= ch->data.n;
	left.ts_ns = ch->kept_ts_ns;
	begin(c, s, &line, &left, 0);
	count(s, &left, ch->data.n);
	return true;
}

/* A hole in content whose length is known costs nothing but its bytes. True: and we know where we are. */
static bool body_gap(struct conn *c, struct side *s, const struct chunk *ch)
{
	bool chunked = s->parser.flags & F_CHUNKED;
	uint64_t left = s->parser.content_length, n = ch->n;

	if (s->until_end)
		left = UINT64_MAX;
	else if (chunked && !s->in_chunk)
		left = 0;
	if (s->draft)
		draft_missing(s->draft, s->last_chunk ? PART_TRAILERS : PART_BODY, ch->cause, n < left || !left ? n : left);
	if (n > left || !left)
		return false;
	if (!s->until_end)
		s->parser.content_length -= n;
	if (n == left && !chunked && llhttp_execute(&s->parser, "", 0) == HPE_PAUSED)
		message_done(c, s, true);
	return true;
}

static void http1_gap(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http1 *h = c->state;
	struct side *s = &h->side[side];
	struct side *responses = &h->side[c->client == 0];

	if (s->state == BODY && body_gap(c, s, ch))
		return;
	if (s->state == HEAD) {
		if (s->draft)
			draft_missing(s->draft, PART_HEADERS, ch->cause, ch->n);
	} else if (s->state != BODY && begin_partial(c, s, ch) && s->draft) {
		draft_missing(s->draft, PART_START_LINE, ch->cause, ch->n);
	}
	lose(c, s);
	s->gap = true;
	if (s == responses)
		while (h->head && answered_before(h, ch->off + ch->n))
			drop_oldest(c, ENDED_LOST, -1);
}

/* --- the end -------------------------------------------------------------------------------------------------------- */

static void http1_end(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http1 *h = c->state;
	struct side *s = &h->side[side];
	enum ended how = c->how ? c->how : ENDED_CLOSED;
	int by = c->how ? c->by : (int)side;

	if (s->state == START || s->state == SEARCH)
		begin_partial(c, s, ch);
	if (s->state == BODY && s->until_end && how == ENDED_CLOSED)
		message_done(c, s, true);
	else if (s->state != START && s->state != SEARCH && s->role == 0)
		message_done(c, s, false);
	s->state = SEARCH;
	if (s->role == 0)
		return;
	if (s->x && s->x != h->head)
		finish(c, s->x, how, by);
	while (h->head)
		drop_oldest(c, how, by);
}

static void http1_close(struct conn *c)
{
	struct http1 *h = c->state;
	enum ended how = c->how ? c->how : ENDED_CLOSED;

	while (h->head)
		drop_oldest(c, how, c->by);
	for (unsigned i = 0; i < 2; i++)
		if (h->side[i].x)
			finish(c, h->side[i].x, how, c->by);
}

static void http1_open(struct conn *c)
{
	struct http1 *h = c->state;

	h->tail = &h->head;
	h->doubt = c->midstream;
	for (unsigned i = 0; i < 2; i++) {
		h->side[i].conn = c;
		h->side[i].role = (uint8_t)conn_role(c, i);
		h->side[i].trusted = !c->midstream;
	}
}

static enum verdict http1_probe(struct slice data, bool first, bool cut, bool *from_client)
{
	struct startline line;
	const uint8_t *lf;
	bool response;
	enum verdict v;

	while (data.n && (data.p[0] == '\r' || data.p[0] == '\n'))
		data = slice_from(data, 1);
	v = startline_probe(data, &response);
	if (v == VERDICT_MORE && cut && startline_partial(data, &line) && (line.response || line.target.n))
		v = VERDICT_YES;
	if (v == VERDICT_NO && first && data.n && (lf = memchr(data.p, '\n', data.n)) &&
	    startline_parse(slice_of(data.p, (size_t)(lf - data.p)), true, &line) && line.version != HTTP_20) {
		v = VERDICT_YES;
		response = line.response;
	}
	*from_client = !response;
	return v;
}

const struct proto proto_http1 = {
	.name = "http1", .state_size = sizeof(struct http1), .probe = http1_probe, .open = http1_open, .data = http1_data,
	.gap = http1_gap, .end = http1_end, .close = http1_close,
};
