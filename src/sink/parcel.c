/* SPDX-License-Identifier: MIT */
#include "sink/parcel.h"

#include <stdlib.h>
#include <string.h>

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

size_t parcel_bytes(const struct parcel *p, uint64_t sinks)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_marks; i++)
		n += p->marks[i].sinks & sinks ? p->marks[i].n : 0;
	return n;
}

struct parcel *parcel_pick(const struct parcel *p, uint64_t sinks)
{
	struct parcel *ret = parcel_new(parcel_count(p, sinks), parcel_bytes(p, sinks));
	size_t bytes = 0, count = 0;

	if (!ret)
		return NULL;
	ret->run = p->run;
	for (size_t i = 0; i < p->n_marks; i++) {
		if (!(p->marks[i].sinks & sinks))
			continue;
		ret->marks[count] = p->marks[i];
		ret->marks[count++].at = bytes;
		memcpy(ret->bytes + bytes, p->bytes + p->marks[i].at, p->marks[i].n);
		bytes += p->marks[i].n;
	}
	return ret;
}
