/* SPDX-License-Identifier: MIT */
#include "degrade.h"

#include <sys/random.h>
#include <time.h>

#define SECOND    UINT64_C(1000000000)
#define COUNTS    6             /* levels on which one of 2, 4, ... connections is decoded */
#define ROTATE_NS (30 * SECOND) /* then it is others' turn */
_Static_assert(COUNTS <= SHARE_MAX, "no more than a source can choose");

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* CPU time of all our threads, and in the kernel of what runs for us. */
static uint64_t taken_ns(struct source *source)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID) + (source->ops->spent ? source->ops->spent(source) : 0);
}

static enum detail detail_of(unsigned level)
{
	return level < DETAIL_COUNTS ? (enum detail)level : DETAIL_COUNTS;
}

static unsigned shift_of(unsigned level)
{
	return level < DETAIL_COUNTS ? 0 : level - DETAIL_COUNTS + 1;
}

void degrade_init(struct degrade *d, struct source *source, uint64_t limit_ns, bool may_count)
{
	*d = (struct degrade){.told.limit_ns = limit_ns};
	if (!limit_ns)
		return;
	budget_init(&d->budget, limit_ns, source->ops->share && may_count ? DETAIL_COUNTS + COUNTS : DETAIL_COUNTS);
	d->at_ns = d->since_ns = clock_ns(CLOCK_MONOTONIC);
	d->cpu_ns = taken_ns(source);
}

static void choose(struct degrade *d, struct source *source)
{
	if ((!d->seed_ns || d->at_ns - d->seed_ns >= ROTATE_NS) && getrandom(&d->seed, sizeof d->seed, 0) == sizeof d->seed)
		d->seed_ns = d->at_ns;
	source->ops->share(source, shift_of(d->budget.level), d->seed);
}

/* What was taken a second since the last time. */
static uint64_t measure(struct degrade *d, struct source *source, uint64_t now_ns)
{
	uint64_t cpu_ns = taken_ns(source), spent = cpu_ns - d->cpu_ns, passed = now_ns - d->at_ns;

	d->told.in_ns[detail_of(d->budget.level)] += passed;
	d->told.cpu_ns += spent;
	d->cpu_ns = cpu_ns;
	d->at_ns = now_ns;
	return (uint64_t)((double)spent / (double)passed * (double)SECOND);
}

bool degrade_step(struct degrade *d, struct source *source, struct budget_record *ret)
{
	uint64_t now_ns = d->told.limit_ns ? clock_ns(CLOCK_MONOTONIC) : 0;
	unsigned before = d->budget.level, level;

	if (!now_ns || now_ns - d->at_ns < SECOND)
		return false;
	*ret = (struct budget_record){.limit_ns = d->told.limit_ns, .before = (uint8_t)detail_of(before)};
	if (!budget_second(&d->budget, measure(d, source, now_ns), &ret->spent_ns)) {
		if (shift_of(before) && now_ns - d->seed_ns >= ROTATE_NS)
			choose(d, source);
		return false;
	}
	level = d->budget.level;
	ret->detail = (uint8_t)detail_of(level);
	ret->one_in = (uint16_t)(1 << shift_of(level));
	ret->lasted_ns = now_ns - d->since_ns;
	d->since_ns = now_ns;
	d->told.detail = ret->detail;
	if (shift_of(level) || shift_of(before))
		choose(d, source);
	return true;
}

void degrade_end(struct degrade *d, struct source *source)
{
	uint64_t now_ns = d->told.limit_ns ? clock_ns(CLOCK_MONOTONIC) : 0;

	if (now_ns > d->at_ns)
		measure(d, source, now_ns);
}
