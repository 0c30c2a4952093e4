/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "reassembly/flow.h"

#define BUCKETS_FIRST ((size_t)1 << 12)

/* A quiet connection takes 1 KiB with its place in the table (16 bytes) and the state of its decoder. */
_Static_assert(sizeof(struct flow) <= 768, "a flow takes a block of 768 bytes");

int flow_table_init(struct flow_table *t, struct pool *pool, uint64_t seed)
{
	*t = (struct flow_table){.pool = pool, .buckets = BUCKETS_FIRST, .seed = key_seed(seed)};
	t->bucket = calloc(t->buckets, sizeof(*t->bucket));
	if (!t->bucket)
		return -ENOMEM;
	for (unsigned i = 0; i < FLOW_PHASES; i++)
		list_init(&t->phase[i]);
	list_init(&t->stalled);
	return 0;
}

void flow_table_release(struct flow_table *t)
{
	free(t->bucket);
	t->bucket = NULL;
}

/* Doubles the table; stays as it is when there is no memory: only slower. */
static void widen(struct flow_table *t)
{
	size_t n = t->buckets * 2;
	struct flow **bucket = calloc(n, sizeof(*bucket));

	if (!bucket)
		return;
	for (size_t i = 0; i < t->buckets; i++) {
		struct flow *f = t->bucket[i], *next;

		for (; f; f = next) {
			next = f->chain;
			f->chain = bucket[f->hash & (n - 1)];
			bucket[f->hash & (n - 1)] = f;
		}
	}
	free(t->bucket);
	t->bucket = bucket;
	t->buckets = n;
}

struct flow *flow_add(struct flow_table *t, const struct flow_key *key, uint32_t hash)
{
	struct flow *f = pool_get(t->pool, sizeof(*f));
	struct flow **slot;

	if (!f)
		return NULL;
	if (t->flows >= t->buckets)
		widen(t);
	memset(f, 0, sizeof(*f));
	f->key = *key;
	f->hash = hash;
	f->first_ns = f->last_ns = t->now_ns;
	f->closed_by = -1;
	f->conn.client = f->conn.by = -1;
	stream_init(&f->stream[0]);
	stream_init(&f->stream[1]);
	list_init(&f->stalled);
	list_append(&t->phase[FLOW_EMBRYO], &f->node);
	t->in_phase[FLOW_EMBRYO]++;
	slot = &t->bucket[hash & (t->buckets - 1)];
	f->chain = *slot;
	*slot = f;
	t->flows++;
	return f;
}

void flow_remove(struct flow_table *t, struct flow *f)
{
	struct flow **slot = &t->bucket[f->hash & (t->buckets - 1)];

	while (*slot != f)
		slot = &(*slot)->chain;
	*slot = f->chain;
	list_remove(&f->node);
	t->in_phase[f->phase]--;
	list_remove(&f->stalled);
	stream_release(&f->stream[0], t->pool);
	stream_release(&f->stream[1], t->pool);
	pool_put(t->pool, f->other, sizeof(*f->other));
	pool_put(t->pool, f, sizeof(*f));
	t->flows--;
}

void flow_touch(struct flow_table *t, struct flow *f, enum flow_phase phase)
{
	f->last_ns = t->now_ns;
	if (t->phase[phase].prev == &f->node)
		return;
	t->in_phase[f->phase]--;
	t->in_phase[phase]++;
	f->phase = (uint8_t)phase;
	list_remove(&f->node);
	list_append(&t->phase[phase], &f->node);
}

struct flow *flow_silent(const struct flow_table *t, enum flow_phase phase, uint64_t silence_ns)
{
	const struct list *l = &t->phase[phase];
	struct flow *f = container_of(l->next, struct flow, node);

	return !list_empty(l) && t->now_ns - f->last_ns > silence_ns ? f : NULL;
}

void flow_stall(struct flow_table *t, struct flow *f)
{
	if (!list_empty(&f->stalled))
		return;
	f->stalled_ns = t->now_ns;
	f->stalled_segments = f->stalled_rounds = 0;
	list_append(&t->stalled, &f->stalled);
}

void flow_unstall(struct flow *f)
{
	if (!list_empty(&f->stalled))
		list_remove(&f->stalled);
}

struct flow *flow_stalled_oldest(const struct flow_table *t, uint64_t ns)
{
	struct flow *f = container_of(t->stalled.next, struct flow, stalled);

	return !list_empty(&t->stalled) && t->now_ns - f->stalled_ns > ns ? f : NULL;
}

void flow_requeue(struct flow_table *t, struct flow *f)
{
	list_remove(&f->stalled);
	f->stalled_ns = t->now_ns;
	f->stalled_rounds += f->stalled_rounds < UINT8_MAX;
	list_append(&t->stalled, &f->stalled);
}
