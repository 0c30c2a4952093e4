/* SPDX-License-Identifier: MIT */
#include "output/places.h"

#include <stdlib.h>

#include "packet/linktype.h"

static bool place_is(const struct place *p, const struct iface *iface, uint16_t link)
{
	return p->iface.index == iface->index && p->iface.link == link && strcmp(p->iface.name, iface->name) == 0;
}

struct place *places_find(struct places *all, const struct iface *iface, uint16_t link)
{
	static const struct iface nowhere;
	struct place **bucket, *p = all->last;

	if (!iface)
		iface = &nowhere;
	if (p && place_is(p, iface, link))
		return p;
	bucket = &all->bucket[iface->index % PLACE_BUCKETS];
	for (p = *bucket; p && !place_is(p, iface, link); p = p->next)
		;
	if (!p) {
		p = calloc(1, sizeof *p);
		if (!p)
			return NULL;
		*p = (struct place){.next = *bucket, .iface = *iface, .id = -1, .untold[LOST_BY_FILE].cause = "file"};
		p->iface.link = link;
		*bucket = p;
	}
	return all->last = p;
}

struct place *places_any(struct places *all, const struct iface *iface)
{
	struct place *p = all->bucket[iface->index % PLACE_BUCKETS];

	while (p && !place_is(p, iface, p->iface.link))
		p = p->next;
	return p ? p : places_find(all, iface, all->last ? all->last->iface.link : LINKTYPE_ETHERNET);
}

static bool may_go(const struct place *p)
{
	return p->id < 0 && !p->untold[LOST_BY_CAPTURE].packets && !p->untold[LOST_BY_FILE].packets;
}

static void begin_bucket(struct place **at, bool forget)
{
	for (struct place *p = *at; p; p = *at) {
		if (forget && may_go(p)) {
			*at = p->next;
			free(p);
			continue;
		}
		p->id = -1;
		p->seen = (struct ngblock_seen){0};
		at = &p->next;
	}
}

void places_begin(struct places *all, bool forget)
{
	all->ids = 0;
	if (forget && all->last && may_go(all->last))
		all->last = NULL;
	for (size_t i = 0; i < PLACE_BUCKETS; i++)
		begin_bucket(&all->bucket[i], forget);
}

void places_release(struct places *all)
{
	for (size_t i = 0; i < PLACE_BUCKETS; i++)
		for (struct place *p = all->bucket[i], *next; p; p = next) {
			next = p->next;
			free(p);
		}
	*all = (struct places){0};
}
