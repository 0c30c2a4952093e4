/* SPDX-License-Identifier: MIT */
/*
 * When one packet file ends and the next one begins, and what they are called: as tcpdump has it with its options -C, -G and -W,
 * but that the time is that of the packets.
 */
#ifndef PERISCO_OUTPUT_ROTATION_H
#define PERISCO_OUTPUT_ROTATION_H

#include "base/slice.h"

struct rotation {
	uint64_t size;     /* bytes: a file that has more gets no more packets; 0: no limit */
	uint64_t seconds;  /* a file gets packets of so many seconds; 0: no limit */
	uint64_t files;    /* by size: then the first one is written anew; by time alone: then it is enough; 0: no limit */
	bool begun;        /* else the first packet's time is the begin, where that matters */
	uint64_t begin_ns; /* when the file at hand, or with a limit of size the lot of them, began, ns since 1970 */
	uint64_t lots;     /* of them that are over */
	uint64_t number;   /* of the file in its lot */
};

enum rotation_turn { ROTATION_STAY, ROTATION_NEXT, ROTATION_OVER };

/* A packet of this time comes: does it go into the next file? Sets its number and begin then. OVER: there are files enough. */
enum rotation_turn rotation_time(struct rotation *r, uint64_t ts_ns);

/* Or does it, because the file has so many bytes? */
enum rotation_turn rotation_size(struct rotation *r, uint64_t bytes);

/* The name of the file at hand, made of `path`. False when it does not fit. */
bool rotation_name(const struct rotation *r, const char *path, char *ret, size_t n);

#endif
