/* SPDX-License-Identifier: MIT */
/*
 * From the time since boot, which stamps packets, to Unix time. The two run at the same rate, because NTP disciplines
 * both; only when somebody sets the wall clock do they part. Then a jump would make a latency wrong and let flows time
 * out, so we do not jump: what is left to make good shrinks by at most CLOCK_SLEW per second. Time never goes back, and
 * a duration is wrong by no more than this share, and only while the clock is being steered.
 */
#ifndef PERISCO_CAPTURE_TC_CLOCK_H
#define PERISCO_CAPTURE_TC_CLOCK_H

#include <stdint.h>

#define CLOCK_SLEW 500000 /* nanoseconds a second */
#define CLOCK_NEAR 20000  /* nanoseconds that are not worth steering: as well as we can measure */

/* From `from` on, in boot time, the wall clock is `from` + `offset` and then gains `slew` nanoseconds a second. */
struct clock_line {
	uint64_t from;
	int64_t offset, slew;
};

/* The line in use, and the one before: the ring may still hold packets of its time. */
struct clock {
	struct clock_line now, before;
};

/* `boot` and `wall` are one moment on both clocks, nanoseconds. */
void clock_init(struct clock *c, uint64_t boot, uint64_t wall);

/* The clocks were compared again: steers towards what was found. Call it about once a second, with growing `boot`. */
void clock_steer(struct clock *c, uint64_t boot, uint64_t wall);

/* Unix time of a boot time, nanoseconds. */
uint64_t clock_wall(const struct clock *c, uint64_t boot);

/* Reads both clocks at one moment, as near as can be. */
void clock_compare(uint64_t *ret_boot, uint64_t *ret_wall);

#endif
