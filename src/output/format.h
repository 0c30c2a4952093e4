/* SPDX-License-Identifier: MIT */
/* How a record reads. A format knows no transport: it appends lines to a buffer. */
#ifndef PERISCO_OUTPUT_FORMAT_H
#define PERISCO_OUTPUT_FORMAT_H

#include <stdbool.h>

#include "output/buf.h"
#include "output/view.h"
#include "record.h"

/* Where somebody watches. All zero: nobody does. */
struct look {
	bool color;
	unsigned columns; /* of the terminal; 0: as many as you like */
};

struct format {
	const char *name, *help;
	size_t state_size; /* of what it remembers between records; all zero at first */
	/* Appends one record, whole and ended by a line feed. False when there is no room: then nothing is appended. */
	bool (*write)(void *state, const struct view *view, const struct record *r, struct buf *out);
	/* How records are to look from now on; at first, as when nobody watches. NULL: they look the same everywhere. */
	void (*look)(void *state, const struct look *look);
	/*
	 * Each thread has a state of its own; from time to time it is to learn what others know, and they what it knows.
	 * NULL: there is nothing to tell.
	 */
	void (*meet)(void *state, void *known);
};

extern const struct format format_text, format_json;
extern const struct format format_null; /* writes nothing: its `write` is NULL */

#endif
