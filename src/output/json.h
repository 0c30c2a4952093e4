/* SPDX-License-Identifier: MIT */
/*
 * How an object is written, for the files that write JSON. Text of the wire asks for the room it may need and FIXED bytes
 * behind it; between two such requests less than FIXED bytes are written. A pointer that is NULL means that there was no
 * room, and is passed on. Each member ends with a comma, which the end of its object overwrites.
 */
#ifndef PERISCO_OUTPUT_JSON_H
#define PERISCO_OUTPUT_JSON_H

#include "output/buf.h"
#include "output/escape.h"
#include "output/print.h"
#include "output/view.h"
#include "record.h"

#define FIXED 4096

#define KEY(w, name)       PRINT(w, "\"" name "\":")
#define NUMBER(w, name, v) comma(print_u64(KEY(w, name), (v)))
#define WORD(w, name, s)   ((s) ? word(KEY(w, name), (s)) : (w))
#define FLAG(w, name, v)   ((v) ? PRINT(w, "\"" name "\":true,") : PRINT(w, "\"" name "\":false,"))
#define OPEN(w, name)      PRINT(w, "\"" name "\":{")
#define CLOSE(w)           comma(close_with((w), '}'))
#define CLOSE_LIST(w)      comma(close_with((w), ']'))

static inline uint8_t *room(struct buf *b, uint8_t *w, size_t n)
{
	return buf_room(b, w, n + FIXED);
}

static inline uint8_t *comma(uint8_t *w)
{
	*w++ = ',';
	return w;
}

static inline uint8_t *close_with(uint8_t *w, char bracket)
{
	w -= w[-1] == ',';
	*w++ = (uint8_t)bracket;
	return w;
}

/* A string of our own words. */
static inline uint8_t *word(uint8_t *w, const char *s)
{
	*w++ = '"';
	w = print_str(w, s);
	return PRINT(w, "\",");
}

/* Text of the wire. */
static inline uint8_t *string(struct buf *b, uint8_t *w, struct slice s)
{
	w = room(b, w, ESCAPE_JSON_MAX(s.n));
	if (!w)
		return NULL;
	*w++ = '"';
	w = escape_json(w, s);
	return PRINT(w, "\",");
}

/* A member with text of the wire; none when there is no text. */
#define TEXT(b, w, name, s) ((s).n ? string((b), KEY(w, name), (s)) : (w))

/* The member "l7" of an exchange. NULL when there is no room. */
uint8_t *json_exchange(struct buf *b, uint8_t *w, const struct view *view, const struct exchange_record *x);

/* The member "missing", if anything is. Takes at most FIXED bytes. */
uint8_t *json_missing(uint8_t *w, const struct exchange_record *x);

/* The member "ended", if it did not end well. Takes few bytes. */
uint8_t *json_ended(uint8_t *w, unsigned how, int by);

#endif
