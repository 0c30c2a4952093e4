/* SPDX-License-Identifier: MIT */
/*
 * How much may be made of the traffic within a share of CPU time: a ladder of levels, 0 being everything, each cheaper than the one
 * before. It is asked once a second, and knows nothing but what was spent.
 */
#ifndef PERISCO_BASE_BUDGET_H
#define PERISCO_BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_LEVELS_MAX 16
#define BUDGET_WINDOW 3 /* seconds that are looked at together */

struct budget {
	uint64_t limit_ns;              /* CPU time a second that may be taken, by all threads on all CPUs */
	unsigned levels, level;         /* level < levels <= BUDGET_LEVELS_MAX */
	uint64_t spent[BUDGET_WINDOW];  /* in the last seconds on this level, the latest first, ... */
	unsigned seconds;               /* ... of which there were so many */
	uint64_t peak_ns;               /* the most that was taken a second on this level, fading away */
	unsigned patience;              /* seconds of calm before the next level up is tried; grows when that was in vain */
	bool climbed;                   /* this level was reached from below */
	uint64_t left_ns;               /* spent a second on the level before, when it was too much; 0: that was not so */
	uint32_t gain[BUDGET_LEVELS_MAX]; /* how many times as much a level costs as the next one, in 256ths */
};

/* On level 0 of so many; levels is at least 1. */
void budget_init(struct budget *b, uint64_t limit_ns, unsigned levels);

/*
 * Another second is over, in which `spent_ns` were taken. True: b->level is another one now, since a second of the level before cost
 * *average_ns.
 */
bool budget_second(struct budget *b, uint64_t spent_ns, uint64_t *average_ns);

#endif
