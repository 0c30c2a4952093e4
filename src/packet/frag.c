/* SPDX-License-Identifier: MIT */
#include "packet/frag.h"

enum datagram_state {
	DATAGRAM_OPEN, /* waits for fragments */
	DATAGRAM_DULL, /* nobody wants it: what comes is passed over */
	DATAGRAM_DEAD, /* broken: what comes is lost */
};

/* A run of bytes that no other piece has. */
struct piece {
	struct list in; /* datagram.pieces, by offset */
	uint32_t at, n; /* offset, and bytes on the wire */
	uint32_t have;  /* bytes captured, at most n; they follow */
	uint8_t data[];
};

struct datagram {
	struct list by_age, in_bucket;
	struct list pieces;
	struct frag_key key;
	uint64_t first_ns;
	uint32_t total;     /* payload bytes; 0: the last fragment did not come yet */
	uint32_t have;      /* bytes of all pieces */
	uint32_t n_pieces;
	uint32_t fragments; /* that came */
	uint8_t state;      /* enum datagram_state */
	uint8_t header_n;   /* 0: the first fragment did not come yet */
	uint8_t header[FRAG_HEADER];
};

void frag_init(struct frag_table *t, struct pool *pool, struct stats *stats)
{
	*t = (struct frag_table){.pool = pool, .stats = stats};
	list_init(&t->by_age);
	for (unsigned i = 0; i < FRAG_BUCKETS; i++)
		list_init(&t->bucket[i]);
}

static void *table_get(struct frag_table *t, size_t n)
{
	void *block = t->bytes + pool_round(n) <= FRAG_MEMORY ? pool_get(t->pool, n) : NULL;

	if (block)
		t->bytes += pool_round(n);
	return block;
}

static void table_put(struct frag_table *t, void *block, size_t n)
{
	t->bytes -= pool_round(n);
	pool_put(t->pool, block, n);
}

static void datagram_drop_pieces(struct frag_table *t, struct datagram *dg)
{
	while (!list_empty(&dg->pieces)) {
		struct piece *p = container_of(dg->pieces.next, struct piece, in);

		list_remove(&p->in);
		table_put(t, p, sizeof(*p) + p->have);
	}
}

static void datagram_free(struct frag_table *t, struct datagram *dg)
{
	datagram_drop_pieces(t, dg);
	list_remove(&dg->by_age);
	list_remove(&dg->in_bucket);
	table_put(t, dg, sizeof(*dg));
	t->n--;
}

/* It will not be whole any more. */
static void datagram_give_up(struct frag_table *t, struct datagram *dg)
{
	if (dg->state == DATAGRAM_OPEN)
		t->stats->fragments_lost += dg->fragments;
	datagram_free(t, dg);
}

/* It is forgotten but for its key, so that fragments still to come do not open it anew. */
static void datagram_close(struct frag_table *t, struct datagram *dg, enum datagram_state state)
{
	if (state == DATAGRAM_DEAD)
		t->stats->fragments_lost += dg->fragments;
	datagram_drop_pieces(t, dg);
	dg->state = state;
}

static struct datagram *oldest(const struct frag_table *t)
{
	return list_empty(&t->by_age) ? NULL : container_of(t->by_age.next, struct datagram, by_age);
}

void frag_clear(struct frag_table *t)
{
	while (oldest(t))
		datagram_give_up(t, oldest(t));
}

uint64_t frag_due(const struct frag_table *t)
{
	const struct datagram *dg = oldest(t);

	return dg && dg->first_ns < UINT64_MAX - FRAG_TIMEOUT ? dg->first_ns + FRAG_TIMEOUT : UINT64_MAX;
}

void frag_expire(struct frag_table *t, uint64_t now_ns)
{
	while (now_ns >= frag_due(t) && oldest(t))
		datagram_give_up(t, oldest(t));
}

/* Memory for `keep`, made by giving up older datagrams where there is none. */
static void *table_make_room(struct frag_table *t, size_t n, const struct datagram *keep)
{
	void *block;

	while (!(block = table_get(t, n))) {
		struct datagram *dg = oldest(t);

		if (!dg || dg == keep)
			break;
		datagram_give_up(t, dg);
	}
	return block;
}

static struct list *bucket_of(struct frag_table *t, const struct frag_key *key)
{
	uint32_t words[sizeof(*key) / 4], h = 0;

	memcpy(words, key, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		h = (h ^ words[i]) * 0x9e3779b1u;
	return &t->bucket[h >> 16 & (FRAG_BUCKETS - 1)];
}

static struct datagram *datagram_new(struct frag_table *t, const struct fragment *f, struct list *bucket)
{
	struct datagram *dg;

	if (t->n >= FRAG_DATAGRAMS)
		datagram_give_up(t, oldest(t));
	dg = table_make_room(t, sizeof(*dg), NULL);
	if (!dg)
		return NULL;
	*dg = (struct datagram){.key = f->key, .first_ns = f->ts_ns};
	list_init(&dg->pieces);
	list_append(&t->by_age, &dg->by_age);
	list_append(bucket, &dg->in_bucket);
	t->n++;
	return dg;
}

static struct datagram *datagram_of(struct frag_table *t, const struct fragment *f)
{
	struct list *bucket = bucket_of(t, &f->key);

	for (struct list *l = bucket->next; l != bucket; l = l->next) {
		struct datagram *dg = container_of(l, struct datagram, in_bucket);

		if (memcmp(&dg->key, &f->key, sizeof(f->key)) == 0)
			return dg;
	}
	return datagram_new(t, f, bucket);
}

/* Keeps [at, end) of the fragment, of which no piece has any, in front of `next`. */
static bool piece_add(struct frag_table *t, struct datagram *dg, const struct fragment *f, uint32_t at, uint32_t end,
		      struct list *next)
{
	struct slice data = slice_first(slice_from(f->data, at - f->at), end - at);
	struct piece *p = dg->n_pieces < FRAG_PIECES ? table_make_room(t, sizeof(*p) + data.n, dg) : NULL;

	if (!p)
		return false;
	p->at = at;
	p->n = end - at;
	p->have = (uint32_t)data.n;
	memcpy(p->data, data.p, data.n);
	list_insert_before(next, &p->in);
	dg->n_pieces++;
	dg->have += p->n;
	return true;
}

/* The first piece that ends behind `at`, or the list's head. Fragments mostly come in order: it looks from the back. */
static struct list *pieces_from(struct datagram *dg, uint32_t at)
{
	struct list *l = &dg->pieces;

	while (l->prev != &dg->pieces) {
		const struct piece *p = container_of(l->prev, struct piece, in);

		if (p->at + p->n <= at)
			break;
		l = l->prev;
	}
	return l;
}

/* Keeps what no piece has yet. */
static bool datagram_fill(struct frag_table *t, struct datagram *dg, const struct fragment *f)
{
	struct list *l = pieces_from(dg, f->at);
	uint32_t at = f->at, end = f->at + f->n;

	for (; at < end && l != &dg->pieces; l = l->next) {
		const struct piece *p = container_of(l, struct piece, in);

		if (p->at > at && !piece_add(t, dg, f, at, p->at < end ? p->at : end, l))
			return false;
		at = p->at + p->n;
	}
	return at >= end || piece_add(t, dg, f, at, end, l);
}

/* Does it cover bytes that are there, without being the same fragment again? */
static bool datagram_overlaps(struct datagram *dg, const struct fragment *f)
{
	struct list *l = pieces_from(dg, f->at);
	const struct piece *p = container_of(l, struct piece, in);

	return l != &dg->pieces && p->at < f->at + f->n && (p->at != f->at || p->n != f->n);
}

/* The datagram ends where its last fragment does: nothing may say otherwise. */
static bool datagram_agrees(const struct datagram *dg, const struct fragment *f)
{
	uint32_t end = f->at + f->n, reach = 0;

	if (!list_empty(&dg->pieces)) {
		const struct piece *p = container_of(dg->pieces.prev, struct piece, in);

		reach = p->at + p->n;
	}
	if (f->more)
		return dg->total == 0 || end <= dg->total;
	return dg->total ? end == dg->total : end >= reach;
}

/* One block of it all; what follows a byte that was not captured is left out. */
static bool datagram_join(struct frag_table *t, struct datagram *dg, struct frag_whole *ret)
{
	size_t n = dg->header_n;
	bool cut = false;

	for (struct list *l = dg->pieces.next; l != &dg->pieces && !cut; l = l->next) {
		const struct piece *p = container_of(l, struct piece, in);

		n += p->have;
		cut = p->have < p->n;
	}
	*ret = (struct frag_whole){pool_get(t->pool, n), dg->header_n, n, dg->header_n + dg->total};
	if (!ret->p)
		return false;
	memcpy(ret->p, dg->header, dg->header_n);
	n = dg->header_n;
	for (struct list *l = dg->pieces.next; n < ret->n; l = l->next) {
		const struct piece *p = container_of(l, struct piece, in);

		memcpy(ret->p + n, p->data, p->have);
		n += p->have;
	}
	return true;
}

/* Adds the fragment; true when the datagram is whole with it. */
static bool datagram_add(struct frag_table *t, struct datagram *dg, const struct fragment *f)
{
	if (f->key.version == 6 && datagram_overlaps(dg, f)) {
		datagram_close(t, dg, DATAGRAM_DEAD);
		return false;
	}
	if (!datagram_agrees(dg, f) || !datagram_fill(t, dg, f)) {
		datagram_close(t, dg, DATAGRAM_DEAD);
		return false;
	}
	if (!f->more)
		dg->total = f->at + f->n;
	if (f->at == 0 && dg->header_n == 0) {
		memcpy(dg->header, f->header, f->header_n);
		dg->header_n = f->header_n;
	}
	return dg->total && dg->have == dg->total;
}

enum frag_verdict frag_insert(struct frag_table *t, const struct fragment *f, struct frag_whole *ret)
{
	struct datagram *dg = datagram_of(t, f);

	if (dg && dg->state == DATAGRAM_OPEN && f->dull)
		datagram_close(t, dg, DATAGRAM_DULL);
	if (dg && dg->state == DATAGRAM_DULL)
		return FRAG_DULL;
	t->stats->fragments++;
	if (!dg || dg->state == DATAGRAM_DEAD) {
		t->stats->fragments_lost++;
		return FRAG_HELD;
	}
	dg->fragments++;
	if (!datagram_add(t, dg, f))
		return FRAG_HELD;
	if (!datagram_join(t, dg, ret)) {
		datagram_give_up(t, dg);
		return FRAG_HELD;
	}
	datagram_free(t, dg);
	return FRAG_WHOLE;
}

void frag_release(struct frag_table *t, struct frag_whole *whole)
{
	pool_put(t->pool, whole->p, whole->n);
	*whole = (struct frag_whole){0};
}
