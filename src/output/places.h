/* SPDX-License-Identifier: MIT */
/* Where packets of one link type were captured, or lost: the interfaces of packet files. */
#ifndef PERISCO_OUTPUT_PLACES_H
#define PERISCO_OUTPUT_PLACES_H

#include "output/ngblock.h"

#define PLACE_BUCKETS 256

/* Why packets were lost, as PCAPNG_LOST_CAUSES: those that could not be written are lost by the file. */
enum { LOST_BY_FILE, LOST_CAUSES = 4 };

struct place {
	struct place *next; /* in its bucket */
	struct iface iface; /* with the link type of the packets */
	int64_t id;         /* of the interface in the pcapng file at hand; -1: it is not described there yet */
	struct ngblock_seen seen; /* in this file */
	struct loss_record untold[LOST_CAUSES]; /* what was lost since, but for its CPU; it is not in the file yet */
};

struct places {
	uint32_t ids;       /* interfaces that are described in the file at hand */
	struct place *last; /* the one used last */
	struct place *bucket[PLACE_BUCKETS];
};

/* A new one if need be, which stays where it is until it is forgotten; `iface` NULL is unknown. NULL when out of memory. */
struct place *places_find(struct places *p, const struct iface *iface, uint16_t link);

/* That of an interface whose link type is not known: any, or a new one as if packets of Ethernet came there. NULL as above. */
struct place *places_any(struct places *p, const struct iface *iface);

/*
 * Another file begins: nothing was described or seen in it yet. `forget`: those that the last one did not describe, and
 * that lost nothing, go.
 */
void places_begin(struct places *p, bool forget);

/* Describes the place before the file speaks of it for the first time. 0 or a negative errno, as ngblock.h. */
int places_describe(struct places *p, struct place *place, struct spill *s);

/* More was lost there, which is to be told. */
void place_lose(struct place *p, const struct loss_record *more);

/* Says what was lost there since it was said last, each cause for itself. 0 or a negative errno. */
int places_tell_lost(struct places *p, struct place *place, struct spill *s);

void places_release(struct places *p);

#endif
