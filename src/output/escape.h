/* SPDX-License-Identifier: MIT */
/*
 * Strings off the wire as text that is safe to store and to look at. Both ways can be undone, for no two different
 * inputs give the same output (but for what escape_text shortens).
 */
#ifndef PERISCO_OUTPUT_ESCAPE_H
#define PERISCO_OUTPUT_ESCAPE_H

#include "output/plain.h"

/* What escape_json may write from `w` on, scratch behind its end included. */
#define ESCAPE_JSON_MAX(n) (6 * (n) + 16)

/*
 * The inside of a JSON string (RFC 8259 section 7). Valid UTF-8 (RFC 3629) stands for itself, control characters (C0,
 * DEL and C1) escaped. A byte 0xNN that is no part of valid UTF-8 becomes the private-use character U+EFNN, so that
 * every parser takes the line; therefore the characters U+EF80 to U+EFFF themselves, when they come, are treated as
 * three such bytes.
 */
static inline uint8_t *escape_json(uint8_t *w, struct slice s);

/* The same of a string that stands within more text: the bytes up to `limit` may be read too, which is faster. */
static inline uint8_t *escape_json_within(uint8_t *w, struct slice s, const uint8_t *limit);

/*
 * Is this UTF-8 without control characters but tab, line feed and carriage return? Its last character may be cut short.
 */
bool escape_is_text(struct slice s);

/*
 * As printable ASCII without spaces: every other byte as \xNN and the backslash doubled. What would take more than
 * `max` characters (at least 8) is shortened in the middle to "head...tail", never within an escape.
 */
uint8_t *escape_text(uint8_t *w, struct slice s, size_t max);

/* The same in double quotes, which `max` does not count: spaces stay, a quote has a backslash in front. */
uint8_t *escape_quoted(uint8_t *w, struct slice s, size_t max);

/* The slow path: not all of it is plain. */
uint8_t *escape_odd(uint8_t *w, struct slice s);

static inline __attribute__((always_inline)) uint8_t *escape_json_within(uint8_t *w, struct slice s, const uint8_t *limit)
{
	return plain_copy(w, s, limit) ? w + s.n : escape_odd(w, s);
}

static inline uint8_t *escape_json(uint8_t *w, struct slice s)
{
	return escape_json_within(w, s, s.p + s.n);
}

#endif
