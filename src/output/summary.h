/* SPDX-License-Identifier: MIT */
/* What a run saw and what it missed, for people: printed at the end, as tcpdump prints its "captured" and "dropped". */
#ifndef PERISCO_OUTPUT_SUMMARY_H
#define PERISCO_OUTPUT_SUMMARY_H

#include <stdbool.h>
#include <stdio.h>

#include "base/stats.h"
#include "output/tap.h"
#include "record.h"

/* What a CPU budget led to. */
struct summary_budget {
	uint64_t limit_ns;           /* CPU time a second that may be taken; 0: there is no budget */
	uint64_t cpu_ns;             /* CPU time that was taken, in the kernel too, all together */
	uint64_t in_ns[DETAILS];     /* time with so much detail */
	enum detail detail;          /* now */
};

struct summary {
	struct stats stats;          /* of the engine */
	uint64_t filtered;           /* packets that the filter refused; the engine did not see them */
	uint64_t filtered_early;     /* of these, refused in the kernel; of any protocol */
	uint64_t shown;              /* exchanges that were selected and written */
	uint64_t dropped;            /* records that did not get to other hosts, or into files */
	uint64_t file_lost;          /* packets that whoever wrote the files says it lost */
	bool live;                   /* the rest is for live capture only */
	uint64_t interfaces;         /* attached at the end */
	uint64_t unattached;         /* interfaces that could not be attached to */
	uint64_t ring_lost;          /* packets the kernel had no room for, ... */
	uint64_t unread_lost, oversize_lost; /* ... could not read, or that are too large, ... */
	uint64_t lost_bytes;         /* ... and their bytes of TCP payload */
	const uint64_t *lost_by_cpu; /* all of these packets; NULL: not known */
	unsigned cpus;
	uint64_t copies;             /* packets that were not copied: another interface showed them, ... */
	uint64_t elided, elided_bytes; /* ... or nobody wants them; and payload that nobody wants, of these and of others */
	unsigned ignoreds;           /* reasons why connections are not decoded, ... */
	struct ignored ignored[IGNORED_MAX]; /* ... and how many */
	struct summary_budget budget;
	const char *write;           /* name of the packet file; NULL: none */
	struct tap_counts tap;
};

/*
 * Lines: exchanges, packets, what was left out on purpose, what was lost by cause ("0 lost" when nothing was), then only what
 * is out of the ordinary; with `verbose` on which CPUs it was lost, why connections were not looked at, and every counter that is not zero.
 */
void summary_print(const struct summary *s, bool verbose, FILE *out);

/* The same of a run that is not over yet, in one line. */
void summary_progress(const struct summary *s, FILE *out);

#endif
