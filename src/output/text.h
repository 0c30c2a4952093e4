/* SPDX-License-Identifier: MIT */
/* What the files of the text format share: the line they print, and the room on it. */
#ifndef PERISCO_OUTPUT_TEXT_H
#define PERISCO_OUTPUT_TEXT_H

#include <time.h>

#include "output/escape.h"
#include "output/names.h"
#include "output/paint.h"
#include "output/print.h"
#include "record.h"

#define NAME_CHARS 64 /* of a host or an interface */

/* Below so many columns a line leaves out ... */
#define FOR_CLOCK   120 /* fractions of a second, and the protocol */
#define FOR_PORT    100 /* the client's port, and how much was sent */
#define FOR_CLIENT  80  /* the client */
#define COLUMNS_MIN 60  /* and does not become narrower than that */

struct text {
	time_t second;                /* that `clock` shows */
	uint8_t clock[8];             /* "HH:MM:SS" */
	size_t ends, request, status; /* widths of columns */
	bool color;
	size_t columns;     /* of the terminal, COLUMNS_MIN at least; 0: there is no end to a line */
	uint8_t *line;      /* where the one that is printed began, ... */
	struct paint paint; /* ... and what of it is coloured */
};

/* Is the line as wide as that? */
static inline bool text_has(const struct text *t, size_t columns)
{
	return !t->columns || t->columns >= columns;
}

/* How many columns there are behind `w`. */
static inline size_t text_room(const struct text *t, const uint8_t *w)
{
	size_t used = (size_t)(w - t->line);

	return !t->columns ? SIZE_MAX : t->columns > used ? t->columns - used : 0;
}

static inline size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Text of the wire, "-" when it is not known. */
static inline uint8_t *text_shown(uint8_t *w, struct slice s, size_t max)
{
	return s.n ? escape_text(w, s, max) : PRINT(w, "-");
}

/* Fills the column that began at `start` up to the widest value so far, of those not wider than `max`. */
uint8_t *text_fill(uint8_t *w, const uint8_t *start, size_t *widest, size_t max);

/* "10.0.0.1:80", with at least 8 and at most `max` characters of the address itself. */
uint8_t *text_address(uint8_t *w, const struct flow_key *k, unsigned side, size_t max, bool port);

/* Both ends, in a column, so that `rest` columns stay behind it where that can be. */
uint8_t *text_ends(struct text *t, uint8_t *w, const struct endpoints *e, size_t rest);

/* Closes a note on how something ended, with who it was. */
uint8_t *text_by_whom(uint8_t *w, int by);
uint8_t *text_ended(uint8_t *w, unsigned how, int by);

/* What of the line follows the time. */
uint8_t *text_exchange(struct text *t, uint8_t *w, const struct record *r);

/* What is out of the ordinary of an exchange: what one may want to know, and what went wrong. Each in brackets, after a space. */
uint8_t *text_remarks(uint8_t *w, const struct exchange_record *x);
uint8_t *text_troubles(uint8_t *w, const struct exchange_record *x);

#endif
