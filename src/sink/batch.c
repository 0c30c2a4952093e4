/* SPDX-License-Identifier: MIT */
#include "sink/batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void item_id(const struct item *item, char ret[ITEM_ID_MAX])
{
	snprintf(ret, ITEM_ID_MAX, "%016" PRIx64 "-%" PRIx64, item->run, item->number);
}

bool batch_has_room(const struct batch *l, size_t most)
{
	return l->n_parcels < BATCH_PARCELS && l->bytes < most;
}

static bool reserve(struct batch *l, size_t n)
{
	struct item *more;

	if (n <= l->size)
		return true;
	more = reallocarray(l->items, n, sizeof(*more));
	if (!more)
		return false;
	l->items = more;
	l->size = n;
	return true;
}

bool batch_add(struct batch *l, struct parcel *p, uint64_t bit)
{
	if (!reserve(l, l->n_items + p->n_marks))
		return false;
	l->parcels[l->n_parcels++] = p;
	l->bytes += parcel_size(p);
	for (size_t i = 0; i < p->n_marks; i++) {
		const struct mark *m = &p->marks[i];

		if (m->sinks & bit)
			l->items[l->n_items++] = (struct item){p->bytes + m->at, m->n, m->flow_id, m->ts_ns, p->run, m->number, FATE_OPEN};
	}
	return true;
}

void batch_settle(struct batch *l, size_t *delivered, size_t *refused)
{
	size_t open = 0;

	*refused = 0;
	for (size_t i = 0; i < l->n_items; i++) {
		*refused += l->items[i].fate == FATE_REFUSED;
		if (l->items[i].fate == FATE_OPEN)
			l->items[open++] = l->items[i];
	}
	*delivered = l->n_items - open - *refused;
	l->n_items = open;
}

size_t batch_count(const struct batch *l, uint64_t run)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_items; i++)
		n += l->items[i].run == run;
	return n;
}

size_t batch_count_in(const struct batch *l, const struct parcel *p)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_items; i++)
		n += l->items[i].p >= p->bytes && l->items[i].p < p->bytes + p->n;
	return n;
}

struct parcel *batch_rest(const struct batch *l, uint64_t run, uint64_t bit)
{
	struct parcel *p;
	size_t bytes = 0;

	for (size_t i = 0; i < l->n_items; i++)
		bytes += l->items[i].n;
	p = parcel_new(l->n_items, bytes);
	if (!p)
		return NULL;
	p->run = run;
	bytes = 0;
	for (size_t i = 0; i < l->n_items; i++) {
		const struct item *item = &l->items[i];

		p->marks[i] = (struct mark){item->flow_id, item->ts_ns, item->number, bit, bytes, item->n};
		memcpy(p->bytes + bytes, item->p, item->n);
		bytes += item->n;
	}
	return p;
}

void batch_clear(struct batch *l)
{
	for (size_t i = 0; i < l->n_parcels; i++)
		parcel_drop(l->parcels[i]);
	l->n_parcels = l->bytes = l->n_items = 0;
}

void batch_release(struct batch *l)
{
	batch_clear(l);
	free(l->items);
}
