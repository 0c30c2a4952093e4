/* SPDX-License-Identifier: MIT */
#include "sink/parcel.h"

#include <stdlib.h>

struct parcel *parcel_new(size_t n_marks, size_t n)
{
	struct parcel *p = malloc(sizeof(*p) + n_marks * sizeof(p->marks[0]) + n);

	if (!p)
		return NULL;
	*p = (struct parcel){.holders = 1, .n_marks = n_marks, .n = n};
	p->bytes = (uint8_t *)&p->marks[n_marks];
	return p;
}

struct parcel *parcel_keep(struct parcel *p)
{
	atomic_fetch_add_explicit(&p->holders, 1, memory_order_relaxed);
	return p;
}

void parcel_drop(struct parcel *p)
{
	if (p && atomic_fetch_sub_explicit(&p->holders, 1, memory_order_acq_rel) == 1)
		free(p);
}

size_t parcel_size(const struct parcel *p)
{
	return sizeof(*p) + p->n_marks * sizeof(p->marks[0]) + p->n;
}

size_t parcel_count(const struct parcel *p, uint64_t sinks)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_marks; i++)
		n += (p->marks[i].sinks & sinks) != 0;
	return n;
}
