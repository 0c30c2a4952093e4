/* SPDX-License-Identifier: MIT */
/* What a run tells of itself, now and then, for the page. */
#ifndef PERISCO_METRICS_TOLD_H
#define PERISCO_METRICS_TOLD_H

#include "capture/source.h"
#include "output/summary.h"
#include "sink/courier.h"

#define TOLD_OUTPUTS 64u
#define TOLD_CPUS    512u /* of more, the others are counted with the last one */

struct told_output {
	char name[128]; /* without user, password and options, and no other has it */
	struct courier_counts counts; /* of another host, ... */
	bool file;                    /* ... or it is none: */
	uint64_t missed;              /* records that could not be written */
};

struct told {
	struct summary summary;      /* what it points to is not looked at */
	struct counts counts;        /* the same; all zero of a replay */
	uint64_t dropped[TOLD_CPUS]; /* packets, by CPU */
	unsigned cpus;
	uint64_t connections, memory, memory_limit;
	struct told_output output[TOLD_OUTPUTS];
	unsigned outputs;
	bool ready; /* all is attached to that is there */
};

#endif
