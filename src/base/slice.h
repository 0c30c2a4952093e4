/* SPDX-License-Identifier: MIT */
/* A borrowed run of bytes: pointer and length into somebody else's buffer. */
#ifndef PERISCO_BASE_SLICE_H
#define PERISCO_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *p;
	size_t n;
};

#define SLICE_INIT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
#define SLICE(literal) ((struct slice)SLICE_INIT(literal))

static inline struct slice slice_of(const void *p, size_t n)
{
	return (struct slice){p, n};
}

static inline struct slice slice_str(const char *s)
{
	return (struct slice){(const uint8_t *)s, strlen(s)};
}

/* The bytes from `at` on; empty when the slice is shorter. */
static inline struct slice slice_from(struct slice s, size_t at)
{
	return at < s.n ? (struct slice){s.p + at, s.n - at} : (struct slice){s.p + s.n, 0};
}

/* At most the first `n` bytes. */
static inline struct slice slice_first(struct slice s, size_t n)
{
	return (struct slice){s.p, s.n < n ? s.n : n};
}

/* Without the spaces and tabs around it (OWS, RFC 9110 section 5.6.3). */
static inline struct slice slice_trim(struct slice s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = slice_from(s, 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* ... and the CR of a line's end, which a bare LF ends as well (RFC 9112 section 2.2). */
static inline struct slice slice_trim_line(struct slice s)
{
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
		s.n--;
	return slice_trim(s);
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

static inline bool slice_ends(struct slice s, struct slice suffix)
{
	return s.n >= suffix.n && slice_eq(slice_from(s, s.n - suffix.n), suffix);
}

/* Copies it to a place that has room. Most are short: no call for them. Two pieces of a fixed size may overlap. */
static inline void slice_copy(struct slice s, uint8_t *to)
{
	if (s.n > 32) {
		memcpy(to, s.p, s.n);
	} else if (s.n >= 16) {
		memcpy(to, s.p, 16);
		memcpy(to + s.n - 16, s.p + s.n - 16, 16);
	} else if (s.n >= 8) {
		memcpy(to, s.p, 8);
		memcpy(to + s.n - 8, s.p + s.n - 8, 8);
	} else if (s.n >= 4) {
		memcpy(to, s.p, 4);
		memcpy(to + s.n - 4, s.p + s.n - 4, 4);
	} else if (s.n >= 2) {
		memcpy(to, s.p, 2);
		memcpy(to + s.n - 2, s.p + s.n - 2, 2);
	} else if (s.n) {
		*to = *s.p;
	}
}

static inline uint8_t ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* The value of a hexadecimal digit, or -1. */
static inline int ascii_hex(uint8_t c)
{
	c = ascii_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Equal but for the case of ASCII letters (field names, RFC 9110 section 5.1). Most that are equal are so to the letter. */
static inline bool slice_ieq(struct slice a, struct slice b)
{
	if (a.n != b.n)
		return false;
	if (slice_eq(a, b))
		return true;
	for (size_t i = 0; i < a.n; i++)
		if (a.p[i] != b.p[i] && ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

#endif
