/* SPDX-License-Identifier: MIT */
/* pcapng: times, interfaces, blocks, and what it says of losses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../file_rig.h"
#include "capture/pcapng.h"

static void ng_times(void **state)
{
	static const struct {
		int resolution;
		int64_t offset;
		uint64_t units, ns;
	} cases[] = {
		{-1, 0, 1700000000123456, 1700000000123456000},
		{6, 0, 1700000000123456, 1700000000123456000},
		{9, 0, 1700000000123456789, 1700000000123456789},
		{9, 0, UINT64_MAX, UINT64_MAX},
		{8, 0, UINT64_MAX, UINT64_MAX},
		{8, 0, UINT64_MAX / 10, UINT64_MAX / 10 * 10},
		{0, 0, 1700000000, 1700000000 * S},
		{0, 0, UINT64_MAX, UINT64_MAX},
		{12, 0, 1700000000123456789, 1700000000123456},
		{28, 0, UINT64_MAX, 1},
		{29, 0, UINT64_MAX, 0},
		{127, 0, UINT64_MAX, 0},
		{0x80 | 10, 0, 3 * 1024 + 512, 3 * S + S / 2},
		{0x80, 0, 5, 5 * S},
		{0x80 | 63, 0, UINT64_C(1) << 63, S},
		{0x80 | 127, 0, UINT64_MAX, 0},
		{0x80, 0, UINT64_MAX, UINT64_MAX},
		{9, 1700000000, 5, 1700000000 * S + 5},
		{9, -2, 3 * S, S},
		{9, -4, 3 * S, 0},
		{9, INT64_MIN, UINT64_MAX, 0},
		{9, INT64_MAX, 0, UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
		struct bytes b = {.swap = i % 2};
		struct seen *s;

		ng_section(&b);
		ng_interface(&b, 1, NULL, NULL, cases[i / 2].resolution, cases[i / 2].offset);
		ng_packet(&b, 0, cases[i / 2].units, "x");
		s = read_built(&b);
		assert_int_equal(s->end, 0);
		assert_int_equal(s->n, 1);
		assert_int_equal(s->v[0].ts_ns, cases[i / 2].ns);
		free(s);
	}
}

static void ng_interfaces(void **state)
{
	struct bytes b = {.n = 0};
	struct seen *s;
	char name[80];
	size_t at;

	(void)state;
	memset(name, 'n', sizeof name);
	name[79] = '\0';
	ng_section(&b);
	ng_interface(&b, 1, "veth1", "ifindex=4294967295", 9, 0);
	ng_interface(&b, 101, name, "ifindex=12x", 9, 0);
	ng_interface(&b, 276, NULL, "ifindex=4294967296", 9, 0);
	at = ng_packet_begin(&b, 0, 1, "in", 10);
	ng_option32(&b, 2, 0x01);
	ng_end(&b, at);
	at = ng_packet_begin(&b, 1, 2, "out", 3);
	ng_option(&b, 1, "a comment", 9);
	ng_option32(&b, 2, 0x1e);
	put32(&b, 0);
	ng_end(&b, at);
	ng_packet(&b, 2, 3, "some");
	s = read_built(&b);
	assert_int_equal(s->end, 0);
	assert_int_equal(s->n, 3);
	assert_string_equal(s->v[0].name, "veth1");
	assert_int_equal(s->v[0].ifindex, UINT32_MAX);
	assert_int_equal(s->v[0].dir, DIRECTION_IN);
	assert_int_equal(s->v[0].wire_len, 10);
	assert_int_equal(s->v[0].link, 1);
	name[63] = '\0';
	assert_string_equal(s->v[1].name, name);
	assert_int_equal(s->v[1].ifindex, 2);
	assert_int_equal(s->v[1].dir, DIRECTION_OUT);
	assert_int_equal(s->v[1].link, 101);
	assert_string_equal(s->v[2].name, "");
	assert_int_equal(s->v[2].ifindex, 3);
	assert_int_equal(s->v[2].dir, DIRECTION_UNKNOWN);
	assert_string_equal(s->v[2].data, "some");
	free(s);
}

/* Simple and obsolete packets, blocks of no interest, and a section in the other byte order, where interfaces begin anew. */
static void ng_blocks(void **state)
{
	struct bytes b = {.n = 0};
	struct seen *s;
	size_t at;

	(void)state;
	ng_section(&b);
	ng_interface(&b, 1, "first", NULL, 0, 0);
	ng_interface(&b, 1, "second", NULL, 0, 0);
	at = ng_begin(&b, 0xbad);
	put(&b, "whatever this is", 16);
	ng_end(&b, at);
	at = ng_begin(&b, 2);
	put16(&b, 1);
	put16(&b, 3); /* lost before it */
	put64(&b, UINT64_C(5) << 32);
	put32(&b, 2);
	put32(&b, 200);
	put(&b, "ol", 2);
	ng_end(&b, at);
	at = ng_begin(&b, 3);
	put32(&b, 3);
	put(&b, "sim", 3);
	ng_end(&b, at);
	b.swap = true;
	ng_section(&b);
	ng_interface(&b, 113, "third", NULL, 0, 0);
	ng_packet(&b, 0, 9, "swapped");
	s = read_built(&b);
	assert_int_equal(s->end, 0);
	assert_int_equal(s->n, 3);
	assert_string_equal(s->v[0].name, "second");
	assert_int_equal(s->v[0].ts_ns, 5 * S);
	assert_int_equal(s->v[0].wire_len, 200);
	assert_string_equal(s->v[0].data, "ol");
	assert_string_equal(s->v[1].name, "first");
	assert_int_equal(s->v[1].ts_ns, 5 * S);
	assert_string_equal(s->v[1].data, "sim");
	assert_string_equal(s->v[2].name, "third");
	assert_int_equal(s->v[2].ifindex, 1);
	assert_int_equal(s->v[2].link, 113);
	assert_int_equal(s->n_losses, 1);
	assert_int_equal(s->losses[0].packets, 3);
	assert_int_equal(s->losses[0].ifindex, 2);
	assert_string_equal(s->losses[0].cause, "file");
	free(s);
}

/* A simple packet is cut at the snapshot length, and its block has no other word for how much there is. */
static void ng_simple_cut(void **state)
{
	struct bytes b = {.n = 0};
	struct seen *s;
	size_t at;

	(void)state;
	ng_section(&b);
	ng_interface(&b, 1, NULL, NULL, 0, 0);
	at = ng_begin(&b, 3);
	put32(&b, 1500);
	for (int i = 0; i < 100; i++)
		put8(&b, 'x');
	ng_end(&b, at);
	s = read_built(&b);
	assert_int_equal(s->v[0].n, 100);
	assert_int_equal(s->v[0].wire_len, 1500);
	free(s);
}

static void ng_losses(void **state)
{
	struct bytes b = {.n = 0};
	struct seen *s;
	size_t at;

	(void)state;
	ng_section(&b);
	ng_interface(&b, 1, NULL, "ifindex=7", 9, 0);
	ng_interface(&b, 1, NULL, "ifindex=8", 9, 0);
	ng_packet(&b, 0, 50, "x");
	ng_statistics(&b, 0, 60, 3, 4);
	ng_statistics(&b, 1, 0, 0, 1);
	ng_statistics(&b, 0, 70, 5, 6); /* since the section began, so 4 more */
	ng_statistics(&b, 0, 80, 5, 6);
	at = ng_packet_begin(&b, 0, 90, "y", 1);
	ng_option64(&b, 4, 20);
	ng_end(&b, at);
	ng_statistics(&b, 1, 95, UINT64_MAX, UINT64_MAX);
	s = read_built(&b);
	assert_int_equal(s->end, 0);
	assert_int_equal(s->n_losses, 2);
	assert_int_equal(s->losses[0].ifindex, 7);
	assert_int_equal(s->losses[0].packets, 31);
	assert_int_equal(s->losses[0].ts_ns, 90);
	assert_int_equal(s->losses[1].ifindex, 8);
	assert_int_equal(s->losses[1].packets, UINT64_MAX);
	assert_int_equal(s->losses[1].ts_ns, 95);
	free(s);
}

/* What perisco's own files tell besides: the cause, and the bytes. Only such a comment counts. */
static void ng_loss_comments(void **state)
{
	static const struct {
		const char *comment, *cause;
		uint64_t bytes;
	} cases[] = {
		{"lost: cause=ring bytes=12345", "ring", 12345},
		{"lost: cause=copy bytes=7", "copy", 7},
		{"lost: cause=size bytes=70000", "size", 70000},
		{"lost: cause=file bytes=0", "file", 0},
		{"lost: cause=ring bytes=", "file", 0},
		{"lost: cause=ring bytes=12x", "file", 0},
		{"lost: cause=ring bytes=99999999999999999999", "file", 0},
		{"lost: cause=rain bytes=5", "file", 0},
		{"lost: cause=ring", "file", 0},
		{"it rained", "file", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes b = {.n = 0};
		struct seen *s;
		size_t at;

		ng_section(&b);
		ng_interface(&b, 1, "veth0", "ifindex=3", 9, 0);
		at = ng_begin(&b, 5);
		put32(&b, 0);
		put64(&b, 0);
		ng_option(&b, 1, cases[i].comment, strlen(cases[i].comment));
		ng_option64(&b, 5, 9);
		ng_end(&b, at);
		s = read_built(&b);
		assert_int_equal(s->end, 0);
		assert_int_equal(s->n_losses, 1);
		assert_int_equal(s->losses[0].packets, 9);
		assert_string_equal(s->losses[0].cause, cases[i].cause);
		assert_int_equal(s->losses[0].bytes, cases[i].bytes);
		free(s);
	}
}

/* More interfaces lose than are counted one by one. */
static void ng_losses_many(void **state)
{
	uint64_t packets = 0;
	struct bytes b = {.n = 0};
	struct seen *s;

	(void)state;
	ng_section(&b);
	for (uint32_t i = 0; i < 40; i++) {
		ng_interface(&b, 1, NULL, NULL, 9, 0);
		ng_statistics(&b, i, 1, i + 1, 0);
	}
	s = read_built(&b);
	assert_int_equal(s->n_losses, PCAPNG_LOSSES);
	assert_int_equal(s->losses[0].ifindex, 1);
	assert_int_equal(s->losses[PCAPNG_LOSSES - 1].ifindex, 0);
	for (size_t i = 0; i < s->n_losses; i++)
		packets += s->losses[i].packets;
	assert_int_equal(packets, 40 * 41 / 2);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ng_times),
		cmocka_unit_test(ng_interfaces),
		cmocka_unit_test(ng_blocks),
		cmocka_unit_test(ng_simple_cut),
		cmocka_unit_test(ng_losses),
		cmocka_unit_test(ng_losses_many),
		cmocka_unit_test(ng_loss_comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
