/* SPDX-License-Identifier: MIT */
/* CLOCK_MONOTONIC that stands where the test wants it, for what else would depend on how fast the machine is. */
#ifndef PERISCO_TESTS_STILL_CLOCK_H
#define PERISCO_TESTS_STILL_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t stands_ms; /* there it stands, unless it is 0 and goes on */

/* Takes the place of libc's in this program. */
int clock_gettime(clockid_t id, struct timespec *ret)
{
	uint64_t ms = stands_ms;

	if (id != CLOCK_MONOTONIC || !ms)
		return (int)syscall(SYS_clock_gettime, id, ret);
	*ret = (struct timespec){(time_t)(ms / 1000), (long)(ms % 1000 * 1000000)};
	return 0;
}

#endif
