/* SPDX-License-Identifier: MIT */
/*
 * Copies strings sixteen bytes at a time and finds out on the way whether they are plain: printable ASCII but '"' and
 * '\', that stand for themselves in JSON. Nothing is read outside of what the caller says may be read.
 */
#ifndef PERISCO_OUTPUT_PLAIN_H
#define PERISCO_OUTPUT_PLAIN_H

#include "base/slice.h"

#define PLAIN_BLOCK 16

static inline bool plain_byte(uint8_t c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

#ifdef __SSSE3__
#include <tmmintrin.h>

/* Copies a block; a bit for each byte of it that is not plain. */
static inline unsigned plain_block(uint8_t *w, const uint8_t *p)
{
	/* What a byte must not be, by its lower four bits; 0 is found for one with the high bit. */
	const __m128i never = _mm_setr_epi8(0, 0, '"', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\\', 0, 0, 0x7f);
	__m128i b = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i odd = _mm_cmpeq_epi8(_mm_shuffle_epi8(never, b), b);

	_mm_storeu_si128((__m128i *)(void *)w, b);
	odd = _mm_or_si128(odd, _mm_cmplt_epi8(b, _mm_set1_epi8(' ')));
	return (unsigned)_mm_movemask_epi8(odd);
}
#else
static inline unsigned plain_block(uint8_t *w, const uint8_t *p)
{
	unsigned odd = 0;

	memcpy(w, p, PLAIN_BLOCK);
	for (unsigned i = 0; i < PLAIN_BLOCK; i++)
		odd |= (unsigned)!plain_byte(p[i]) << i;
	return odd;
}
#endif

#define PLAIN_EACH(c) (0x0101010101010101 * (uint64_t)(c))

/* Eight bytes in a register: are all of them plain? A borrow or carry only ever comes out of a byte that is not. */
static inline bool plain_word(uint64_t v)
{
	uint64_t quote = (v ^ PLAIN_EACH('"')) - PLAIN_EACH(1);
	uint64_t slash = (v ^ PLAIN_EACH('\\')) - PLAIN_EACH(1);

	return ((v | (v + PLAIN_EACH(1)) | (v - PLAIN_EACH(' ')) | quote | slash) & PLAIN_EACH(0x80)) == 0;
}

static inline uint64_t plain_load8(uint8_t *w, const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	memcpy(w, &v, sizeof(v));
	return v;
}

static inline uint64_t plain_load4(uint8_t *w, const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	memcpy(w, &v, sizeof(v));
	return v;
}

/* A string shorter than a block, by loads that overlap. */
static inline bool plain_short(uint8_t *w, struct slice s)
{
	if (s.n >= 8)
		return plain_word(plain_load8(w, s.p)) && plain_word(plain_load8(w + s.n - 8, s.p + s.n - 8));
	if (s.n >= 4)
		return plain_word(plain_load4(w, s.p) | plain_load4(w + s.n - 4, s.p + s.n - 4) << 32);
	for (size_t i = 0; i < s.n; i++)
		if (!plain_byte(w[i] = s.p[i]))
			return false;
	return true;
}

/* Two blocks at least, which may overlap. */
static inline bool plain_long(uint8_t *w, struct slice s)
{
	for (size_t i = 0; s.n - i > PLAIN_BLOCK; i += PLAIN_BLOCK)
		if (plain_block(w + i, s.p + i))
			return false;
	return plain_block(w + s.n - PLAIN_BLOCK, s.p + s.n - PLAIN_BLOCK) == 0;
}

/*
 * Copies `s` and says whether all of it is plain. The bytes from s.p up to `limit`, if it is further on than the end of
 * `s`, may be read; up to 15 bytes behind the copy may be written.
 */
static inline __attribute__((always_inline)) bool plain_copy(uint8_t *w, struct slice s, const uint8_t *limit)
{
	if (s.n > PLAIN_BLOCK)
		return plain_long(w, s);
	if (s.n < PLAIN_BLOCK && limit - s.p < PLAIN_BLOCK)
		return plain_short(w, s);
	return (plain_block(w, s.p) & ((1u << s.n) - 1)) == 0;
}

#endif
