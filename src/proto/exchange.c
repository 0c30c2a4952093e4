/* SPDX-License-Identifier: MIT */
#include "proto/exchange.h"

#define TEXT_FIRST 512u
#define FIELDS_FIRST 16u

static const struct slice versions[] = {
	[HTTP_UNKNOWN] = {NULL, 0}, [HTTP_09] = {(const uint8_t *)"HTTP/0.9", 8}, [HTTP_10] = {(const uint8_t *)"HTTP/1.0", 8},
	[HTTP_11] = {(const uint8_t *)"HTTP/1.1", 8}, [HTTP_20] = {(const uint8_t *)"HTTP/2.0", 8},
};

struct exchange *exchange_new(struct conn *c)
{
	struct exchange *x = conn_alloc(c, sizeof(*x));

	if (x)
		memset(x, 0, sizeof(*x));
	return x;
}

static void draft_release(struct conn *c, struct draft *d)
{
	conn_free(c, d->text, d->text_size);
	conn_free(c, d->fields, d->fields_size * sizeof(struct field));
	conn_free(c, d->body, d->body_size);
}

void exchange_free(struct conn *c, struct exchange *x)
{
	if (!x)
		return;
	draft_release(c, &x->request);
	draft_release(c, &x->response);
	conn_free(c, x, sizeof(*x));
}

static void *grow(struct conn *c, void *old, size_t old_n, size_t n)
{
	void *p = conn_alloc(c, n);

	if (p && old)
		memcpy(p, old, old_n);
	if (p)
		conn_free(c, old, old_n);
	return p;
}

static void cut(struct conn *c, struct draft *d, size_t n)
{
	c->env->stats->heads_cut += !d->cut;
	d->cut = true;
	draft_missing(d, d->in_trailers ? PART_TRAILERS : PART_HEADERS, CAUSE_MEMORY, n);
}

/* Appends to the text as much as the limit allows; returns how much that was. */
static uint32_t append(struct conn *c, struct draft *d, const void *p, size_t n)
{
	if (n > HEAD_MAX - d->text_n)
		n = HEAD_MAX - d->text_n;
	if (!n)
		return 0;
	if (d->text_n + n > d->text_size) {
		uint32_t size = d->text_size ? d->text_size : TEXT_FIRST;
		uint8_t *text;

		while (size < d->text_n + n)
			size *= 2;
		text = grow(c, d->text, d->text_size, size);
		if (!text)
			return 0;
		d->text = text;
		d->text_size = size;
	}
	memcpy(d->text + d->text_n, p, n);
	d->text_n += (uint32_t)n;
	return (uint32_t)n;
}

void draft_request(struct conn *c, struct draft *d, struct slice method, struct slice target, enum http_version v)
{
	d->m.seen = true;
	d->protocol = v;
	d->a_len = append(c, d, method.p, method.n);
	d->b_len = append(c, d, target.p, target.n);
	if (d->a_len + d->b_len < method.n + target.n)
		draft_missing(d, PART_START_LINE, CAUSE_MEMORY, method.n + target.n - d->a_len - d->b_len);
}

void draft_response(struct conn *c, struct draft *d, uint16_t status, struct slice reason, enum http_version v)
{
	d->m.seen = true;
	d->protocol = v;
	d->m.status = status;
	d->a_len = append(c, d, reason.p, reason.n);
}

static struct field *field_open(struct conn *c, struct draft *d)
{
	if (d->fields_n == d->fields_size) {
		uint32_t size = d->fields_size ? d->fields_size * 2 : FIELDS_FIRST;
		struct field *f = size > FIELDS_MAX ? NULL : grow(c, d->fields, d->fields_size * sizeof(*f), size * sizeof(*f));

		if (!f)
			return NULL;
		d->fields = f;
		d->fields_size = size;
	}
	d->fields[d->fields_n] = (struct field){.name = d->text_n, .value = d->text_n};
	return &d->fields[d->fields_n];
}

/* When there is no room, what is left of the field only counts as missing. */
void draft_name(struct conn *c, struct draft *d, const void *p, size_t n)
{
	struct field *f = d->open ? &d->fields[d->fields_n] : NULL;

	if (!f && !d->cut) {
		f = field_open(c, d);
		d->open = f != NULL;
	}
	if (f && append(c, d, p, n) == n) {
		f->name_len += (uint32_t)n;
		f->value = d->text_n;
		return;
	}
	d->open = false;
	cut(c, d, n);
}

void draft_value(struct conn *c, struct draft *d, const void *p, size_t n)
{
	uint32_t took = d->open ? append(c, d, p, n) : 0;

	if (d->open)
		d->fields[d->fields_n].value_len += took;
	if (took < n)
		cut(c, d, n - took);
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void draft_field_end(struct draft *d)
{
	struct field *f = &d->fields[d->fields_n];

	if (!d->open)
		return;
	d->open = false;
	while (f->value_len && is_space(d->text[f->value + f->value_len - 1]))
		f->value_len--;
	d->fields_n++;
	if (!d->in_trailers)
		d->headers_n++;
}

void draft_trailers(struct draft *d)
{
	d->in_trailers = true;
}

void draft_mark(const struct draft *d, struct draft_mark *ret)
{
	if (!d)
		return;
	*ret = (struct draft_mark){d->text_n, d->fields_n, d->headers_n, {0}, d->open};
	if (d->open)
		ret->field = d->fields[d->fields_n];
}

void draft_rewind(struct draft *d, const struct draft_mark *mark)
{
	if (!d)
		return;
	d->text_n = mark->text_n;
	d->fields_n = mark->fields_n;
	d->headers_n = mark->headers_n;
	d->open = mark->open;
	if (d->open)
		d->fields[d->fields_n] = mark->field;
}

void draft_body(struct conn *c, struct draft *d, const void *p, size_t n)
{
	uint32_t want = c->env->body_keep;

	d->m.body_bytes += n;
	if (d->body_n >= want)
		return;
	if (!d->body) {
		d->body_size = want;
		d->body = conn_alloc(c, want);
		if (!d->body) {
			d->body_size = 0;
			return;
		}
	}
	if (n > want - d->body_n)
		n = want - d->body_n;
	memcpy(d->body + d->body_n, p, n);
	d->body_n += (uint32_t)n;
}

void draft_missing(struct draft *d, enum part part, enum cause cause, uint64_t bytes)
{
	struct message *m = &d->m;

	for (unsigned i = 0; i < m->missings; i++)
		if (m->missing[i].part == part && m->missing[i].cause == cause) {
			m->missing[i].bytes += bytes;
			return;
		}
	if (m->missings < MISSING_MAX)
		m->missing[m->missings++] = (struct missing){(uint8_t)part, (uint8_t)cause, bytes};
}

struct slice draft_header(const struct draft *d, struct slice name)
{
	struct fields f = {d->text, d->fields, d->headers_n};

	return fields_get(&f, name);
}

static void draft_finish(struct draft *d)
{
	struct message *m = &d->m;

	m->protocol = versions[d->protocol];
	m->headers = (struct fields){d->text, d->fields, d->headers_n};
	m->trailers = (struct fields){d->text, d->fields + d->headers_n, d->fields_n - d->headers_n};
	m->body = slice_of(d->body, d->body_n);
}

void exchange_emit(struct conn *c, struct exchange *x, enum ended how, int by)
{
	struct record r = {0};
	struct exchange_record *e = &r.exchange;
	struct stats *stats = c->env->stats;

	draft_finish(&x->request);
	draft_finish(&x->response);
	x->request.m.method = slice_of(x->request.text, x->request.a_len);
	x->request.m.target = slice_of(x->request.text + x->request.a_len, x->request.b_len);
	x->response.m.reason = slice_of(x->response.text, x->response.a_len);
	e->request = x->request.m;
	e->response = x->response.m;
	r.ts_ns = e->request.seen ? e->request.first_ns : e->response.first_ns;
	e->timed = e->request.seen && e->response.seen && e->response.first_ns >= e->request.first_ns;
	if (e->timed) {
		e->latency_ns = e->response.first_ns - e->request.first_ns;
		e->duration_ns = e->response.last_ns - e->request.first_ns;
	}
	e->ended = how;
	e->ended_by = by < 0 ? -1 : (int8_t)conn_role(c, (unsigned)by);
	e->turned = x->turned;
	stats->exchanges++;
	stats->unanswered += e->request.seen && !e->response.seen;
	stats->orphans += !e->request.seen && e->response.seen;
	conn_emit(c, &r);
	exchange_free(c, x);
}
