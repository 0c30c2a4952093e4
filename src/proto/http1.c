/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.0 and 1.1 (RFC 9112): exchanges. Requests wait in a queue for their responses. Where bytes are missing, pairing
 * goes by what either side had acknowledged, and what can not be proven is not paired.
 */
#include "proto/http1.h"
#include "proto/list.h"

#define QUEUE_MAX 1024u /* requests that wait for a response */

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

	for (unsigned i = 0; i < 2; i++) {
		if (h->side[i].x == x) {
			h->side[i].x = NULL;
			h->side[i].state = HTTP1_SEARCH;
		}
		if (h->side[i].announced == x)
			h->side[i].announced = NULL;
	}
	exchange_emit(c, x, how, by);
}

/* The oldest request will not be answered any more. */
static void drop_oldest(struct conn *c, enum ended how, int by)
{
	finish(c, queue_pop(c->state), how, by);
}

/* The connection ends without answers to the requests that wait, or those were missed. */
static void drop_all(struct conn *c)
{
	struct http1 *h = c->state;

	while (h->head)
		if (h->head->expected_off < h->trouble[1])
			drop_oldest(c, ENDED_LOST, -1);
		else
			drop_oldest(c, conn_how(c), c->by);
}

/* --- which request a response answers ------------------------------------------------------------------------------- */

void http1_missed(struct http1 *h, struct http1_side *s, const struct chunk *gap)
{
	h->doubt = s->gap = true;
	h->trouble[s->role] = gap->off + gap->n;
}

bool http1_answered_before(const struct http1 *h, uint64_t off)
{
	const struct exchange *x = h->head, *next = x ? x->next : NULL;

	return !h->pipelined && next && next->expected_off != OFFSET_UNKNOWN && x->expected_off != OFFSET_UNKNOWN &&
	       next->expected_off > x->expected_off && next->expected_off <= off;
}

/*
 * A client that does not pipeline sends a request when it has the answer to the one before, so that its answer begins at
 * expected_off. Is it certain that the response at `off` is that of the oldest request? Its sender had `ack`.
 */
static bool answers_oldest(const struct http1 *h, uint64_t off, uint64_t ack)
{
	struct exchange *x = h->head;

	if (x->expected_off == OFFSET_UNKNOWN || off < x->expected_off || (ack != OFFSET_UNKNOWN && ack <= x->request_off))
		return false;
	if (off == x->expected_off && !x->contiguous &&
	    (h->response_ack == OFFSET_UNKNOWN ? !h->lots : h->response_ack < x->request_off))
		x->unsure = true; /* a request before it may be lost, which had no answer yet */
	if (x->unsure)
		return false;
	if (off == x->expected_off || h->trouble[1] <= x->expected_off)
		return true; /* nothing but interim responses since */
	return x->contiguous && ack <= h->read_to[0] && h->trouble[0] <= x->request_off && (!x->next || ack <= x->next->request_off);
}

/* A client that pipelines, but waits for all answers before it goes on: this may be the first answer to such a lot. */
static struct exchange *first_of_lot(const struct http1 *h, uint64_t off)
{
	struct exchange *x = h->head;

	if (h->lots < 2 || h->sliding)
		return NULL;
	while (x && x->expected_off != off)
		x = x->next;
	return x && x->contiguous ? x : NULL;
}

/* How the client behaves: does it wait for all answers before it asks again? */
static void learn(struct http1 *h, uint64_t off)
{
	uint64_t expected = h->head->expected_off;

	if (expected == off) {
		h->lots += h->lots < 2;
		h->lot_off = off;
	} else if (expected != h->lot_off) {
		h->sliding = true;
	}
}

/*
 * The request that a response at `off` answers, when bytes are missing; its sender had received the client's stream up to
 * `ack`. NULL: not to be told. Requests whose answers are lost are let go. What is found is the oldest then.
 */
static struct exchange *match_in_doubt(struct conn *c, uint64_t off, uint64_t ack)
{
	struct http1 *h = c->state;
	struct exchange *found = h->pipelined ? first_of_lot(h, off) : NULL;

	while (found && h->head != found)
		drop_oldest(c, ENDED_LOST, -1);
	while (http1_answered_before(h, off))
		drop_oldest(c, ENDED_LOST, -1);
	if (!h->pipelined && h->head && answers_oldest(h, off, ack))
		found = h->head;
	if (found)
		learn(h, off);
	if (found && found->expected_off == off && h->trouble[0] <= found->request_off && (h->pipelined || !found->next))
		h->doubt = false;
	return found;
}

static struct exchange *match(struct conn *c, uint64_t off, uint64_t ack)
{
	struct http1 *h = c->state;

	if (h->doubt)
		return match_in_doubt(c, off, ack);
	if (h->head)
		learn(h, off);
	return h->head;
}

/* --- the begin of a message ----------------------------------------------------------------------------------------- */

/* The places of the start line's parts in the text, where the line is to be next. */
static void set_start(struct draft *d, const uint8_t *line, struct slice name, struct slice value)
{
	if (name.n)
		d->start.name = d->text_n + (uint32_t)(name.p - line);
	if (value.n)
		d->start.value = d->text_n + (uint32_t)(value.p - line);
	d->start.name_len = (uint32_t)name.n;
	d->start.value_len = (uint32_t)value.n;
}

static bool begin_request(struct conn *c, struct http1_side *s, uint64_t off, uint64_t ack)
{
	struct http1 *h = c->state;
	struct exchange *x = exchange_new(c);

	if (!x)
		return false;
	x->request_off = off;
	x->expected_off = ack;
	x->contiguous = !s->gap;
	if (h->doubt ? ack == h->last_expected && ack != OFFSET_UNKNOWN : h->head != NULL)
		h->pipelined = true;
	h->last_expected = ack;
	if (h->queued >= QUEUE_MAX)
		drop_oldest(c, ENDED_LOST, -1);
	queue_push(h, x);
	while (h->doubt && h->side[!c->client].x != h->head && http1_answered_before(h, h->read_to[1]))
		drop_oldest(c, ENDED_LOST, -1);
	s->x = x;
	s->draft = &x->request;
	return true;
}

/* An interim response gets an exchange of its own to be drafted in; the request waits on. */
static bool begin_response(struct conn *c, struct http1_side *s, unsigned status, uint64_t off, uint64_t ack)
{
	struct http1 *h = c->state;
	struct exchange *x = match(c, off, ack);

	s->interim = status / 100 == 1 && status != 101;
	s->announced = s->interim ? x : NULL;
	if (!x && !s->interim)
		h->trouble[1] = off + 1;
	if (!x || s->interim)
		x = s->interim ? exchange_scratch(c) : exchange_new(c);
	s->x = x;
	s->draft = x ? &x->response : NULL;
	return x != NULL;
}

bool http1_begin(struct conn *c, struct http1_side *s, const struct startline *line, const struct chunk *ch, size_t at)
{
	uint64_t off = ch->off + at, ack = chunk_ack(ch, at);
	struct draft *d;

	if (s->gap)
		((struct http1 *)c->state)->trouble[s->role] = off;
	if (!(s->role == 0 ? begin_request(c, s, off, ack) : begin_response(c, s, line->status, off, ack)))
		return false;
	s->gap = false;
	d = s->draft;
	d->seen = true;
	d->status = line->status;
	d->protocol = (uint8_t)line->version;
	if (s->role == 0)
		set_start(d, ch->data.p + at, line->method, line->target);
	else
		set_start(d, ch->data.p + at, (struct slice){NULL, 0}, line->reason);
	return true;
}

/* --- the end of a message ------------------------------------------------------------------------------------------- */

/*
 * The answer comes on stream 1 of HTTP/2, which begins here (RFC 7540 section 3.2): the 101 was interim.
 */
static void hand_over(struct conn *c, struct exchange *x)
{
	struct draft *d = &x->response;

	draft_interim(d, d->first_ns, d->status);
	draft_begin_anew(d);
	d->first_ns = d->last_ns = d->wire_bytes = 0;
	d->seen = d->complete = false;
	d->protocol = HTTP_20;
	conn_again(c, &proto_http2, x);
}

/* The preface: the 101 was not seen, or there was none. The request that asked for it is that of stream 1 all the same. */
void http1_preface(struct conn *c)
{
	struct http1 *h = c->state;
	struct exchange *x = h->head;
	bool asked = x && !x->next && x->request.done && !x->response.seen &&
		     slice_ieq(slice_first(draft_header(&x->request, SLICE("upgrade")), 3), SLICE("h2c"));

	if (asked) {
		x = queue_pop(h);
		x->turned = TURNED_H2C;
		x->response.protocol = HTTP_20;
	}
	c->gapped = true;
	conn_again(c, &proto_http2, asked ? x : NULL);
}

/* The connection is something else from here on (RFC 9110 sections 7.8 and 9.3.6). */
static bool turn(struct conn *c, struct exchange *x)
{
	struct slice to;

	if (x->response.status == 101) {
		to = draft_header(&x->response, SLICE("upgrade"));
		x->turned = slice_ieq(slice_first(to, 9), SLICE("websocket")) ? TURNED_WEBSOCKET :
			    slice_ieq(slice_first(to, 3), SLICE("h2c"))	      ? TURNED_H2C :
										TURNED_OTHER;
		if (x->turned == TURNED_H2C)
			hand_over(c, x);
		else
			conn_done(c, x->turned == TURNED_WEBSOCKET ? "websocket" : "upgrade");
	} else if (x->response.status / 100 == 2 && slice_eq(draft_method(&x->request), SLICE("CONNECT"))) {
		x->turned = TURNED_TUNNEL;
		if (!x->next) /* else the client did not wait, and speaks HTTP inside */
			conn_again(c, NULL, NULL);
	}
	return x->turned != TURNED_NOT;
}

static void interim_done(struct conn *c, struct http1_side *s, struct exchange *scratch)
{
	if (s->announced)
		draft_interim(&s->announced->response, scratch->response.first_ns, scratch->response.status);
	exchange_free(c, scratch);
}

static void response_done(struct conn *c, struct exchange *x)
{
	struct http1 *h = c->state;
	bool complete = x->response.complete, turned = complete && turn(c, x);

	if (x == h->head)
		queue_pop(h);
	if (turned && x->turned == TURNED_H2C)
		return;
	x->response.done = true;
	if (x->request.done || !x->request.seen || turned)
		finish(c, x, complete ? ENDED_WELL : ENDED_LOST, -1);
}

void http1_done(struct conn *c, struct http1_side *s, bool complete)
{
	struct exchange *x = s->x;

	s->x = NULL;
	s->draft->complete = complete;
	if (s->role == 1 && s->interim) {
		interim_done(c, s, x);
	} else if (s->role == 1) {
		response_done(c, x);
	} else {
		x->request.done = true;
		if (x->response.done)
			finish(c, x, complete ? ENDED_WELL : ENDED_LOST, -1);
	}
}

/* --- the decoder ---------------------------------------------------------------------------------------------------- */

static size_t http1_data(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http1 *h = c->state;
	struct http1_side *s = &h->side[side];
	size_t n = http1_feed(c, s, ch);

	h->read_to[s->role] = ch->off + n;
	if (s->role == 1)
		h->response_ack = ch->ack;
	return n;
}

static void http1_gap(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http1 *h = c->state;
	struct http1_side *s = &h->side[side];
	bool in_body;

	http1_rest(c, s, ch);
	in_body = s->x && s->state != HTTP1_HEAD;
	h->read_to[s->role] = ch->off + ch->n;
	if (s->role == 1 && ch->cause != CAUSE_SNAPLEN && ch->cause != CAUSE_ELIDED)
		h->response_ack = OFFSET_UNKNOWN;
	if (in_body && http1_body_gap(c, s, ch))
		return;
	if (s->x && !in_body)
		draft_missing(s->draft, PART_HEADERS, ch->cause, ch->n);
	else if (!s->x && http1_partial(c, s, ch))
		draft_missing(s->draft, PART_START_LINE, ch->cause, ch->n);
	http1_lose(c, s);
	http1_missed(h, s, ch);
	while (s->role == 1 && http1_answered_before(h, ch->off + ch->n))
		drop_oldest(c, ENDED_LOST, -1);
}

/* A request that will not go on still waits for its response; a response that will not go on is over. */
static void http1_end(struct conn *c, unsigned side, const struct chunk *ch)
{
	struct http1 *h = c->state;
	struct http1_side *s = &h->side[side];
	bool complete;

	http1_rest(c, s, ch);
	complete = s->state == HTTP1_UNTIL_END && conn_how(c) == ENDED_CLOSED;
	if (!s->x)
		http1_partial(c, s, ch);
	if (s->x && s->role == 0 && s->x->response.done && !complete)
		finish(c, s->x, conn_how(c), c->by);
	else if (s->x && (s->role == 0 || complete))
		http1_end_message(c, s, complete);
	s->state = HTTP1_SEARCH;
	if (s->role == 0 || c->done || c->again)
		return;
	if (s->x && s->interim)
		http1_end_message(c, s, false);
	if (s->x && s->x != h->head)
		finish(c, s->x, conn_how(c), c->by);
	drop_all(c);
}

static void http1_close(struct conn *c)
{
	struct http1 *h = c->state;

	drop_all(c);
	for (unsigned i = 0; i < 2; i++)
		if (h->side[i].x)
			finish(c, h->side[i].x, conn_how(c), c->by);
}

static void http1_open(struct conn *c)
{
	struct http1 *h = c->state;

	h->tail = &h->head;
	h->doubt = c->midstream || c->gapped;
	h->last_expected = OFFSET_UNKNOWN;
	if (c->midstream) {
		h->response_ack = OFFSET_UNKNOWN;
		h->lots = 1; /* as nearly all clients do */
	}
	for (unsigned i = 0; i < 2; i++) {
		h->side[i].conn = c;
		h->side[i].role = (uint8_t)conn_role(c, i);
		h->side[i].trusted = !h->doubt;
		h->side[i].gap = h->doubt;
		h->side[i].state = h->doubt ? HTTP1_SEARCH : HTTP1_START;
	}
}

static enum verdict http1_probe(const struct conn *c, struct slice data, bool first, bool cut, int *from_client)
{
	struct startline line;
	const uint8_t *lf;
	bool response;
	enum verdict v;

	(void)c;
	while (data.n && (data.p[0] == '\r' || data.p[0] == '\n'))
		data = slice_from(data, 1);
	v = startline_probe(data, &response);
	if (v == VERDICT_MORE && cut && startline_partial(data, &line) && (line.response || line.target.n))
		v = VERDICT_YES;
	if (v == VERDICT_NO && first && data.n) {
		lf = memchr(data.p, '\n', data.n);
		if (!lf && !cut && startline_begins(data))
			v = VERDICT_MORE;
		if (lf && startline_parse(slice_of(data.p, (size_t)(lf - data.p)), true, &line) && line.version != HTTP_20) {
			v = VERDICT_YES;
			response = line.response;
		}
	}
	*from_client = !response;
	return v;
}

const struct proto proto_http1 = {
	.name = "http1", .state_size = sizeof(struct http1), .probe = http1_probe, .open = http1_open, .data = http1_data,
	.gap = http1_gap, .end = http1_end, .close = http1_close,
};
