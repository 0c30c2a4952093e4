/* SPDX-License-Identifier: MIT */
/* Reads JSON strictly (RFC 8259), so that tests can say what a line holds. Not for use outside of tests. */
#ifndef PERISCO_TESTS_JSONREAD_H
#define PERISCO_TESTS_JSONREAD_H

#include <stdio.h>

#include "base/cursor.h"

static inline bool json_take(struct cursor *c, uint8_t want)
{
	if (c->failed || cursor_left(c) == 0 || *c->p != want)
		return false;
	c->p++;
	return true;
}

static inline uint8_t json_peek(const struct cursor *c)
{
	return c->failed || cursor_left(c) == 0 ? 0 : *c->p;
}

static inline unsigned json_hex4(struct cursor *c)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		uint8_t d = cursor_u8(c), l = d | 0x20;

		c->failed |= !((d >= '0' && d <= '9') || (l >= 'a' && l <= 'f'));
		v = v << 4 | (unsigned)(d <= '9' ? d - '0' : l - 'a' + 10);
	}
	return v;
}

/* A code point of a string: the bytes of valid UTF-8, or an escape. Strict parsers refuse lone surrogates. */
static inline uint32_t json_character(struct cursor *c)
{
	static const char letters[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	uint32_t v = cursor_u8(c), low;
	int more = v >= 0xf0 ? 3 : v >= 0xe0 ? 2 : v >= 0x80 ? 1 : 0;

	if (v == '\\') {
		v = cursor_u8(c);
		if (v == 'u') {
			v = json_hex4(c);
			c->failed |= v >= 0xd800 && v < 0xe000;
			return v;
		}
		for (const char *l = letters; *l; l += 2)
			if ((uint8_t)*l == v)
				return (uint8_t)l[1];
		c->failed = true;
	}
	c->failed |= v < ' ' || (v >= 0x80 && v < 0xc2) || v > 0xf4;
	v &= more ? 0x3fu >> more : 0x7fu;
	low = more == 3 ? 0x10000 : more == 2 ? 0x800 : more == 1 ? 0x80 : 0;
	for (; more > 0; more--) {
		uint8_t b = cursor_u8(c);

		c->failed |= (b & 0xc0) != 0x80;
		v = v << 6 | (b & 0x3f);
	}
	c->failed |= v < low || v > 0x10ffff || (v >= 0xd800 && v < 0xe000);
	return v;
}

/* A string, without its quotes. */
static inline struct slice json_string(struct cursor *c)
{
	const uint8_t *start;

	c->failed |= !json_take(c, '"');
	start = c->p;
	while (!c->failed && json_peek(c) != '"')
		json_character(c);
	c->failed |= !json_take(c, '"');
	return c->failed ? slice_of(NULL, 0) : slice_of(start, (size_t)(c->p - 1 - start));
}

static inline void json_digits(struct cursor *c)
{
	c->failed |= json_peek(c) < '0' || json_peek(c) > '9';
	while (json_peek(c) >= '0' && json_peek(c) <= '9')
		c->p++;
}

/* Any value; `key` asks for a member (or an element, by its number) of it: *ret is set to that member's text. */
static inline void json_value(struct cursor *c, struct slice key, struct slice *ret, int depth)
{
	bool object = json_peek(c) == '{';
	char number[16];

	if (depth > 32 || c->failed) {
		c->failed = true;
	} else if (json_peek(c) == '"') {
		json_string(c);
	} else if (object || json_peek(c) == '[') {
		cursor_u8(c);
		for (unsigned i = 0; !c->failed && !json_take(c, object ? '}' : ']'); i++) {
			struct slice name = slice_of(number, (size_t)snprintf(number, sizeof(number), "%u", i));
			const uint8_t *start;

			c->failed |= i > 0 && !json_take(c, ',');
			if (object) {
				name = json_string(c);
				c->failed |= !json_take(c, ':');
			}
			start = c->p;
			json_value(c, (struct slice){NULL, 0}, NULL, depth + 1);
			if (ret && slice_eq(name, key)) {
				c->failed |= ret->p != NULL; /* given twice */
				*ret = slice_of(start, (size_t)(c->p - start));
			}
		}
	} else if (json_peek(c) == 't') {
		c->failed |= !slice_starts(cursor_rest(c), SLICE("true")) || !cursor_take(c, 4);
	} else if (json_peek(c) == 'f') {
		c->failed |= !slice_starts(cursor_rest(c), SLICE("false")) || !cursor_take(c, 5);
	} else if (!json_take(c, '0')) {
		json_digits(c); /* no value of ours is negative or has a fraction */
	}
}

/* Is this one JSON object, followed by a line feed and nothing else? */
static inline bool json_is_line(struct slice s)
{
	struct cursor c = cursor_of(s);

	if (json_peek(&c) != '{')
		return false;
	json_value(&c, (struct slice){NULL, 0}, NULL, 0);
	return json_take(&c, '\n') && !c.failed && cursor_left(&c) == 0;
}

/* The text of the value at `path`, like "l7.request.Record.Http.headers.0.key"; p == NULL when there is none. */
static inline struct slice json_at(struct slice s, const char *path)
{
	while (*path && s.p) {
		struct slice key = slice_of(path, strcspn(path, ".")), found = {NULL, 0};
		struct cursor c = cursor_of(s);

		json_value(&c, key, &found, 0);
		s = c.failed ? slice_of(NULL, 0) : found;
		path += key.n + (path[key.n] == '.');
	}
	return s;
}

/*
 * Undoes the escapes of a string, quotes around it, and what doc/records.md says of bytes that are no UTF-8. Returns
 * the number of bytes; `ret` has room for as many as the string has.
 */
static inline size_t json_bytes(struct slice s, uint8_t *ret)
{
	struct cursor c = cursor_of(slice_of(s.p + 1, s.n - 2));
	size_t n = 0;

	while (!c.failed && cursor_left(&c)) {
		uint32_t v = json_character(&c);

		if (v >= 0xef80 && v <= 0xefff) {
			ret[n++] = (uint8_t)v;
			continue;
		}
		if (v >= 0x10000)
			ret[n++] = (uint8_t)(0xf0 | v >> 18);
		if (v >= 0x800)
			ret[n++] = (uint8_t)((v >= 0x10000 ? 0x80 : 0xe0) | (v >> 12 & (v >= 0x10000 ? 0x3f : 0x0f)));
		if (v >= 0x80)
			ret[n++] = (uint8_t)((v >= 0x800 ? 0x80 : 0xc0) | (v >> 6 & (v >= 0x800 ? 0x3f : 0x1f)));
		ret[n++] = (uint8_t)(v >= 0x80 ? 0x80 | (v & 0x3f) : v);
	}
	return c.failed ? SIZE_MAX : n;
}

#endif
