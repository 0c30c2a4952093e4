/* SPDX-License-Identifier: MIT */
/* What comes and goes, and is told of, but not each time. For the edges, as the clock is. */
#ifndef PERISCO_BASE_NEWS_H
#define PERISCO_BASE_NEWS_H

#include <stdbool.h>

#include "base/clock.h"

#define NEWS_MS 10000u /* between words about the same */

/* All zero at first. */
struct news {
	bool on;          /* as it was told last, ... */
	uint64_t told_ms; /* ... when that was */
};

/* Is it to be told that it is so now? Not when that was told last, or anything of it just now. Counts as told from then on. */
static inline bool news_turn(struct news *n, bool on)
{
	uint64_t now = clock_ms();

	if (on == n->on || (n->told_ms && now < n->told_ms + NEWS_MS))
		return false;
	*n = (struct news){on, now};
	return true;
}

/* It is over. Is that to be told? At once, if that it is so was. */
static inline bool news_end(struct news *n)
{
	bool ret = n->on;

	n->on = false;
	return ret;
}

#endif
