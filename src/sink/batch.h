/* SPDX-License-Identifier: MIT */
/* What a courier has under way: some parcels, and those of their records that are still open. One thread at a time. */
#ifndef PERISCO_SINK_BATCH_H
#define PERISCO_SINK_BATCH_H

#include <stdbool.h>

#include "sink/parcel.h"

#define BATCH_PARCELS 64

/* What became of a record. */
enum fate { FATE_OPEN, FATE_DELIVERED, FATE_REFUSED };

/* A record to deliver. */
struct item {
	const uint8_t *p; /* line feed included */
	size_t n;
	uint64_t flow_id, ts_ns, run, number; /* as in struct mark and struct parcel */
	enum fate fate;
};

/* The id of a record, which it keeps wherever and however often it is sent: "5f0c2b9a11d4e37b-2f1". */
#define ITEM_ID_MAX 40
void item_id(const struct item *item, char ret[ITEM_ID_MAX]);

/* All zero at first. The items lie in the parcels, in the order of these. */
struct batch {
	struct parcel *parcels[BATCH_PARCELS];
	size_t n_parcels, bytes;
	struct item *items;
	size_t n_items, size;
	bool spooled; /* it came from the spool, and is still there */
};

/* Is it to get another parcel, when `most` bytes are enough? */
bool batch_has_room(const struct batch *l, size_t most);

/* Adds the records that bear the bit, and becomes a holder in the caller's place; not so when out of memory: false. */
bool batch_add(struct batch *l, struct parcel *p, uint64_t bit);

/* Leaves only what is open, in order, and says how many had which fate. */
void batch_settle(struct batch *l, size_t *delivered, size_t *refused);

/* How many of what is open were made by this run. */
size_t batch_count(const struct batch *l, uint64_t run);

/* How many of what is open are in this parcel of it. */
size_t batch_count_in(const struct batch *l, const struct parcel *p);

/* What is open, as a parcel of that run; their marks bear the bit. NULL when out of memory. */
struct parcel *batch_rest(const struct batch *l, uint64_t run, uint64_t bit);

/* Lets go of all parcels. */
void batch_clear(struct batch *l);
void batch_release(struct batch *l);

#endif
