/* SPDX-License-Identifier: MIT */
/* Keeps a live run within its CPU budget: measures, decides by base/budget.h, and tells the source. */
#ifndef PERISCO_DEGRADE_H
#define PERISCO_DEGRADE_H

#include "base/budget.h"
#include "capture/source.h"
#include "output/summary.h"

struct degrade {
	struct budget budget;
	uint64_t at_ns, cpu_ns;        /* CLOCK_MONOTONIC, and what we and the programs had taken, when it was measured last */
	uint64_t since_ns;             /* on this level */
	uint64_t seed_ns;              /* with this choice of connections */
	uint32_t seed;
	struct summary_budget told;
};

/*
 * `limit_ns`: CPU time a second; 0: there is no budget, and nothing below does anything. `may_count`: the source may only count
 * connections, if it can.
 */
void degrade_init(struct degrade *d, struct source *source, uint64_t limit_ns, bool may_count);

/* To be called often. True: the level is another one, which *ret says; the engine is to be told. */
bool degrade_step(struct degrade *d, struct source *source, struct budget_record *ret);

/* The run is over: nobody is to be told any more, but the time up to now counts. */
void degrade_end(struct degrade *d, struct source *source);

#endif
