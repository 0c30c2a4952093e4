/* SPDX-License-Identifier: MIT */
/* One try to deliver records by Elasticsearch's bulk API: what the answers make of each, and what is to be told. */
#ifndef PERISCO_SINK_TRY_H
#define PERISCO_SINK_TRY_H

#include <stdatomic.h>

#include "sink/batch.h"

#define TRY_WHY    200 /* bytes of a reason */
#define TRY_BLAMED 16  /* records that are refused alone, before any is taken, until the server is to blame */

/* All zero at first, but for `hurry`. The first of each kind of words is kept. */
struct try {
	const atomic_bool *hurry;
	bool taken;                     /* the server has a record of it */
	struct item *blamed[TRY_BLAMED]; /* not taken alone, which may be the fault of the record or of the server */
	size_t n_blamed;
	char open[TRY_WHY], refusal[TRY_WHY], blame[TRY_WHY];
};

/* Keeps a reason, unless there is one. */
void try_note(char to[TRY_WHY], const char *why);

/*
 * Gives each item the fate that the answer to a bulk request has for it, which has as many results or is not to be trusted. 0,
 * -EAGAIN when some stay open for now, or -EPROTO when the answer is not understood and all do.
 */
int try_answer(struct try *t, const char *answer, struct item *items, size_t n);

/* Is the answer with this status an error of Elasticsearch's own making? *circumstance: one that no record is to blame for. */
bool try_error(const char *answer, int status, bool *circumstance);

/*
 * A request with this record alone was not taken. It is refused when that is `sure` to be its fault, or the server took another
 * one; else it has to wait for that. 0: go on; -EPROTO: it is of no use.
 */
int try_blame(struct try *t, struct item *item, bool sure, const char *why);

/* The end, with the result so far: whom to blame is known now. Returns what a carrier does, with its line in `why`. */
int try_finish(struct try *t, int r, char *why, size_t n);

#endif
