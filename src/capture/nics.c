/* SPDX-License-Identifier: MIT */
#include "capture/nics.h"

#include <stdio.h>
#include <stdlib.h>

void nics_release(struct nics *s)
{
	free(s->v);
	*s = (struct nics){0};
}

/* Where the nic of this index is, or would be. */
static size_t place(const struct nics *s, uint32_t index)
{
	size_t low = 0, high = s->n, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (s->v[mid].iface.index < index)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct nic *nics_find(const struct nics *s, uint32_t index)
{
	size_t at = place(s, index);

	return at < s->n && s->v[at].iface.index == index ? &s->v[at] : NULL;
}

static bool make_room(struct nics *s)
{
	size_t room = s->room ? s->room * 2 : 16;
	struct nic *v;

	if (s->n < s->room)
		return true;
	v = realloc(s->v, room * sizeof *v);
	if (!v)
		return false;
	s->v = v;
	s->room = room;
	return true;
}

struct nic *nics_add(struct nics *s, uint32_t index, const char *name)
{
	size_t at = place(s, index);
	struct nic *nic = nics_find(s, index);

	if (!nic) {
		if (!make_room(s))
			return NULL;
		nic = &s->v[at];
		memmove(nic + 1, nic, (s->n++ - at) * sizeof *nic);
	}
	*nic = (struct nic){.iface.index = index, .listed = true};
	nic_rename(nic, name);
	return nic;
}

void nic_rename(struct nic *nic, const char *name)
{
	snprintf(nic->iface.name, sizeof nic->iface.name, "%s", name);
}

void nics_reap(struct nics *s, uint64_t before_ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++)
		if (!s->v[i].gone_ns || s->v[i].gone_ns >= before_ns)
			s->v[kept++] = s->v[i];
	s->n = kept;
}

uint32_t *nics_indices(const struct nics *s, size_t *n)
{
	uint32_t *index = malloc((s->n + 1) * sizeof *index);

	*n = 0;
	for (size_t i = 0; index && i < s->n; i++)
		if (!s->v[i].gone_ns && !s->v[i].failed)
			index[(*n)++] = s->v[i].iface.index;
	return index;
}
