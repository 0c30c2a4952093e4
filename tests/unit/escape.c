/* SPDX-License-Identifier: MIT */
/* Strings of the wire as strings of JSON: valid, told apart, and read no further than they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "../jsonread.h"
#include "../sample.h"
#include "output/escape.h"

static struct sample s;

static int tear_down(void **state)
{
	(void)state;
	sample_release(&s);
	return 0;
}

static void check_escape(struct slice in, const char *want)
{
	struct slice copy = sample_bytes(&s, in.p, in.n);
	uint8_t text[1024];
	uint8_t *end = escape_json(text, copy);

	assert_true(in.n < 100);
	assert_int_equal(end - text, strlen(want));
	assert_memory_equal(text, want, strlen(want));
}

static void test_escapes(void **state)
{
	(void)state;
	check_escape(SLICE(""), "");
	check_escape(SLICE("a/b"), "a/b");
	check_escape(SLICE("\"\\\b\f\n\r\t"), "\\\"\\\\\\b\\f\\n\\r\\t");
	check_escape(SLICE("\0\x1f\x7f"), "\\u0000\\u001f\\u007f");
	check_escape(SLICE("\xc2\x80\xc2\x9f\xc2\xa0"), "\\u0080\\u009f\xc2\xa0");
	check_escape(SLICE("\xe2\x82\xac\xf0\x9f\x98\x80"), "\xe2\x82\xac\xf0\x9f\x98\x80");
	check_escape(SLICE("\x80\xff"), "\\uef80\\uefff");
	check_escape(SLICE("\xc0\xaf"), "\\uefc0\\uefaf");                         /* not the shortest form */
	check_escape(SLICE("\xed\xa0\x80"), "\\uefed\\uefa0\\uef80");              /* a surrogate */
	check_escape(SLICE("\xf4\x90\x80\x80"), "\\ueff4\\uef90\\uef80\\uef80");   /* above U+10FFFF */
	check_escape(SLICE("\xee\xbe\x80"), "\\uefee\\uefbe\\uef80");              /* U+EF80 itself */
	check_escape(SLICE("\xee\xbf\xbf"), "\\uefee\\uefbf\\uefbf");              /* U+EFFF itself */
	check_escape(SLICE("\xee\xbd\xbf\xef\x80\x80"), "\xee\xbd\xbf\xef\x80\x80"); /* their neighbours */
	check_escape(SLICE("\xe2\x82"), "\\uefe2\\uef82");
	check_escape(SLICE("0123456789abcdef\"0123456789abcdef\xc3\xa4"),
		     "0123456789abcdef\\\"0123456789abcdef\xc3\xa4");
}

/* What was escaped comes back, so no two inputs can give the same output. */
static void check_back(const uint8_t *p, size_t n)
{
	uint8_t line[1024], back[1024], *in = malloc(n ? n : 1), *end = line;

	assert_non_null(in);
	memcpy(in, p, n);
	*end++ = '"';
	end = escape_json(end, slice_of(in, n));
	*end++ = '"';
	assert_int_equal(json_bytes(slice_of(line, (size_t)(end - line)), back), n);
	assert_memory_equal(back, in, n);
	free(in);
}

static void test_escapes_come_back(void **state)
{
	uint8_t bytes[96];
	uint32_t seed = 1;

	(void)state;
	for (unsigned v = 0; v < 0x10000; v++)
		check_back((uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
	for (unsigned v = 0; v < 0x20000; v++) /* what begins like three or four bytes of UTF-8 */
		check_back((uint8_t[]){(uint8_t)(0xe0 + v / 0x2000), (uint8_t)(v / 32), (uint8_t)(0x80 + v % 64), 0xbf},
			   3 + v % 2);
	for (int i = 0; i < 50000; i++) {
		size_t n = (size_t)i % sizeof(bytes);

		for (size_t k = 0; k < n; k++) {
			seed = seed * 1664525 + 1013904223;
			bytes[k] = (uint8_t)(seed >> 24 < 200 ? 'a' + (seed >> 16) % 26 : seed >> 16);
		}
		check_back(bytes, n);
	}
}

/* Each length, with each byte at each place, within more text and without: blocks overlap right. */
static void test_blocks(void **state)
{
	uint8_t text[64 * 6 + 64], plain[64 * 6 + 64], within[80];

	(void)state;
	for (size_t n = 1; n <= 40; n++)
		for (size_t at = 0; at < n; at++)
			for (unsigned c = 0; c < 256; c += n > 20 ? 7 : 1) {
				uint8_t *exact = malloc(n);
				size_t a, b;

				assert_non_null(exact);
				memset(within, c % 2 ? '"' : 0xff, sizeof(within));
				memset(exact, 'x', n);
				exact[at] = (uint8_t)c;
				memcpy(within, exact, n);
				a = (size_t)(escape_json(text, slice_of(exact, n)) - text);
				b = (size_t)(escape_json_within(plain, slice_of(within, n), within + sizeof(within)) -
					     plain);
				assert_int_equal(a, b);
				assert_memory_equal(text, plain, a);
				assert_memory_equal(text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", at);
				assert_true(plain_byte((uint8_t)c) ? a == n : a > n);
				free(exact);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_escapes, tear_down),
		cmocka_unit_test(test_escapes_come_back),
		cmocka_unit_test(test_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
