/* SPDX-License-Identifier: MIT */
/* What the programs cost: the kernel measures each run, for a few tens of nanoseconds, as long as a meter is open. */
#ifndef PERISCO_CAPTURE_TC_METER_H
#define PERISCO_CAPTURE_TC_METER_H

#include <stdint.h>

#include "capture/tc_hook.h"

struct meter {
	int fd;       /* the kernel measures as long as it is open; -1: it does not */
	int prog[2 * WAYS + 2];
	unsigned n;
};

/* Of these programs, borrowed, and what they hand packets on to. 0 or a negative errno; release it in both cases. */
int meter_open(struct meter *m, const struct hook_programs *programs);
void meter_release(struct meter *m);

/* CPU time that they took up to now, nanoseconds; 0 when it is not measured. */
uint64_t meter_ns(const struct meter *m);

#endif
