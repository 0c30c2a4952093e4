/* SPDX-License-Identifier: MIT */
/* The capture clock: exact while nobody sets the wall clock, and never a jump when somebody does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "capture/tc_clock.h"

#define SECOND 1000000000LL
#define BOOT   (5000 * SECOND)
#define WALL   (1700000000 * SECOND + 123456789)

static void converts(void **state)
{
	struct clock c;

	(void)state;
	clock_init(&c, BOOT, WALL);
	assert_int_equal(clock_wall(&c, BOOT), WALL);
	assert_int_equal(clock_wall(&c, BOOT + 1), WALL + 1);
	assert_int_equal(clock_wall(&c, BOOT - 77), WALL - 77);
	assert_int_equal(clock_wall(&c, BOOT + 86400 * SECOND), WALL + 86400 * SECOND);
}

/* What measuring gets wrong must not show. */
static void ignores_noise(void **state)
{
	struct clock c;
	int64_t noise;

	(void)state;
	clock_init(&c, BOOT, WALL);
	for (int64_t s = 1; s < 1000; s++) {
		noise = (s % 3 - 1) * (CLOCK_NEAR - 1);
		clock_steer(&c, (uint64_t)(BOOT + s * SECOND), (uint64_t)(WALL + s * SECOND + noise));
		assert_int_equal(clock_wall(&c, (uint64_t)(BOOT + s * SECOND + 5)), WALL + s * SECOND + 5);
	}
}

/* Steers each second after the wall clock was set by `step`; returns how far off the time is after `seconds`. */
static int64_t steer(struct clock *c, int64_t step, int64_t seconds)
{
	uint64_t wall = 0, last = clock_wall(c, BOOT);
	int64_t gain;

	for (int64_t s = 1; s <= seconds; s++) {
		clock_steer(c, (uint64_t)(BOOT + s * SECOND), (uint64_t)(WALL + s * SECOND + step));
		for (int64_t part = 1; part <= 4; part++) {
			wall = clock_wall(c, (uint64_t)(BOOT + s * SECOND + part * SECOND / 4));
			if (s > 1 || part > 1) {
				gain = (int64_t)(wall - last) - SECOND / 4;
				assert_in_range(llabs(gain), 0, CLOCK_SLEW / 4 + 1);
			}
			last = wall;
		}
	}
	return (int64_t)wall - (WALL + seconds * SECOND + SECOND + step);
}

static void follows_small_steps(void **state)
{
	struct clock c;

	(void)state;
	clock_init(&c, BOOT, WALL);
	assert_in_range(llabs(steer(&c, SECOND / 100, 120)), 0, CLOCK_NEAR);
	clock_init(&c, BOOT, WALL);
	assert_in_range(llabs(steer(&c, -SECOND / 100, 120)), 0, CLOCK_NEAR);
}

static void does_not_jump(void **state)
{
	struct clock c;

	(void)state;
	clock_init(&c, BOOT, WALL);
	assert_in_range(-steer(&c, 3600 * SECOND, 100), 3599 * SECOND, 3600 * SECOND);
	clock_init(&c, BOOT, WALL);
	assert_in_range(steer(&c, -3600 * SECOND, 100), 3599 * SECOND, 3600 * SECOND);
}

/* Packets that were captured before the clock was steered, and are read after, keep the time they would have had. */
static void keeps_the_past(void **state)
{
	struct clock c;
	uint64_t before[100];

	(void)state;
	clock_init(&c, BOOT, WALL);
	clock_steer(&c, BOOT + SECOND, WALL + 5 * SECOND);
	for (uint64_t i = 0; i < 100; i++)
		before[i] = clock_wall(&c, BOOT + SECOND + i * SECOND / 100);
	clock_steer(&c, BOOT + 2 * SECOND, WALL - 5 * SECOND);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(clock_wall(&c, BOOT + SECOND + i * SECOND / 100), before[i]);
	assert_true(clock_wall(&c, BOOT + 2 * SECOND) >= before[99]);
}

static void never_goes_back(void **state)
{
	struct clock c;
	uint64_t boot = BOOT, last = 0, wall;

	(void)state;
	srandom(7);
	clock_init(&c, BOOT, WALL);
	for (int i = 0; i < 100000; i++) {
		boot += (uint64_t)random() % 50000000;
		if (i % 20 == 0)
			clock_steer(&c, boot, boot + WALL - BOOT + (uint64_t)random() * 100 - (uint64_t)random() * 100);
		wall = clock_wall(&c, boot);
		assert_true(wall >= last);
		last = wall;
	}
}

static void compares(void **state)
{
	uint64_t boot[2] = {0}, wall[2] = {0};

	(void)state;
	clock_compare(&boot[0], &wall[0]);
	clock_compare(&boot[1], &wall[1]);
	assert_true(boot[1] >= boot[0] && boot[0] > 0);
	assert_true(wall[0] > boot[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converts),
		cmocka_unit_test(ignores_noise),
		cmocka_unit_test(follows_small_steps),
		cmocka_unit_test(does_not_jump),
		cmocka_unit_test(keeps_the_past),
		cmocka_unit_test(never_goes_back),
		cmocka_unit_test(compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
