/* SPDX-License-Identifier: MIT */
#include "proto/h2stream.h"

static struct h2stream **slot(const struct h2streams *t, uint32_t id)
{
	return &t->bucket[(id >> 1) % H2_BUCKETS];
}

struct h2stream *h2streams_find(const struct h2streams *t, uint32_t id)
{
	struct h2stream *s = t->bucket ? *slot(t, id) : NULL;

	while (s && s->id != id)
		s = s->chain;
	return s;
}

static bool table_ready(struct conn *c, struct h2streams *t)
{
	if (!t->bucket) {
		t->bucket = conn_alloc(c, H2_BUCKETS * sizeof(*t->bucket));
		if (t->bucket)
			memset(t->bucket, 0, H2_BUCKETS * sizeof(*t->bucket));
	}
	return t->bucket;
}

struct h2stream *h2streams_add(struct conn *c, struct h2streams *t, uint32_t id, struct exchange *x)
{
	struct h2stream *s = table_ready(c, t) ? conn_alloc(c, sizeof(*s)) : NULL;
	bool given = x;

	if (s && !given)
		x = exchange_new(c);
	if (!s || !x) {
		conn_free(c, s, sizeof(*s));
		return NULL;
	}
	if (t->n >= H2_STREAMS_MAX)
		h2streams_end(c, t, t->oldest, ENDED_EVICTED, -1);
	if (!given)
		x->request.protocol = x->response.protocol = HTTP_20;
	*s = (struct h2stream){.id = id, .x = x, .chain = *slot(t, id), .older = t->newest};
	*slot(t, id) = s;
	if (t->newest)
		t->newest->newer = s;
	else
		t->oldest = s;
	t->newest = s;
	t->n++;
	return s;
}

static void forget(struct conn *c, struct h2streams *t, struct h2stream *s)
{
	struct h2stream **p = slot(t, s->id);

	while (*p != s)
		p = &(*p)->chain;
	*p = s->chain;
	*(s->older ? &s->older->newer : &t->oldest) = s->newer;
	*(s->newer ? &s->newer->older : &t->newest) = s->older;
	t->n--;
	conn_free(c, s, sizeof(*s));
}

void h2streams_end(struct conn *c, struct h2streams *t, struct h2stream *s, enum ended how, int by)
{
	struct exchange *x = s->x;
	struct record r = {0};

	r.exchange.stream_id = s->id;
	r.exchange.was_reset = s->was_reset;
	r.exchange.reset_code = s->reset_code;
	draft_fields_end(&x->request);
	draft_fields_end(&x->response);
	grpc_fill(c, x, s->grpc, &r.exchange);
	forget(c, t, s);
	if (x->request.seen || x->response.seen)
		exchange_emit_record(c, x, how, by, &r);
	else
		exchange_free(c, x);
}

void h2streams_release(struct conn *c, struct h2streams *t, enum ended how, int by)
{
	while (t->oldest)
		h2streams_end(c, t, t->oldest, how, by);
	conn_free(c, t->bucket, H2_BUCKETS * sizeof(*t->bucket));
	t->bucket = NULL;
}

void h2stream_turn_round(struct h2stream *s)
{
	struct draft d = s->x->request;
	struct grpc_side g = s->grpc[0];
	bool headers = s->headers[0], ended = s->ended[0];

	s->x->request = s->x->response;
	s->x->response = d;
	s->grpc[0] = s->grpc[1];
	s->grpc[1] = g;
	s->headers[0] = s->headers[1];
	s->headers[1] = headers;
	s->ended[0] = s->ended[1];
	s->ended[1] = ended;
}

/* --- fields --------------------------------------------------------------------------------------------------------- */

static void keep(struct conn *c, struct draft *d, struct slice v, uint32_t *place, uint32_t *n)
{
	uint32_t at = d->text_n;

	draft_text(c, d, v.p, v.n);
	*place = at;
	*n = d->text_n - at;
}

static uint16_t read_status(struct slice v)
{
	if (v.n != 3 || v.p[0] < '1' || v.p[0] > '9' || v.p[1] < '0' || v.p[1] > '9' || v.p[2] < '0' || v.p[2] > '9')
		return 0;
	return (uint16_t)((v.p[0] - '0') * 100 + (v.p[1] - '0') * 10 + v.p[2] - '0');
}

static void pseudo_field(struct conn *c, struct draft *d, struct slice name, struct slice value)
{
	if (slice_eq(name, SLICE(":method")))
		keep(c, d, value, &d->start.name, &d->start.name_len);
	else if (slice_eq(name, SLICE(":path")))
		keep(c, d, value, &d->start.value, &d->start.value_len);
	else if (slice_eq(name, SLICE(":scheme")))
		keep(c, d, value, &d->authority.name, &d->authority.name_len);
	else if (slice_eq(name, SLICE(":authority")))
		keep(c, d, value, &d->authority.value, &d->authority.value_len);
	else if (slice_eq(name, SLICE(":status")))
		d->status = read_status(value);
}

void h2stream_field(struct conn *c, struct draft *d, struct slice name, struct slice value)
{
	struct field *f;

	if (!name.p) {
		d->unknown_fields++;
		return;
	}
	if (name.n && name.p[0] == ':') {
		pseudo_field(c, d, name, value);
		return;
	}
	f = draft_field(c, d);
	if (!f)
		return;
	*f = (struct field){.name = d->text_n, .name_len = (uint32_t)name.n, .value = d->text_n + (uint32_t)name.n,
			    .value_len = (uint32_t)value.n};
	draft_text(c, d, name.p, name.n);
	draft_text(c, d, value.p, value.n);
	d->fields_n -= d->cut;
	d->checked_n = d->fields_n;
}
