/* SPDX-License-Identifier: MIT */
/* A file that cannot be written for a while: when it is tried again, what it misses, and what of that people are told. */
#ifndef PERISCO_OUTPUT_LAPSE_H
#define PERISCO_OUTPUT_LAPSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/news.h"

/* All zero at first but for what it is. */
struct lapse {
	const char *name, *what;       /* of the file, and what is written to it: "records"; borrowed */
	void (*say)(const char *line);
	bool on;                       /* it cannot be written, ... */
	struct news news;              /* ... which is told */
	int err;                       /* why, the first time; ... */
	bool misfit;                   /* ... set beside it: what was missed then did not fit */
	uint64_t retry_ms;             /* not before that; CLOCK_MONOTONIC */
	_Atomic uint64_t missed;       /* of these */
};

/* A try failed: the next one is due in a second, or as soon as retry_ms is 0. Told, but not all the time. */
void lapse_begin(struct lapse *l, int err);

/* Is there one, and the next try not due yet? */
bool lapse_waits(const struct lapse *l);

/* A try succeeded. Told if that it failed was. */
void lapse_end(struct lapse *l);

/* At the end: tells what was missed. Returns why, a negative errno, or 0 when it was nothing. */
int lapse_sum(const struct lapse *l);

#endif
