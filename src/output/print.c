/* SPDX-License-Identifier: MIT */
#include "output/print.h"

#include <endian.h>

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
			    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
			    "8081828384858687888990919293949596979899";

static inline uint8_t *print_pair(uint8_t *w, unsigned v)
{
	return print_bytes(w, pairs + 2 * v, 2);
}

uint8_t *print_padded(uint8_t *w, uint64_t v, unsigned digits)
{
	uint8_t *p = w + digits;

	for (; p - w >= 2; v /= 100)
		print_pair(p -= 2, v % 100);
	if (p > w)
		*w = (uint8_t)('0' + v % 10);
	return w + digits;
}

static inline uint8_t *print_four(uint8_t *w, unsigned v)
{
	return print_pair(print_pair(w, v / 100), v % 100);
}

/* Below 10,000, without leading zeros. */
static inline uint8_t *print_short(uint8_t *w, unsigned v)
{
	if (v >= 1000)
		return print_four(w, v);
	if (v >= 100) {
		*w++ = (uint8_t)('0' + v / 100);
		return print_pair(w, v % 100);
	}
	if (v >= 10)
		return print_pair(w, v);
	*w++ = (uint8_t)('0' + v);
	return w;
}

uint8_t *print_u64(uint8_t *w, uint64_t v)
{
	if (v < 10000)
		return print_short(w, (unsigned)v);
	if (v < 100000000)
		return print_four(print_short(w, (unsigned)(v / 10000)), (unsigned)(v % 10000));
	w = print_u64(w, v / 100000000);
	return print_four(print_four(w, (unsigned)(v / 10000 % 10000)), (unsigned)(v % 10000));
}

/* Spreads the eight digits of `v` over the bytes of a word, as ASCII, the first one on top. */
static inline uint64_t hex_digits(uint32_t v)
{
	uint64_t x = v;

	x = (x | x << 16) & 0x0000ffff0000ffff;
	x = (x | x << 8) & 0x00ff00ff00ff00ff;
	x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
	return x + 0x3030303030303030 + ((x + 0x0606060606060606) >> 4 & 0x0101010101010101) * ('a' - '0' - 10);
}

uint8_t *print_hex64(uint8_t *w, uint64_t v)
{
	uint64_t digits[2] = {htobe64(hex_digits((uint32_t)(v >> 32))), htobe64(hex_digits((uint32_t)v))};

	return print_bytes(w, digits, sizeof(digits));
}

static uint8_t *print_ip4(uint8_t *w, const uint8_t a[4])
{
	for (int i = 0; i < 3; i++) {
		w = print_short(w, a[i]);
		*w++ = '.';
	}
	return print_short(w, a[3]);
}

/* The longest run of zero groups, of two at least (RFC 5952 section 4.2): its length, and its start in *at. */
static int longest_zeros(const uint8_t a[16], int *at)
{
	int best = 1;

	for (int i = 0, run = 0; i < 8; i++) {
		run = a[2 * i] || a[2 * i + 1] ? 0 : run + 1;
		if (run > best) {
			best = run;
			*at = i - run + 1;
		}
	}
	return best > 1 ? best : 0;
}

static uint8_t *print_group(uint8_t *w, unsigned v)
{
	int shift = v >= 0x1000 ? 12 : v >= 0x100 ? 8 : v >= 0x10 ? 4 : 0;

	for (; shift >= 0; shift -= 4)
		*w++ = (uint8_t)"0123456789abcdef"[v >> shift & 15];
	return w;
}

static uint8_t *print_ip6(uint8_t *w, const uint8_t a[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	int at = 8, zeros = longest_zeros(a, &at);

	if (memcmp(a, mapped, sizeof(mapped)) == 0) /* section 5 */
		return print_ip4(PRINT(w, "::ffff:"), a + 12);
	if (at == 0 && zeros == 6) /* as inet_ntop(3) and so every other tool writes them */
		return print_ip4(PRINT(w, "::"), a + 12);
	for (int i = 0; i < 8; i++) {
		if (zeros && i == at) {
			w = PRINT(w, "::");
			i += zeros - 1;
			continue;
		}
		if (i && !(zeros && i == at + zeros))
			*w++ = ':';
		w = print_group(w, (unsigned)a[2 * i] << 8 | a[2 * i + 1]);
	}
	return w;
}

uint8_t *print_ip(uint8_t *w, const uint8_t addr[16], uint32_t version)
{
	return version == 4 ? print_ip4(w, addr + 12) : print_ip6(w, addr);
}

/*
 * `v` in the first of the units, each 1000 of the one before, in which it rounds to less than 1000; else in the last.
 */
static uint8_t *print_scaled(uint8_t *w, uint64_t v, const char *const *units, size_t n)
{
	uint64_t unit = 1;
	size_t i = 0;

	while (i + 1 < n && v / unit + (v % unit * 2 >= unit && unit > 1) >= 1000) {
		unit *= 1000;
		i++;
	}
	uint64_t tenths = unit == 1 ? v * 10 : v / unit * 10 + (v % unit + unit / 20) / (unit / 10);

	if (unit > 1 && tenths < 100) {
		w = print_u64(w, tenths / 10);
		*w++ = '.';
		*w++ = (uint8_t)('0' + tenths % 10);
	} else {
		w = print_u64(w, v / unit + (unit > 1 && v % unit * 2 >= unit));
	}
	return print_str(w, units[i]);
}

uint8_t *print_duration(uint8_t *w, uint64_t ns)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};

	return print_scaled(w, ns, units, 4);
}

uint8_t *print_size(uint8_t *w, uint64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};

	return print_scaled(w, bytes, units, 6);
}

uint8_t *print_base64(uint8_t *w, struct slice s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < s.n; i += 3) {
		size_t left = s.n - i;
		uint32_t v = (uint32_t)s.p[i] << 16;

		v |= left > 1 ? (uint32_t)s.p[i + 1] << 8 : 0;
		v |= left > 2 ? s.p[i + 2] : 0;
		*w++ = (uint8_t)digits[v >> 18];
		*w++ = (uint8_t)digits[v >> 12 & 63];
		*w++ = left > 1 ? (uint8_t)digits[v >> 6 & 63] : '=';
		*w++ = left > 2 ? (uint8_t)digits[v & 63] : '=';
	}
	return w;
}
