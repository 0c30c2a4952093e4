/* SPDX-License-Identifier: MIT */
/* Prints values at a pointer that has room for them, and returns the end. No terminating zero, no locale. */
#ifndef PERISCO_OUTPUT_PRINT_H
#define PERISCO_OUTPUT_PRINT_H

#include "base/slice.h"

#define PRINT_U64_MAX 20
#define PRINT_IP_MAX  45 /* "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255" */

/* A string literal. */
#define PRINT(w, literal) print_bytes((w), (literal), sizeof(literal) - 1)

static inline uint8_t *print_bytes(uint8_t *w, const void *p, size_t n)
{
	memcpy(w, p, n);
	return w + n;
}

static inline uint8_t *print_str(uint8_t *w, const char *s)
{
	return print_bytes(w, s, strlen(s));
}

/* `n` times the same byte. */
static inline uint8_t *print_fill(uint8_t *w, char c, size_t n)
{
	memset(w, c, n);
	return w + n;
}

/* Decimal. */
uint8_t *print_u64(uint8_t *w, uint64_t v);

/* The last `digits` decimal digits of `v`, with leading zeros; digits <= 20. */
uint8_t *print_padded(uint8_t *w, uint64_t v, unsigned digits);

/* 16 lower-case hex digits. */
uint8_t *print_hex64(uint8_t *w, uint64_t v);

/* An address of a flow_key: dotted decimal for version 4, else RFC 5952. At most PRINT_IP_MAX bytes. */
uint8_t *print_ip(uint8_t *w, const uint8_t addr[16], uint32_t version);

/* Two significant digits or three, at most five characters up to 999 s: "80ns", "1.2ms", "12ms", "999s". */
uint8_t *print_duration(uint8_t *w, uint64_t ns);

/* The same of bytes, in powers of 1000: "120B", "4.3kB", "43MB". */
uint8_t *print_size(uint8_t *w, uint64_t bytes);

/* RFC 4648 section 4; 4 * ((n + 2) / 3) bytes. */
uint8_t *print_base64(uint8_t *w, struct slice s);

#endif
