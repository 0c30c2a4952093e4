/* SPDX-License-Identifier: MIT */
/*
 * A buffered file of records. A record that fits is never torn: when a write fails, a file on disk is cut behind the last
 * whole record that was written, and the error stays.
 */
#ifndef PERISCO_OUTPUT_SPILL_H
#define PERISCO_OUTPUT_SPILL_H

#include "base/slice.h"

struct spill {
	uint8_t *buf;
	size_t used;
	int fd;
	int err;          /* the first failure, a negative errno; nothing is written after it */
	uint64_t written; /* bytes that the operating system took */
	uint64_t whole;   /* of these, up to the end of the last whole record */
	char name[128];   /* for people */
	char error[256];  /* one line; "" when nothing failed */
};

/* Opens for writing ("-": standard output), emptying what is there. 0 or a negative errno with a line in s->error. */
int spill_open(struct spill *s, const char *path);

/* A record of `n` bytes follows: makes room for all of it, if it can ever fit. */
int spill_begin(struct spill *s, size_t n);

/* Appends to the record. */
int spill_put(struct spill *s, const void *p, size_t n);

/* To be called between records. */
int spill_flush(struct spill *s);

/* Flushes and closes; 0 or the first failure. May be called again. */
int spill_close(struct spill *s);

#endif
