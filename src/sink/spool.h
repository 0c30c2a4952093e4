/* SPDX-License-Identifier: MIT */
/*
 * Parcels on disk, first in, first out, for a sink that is down: bounded, and still there after a restart. A directory
 * holds segments (NUMBER.spool) of parcels and a file `head` that says how far they were delivered. What was delivered
 * just before a crash may come again: a record's id is the same then. It outlives the process however that ends, but is not
 * forced to the disk: a power failure may cost the last of it. Any thread may call.
 */
#ifndef PERISCO_SINK_SPOOL_H
#define PERISCO_SINK_SPOOL_H

#include <stdbool.h>

#include "sink/parcel.h"

struct spool;

/*
 * Opens, or makes, the directory `path` for one sink of one process; `max` bounds the bytes in it. 0, or a negative errno
 * with a line in `error`: -EBUSY when another process has it.
 */
int spool_open(struct spool **ret, const char *path, uint64_t max, char *error, size_t n);

/* Appends the records of a parcel that the sink of `bit` wants. 0, -ENOSPC at the bound, or another negative errno. */
int spool_put(struct spool *s, const struct parcel *p, uint64_t bit);

/*
 * Puts a parcel in front of all others, whose records all bear the sink's bit. Only when all that was taken is done. 0 or a
 * negative errno.
 */
int spool_put_back(struct spool *s, const struct parcel *p);

/*
 * The next parcel, whose holder the caller becomes; all its records bear `bit`, and it says its segment. 0 with *ret NULL when
 * there is none, or a negative errno. What is cut off by a crash, or altered, is left out and counted: a parcel, or the rest of a
 * segment when it is not known where that ends.
 */
int spool_take(struct spool *s, uint64_t bit, struct parcel **ret);

/* The parcel that was taken last was not: it is the next one again. */
void spool_untake(struct spool *s);

/* All that was taken has arrived: it will not be taken again, in this run or the next. 0 or a negative errno. */
int spool_done(struct spool *s);

/*
 * Looks for segments that somebody removed: there is room in their place. How many records were in them that were put since it was
 * opened, and not taken; each is told once.
 */
uint64_t spool_missing(struct spool *s);

/* Did somebody remove that segment, of which something was taken? */
bool spool_lacks(const struct spool *s, uint64_t segment);

/* Is there nothing to take? This and what follows never waits for a disk. */
bool spool_is_empty(const struct spool *s);

/* Bytes on disk; bytes that could not be read. */
uint64_t spool_bytes(const struct spool *s);
uint64_t spool_unreadable(const struct spool *s);

/* Records that are known to have been in these; put since it was opened, or before. */
uint64_t spool_lost(const struct spool *s, bool before);

/* Closes; what did not arrive stays. NULL is allowed. */
void spool_close(struct spool *s);

#endif
