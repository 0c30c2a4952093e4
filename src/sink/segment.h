/* SPDX-License-Identifier: MIT */
/* The files of a spool, NUMBER.spool in its directory. */
#ifndef PERISCO_SINK_SEGMENT_H
#define PERISCO_SINK_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

/* Those that are there; first > last: none. */
struct segments {
	uint64_t first, last; /* numbers */
	uint64_t bytes;
};

/* Looks for them. 0 or a negative errno. */
int segments_find(int dir, struct segments *ret);

/* Opens one, with the flags of open(2). A descriptor, or a negative errno. */
int segment_open(int dir, uint64_t segment, int flags);

/* Removes it, if that can be. Returns the bytes that it had; 0 when it is still there, or was not. */
uint64_t segment_remove(int dir, uint64_t segment);

/* Is it certainly not there? */
bool segment_is_missing(int dir, uint64_t segment);

/* Is it certainly not the open file `fd`: that was removed, moved away, or replaced? */
bool segment_is_not(int dir, uint64_t segment, int fd);

#endif
