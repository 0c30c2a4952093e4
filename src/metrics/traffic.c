/* SPDX-License-Identifier: MIT */
#include "metrics/traffic.h"

#include <pthread.h>
#include <stdlib.h>

#include "packet/key.h"

#define CHAINS 512u /* a power of two */
#define NOWHERE UINT16_MAX

struct entry {
	struct traffic_set set;
	uint64_t hash;
	uint64_t last_ns; /* of its latest exchange */
	uint16_t next;    /* in its chain */
};

struct stripe {
	pthread_mutex_t lock;
	uint16_t chain[CHAINS]; /* of entries */
	unsigned n;             /* entries in use: the first ones */
	uint64_t idle_ns;       /* before this time no entry is worth looking for that was idle long enough */
	struct numbers other[LABELS_STATUSES];
	uint64_t forgotten;
	uint64_t ended[TRAFFIC_OUTCOMES];
	struct entry entry[TRAFFIC_SETS];
};

struct traffic {
	struct key_seed seed;
	struct stripe stripe[LABELS_KINDS][TRAFFIC_STRIPES];
};

struct traffic *traffic_new(uint64_t seed)
{
	struct traffic *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->seed = key_seed(seed);
	for (unsigned i = 0; i < LABELS_KINDS * TRAFFIC_STRIPES; i++) {
		struct stripe *s = &t->stripe[0][0] + i;

		pthread_mutex_init(&s->lock, NULL);
		memset(s->chain, 0xff, sizeof s->chain);
	}
	return t;
}

void traffic_free(struct traffic *t)
{
	for (unsigned i = 0; t && i < LABELS_KINDS * TRAFFIC_STRIPES; i++)
		pthread_mutex_destroy(&(&t->stripe[0][0] + i)->lock);
	free(t);
}

/* --- sets, with the lock --- */

static uint64_t hash_name(uint64_t h, const char *name, size_t n, const struct key_seed *seed)
{
	for (uint64_t word; n; n -= n < sizeof word ? n : sizeof word) {
		word = 0;
		memcpy(&word, name, n < sizeof word ? n : sizeof word);
		h = key_mix(h ^ word ^ seed->half[0], seed->half[1]);
		name += sizeof word;
	}
	return h;
}

static uint64_t hash_server(const struct labels *l, const struct key_seed *seed)
{
	uint64_t half[2];

	memcpy(half, l->addr, sizeof half);
	return key_mix(key_mix(half[0] ^ seed->half[0], half[1] ^ seed->half[1]) ^ l->port, seed->half[0]);
}

static uint64_t hash_rest(uint64_t h, const struct labels *l, const struct key_seed *seed)
{
	uint64_t word;

	memcpy(&word, (const uint8_t *)l + LABELS_HEAD - sizeof word, sizeof word);
	h = key_mix(h ^ word, seed->half[1]);
	return l->kind == LABELS_HTTP ? h : hash_name(hash_name(h, l->service, l->service_n, seed), l->name, l->name_n, seed);
}

static bool is_same(const struct labels *a, const struct labels *b)
{
	if (memcmp(a, b, LABELS_HEAD) != 0)
		return false;
	return a->kind == LABELS_HTTP ||
	       (memcmp(a->service, b->service, a->service_n) == 0 && memcmp(a->name, b->name, a->name_n) == 0);
}

static void copy_labels(struct labels *to, const struct labels *from)
{
	memcpy(to, from, LABELS_HEAD);
	memcpy(to->service, from->service, from->service_n);
	memcpy(to->name, from->name, from->name_n);
}

static struct entry *entry_find(struct stripe *s, const struct labels *l, uint64_t hash)
{
	for (uint16_t i = s->chain[hash % CHAINS]; i != NOWHERE; i = s->entry[i].next)
		if (s->entry[i].hash == hash && is_same(&s->entry[i].set.labels, l))
			return &s->entry[i];
	return NULL;
}

static void entry_unchain(struct stripe *s, uint16_t at)
{
	uint16_t *link = &s->chain[s->entry[at].hash % CHAINS];

	while (*link != at)
		link = &s->entry[*link].next;
	*link = s->entry[at].next;
}

/* The place of one that was silent for too long; NOWHERE when there is none. */
static uint16_t entry_forget(struct stripe *s, uint64_t now_ns)
{
	uint16_t oldest = 0;

	if (now_ns < s->idle_ns)
		return NOWHERE;
	for (uint16_t i = 1; i < TRAFFIC_SETS; i++)
		if (s->entry[i].last_ns < s->entry[oldest].last_ns)
			oldest = i;
	s->idle_ns = s->entry[oldest].last_ns + TRAFFIC_IDLE_NS;
	if (now_ns < s->idle_ns)
		return NOWHERE;
	entry_unchain(s, oldest);
	s->forgotten += s->entry[oldest].set.n.requests;
	return oldest;
}

static struct entry *entry_new(struct stripe *s, const struct labels *l, uint64_t hash, uint64_t now_ns)
{
	uint16_t at = s->n < TRAFFIC_SETS ? (uint16_t)s->n++ : entry_forget(s, now_ns);
	uint16_t *chain = &s->chain[hash % CHAINS];

	if (at == NOWHERE)
		return NULL;
	s->entry[at] = (struct entry){.hash = hash, .next = *chain};
	copy_labels(&s->entry[at].set.labels, l);
	*chain = at;
	return &s->entry[at];
}

/* --- records --- */

static void count(struct numbers *n, const struct exchange_record *x)
{
	static const uint64_t bounds[] = {
#define X(ns, text) UINT64_C(ns),
		TRAFFIC_BUCKETS(X)
#undef X
	};
	unsigned i = 0;

	n->requests++;
	if (!x->timed)
		return;
	while (i < TRAFFIC_BUCKETS_N && x->duration_ns > bounds[i])
		i++;
	n->bucket[i]++;
	n->duration_ns += x->duration_ns;
	n->latency_ns += x->latency_ns;
}

/* When the last of it was seen. */
static uint64_t end_of(const struct record *r)
{
	const struct exchange_record *x = &r->exchange;
	uint64_t last = x->request.last_ns > x->response.last_ns ? x->request.last_ns : x->response.last_ns;

	return last > r->ts_ns ? last : r->ts_ns;
}

void traffic_record(struct traffic *t, const struct record *r)
{
	struct labels labels;
	struct stripe *s;
	struct entry *e;
	uint64_t hash, end_ns;

	if (r->kind != RECORD_EXCHANGE || r->exchange.progress)
		return;
	end_ns = end_of(r);
	labels_of(r, &labels);
	hash = hash_server(&labels, &t->seed);
	s = &t->stripe[labels.kind][hash % TRAFFIC_STRIPES];
	hash = hash_rest(hash, &labels, &t->seed);
	pthread_mutex_lock(&s->lock);
	e = entry_find(s, &labels, hash);
	if (!e)
		e = entry_new(s, &labels, hash, end_ns);
	if (e && end_ns > e->last_ns)
		e->last_ns = end_ns;
	count(e ? &e->set.n : &s->other[labels.status], &r->exchange);
	s->ended[r->exchange.ended]++;
	pthread_mutex_unlock(&s->lock);
}

/* --- the view --- */

static void add_numbers(struct numbers *sum, const struct numbers *n)
{
	sum->requests += n->requests;
	for (unsigned i = 0; i <= TRAFFIC_BUCKETS_N; i++)
		sum->bucket[i] += n->bucket[i];
	sum->duration_ns += n->duration_ns;
	sum->latency_ns += n->latency_ns;
}

static void view_stripe(struct traffic_view *v, enum labels_kind kind, struct stripe *s)
{
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->n; i++)
		v->sets[v->n_sets + i] = s->entry[i].set;
	for (unsigned i = 0; i < LABELS_STATUSES; i++)
		add_numbers(&v->other[kind][i], &s->other[i]);
	for (unsigned i = 0; i < TRAFFIC_OUTCOMES; i++)
		v->ended[i] += s->ended[i];
	v->n_sets += s->n;
	v->n_of[kind] += s->n;
	v->forgotten[kind] += s->forgotten;
	pthread_mutex_unlock(&s->lock);
}

bool traffic_view(struct traffic *t, struct traffic_view *ret)
{
	*ret = (struct traffic_view){.sets = malloc(LABELS_KINDS * TRAFFIC_STRIPES * TRAFFIC_SETS * sizeof *ret->sets)};
	if (!ret->sets)
		return false;
	for (unsigned kind = 0; kind < LABELS_KINDS; kind++)
		for (unsigned i = 0; i < TRAFFIC_STRIPES; i++)
			view_stripe(ret, (enum labels_kind)kind, &t->stripe[kind][i]);
	return true;
}

void traffic_view_release(struct traffic_view *v)
{
	free(v->sets);
	v->sets = NULL;
}
