/* SPDX-License-Identifier: MIT */
#include "output/places.h"

#include <stdlib.h>

#include "packet/linktype.h"
#include "packet/pcapng_blocks.h"

static const char *const causes[] = PCAPNG_LOST_CAUSES;
_Static_assert(sizeof causes / sizeof *causes == LOST_CAUSES, "each is told for itself");

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
		*p = (struct place){.next = *bucket, .iface = *iface, .id = -1};
		p->iface.link = link;
		for (size_t i = 0; i < LOST_CAUSES; i++)
			p->untold[i].cause = causes[i];
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
	bool lost = false;

	for (size_t i = 0; i < LOST_CAUSES; i++)
		lost = lost || p->untold[i].packets;
	return p->id < 0 && !lost;
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

int places_describe(struct places *all, struct place *p, struct spill *s)
{
	int err = p->id >= 0 ? 0 : ngblock_interface(s, &p->iface);

	if (!err && p->id < 0)
		p->id = all->ids++;
	return err;
}

static void add_lost(struct loss_record *to, const struct loss_record *more)
{
	to->packets += more->packets;
	to->bytes += more->bytes;
}

void place_lose(struct place *p, const struct loss_record *more)
{
	size_t i = LOST_CAUSES - 1;

	while (i != LOST_BY_FILE && strcmp(causes[i], more->cause) != 0)
		i--;
	add_lost(&p->untold[i], more);
}

static int tell_lost_by(struct places *all, struct place *p, struct loss_record *untold, struct spill *s)
{
	struct ngblock_seen seen = p->seen;
	int err;

	if (!untold->packets)
		return 0;
	seen.lost.cause = untold->cause;
	add_lost(&seen.lost, untold);
	err = places_describe(all, p, s) ?: ngblock_statistics(s, (uint32_t)p->id, &seen);
	if (!err) {
		spill_stake(s, untold, untold->packets, untold->bytes);
		p->seen = seen;
		untold->packets = untold->bytes = 0;
	}
	return err;
}

int places_tell_lost(struct places *all, struct place *p, struct spill *s)
{
	int err = 0;

	for (size_t i = 0; i < LOST_CAUSES && !err; i++)
		err = tell_lost_by(all, p, &p->untold[i], s);
	return err;
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
