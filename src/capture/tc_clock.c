/* SPDX-License-Identifier: MIT */
#include "capture/tc_clock.h"

#include <time.h>

#define SECOND 1000000000

static int64_t line_offset(const struct clock_line *l, uint64_t boot)
{
	return l->offset + (l->slew ? (int64_t)(boot - l->from) / 1000 * l->slew / (SECOND / 1000) : 0);
}

void clock_init(struct clock *c, uint64_t boot, uint64_t wall)
{
	c->now = (struct clock_line){.from = boot, .offset = (int64_t)(wall - boot)};
	c->before = c->now;
}

void clock_steer(struct clock *c, uint64_t boot, uint64_t wall)
{
	struct clock_line next = {.from = boot, .offset = line_offset(&c->now, boot)};
	int64_t behind = (int64_t)(wall - boot) - next.offset, slew = behind / 4; /* a late call must not overshoot */

	if (behind > CLOCK_NEAR || behind < -CLOCK_NEAR)
		next.slew = slew > CLOCK_SLEW ? CLOCK_SLEW : slew < -CLOCK_SLEW ? -CLOCK_SLEW : slew;
	if (!next.slew && !c->now.slew)
		return;
	c->before = c->now;
	c->now = next;
}

uint64_t clock_wall(const struct clock *c, uint64_t boot)
{
	const struct clock_line *l = boot >= c->now.from ? &c->now : &c->before;

	return boot + (uint64_t)line_offset(l, boot);
}

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

void clock_compare(uint64_t *ret_boot, uint64_t *ret_wall)
{
	uint64_t best = UINT64_MAX, before, wall, after;

	for (int i = 0; i < 5; i++) {
		before = read_clock(CLOCK_BOOTTIME);
		wall = read_clock(CLOCK_REALTIME);
		after = read_clock(CLOCK_BOOTTIME);
		if (after - before < best) {
			best = after - before;
			*ret_boot = before + best / 2;
			*ret_wall = wall;
		}
	}
}
