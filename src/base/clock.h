/* SPDX-License-Identifier: MIT */
/* The time that goes on by itself. For the edges: the core asks no clock, its time is the packets'. */
#ifndef PERISCO_BASE_CLOCK_H
#define PERISCO_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds of CLOCK_MONOTONIC. */
static inline uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

#endif
