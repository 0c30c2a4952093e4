/* SPDX-License-Identifier: MIT */
/*
 * HPACK joined in the middle (RFC 7541), against nghttp2's encoder: a field is what was sent, or it is unknown; never anything
 * else, wherever one joins, whatever table the encoder uses, in however small pieces a block comes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "proto/hpack.h"

#define FIELDS_MAX 24
#define BLOCKS 60

struct line {
	char name[40], value[120];
};

struct block {
	struct line line[FIELDS_MAX];
	unsigned n;
	uint8_t bytes[8192];
	size_t size;
};

/* What a block was found to hold; a value that starts with '?' is unknown. */
struct found {
	struct line line[FIELDS_MAX * 4];
	unsigned n, unknown;
};

static struct block *blocks;
static struct conn_env env;
static struct stats stats;
static struct conn conn = {.env = &env};

static bool reclaim(void *ctx, struct conn *c)
{
	(void)ctx;
	(void)c;
	return false;
}

static int set_up(void **state)
{
	(void)state;
	env = (struct conn_env){.pool = pool_new((size_t)64 << 20, NULL, NULL), .stats = &stats, .reclaim = reclaim};
	blocks = calloc(BLOCKS, sizeof(*blocks));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(pool_used(env.pool), 0);
	pool_free(env.pool);
	free(blocks);
	return 0;
}

static uint32_t roll(uint64_t *dice, uint32_t sides)
{
	*dice = *dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*dice >> 33) % sides);
}

static void make_block(struct block *b, uint64_t *dice, nghttp2_hd_deflater *deflater)
{
	nghttp2_nv nv[FIELDS_MAX];

	b->n = 1 + roll(dice, FIELDS_MAX);
	for (unsigned i = 0; i < b->n; i++) {
		struct line *l = &b->line[i];

		switch (roll(dice, 4)) {
		case 0:
			strcpy(l->name, "accept-encoding");
			strcpy(l->value, "gzip, deflate");
			break;
		case 1:
			strcpy(l->name, ":path");
			sprintf(l->value, "/%u", roll(dice, 5));
			break;
		case 2:
			sprintf(l->name, "x-%u", roll(dice, 20));
			sprintf(l->value, "%0*u", (int)roll(dice, 100) + 1, roll(dice, 3));
			break;
		default:
			sprintf(l->name, "new-%u", roll(dice, 1000000));
			sprintf(l->value, "%u", roll(dice, 1000000));
			break;
		}
		nv[i] = (nghttp2_nv){(uint8_t *)l->name, (uint8_t *)l->value, strlen(l->name), strlen(l->value),
				     roll(dice, 20) ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX};
	}
	b->size = (size_t)nghttp2_hd_deflate_hd(deflater, b->bytes, sizeof(b->bytes), nv, b->n);
	assert_in_range(b->size, 1, sizeof(b->bytes));
}

/* `table`: what the decoder allows; `later`: what it allows from the middle on. */
static void make_blocks(uint64_t seed, size_t table, size_t later)
{
	uint64_t dice = seed;
	nghttp2_hd_deflater *deflater;

	assert_int_equal(nghttp2_hd_deflate_new(&deflater, 65536), 0);
	nghttp2_hd_deflate_change_table_size(deflater, table);
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (i == BLOCKS / 2)
			nghttp2_hd_deflate_change_table_size(deflater, later);
		make_block(&blocks[i], &dice, deflater);
	}
	nghttp2_hd_deflate_del(deflater);
}

static void found_field(struct found *f, struct slice name, struct slice value)
{
	struct line *l = &f->line[f->n++];

	assert_in_range(f->n, 1, FIELDS_MAX * 4);
	assert_in_range(name.n, 0, sizeof(l->name) - 1);
	assert_in_range(value.n, 0, sizeof(l->value) - 1);
	f->unknown += !name.p;
	sprintf(l->name, "%.*s", (int)name.n, (const char *)name.p);
	sprintf(l->value, "%.*s", (int)value.n, (const char *)value.p);
}

static int read_piece(struct hpack *h, struct slice in, bool last, struct found *f)
{
	struct slice name, value;
	int r;

	while ((r = hpack_next(h, &in, last, &name, &value)) > 0)
		found_field(f, name, value);
	return r;
}

/* In pieces of `size`, each in a block of its own. */
static int feed(struct hpack *h, const struct block *b, size_t size, struct found *f)
{
	int r = 0;

	*f = (struct found){.n = 0};
	for (size_t at = 0; at < b->size && r == 0; at += size) {
		size_t n = b->size - at < size ? b->size - at : size;
		uint8_t *piece = memcpy(malloc(n), b->bytes + at, n);

		r = read_piece(h, slice_of(piece, n), at + n == b->size, f);
		free(piece);
	}
	return r;
}

static void same_fields(const struct block *b, const struct found *f, bool whole)
{
	assert_true(f->n <= b->n && (!whole || f->n == b->n));
	for (unsigned i = 0; i < f->n; i++) {
		if (!f->line[i].name[0])
			continue;
		assert_string_equal(f->line[i].name, b->line[i].name);
		assert_string_equal(f->line[i].value, b->line[i].value);
	}
}

static void from_the_begin(void **state)
{
	(void)state;
	for (size_t size = 1; size < 10000; size = size * 3 + 1) {
		struct hpack *h = hpack_new(&conn, HPACK_EMPTY);
		struct found f;

		make_blocks(size, 4096, 200);
		for (unsigned i = 0; i < BLOCKS; i++) {
			assert_int_equal(feed(h, &blocks[i], size, &f), 0);
			assert_int_equal(f.unknown, 0);
			same_fields(&blocks[i], &f, true);
		}
		hpack_free(&conn, h);
	}
}

/* From each block on; returns how many fields were unknown in the last block, over all begins. */
static unsigned join_everywhere(uint64_t seed, size_t table, size_t later, unsigned *broken)
{
	unsigned unknown = 0;

	make_blocks(seed, table, later);
	for (unsigned from = 0; from < BLOCKS; from++) {
		struct hpack *h = hpack_new(&conn, HPACK_DEFAULT);
		struct found f = {.n = 0};

		for (unsigned i = from; i < BLOCKS; i++) {
			bool ok = feed(h, &blocks[i], i % 7 + 1, &f) == 0;

			same_fields(&blocks[i], &f, ok);
			if (ok)
				continue;
			*broken += 1;
			hpack_free(&conn, h);
			h = hpack_new(&conn, HPACK_LARGE);
		}
		unknown += from < BLOCKS / 2 ? f.unknown : 0;
		hpack_free(&conn, h);
	}
	return unknown;
}

static void joined(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		unsigned broken = 0;

		/* 30 blocks later nearly all is known again: what is left is used so often that it was not sent anew */
		assert_in_range(join_everywhere(seed, 4096, 4096, &broken), 0, BLOCKS);
		assert_int_equal(broken, 0);
	}
}

/* Smaller than the default, or none at all: announced in a block that was not seen, or in one that was. */
static void small_tables(void **state)
{
	unsigned broken = 0;

	(void)state;
	join_everywhere(1, 0, 4096, &broken);
	join_everywhere(2, 4096, 0, &broken);
	join_everywhere(3, 100, 300, &broken);
	join_everywhere(4, 4096, 1000, &broken);
	assert_int_equal(broken, 0);
}

/* Larger ones are found out by the first index that is too large; that block is lost, no other. */
static void large_tables(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		unsigned broken = 0;

		join_everywhere(seed, 65536, 65536, &broken);
		assert_in_range(broken, 1, BLOCKS);
	}
}

static void broken_blocks(void **state)
{
	static const uint8_t index[] = {0xff, 0x80, 0x01}, zero[] = {0x80}, resize[] = {0x3f, 0xff, 0xff, 0xff, 0x7f},
			     cut[] = {0x40, 0x05, 'a'}, huffman[] = {0x40, 0x81, 0xff, 0x81, 0xff},
			     beyond[] = {0x82, 0xfe};
	static const struct slice bad[] = {{index, sizeof(index)}, {zero, sizeof(zero)}, {resize, sizeof(resize)},
					   {cut, sizeof(cut)}, {huffman, sizeof(huffman)},
					   {beyond, sizeof(beyond)}};
	struct found f;

	(void)state;
	make_blocks(7, 4096, 4096);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hpack *h = hpack_new(&conn, HPACK_EMPTY);

		assert_int_equal(feed(h, &blocks[0], 100, &f), 0);
		assert_int_equal(read_piece(h, bad[i], true, &f), -1);
		hpack_free(&conn, h);
		h = hpack_new(&conn, HPACK_DEFAULT);
		for (unsigned k = 1; k < BLOCKS; k++) {
			assert_int_equal(feed(h, &blocks[k], 100, &f), 0);
			same_fields(&blocks[k], &f, true);
		}
		assert_int_equal(f.unknown, 0);
		hpack_free(&conn, h);
	}
}

/* A table size update stands before all fields (RFC 7541 section 4.2), also of a block in pieces. */
static void late_resize(void **state)
{
	static const uint8_t block[] = {0x82, 0x3e};

	(void)state;
	for (size_t first = 0; first < sizeof(block); first++) {
		struct hpack *h = hpack_new(&conn, HPACK_EMPTY);
		struct found f = {.n = 0};

		assert_int_equal(read_piece(h, slice_of(block, first), false, &f), 0);
		assert_int_equal(read_piece(h, slice_of(block + first, sizeof(block) - first), true, &f), -1);
		hpack_free(&conn, h);
	}
}

static void no_memory(void **state)
{
	struct pool *pool = env.pool;

	(void)state;
	make_blocks(7, 4096, 4096);
	for (size_t limit = 0; limit < 64; limit++) {
		struct hpack *h;
		struct found f;

		env.pool = pool_new(limit * 1024, NULL, NULL);
		h = env.pool ? hpack_new(&conn, limit % 3) : NULL;
		for (unsigned i = 0; h && i < BLOCKS; i++)
			if (feed(h, &blocks[i], 50, &f) < 0)
				break;
			else
				same_fields(&blocks[i], &f, true);
		hpack_free(&conn, h);
		pool_free(env.pool);
	}
	env.pool = pool;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_the_begin), cmocka_unit_test(joined), cmocka_unit_test(small_tables),
		cmocka_unit_test(large_tables), cmocka_unit_test(broken_blocks), cmocka_unit_test(late_resize),
		cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
