/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/budget.h"

#define LEVELS 9
#define LIMIT UINT64_C(100000000) /* a tenth of a core */

static struct budget b;
static uint64_t average;
static unsigned changes, highest, lowest; /* while it ran; a high level is a low step */

/* So many seconds of a load that costs `load` on level 0, and on each level as much of it as `percent` says, after each other. */
static void run(unsigned seconds, uint64_t load, unsigned percent)
{
	changes = 0;
	highest = lowest = b.level;
	for (unsigned s = 0; s < seconds; s++) {
		uint64_t spent = load;

		for (unsigned i = 0; i < b.level; i++)
			spent = spent * percent / 100;
		changes += budget_second(&b, spent, &average);
		highest = b.level > highest ? b.level : highest;
		lowest = b.level < lowest ? b.level : lowest;
	}
}

static int setup(void **state)
{
	(void)state;
	budget_init(&b, LIMIT, LEVELS);
	return 0;
}

static void test_stays_within(void **state)
{
	(void)state;
	run(1000, LIMIT, 50);
	assert_int_equal(changes, 0);
	assert_int_equal(b.level, 0);
}

/* One level at a time, two seconds each when it is far too much, and no further than the last. */
static void test_overload(void **state)
{
	(void)state;
	run(2, 100 * LIMIT, 100);
	assert_int_equal(b.level, 1);
	run(2, 100 * LIMIT, 100);
	assert_int_equal(b.level, 2);
	run(100, 100 * LIMIT, 100);
	assert_int_equal(b.level, LEVELS - 1);
	assert_int_equal(changes, LEVELS - 3);
}

static void test_a_little_too_much(void **state)
{
	(void)state;
	run(2, LIMIT * 5 / 4, 70);
	assert_int_equal(b.level, 0);
	run(1, LIMIT * 5 / 4, 70);
	assert_int_equal(b.level, 1);
	assert_int_equal(average, LIMIT * 5 / 4);
	run(5, LIMIT * 5 / 4, 70);
	assert_int_equal(b.level, 1);
}

static void test_recovers(void **state)
{
	(void)state;
	run(60, 100 * LIMIT, 60);
	assert_int_equal(b.level, LEVELS - 1);
	run(5 * LEVELS, LIMIT / 100, 60);
	assert_int_equal(b.level, 0);
}

/* After whatever oscillations: back on top within five minutes of silence. */
static void test_recovers_in_the_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		run(10, 50 * LIMIT, 60);
		run(7, 0, 60);
	}
	run(300, LIMIT / 100, 60);
	assert_int_equal(b.level, 0);
}

/* A load that fits on one level and not on the next one up: that is tried less and less often. */
static void test_between_levels(void **state)
{
	(void)state;
	run(120, 6 * LIMIT, 50);
	assert_in_range(b.level, 2, 3);
	run(2000, 6 * LIMIT, 50);
	assert_in_range(lowest, 2, 3);
	assert_int_equal(highest, 3);
	assert_in_range(changes, 0, 24);
}

/* The same where levels save next to nothing, so that hope never ends. */
static void test_small_steps(void **state)
{
	(void)state;
	run(120, LIMIT * 21 / 20, 92);
	run(2000, LIMIT * 21 / 20, 92);
	assert_in_range(changes, 0, 24);
	assert_in_range(highest, 1, 2);
}

static void test_noise(void **state)
{
	static const unsigned percent[] = {40, 150, 60, 30, 190, 20, 90, 110, 80, 100, 50, 70, 120, 100, 10};

	(void)state;
	for (unsigned i = 0; i < 3000; i++)
		assert_false(budget_second(&b, (uint64_t)LIMIT * percent[i % 15] / 100, &average));
}

/* A single second is no reason, whatever it cost. */
static void test_spike(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++)
		assert_false(budget_second(&b, i % 20 ? LIMIT / 10 : LIMIT * 5 / 2, &average));
}

/* Bursts that are longer than the window, without end: they move us less and less often. */
static void test_bursts(void **state)
{
	unsigned early = 0, late = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		run(6, 3 * LIMIT, 50);
		early += i < 20 ? changes : 0;
		late += i >= 180 ? changes : 0;
		run(6, LIMIT / 10, 50);
		early += i < 20 ? changes : 0;
		late += i >= 180 ? changes : 0;
	}
	assert_in_range(late, 0, early / 3);
}

static void test_one_level(void **state)
{
	(void)state;
	budget_init(&b, LIMIT, 1);
	run(100, 100 * LIMIT, 50);
	assert_int_equal(changes, 0);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_stays_within), T(test_overload), T(test_a_little_too_much), T(test_recovers), T(test_recovers_in_the_end),
		T(test_between_levels), T(test_small_steps), T(test_noise), T(test_spike), T(test_bursts), T(test_one_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
