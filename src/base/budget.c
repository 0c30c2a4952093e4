/* SPDX-License-Identifier: MIT */
/*
 * Down as soon as a few seconds together were too much. Up when what the next level will cost, by what it cost before, fits: after
 * a time that doubles whenever it then did not fit after all, so that a load that lies between two levels moves us seldom.
 */
#include "base/budget.h"

#include <string.h>

#define ONE 256u            /* 1 in 256ths */
#define GAIN_MAX (4 * ONE)  /* more than that is another load, and not the level */
#define PATIENCE_MIN 8u
#define PATIENCE_MAX 256u

void budget_init(struct budget *b, uint64_t limit_ns, unsigned levels)
{
	memset(b, 0, sizeof(*b));
	b->limit_ns = limit_ns;
	b->levels = levels;
	b->patience = PATIENCE_MIN;
	for (unsigned i = 0; i < BUDGET_LEVELS_MAX; i++)
		b->gain[i] = 2 * ONE;
}

/* Taken a second, as far as is known of the level. */
static uint64_t average(const struct budget *b)
{
	unsigned n = b->seconds < BUDGET_WINDOW ? b->seconds : BUDGET_WINDOW;
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += b->spent[i];
	return n ? sum / n : 0;
}

/* Too much over the window, or far too much for two seconds. */
static bool is_too_much(const struct budget *b)
{
	if (b->seconds >= BUDGET_WINDOW)
		return average(b) > b->limit_ns;
	return b->seconds == 2 && b->spent[0] > 2 * b->limit_ns && b->spent[1] > 2 * b->limit_ns;
}

/* Does the next level up fit, if it costs `times` as much as expected? */
static bool will_fit(const struct budget *b, unsigned times)
{
	return b->peak_ns * times <= b->limit_ns * ONE / b->gain[b->level - 1];
}

static bool may_climb(struct budget *b)
{
	if (!b->level || b->seconds < BUDGET_WINDOW)
		return false;
	if (b->seconds >= b->patience / 8 && will_fit(b, 2))
		return true;
	if (b->seconds < b->patience || b->peak_ns > b->limit_ns / 10 * 9)
		return false;
	if (will_fit(b, 1))
		return true;
	b->gain[b->level - 1] -= (b->gain[b->level - 1] - ONE) / 2; /* may have been another load: expect less, */
	b->seconds = BUDGET_WINDOW;                                 /* and wait again */
	return false;
}

static void go(struct budget *b, unsigned level)
{
	b->climbed = level < b->level;
	b->peak_ns = b->climbed ? b->peak_ns : 0;
	b->level = level;
	b->seconds = 0;
}

/* Loads come in bursts. */
static void fade(struct budget *b)
{
	uint64_t now = b->seconds < BUDGET_WINDOW ? 0 : average(b);

	b->peak_ns -= b->peak_ns / 8;
	if (b->peak_ns < now)
		b->peak_ns = now;
}

/* The level was there long enough to know its cost: what did leaving the one above save? */
static void learn(struct budget *b)
{
	uint64_t now = average(b), gain;

	if (!b->left_ns || b->seconds != BUDGET_WINDOW)
		return;
	gain = now ? b->left_ns * ONE / now : GAIN_MAX;
	b->gain[b->level - 1] = gain < ONE ? ONE : gain > GAIN_MAX ? GAIN_MAX : (uint32_t)gain;
	b->left_ns = 0;
}

bool budget_second(struct budget *b, uint64_t spent_ns, uint64_t *average_ns)
{
	memmove(b->spent + 1, b->spent, sizeof(b->spent) - sizeof(b->spent[0]));
	b->spent[0] = spent_ns;
	b->seconds++;
	*average_ns = average(b);
	learn(b);
	fade(b);
	if (is_too_much(b)) {
		if (b->level + 1 == b->levels)
			return false;
		if (b->climbed && b->seconds < b->patience)
			b->patience = b->patience * 2 < PATIENCE_MAX ? b->patience * 2 : PATIENCE_MAX;
		b->left_ns = *average_ns;
		go(b, b->level + 1);
		return true;
	}
	if (b->climbed && b->seconds == b->patience) {
		b->climbed = false;
		b->patience = b->patience / 2 > PATIENCE_MIN ? b->patience / 2 : PATIENCE_MIN;
	}
	if (!may_climb(b))
		return false;
	b->left_ns = 0;
	go(b, b->level - 1);
	return true;
}
