/* SPDX-License-Identifier: MIT */
/* Counters of numbers that begin anywhere and move on: of how many records which segment of a spool holds. One thread at a time. */
#ifndef PERISCO_SINK_TALLY_H
#define PERISCO_SINK_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero at first. */
struct tally {
	uint64_t *counts;
	uint64_t first; /* the number of the first one */
	size_t n;
};

/* Is there a counter for this number, which is not below the first one's? Makes it, and those between; false when out of memory. */
bool tally_reach(struct tally *t, uint64_t at);

/* The counter of this number, or NULL where there is none. */
uint64_t *tally_at(struct tally *t, uint64_t at);

/* There are none below this number any more. */
void tally_forget(struct tally *t, uint64_t below);

void tally_release(struct tally *t);

#endif
