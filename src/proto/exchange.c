/* SPDX-License-Identifier: MIT */
#include "proto/exchange.h"

static const struct slice versions[] = {
	[HTTP_UNKNOWN] = {NULL, 0}, [HTTP_09] = {(const uint8_t *)"HTTP/0.9", 8}, [HTTP_10] = {(const uint8_t *)"HTTP/1.0", 8},
	[HTTP_11] = {(const uint8_t *)"HTTP/1.1", 8}, [HTTP_20] = {(const uint8_t *)"HTTP/2.0", 8},
};

/* What a draft points to that has no room: sizes of 0, so nothing is written there. */
static const struct room none;

static void set_room(struct draft *d, struct room *room)
{
	d->room = room;
	d->text = room->text;
	d->text_size = TEXT_FIRST;
	d->fields = room->fields;
	d->fields_size = FIELDS_FIRST;
}

struct exchange *exchange_scratch(struct conn *c)
{
	struct exchange *x = conn_alloc(c, sizeof(*x));

	if (!x) {
		c->env->stats->exchanges_lost++;
		return NULL;
	}
	memset(x, 0, offsetof(struct exchange, request));
	memset(&x->request, 0, offsetof(struct draft, interim));
	memset(&x->response, 0, offsetof(struct draft, interim));
	set_room(&x->request, &x->room);
	x->response.text = (uint8_t *)none.text;
	x->response.fields = (struct field *)none.fields;
	return x;
}

struct exchange *exchange_new(struct conn *c)
{
	struct exchange *x = exchange_scratch(c);

	if (x)
		x->number = ++c->numbered;
	return x;
}

void exchange_note(const struct conn *c, const struct exchange *x)
{
	struct brought *b = c->env->brought;
	uint32_t n = b->n < BROUGHT_MAX ? b->n : BROUGHT_MAX;

	if (!x)
		return;
	for (uint32_t i = 0; i < n; i++)
		if (b->exchange[i] == x->number)
			return;
	if (n < BROUGHT_MAX)
		b->exchange[n] = x->number;
	b->n = n + 1;
}

static void draft_release(struct conn *c, struct exchange *x, struct draft *d)
{
	if (d->room != &x->room)
		conn_free(c, d->room, sizeof(*d->room));
	if (d->text_size > TEXT_FIRST)
		conn_free(c, d->text, d->text_size);
	if (d->fields_size > FIELDS_FIRST)
		conn_free(c, d->fields, d->fields_size * sizeof(struct field));
	if (d->body)
		conn_free(c, d->body, d->body_size);
}

void exchange_free(struct conn *c, struct exchange *x)
{
	if (!x)
		return;
	draft_release(c, x, &x->request);
	draft_release(c, x, &x->response);
	conn_free(c, x->grpc, sizeof(*x->grpc));
	conn_free(c, x, sizeof(*x));
}

static void cut(struct conn *c, struct draft *d, size_t n)
{
	c->env->stats->heads_cut += !d->cut;
	d->cut = true;
	draft_missing(d, d->in_trailers ? PART_TRAILERS : PART_HEADERS, CAUSE_MEMORY, n);
}

/* Gives the draft its first room. False: there is none, or too late, since text was left out already. */
static bool open_room(struct conn *c, struct draft *d)
{
	struct room *room = d->text_cut ? NULL : conn_alloc(c, sizeof(*room));

	if (room)
		set_room(d, room);
	return room;
}

/* Makes room for `n` more bytes of text; false when there is none. */
static bool widen_text(struct conn *c, struct draft *d, size_t n)
{
	uint32_t size;
	uint8_t *text;

	if (!d->room && !open_room(c, d))
		return false;
	size = d->text_size;
	if (n <= size - d->text_n)
		return true;
	while (size < d->text_n + n)
		size *= 2;
	if (size > HEAD_MAX)
		size = HEAD_MAX;
	text = conn_alloc(c, size);
	if (!text)
		return false;
	memcpy(text, d->text, d->text_n);
	if (d->text_size > TEXT_FIRST)
		conn_free(c, d->text, d->text_size);
	d->text = text;
	d->text_size = size;
	return true;
}

void draft_text_widen(struct conn *c, struct draft *d, const void *p, size_t n)
{
	size_t room = HEAD_MAX - d->text_n, take = n < room ? n : room;

	/* what was cut stays cut: fields point to where the text would have gone on */
	if (d->text_n + take > d->text_size && (d->text_cut || !widen_text(c, d, take)))
		take = d->text_size - d->text_n;
	memcpy(d->text + d->text_n, p, take);
	d->text_n += (uint32_t)take;
	if (take == n)
		return;
	d->text_cut = true;
	cut(c, d, n - take);
}

bool draft_widen(struct conn *c, struct draft *d)
{
	uint32_t size = d->fields_size * 2 < FIELDS_MAX ? d->fields_size * 2 : FIELDS_MAX;
	struct field *f;

	if (!d->room && open_room(c, d))
		return true;
	f = d->room && size > d->fields_size ? conn_alloc(c, size * sizeof(*f)) : NULL;
	if (!f) {
		cut(c, d, 0);
		return false;
	}
	memcpy(f, d->fields, d->fields_n * sizeof(*f));
	if (d->fields_size > FIELDS_FIRST)
		conn_free(c, d->fields, d->fields_size * sizeof(*f));
	d->fields = f;
	d->fields_size = size;
	return true;
}

/* Is the line that this field stands in whole? */
static bool is_whole(const struct draft *d, const struct field *f)
{
	uint32_t at = f->value + f->value_len;

	return at < d->text_n && memchr(d->text + at, '\n', d->text_n - at);
}

void draft_fields_check(struct draft *d)
{
	uint32_t from = d->in_trailers ? d->headers_n : 0;

	while (d->fields_n > from && !is_whole(d, &d->fields[d->fields_n - 1]))
		d->fields_n--;
	d->checked_n = d->fields_n;
	if (!d->untidy)
		return;
	for (uint32_t i = from; i < d->fields_n; i++) {
		struct field *f = &d->fields[i];

		while (f->value_len && is_space(d->text[f->value + f->value_len - 1]))
			f->value_len--;
	}
}

void draft_interim(struct draft *d, uint64_t ts_ns, unsigned status)
{
	if (d->interims < INTERIM_MAX)
		d->interim[d->interims] = (struct interim){ts_ns, (uint16_t)status};
	d->interims += d->interims < UINT8_MAX;
}

void draft_begin_anew(struct draft *d)
{
	d->in_trailers = d->cut = d->text_cut = false;
	d->text_n = d->fields_n = d->checked_n = d->headers_n = d->unknown_fields = d->status = 0;
	d->start = (struct field){0};
}

void draft_trailers(struct draft *d)
{
	d->in_trailers = true;
	d->headers_n = d->fields_n;
}

/* Not inlined: it is rare that content is kept. */
static __attribute__((noinline)) void keep_body(struct conn *c, struct draft *d, struct slice data)
{
	uint32_t want = c->env->body_keep;

	if (d->body_left_out)
		return;
	if (!d->body) {
		d->body = conn_alloc(c, want);
		if (!d->body)
			return;
		d->body_size = want;
	}
	data = slice_first(data, want - d->body_n);
	memcpy(d->body + d->body_n, data.p, data.n);
	d->body_n += (uint32_t)data.n;
}

void draft_missing(struct draft *d, enum part part, enum cause cause, uint64_t bytes)
{
	for (unsigned i = 0; i < d->missings; i++)
		if (d->missing[i].part == part && d->missing[i].cause == cause) {
			d->missing[i].bytes += bytes;
			return;
		}
	if (d->missings < MISSING_MAX)
		d->missing[d->missings++] = (struct missing){(uint8_t)part, (uint8_t)cause, bytes};
}

struct slice draft_header(const struct draft *d, struct slice name)
{
	struct fields f = {d->text, d->fields, d->in_trailers ? d->headers_n : d->fields_n};

	return fields_get(&f, name);
}

static void draft_finish(const struct draft *d, struct message *ret)
{
	uint32_t headers_n = d->in_trailers ? d->headers_n : d->fields_n;

	ret->seen = d->seen;
	ret->complete = d->complete;
	ret->first_ns = d->first_ns;
	ret->last_ns = d->last_ns;
	ret->status = d->status;
	ret->protocol = versions[d->protocol];
	ret->headers = (struct fields){d->text, d->fields, headers_n};
	ret->trailers = (struct fields){d->text, d->fields + headers_n, d->fields_n - headers_n};
	ret->body_bytes = d->body_bytes;
	ret->wire_bytes = d->wire_bytes;
	ret->body = slice_of(d->body, d->body_n);
	ret->interims = d->interims;
	for (unsigned i = 0; i < d->interims && i < INTERIM_MAX; i++)
		ret->interim[i] = d->interim[i];
	ret->unknown_fields = d->unknown_fields;
	ret->missings = d->missings;
	for (unsigned i = 0; i < d->missings; i++)
		ret->missing[i] = d->missing[i];
}

static struct slice start_value(const struct draft *d)
{
	return draft_place(d, d->start.value, d->start.value_len);
}

/* The latest time that is known of it. */
static uint64_t latest_ns(const struct exchange *x)
{
	uint64_t ns = x->request.last_ns > x->response.last_ns ? x->request.last_ns : x->response.last_ns;

	return ns > x->reset_ns ? ns : x->reset_ns;
}

/* What of a message is not to be shown, or not whole. */
static uint8_t left_out(const struct conn *c, const struct draft *d)
{
	uint8_t parts = d->body_left_out ? 1u << PART_BODY : 0;

	if (c->env->detail >= DETAIL_LINES && d->seen)
		parts |= 1u << PART_HEADERS | (d->in_trailers && d->fields_n > d->headers_n ? 1u << PART_TRAILERS : 0);
	return parts;
}

static void fill_record(struct conn *c, struct exchange *x, struct record *r)
{
	struct exchange_record *e = &r->exchange;

	e->number = x->number;
	e->turned = x->turned;
	e->pushed = x->pushed;
	e->stream_id = x->stream_id;
	e->was_reset = x->was_reset;
	e->reset_code = x->reset_code;
	if (x->grpc || (x->stream_id && (x->response.in_trailers || x->response.unknown_fields)))
		grpc_fill(c, x, latest_ns(x), e); /* before all that points into the text, which it may move */
	draft_finish(&x->request, &e->request);
	draft_finish(&x->response, &e->response);
	e->request.left_out = left_out(c, &x->request);
	e->response.left_out = left_out(c, &x->response);
	e->request.method = draft_method(&x->request);
	e->request.target = start_value(&x->request);
	e->request.scheme = draft_place(&x->request, x->request.authority.name, x->request.authority.name_len);
	e->request.authority = draft_place(&x->request, x->request.authority.value, x->request.authority.value_len);
	e->response.reason = start_value(&x->response);
	r->ts_ns = e->request.seen ? e->request.first_ns : e->response.first_ns;
	e->timed = e->request.seen && e->response.seen && e->response.first_ns >= e->request.first_ns;
	if (e->timed) {
		e->latency_ns = e->response.first_ns - e->request.first_ns;
		e->duration_ns = e->response.last_ns - e->request.first_ns;
	}
}

void exchange_emit(struct conn *c, struct exchange *x, enum ended how, int by)
{
	struct record r = {.exchange = {.ended = (uint8_t)how, .ended_by = by < 0 ? -1 : (int8_t)conn_role(c, (unsigned)by)}};
	struct stats *stats = c->env->stats;

	draft_fields_end(&x->request);
	draft_fields_end(&x->response);
	fill_record(c, x, &r);
	stats->exchanges++;
	stats->unanswered += x->request.seen && !x->response.seen;
	stats->orphans += !x->request.seen && x->response.seen;
	c->exchanges++;
	conn_emit(c, &r);
	exchange_free(c, x);
}

/* Only fields that are known to be whole: more may be read already. */
static void hide_unchecked(const struct draft *d, struct message *m)
{
	if (m->headers.n > d->checked_n)
		m->headers.n = d->checked_n;
	m->trailers.n = 0;
}

static void say_progress(struct conn *c, struct exchange *x)
{
	struct record r = {.exchange = {.progress = true, .ended_by = -1}};

	fill_record(c, x, &r);
	hide_unchecked(&x->request, &r.exchange.request);
	hide_unchecked(&x->response, &r.exchange.response);
	conn_emit(c, &r);
}

/* Content is not looked at, which matters if it was to be. */
static void leave_out(const struct conn *c, struct exchange *x, unsigned side)
{
	struct draft *d = exchange_side(x, side);

	d->body_left_out |= x->grpc || d->body_n < c->env->body_keep;
	if (x->grpc)
		x->grpc->side[side].doubt = true;
}

void exchange_content(struct conn *c, struct exchange *x, unsigned side, struct slice data)
{
	struct draft *d = exchange_side(x, side);

	d->body_bytes += data.n;
	if (c->env->detail) {
		leave_out(c, x, side);
		return;
	}
	if (d->body_n < c->env->body_keep)
		keep_body(c, d, data);
	if (x->grpc)
		grpc_content(x->grpc, side, data);
}

bool exchange_counts(const struct conn *c, struct exchange *x, unsigned side)
{
	return c->env->detail || (!x->grpc && exchange_side(x, side)->body_n >= c->env->body_keep);
}

void exchange_elided(struct conn *c, struct exchange *x, unsigned side, uint64_t n, uint64_t now_ns)
{
	struct draft *d = exchange_side(x, side);

	d->body_bytes += n;
	d->wire_bytes += n;
	leave_out(c, x, side);
	draft_seen(d, now_ns);
	exchange_progress(c, x, now_ns);
}

void exchange_progress(struct conn *c, struct exchange *x, uint64_t now_ns)
{
	uint64_t interval_ns = c->env->stream_interval_ns;

	if (!interval_ns || (x->said_ns && now_ns < x->said_ns + interval_ns))
		return;
	if (x->said_ns)
		say_progress(c, x);
	x->said_ns = now_ns;
}
