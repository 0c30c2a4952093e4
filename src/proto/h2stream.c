/* SPDX-License-Identifier: MIT */
#include "proto/h2stream.h"

#define BUCKETS_FIRST 64u

/* Where the table lies is not for the sender to know, so that it can not fill one bucket. */
static struct h2stream **slot(const struct h2streams *t, uint32_t id)
{
	uint32_t hash = (id >> 1) * (0x9e3779b1u ^ ((uint32_t)(uintptr_t)t & ~1u));

	return &t->bucket[(uint64_t)hash * t->buckets >> 32];
}

struct h2stream *h2streams_find(const struct h2streams *t, uint32_t id)
{
	struct h2stream *s = t->bucket ? *slot(t, id) : NULL;

	while (s && s->id != id)
		s = s->chain;
	return s;
}

static void link_in(const struct h2streams *t, struct h2stream *s)
{
	s->chain = *slot(t, s->id);
	*slot(t, s->id) = s;
}

/* Room for one more; a table that can not grow goes on as it is. */
static bool widen(struct conn *c, struct h2streams *t)
{
	uint32_t n = t->bucket ? t->buckets * 4 : BUCKETS_FIRST;
	struct h2stream **bucket;

	if (t->n < t->buckets * 2)
		return true;
	bucket = conn_alloc(c, n * sizeof(*bucket));
	if (!bucket)
		return t->bucket;
	memset(bucket, 0, n * sizeof(*bucket));
	conn_free(c, t->bucket, t->buckets * sizeof(*t->bucket));
	t->bucket = bucket;
	t->buckets = n;
	for (struct h2stream *s = t->oldest; s; s = s->newer)
		link_in(t, s);
	return true;
}

struct h2stream *h2streams_add(struct conn *c, struct h2streams *t, uint32_t id, struct exchange *x)
{
	bool given = x;
	struct h2stream *s;

	if (widen(c, t) && !given)
		x = exchange_new(c);
	if (!t->bucket || !x)
		return NULL;
	if (!given)
		x->request.protocol = x->response.protocol = HTTP_20;
	x->stream_id = id;
	_Static_assert(sizeof(*s) <= sizeof(x->scratch[0]), "a stream fits into an exchange");
	s = h2stream_of(x);
	*s = (struct h2stream){.id = id, .x = x, .older = t->newest};
	link_in(t, s);
	if (t->newest)
		t->newest->newer = s;
	else
		t->oldest = s;
	t->newest = s;
	t->n++;
	return s;
}

const struct h2closed *h2streams_closed(const struct h2streams *t, uint32_t id)
{
	for (uint32_t i = 0; i < H2_CLOSED && i < t->closed_n; i++)
		if (t->closed[i].id == id)
			return &t->closed[i];
	return NULL;
}

static void forget(struct h2streams *t, struct h2stream *s)
{
	struct h2stream **p = slot(t, s->id);

	while (*p != s)
		p = &(*p)->chain;
	*p = s->chain;
	*(s->older ? &s->older->newer : &t->oldest) = s->newer;
	*(s->newer ? &s->newer->older : &t->newest) = s->older;
	t->n--;
	t->closed[t->closed_n++ % H2_CLOSED] = (struct h2closed){s->id, s->x->request.seen};
}

void h2streams_end(struct conn *c, struct h2streams *t, struct h2stream *s, enum ended how, int by)
{
	struct exchange *x = s->x;

	forget(t, s);
	if (x->was_reset && how != ENDED_GOAWAY) {
		how = ENDED_RESET;
		by = x->reset_by;
	}
	if (x->request.seen || x->response.seen)
		exchange_emit(c, x, how, by);
	else
		exchange_free(c, x);
}

/* Could what would have completed the stream have fallen into a hole, before the connection ended? */
static bool is_lost(const struct h2stream *s, enum ended how)
{
	return s->gap[1] && (how == ENDED_CLOSED || how == ENDED_RESET || how == ENDED_TIMEOUT);
}

void h2streams_release(struct conn *c, struct h2streams *t, enum ended how, int by)
{
	while (t->oldest) {
		bool lost = is_lost(t->oldest, how);

		h2streams_end(c, t, t->oldest, lost ? ENDED_LOST : how, lost ? -1 : by);
	}
	conn_free(c, t->bucket, t->buckets * sizeof(*t->bucket));
	t->bucket = NULL;
	t->buckets = 0;
}

void h2stream_turn_round(struct h2stream *s)
{
	struct exchange *x = s->x;
	struct draft d = x->request;

	x->request = x->response;
	x->response = d;
	if (x->grpc)
		SWAP_ROLES(x->grpc->side);
	SWAP_ROLES(s->headers);
	SWAP_ROLES(s->ended);
	SWAP_ROLES(s->gap);
}

/* --- fields --------------------------------------------------------------------------------------------------------- */

static void keep(struct conn *c, struct draft *d, struct slice v, uint32_t *place, uint32_t *n)
{
	uint32_t at = d->text_n;

	draft_text(c, d, v.p, v.n);
	*place = at;
	*n = d->cut ? 0 : d->text_n - at;
}

static uint16_t read_status(struct slice v)
{
	if (v.n != 3 || v.p[0] < '1' || v.p[0] > '9' || v.p[1] < '0' || v.p[1] > '9' || v.p[2] < '0' || v.p[2] > '9')
		return 0;
	return (uint16_t)((v.p[0] - '0') * 100 + (v.p[1] - '0') * 10 + v.p[2] - '0');
}

/* Where the value of a request's pseudo-header field is kept, or NULL. */
static struct field *pseudo_place(struct draft *d, struct slice name, bool *as_name)
{
	*as_name = name.p[1] == 'm' || name.p[1] == 's';
	switch (name.n) {
	case 5:
		return memcmp(name.p, ":path", 5) == 0 ? &d->start : NULL;
	case 7:
		return memcmp(name.p, ":method", 7) == 0 ? &d->start : memcmp(name.p, ":scheme", 7) == 0 ? &d->authority : NULL;
	case 10:
		return memcmp(name.p, ":authority", 10) == 0 ? &d->authority : NULL;
	default:
		return NULL;
	}
}

static void pseudo_field(struct conn *c, struct exchange *x, struct draft *d, struct slice name, struct slice value)
{
	bool as_name;
	struct field *f = name.n > 1 ? pseudo_place(d, name, &as_name) : NULL;

	if (f && as_name)
		keep(c, d, value, &f->name, &f->name_len);
	else if (f)
		keep(c, d, value, &f->value, &f->value_len);
	else if (slice_eq(name, SLICE(":status")))
		d->status = read_status(value);
	else if (slice_eq(name, SLICE(":protocol"))) /* extended CONNECT (RFC 8441 section 4) */
		x->turned = slice_ieq(value, SLICE("websocket")) ? TURNED_WEBSOCKET : TURNED_OTHER;
}

void h2stream_field(struct conn *c, struct exchange *x, struct draft *d, struct slice name, struct slice value)
{
	struct field *f;

	if (!name.p) {
		d->unknown_fields++;
		return;
	}
	if (name.n && name.p[0] == ':') {
		pseudo_field(c, x, d, name, value);
		return;
	}
	f = draft_field(c, d);
	if (!f)
		return;
	*f = (struct field){.name = d->text_n, .name_len = (uint32_t)name.n, .value = d->text_n + (uint32_t)name.n,
			    .value_len = (uint32_t)value.n};
	if (name.n + value.n <= d->text_size - d->text_n) {
		slice_copy(name, d->text + d->text_n);
		slice_copy(value, d->text + d->text_n + name.n);
		d->text_n += (uint32_t)(name.n + value.n);
	} else {
		draft_text(c, d, name.p, name.n);
		draft_text(c, d, value.p, value.n);
	}
	d->fields_n -= d->cut;
	d->checked_n = d->fields_n;
	if (slice_eq(name, SLICE("content-type")) && !d->in_trailers)
		grpc_type(c, x, d == &x->response, value);
}
