/* SPDX-License-Identifier: MIT */
/* What all threads that have records share: which formats are in use, and where what they write goes. */
#ifndef PERISCO_OUTPUT_PLACE_H
#define PERISCO_OUTPUT_PLACE_H

#include <pthread.h>

#include "output/drain.h"
#include "output/format.h"

#define DRAINS_MAX  64 /* as many as struct mark has bits */
#define STREAMS_MAX 8  /* there are not so many formats */

/* A format in use, and where what it writes goes. */
struct stream {
	const struct format *format;
	struct look look;      /* at first, */
	bool watched;          /* ... to be kept up with the terminals that all of it goes to */
	void *known;           /* what the format remembers of all threads' records, with the lock */
	struct drain **drains;
	size_t n_drains;
	bool prompt;           /* one of them is a terminal, */
	bool marked;           /* ... wants to know where each record lies, */
	bool remote;           /* ... leads to another host */
};

/* What all have in common who write to the same place. Streams are added before there is a second one. */
struct place {
	const struct outputs_config *config;
	struct stream streams[STREAMS_MAX];
	size_t n_streams, n_drains;
	struct drain *remote[DRAINS_MAX], *file[DRAINS_MAX]; /* those that lead to other hosts, and the others, until the end */
	size_t n_remote, n_file;
	uint64_t run;             /* with their number, what records are told apart by */
	_Atomic uint64_t numbers;
	pthread_mutex_t lock; /* held to write to files */
	_Atomic int failed;   /* the first failure that ends the run, a negative errno; `error` is set before it */
	char error[COURIER_NAME_MAX + 256];
};

/*
 * May what the spec names be opened? Not when a file of another drain would be emptied or moved by that, or by a rotation. 0, or
 * -EINVAL with a line in `error`.
 */
int place_admit(const struct place *p, struct spec *spec, char *error, size_t n);

/* Adds a drain to a stream. 0; -EINVAL when another one writes there, or -ENOMEM, with a line in `error`. */
int place_add(struct place *p, struct stream *s, struct drain *drain, char *error, size_t n);

/* As outputs_take. */
bool place_takes(struct place *p, const char *path);

/* As outputs_work. */
bool place_works(struct place *p);

/* Remembers the first failure, of `what`. */
void place_fail(struct place *p, int r, const char *what);

/* Writes the lines to files, and lets the format's memory meet that of the others; then sends them to other hosts. */
void place_push(struct place *p, struct stream *s, void *state, const struct lines *l);

/* As outputs_can_reopen and outputs_reopen. */
bool place_can_reopen(const struct place *p);
void place_reopen(struct place *p);

/* Ends what leads to other hosts, all at the same time, as outputs_end. May be called again. */
void place_end(struct place *p);

/* Ends it, unless it has, closes all drains, and frees it. Returns as outputs_close does. */
int place_close(struct place *p);

#endif
