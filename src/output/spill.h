/* SPDX-License-Identifier: MIT */
/*
 * A buffered file of records. A record that fits is never torn: when a write fails, a file on disk is cut behind the last
 * whole record that was written, and the error stays.
 */
#ifndef PERISCO_OUTPUT_SPILL_H
#define PERISCO_OUTPUT_SPILL_H

#include "base/slice.h"

enum { SPILL_RECORDS = 2048 };

struct spill {
	uint8_t *buf;
	size_t used;
	int fd;
	bool listened;    /* somebody reads at the other end, who may go away */
	uint64_t device, inode; /* of a file on disk; 0: it is none */
	int err;          /* the first failure, a negative errno; nothing is written after it */
	uint64_t written; /* bytes that the operating system took */
	uint64_t begin[SPILL_RECORDS]; /* where each record since the last flush begins */
	unsigned n_begin;
	char name[128];   /* for people */
	char error[256];  /* one line; "" when nothing failed */
};

/* Opens for writing ("-": standard output), emptying what is there. 0 or a negative errno with a line in s->error. */
int spill_open(struct spill *s, const char *path);

/* A record of `n` bytes follows: makes room for all of it, if it can ever fit. */
int spill_begin(struct spill *s, size_t n);

/* Appends to the record. */
int spill_put(struct spill *s, const void *p, size_t n);

/* What was put there, as far as it was not cut off. */
static inline uint64_t spill_size(const struct spill *s)
{
	return s->written + s->used;
}

/* Is the file on disk not at `path` any more? False of anything else than a file on disk. */
bool spill_was_moved(const struct spill *s, const char *path);

/* To be called between records. Finds out that the reader has gone (-EPIPE) even when there is nothing to write. */
int spill_flush(struct spill *s);

/* Flushes and closes; 0 or the first failure. May be called again. */
int spill_close(struct spill *s);

#endif
