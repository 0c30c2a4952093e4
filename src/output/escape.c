/* SPDX-License-Identifier: MIT */
#include "output/escape.h"

#include "output/print.h"

static const char hex[] = "0123456789abcdef";

/* The length of the UTF-8 character at `p`, of two bytes at least; 0 when it is none (RFC 3629 section 4). */
static size_t utf8_length(const uint8_t *p, size_t n)
{
	uint8_t lead = p[0], low = 0x80, high = 0xbf;
	size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

	if (lead < 0xc2 || lead > 0xf4 || n < length)
		return 0;
	if (lead == 0xe0 || lead == 0xf0) /* no shorter form exists */
		low = lead == 0xe0 ? 0xa0 : 0x90;
	if (lead == 0xed || lead == 0xf4) /* no surrogates, nothing above U+10FFFF */
		high = lead == 0xed ? 0x9f : 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

static uint8_t *escape_unit(uint8_t *w, unsigned unit)
{
	w[0] = '\\';
	w[1] = 'u';
	w[2] = (uint8_t)hex[unit >> 12];
	w[3] = (uint8_t)hex[unit >> 8 & 15];
	w[4] = (uint8_t)hex[unit >> 4 & 15];
	w[5] = (uint8_t)hex[unit & 15];
	return w + 6;
}

/* One that is not plain. */
static uint8_t *escape_ascii(uint8_t *w, uint8_t c)
{
	static const char letters[] = {
		['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
	};

	if (c < sizeof(letters) && letters[c]) {
		*w++ = '\\';
		*w++ = (uint8_t)letters[c];
		return w;
	}
	return escape_unit(w, c);
}

/* The character at the front of `s`, of which more than ASCII; sets *taken to its bytes. */
static uint8_t *escape_wide(uint8_t *w, struct slice s, size_t *taken)
{
	size_t n = utf8_length(s.p, s.n);
	bool private = n == 3 && s.p[0] == 0xee && s.p[1] >= 0xbe; /* U+EF80 to U+EFFF */

	*taken = n && !private ? n : 1;
	if (*taken == 1)
		return escape_unit(w, 0xef00u + s.p[0]);
	if (s.p[0] == 0xc2 && s.p[1] < 0xa0)
		return escape_unit(w, s.p[1]);
	return print_bytes(w, s.p, n);
}

/* The characters that begin in the first `n` bytes; *taken says where they end. */
static uint8_t *escape_each(uint8_t *w, struct slice s, size_t n, size_t *taken)
{
	size_t i = 0, length;

	while (i < n) {
		uint8_t c = s.p[i];

		length = 1;
		if (plain_byte(c))
			*w++ = c;
		else if (c < 0x80)
			w = escape_ascii(w, c);
		else
			w = escape_wide(w, slice_from(s, i), &length);
		i += length;
	}
	*taken = i;
	return w;
}

uint8_t *escape_odd(uint8_t *w, struct slice s)
{
	size_t taken;

	for (; s.n; s = slice_from(s, taken)) {
		taken = PLAIN_BLOCK;
		if (s.n >= PLAIN_BLOCK && plain_block(w, s.p) == 0)
			w += PLAIN_BLOCK;
		else
			w = escape_each(w, s, s.n < PLAIN_BLOCK ? s.n : PLAIN_BLOCK, &taken);
	}
	return w;
}

/* Are these bytes, fewer than four, the beginning of a character? */
static bool utf8_begins(const uint8_t *p, size_t n)
{
	uint8_t whole[4] = {0x80, 0x80, 0x80, 0x80};

	memcpy(whole, p, n);
	return n == 1 ? whole[0] >= 0xc2 && whole[0] <= 0xf4 : utf8_length(whole, 4) > n;
}

static bool text_ascii(uint8_t c)
{
	return (c >= ' ' && c != 0x7f) || c == '\t' || c == '\n' || c == '\r';
}

bool escape_is_text(struct slice s)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		uint8_t c = s.p[i];

		n = c < 0x80 ? text_ascii(c) : utf8_length(s.p + i, s.n - i);
		if (n == 0)
			return c >= 0x80 && s.n - i < 4 && utf8_begins(s.p + i, s.n - i);
	}
	return true;
}

static size_t text_width(uint8_t c, bool quoted)
{
	if (c == '\\' || (quoted && c == '"'))
		return 2;
	return (c > ' ' || (quoted && c == ' ')) && c < 0x7f ? 1 : 4;
}

static uint8_t *text_bytes(uint8_t *w, struct slice s, bool quoted)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		size_t width = text_width(c, quoted);

		if (width == 4) {
			w = PRINT(w, "\\x");
			*w++ = (uint8_t)hex[c >> 4];
			c = (uint8_t)hex[c & 15];
		} else if (width == 2) {
			*w++ = '\\';
		}
		*w++ = c;
	}
	return w;
}

/* How many bytes from the front, or from the back, fit into `max` characters. */
static size_t text_fits(struct slice s, size_t max, bool quoted, bool back)
{
	size_t n = 0;

	for (size_t width = 0; n < s.n; n++) {
		width += text_width(s.p[back ? s.n - 1 - n : n], quoted);
		if (width > max)
			break;
	}
	return n;
}

static uint8_t *text_short(uint8_t *w, struct slice s, size_t max, bool quoted)
{
	size_t tail = (max - 3) / 3;

	if (text_fits(s, max, quoted, false) == s.n)
		return text_bytes(w, s, quoted);
	w = text_bytes(w, slice_first(s, text_fits(s, max - 3 - tail, quoted, false)), quoted);
	w = PRINT(w, "...");
	return text_bytes(w, slice_from(s, s.n - text_fits(s, tail, quoted, true)), quoted);
}

uint8_t *escape_text(uint8_t *w, struct slice s, size_t max)
{
	return text_short(w, s, max, false);
}

uint8_t *escape_quoted(uint8_t *w, struct slice s, size_t max)
{
	w = text_short(PRINT(w, "\""), s, max, true);
	return PRINT(w, "\"");
}
