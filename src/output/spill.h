/* SPDX-License-Identifier: MIT */
/*
 * A buffered file of records. No record is torn: when a write fails, a file on disk is cut behind the last whole record that was
 * written, those behind it stay in the buffer, and the error stays until it is tried again.
 */
#ifndef PERISCO_OUTPUT_SPILL_H
#define PERISCO_OUTPUT_SPILL_H

#include "record.h"

enum { SPILL_RECORDS = 2048 };

struct spill {
	uint8_t *buf;
	size_t used;
	int fd;
	bool listened;    /* somebody reads at the other end, who may go away */
	uint64_t device, inode; /* of a file on disk; 0: it is none */
	uint64_t base;    /* bytes that were in that before: standard output may be appended to it */
	int err;          /* the failure, a negative errno; nothing is written after it */
	uint64_t written; /* bytes that the operating system took, but for... */
	uint64_t torn;    /* ... so much of a record that could not be cut off */
	struct {
		uint64_t at;
		bool packet;
		struct loss_record *lost; /* grows by these if it is never written; may be NULL */
		uint64_t packets, bytes;
	} begin[SPILL_RECORDS]; /* each record since the last flush */
	unsigned n_begin;
	bool direct;      /* the last of them, which is larger than the buffer */
	char name[128];   /* for people */
	char error[256];  /* one line; "" when nothing failed */
};

/* Opens for writing ("-": standard output), emptying what is there. 0 or a negative errno with a line in s->error. */
int spill_open(struct spill *s, const char *path);

/* A record of `n` bytes follows, a packet or another one. When that fails it is as if there were none. */
int spill_begin(struct spill *s, size_t n, bool packet);

/* Appends to the record. When that fails all of the record is taken back. */
int spill_put(struct spill *s, const void *p, size_t n);

/* Behind the last record: if it is never written, so much more is lost there: `lost` stays. */
void spill_stake(struct spill *s, struct loss_record *lost, uint64_t packets, uint64_t bytes);

/* What waits is never written. */
void spill_give_up(struct spill *s);

/* How many packets wait to be written. */
unsigned spill_packets(const struct spill *s);

/* What was put there, as far as it was not cut off. */
static inline uint64_t spill_size(const struct spill *s)
{
	return s->written + s->used;
}

/* Is the file on disk not at `path` any more? False of anything else than a file on disk. */
bool spill_was_moved(const struct spill *s, const char *path);

/* Removes a closed file on disk that was empty and of which nothing could be written, if it is still at `path`: it is no capture. */
void spill_remove_empty(const struct spill *s, const char *path);

/* To be called between records. Finds out that the reader has gone (-EPIPE) even when there is nothing to write. */
int spill_flush(struct spill *s);

/* After a failure: writes what waits. 0, or it failed again. */
int spill_retry(struct spill *s);

/* Flushes and closes; 0 or the first failure. May be called again. */
int spill_close(struct spill *s);

#endif
