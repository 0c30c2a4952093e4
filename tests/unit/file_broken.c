/* SPDX-License-Identifier: MIT */
/* Capture files that are broken or cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../file_rig.h"
#include "capture/pcapfile.h"
#include "capture/pcapng.h"

/* A section, an interface, a packet, and then what `breaks` does; returns where that begins. */
static size_t broken_after(struct bytes *b, void (*breaks)(struct bytes *b))
{
	size_t at;

	ng_section(b);
	ng_interface(b, 1, NULL, NULL, 9, 0);
	ng_packet(b, 0, 1, "whole");
	at = b->n;
	breaks(b);
	ng_packet(b, 0, 2, "never seen");
	return at;
}

static void breaks_lengths(struct bytes *b)
{
	ng_packet(b, 0, 1, "x");
	b->p[b->n - 4]++;
}

static void breaks_short(struct bytes *b)
{
	put32(b, 6);
	put32(b, 8);
}

static void breaks_huge(struct bytes *b)
{
	put32(b, 6);
	put32(b, 0xfffffffc);
}

static void breaks_zero(struct bytes *b)
{
	put64(b, 0);
}

static void breaks_captured(struct bytes *b)
{
	size_t at = ng_packet_begin(b, 0, 1, "x", 1);

	b->p[at + 20] = 5; /* there is one, and padding */
	ng_end(b, at);
}

static void breaks_interface(struct bytes *b)
{
	ng_packet(b, 1, 1, "x");
}

static void breaks_order(struct bytes *b)
{
	size_t at = b->n;

	ng_section(b);
	b->p[at + 8] ^= 1;
}

static void breaks_version(struct bytes *b)
{
	size_t at = b->n;

	ng_section(b);
	b->p[at + 12] = 2;
}

static void breaks_packet(struct bytes *b)
{
	size_t at = ng_begin(b, 6);

	put64(b, 0);
	put64(b, 0);
	ng_end(b, at);
}

static void breaks_statistics(struct bytes *b)
{
	ng_statistics(b, 9, 1, 1, 1);
}

static void ng_broken(void **state)
{
	static const struct {
		void (*breaks)(struct bytes *b);
		const char *why;
	} cases[] = {
		{breaks_lengths, "a block whose two lengths differ"},
		{breaks_short, "a block that is shorter than its own frame"},
		{breaks_zero, "a block that is shorter than its own frame"},
		{breaks_huge, "a block of more than 64 MiB"},
		{breaks_captured, "a packet that is longer than its block"},
		{breaks_interface, "a packet of an interface that is not described"},
		{breaks_order, "a section header without its byte-order magic"},
		{breaks_version, "a version of pcapng that is not known"},
		{breaks_packet, "a packet block that is too short"},
		{breaks_statistics, "statistics of an interface that is not described"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes b = {.n = 0};
		size_t at = broken_after(&b, cases[i].breaks);
		struct seen *s = read_built(&b);
		char where[64];

		snprintf(where, sizeof where, "is broken at byte %zu, after 1 packets: ", at);
		assert_int_equal(s->end, -EBADMSG);
		assert_int_equal(s->n, 1);
		assert_has(s->error, where);
		assert_has(s->error, cases[i].why);
		free(s);
	}
}

/* A block of no interest may be of any size; its bytes are not kept. */
static void ng_skips(void **state)
{
	size_t n = 5 << 20;
	uint8_t *p = calloc(1, n + 4096);
	struct bytes b = {.n = 0};
	struct seen *s;
	char where[96];
	size_t at;

	(void)state;
	ng_section(&b);
	ng_interface(&b, 1, NULL, NULL, 9, 0);
	at = b.n;
	put32(&b, 0x80000bad);
	put32(&b, (uint32_t)n);
	memcpy(p, b.p, b.n);
	b.n = 0;
	ng_packet(&b, 0, 1, "behind");
	memcpy(p + at + n, b.p, b.n);
	s = read_bytes(p, at + n + b.n);
	assert_int_equal(s->end, 0);
	assert_int_equal(s->n, 1);
	assert_string_equal(s->v[0].data, "behind");
	free(s);
	s = read_bytes(p, at + n - 1);
	assert_int_equal(s->end, -EBADMSG);
	snprintf(where, sizeof where, "ends in the middle of a record that begins at byte %zu, after 0 packets", at);
	assert_has(s->error, where);
	free(s);
	free(p);
}

/* Cut at each byte: all whole packets, and a complaint unless a record ends there. */
static void cut_anywhere(const struct bytes *b, const size_t *ends, const bool *packet, size_t n)
{
	for (size_t cut = ends[0]; cut <= b->n; cut++) {
		struct seen *s = read_bytes(b->p, cut);
		size_t packets = 0;
		bool whole = false;

		for (size_t i = 0; i < n; i++) {
			packets += packet[i] && ends[i] <= cut;
			whole |= ends[i] == cut;
		}
		assert_int_equal(s->n, packets);
		assert_int_equal(s->end, whole ? 0 : -EBADMSG);
		free(s);
	}
	for (size_t cut = 0; cut < ends[0]; cut++)
		refused_bytes(b->p, cut);
}

static void cut_pcap(void **state)
{
	static const bool packet[] = {false, true, true, true};
	struct bytes b = {.n = 0};
	size_t ends[4];

	(void)state;
	pcap_header(&b, 0xa1b2c3d4, 2, 4, 1);
	ends[0] = b.n;
	for (int i = 1; i < 4; i++) {
		pcap_packet(&b, 1, 2, "some bytes" + i, 100);
		ends[i] = b.n;
	}
	cut_anywhere(&b, ends, packet, 4);
}

static void cut_ng(void **state)
{
	static const bool packet[] = {false, false, true, false, true, false, false, true};
	struct bytes b = {.n = 0};
	size_t ends[8], at;

	(void)state;
	ng_section(&b);
	ends[0] = b.n;
	ng_interface(&b, 1, "veth0", "ifindex=3", 9, 0);
	ends[1] = b.n;
	ng_packet(&b, 0, 1, "first");
	ends[2] = b.n;
	at = ng_begin(&b, 0xbad);
	put32(&b, 1);
	ng_end(&b, at);
	ends[3] = b.n;
	ng_packet(&b, 0, 1, "second");
	ends[4] = b.n;
	b.swap = true;
	ng_section(&b);
	ends[5] = b.n;
	ng_interface(&b, 1, "veth0", "ifindex=3", 9, 0);
	ends[6] = b.n;
	ng_packet(&b, 0, 1, "third");
	ends[7] = b.n;
	cut_anywhere(&b, ends, packet, 8);
}

/* The parsers alone, on blocks of exactly the bytes they are told of: they ask for more, and read none of it. */
static void parsers_stay_inside(void **state)
{
	struct bytes b = {.n = 0};
	struct pcapng ng = {0};
	struct pcapfile pcap = {0};
	struct packet pkt;
	size_t at = 0, want;

	(void)state;
	ng_section(&b);
	ng_interface(&b, 1, "veth0", "ifindex=3", 9, 5);
	at = ng_packet_begin(&b, 0, 1, "abcde", 5);
	ng_option32(&b, 2, 1);
	ng_option64(&b, 4, 1);
	ng_end(&b, at);
	ng_statistics(&b, 0, 1, 2, 3);
	for (at = 0; at < b.n; at += want) {
		enum parsed parsed = PARSED_MORE;

		for (size_t n = 0; parsed == PARSED_MORE; n++) {
			uint8_t *exact = malloc(n);

			memcpy(exact, b.p + at, n);
			parsed = pcapng_next(&ng, slice_of(exact, n), &pkt, &want);
			assert_true(parsed == PARSED_MORE ? want > n : want == n);
			free(exact);
		}
		assert_int_not_equal(parsed, PARSED_BROKEN);
	}
	pcapng_release(&ng);
	b.n = 0;
	pcap_header(&b, 0xa1b2cd34, 2, 4, 1);
	pcap_packet(&b, 1, 1, "12345678and more", 20);
	memcpy(b.p + 32, &(uint32_t){8}, 4);
	for (at = 0; at < b.n; at += want) {
		enum parsed parsed = PARSED_MORE;

		for (size_t n = 0; parsed == PARSED_MORE; n++) {
			uint8_t *exact = malloc(n);

			memcpy(exact, b.p + at, n);
			parsed = pcapfile_next(&pcap, slice_of(exact, n), &pkt, &want);
			assert_true(parsed == PARSED_MORE ? want > n : want == n);
			free(exact);
		}
		assert_int_not_equal(parsed, PARSED_BROKEN);
	}
}

static void refusals(void **state)
{
	(void)state;
	assert_has(refused("/nowhere/at/all.pcap"), "cannot read '/nowhere/at/all.pcap': No such file or directory");
	assert_has(refused("/tmp"), "cannot read '/tmp': Is a directory; name the files in it");
	assert_has(refused_bytes("", 0), "is empty");
	assert_has(refused_bytes("GET / HTTP/1.1", 14), "is no capture file, neither pcap nor pcapng");
	assert_has(refused_bytes("abc", 3), "is no capture file");
	assert_has(refused_bytes("\x1f\x8b\x08\0\0\0\0\0\0", 9), "is gzip compressed: use zcat '/proc/self/fd/");
	assert_has(refused_bytes("\x28\xb5\x2f\xfd\0\0\0\0", 8), "is zstd compressed: use zstdcat");
	assert_has(refused_bytes("\x1f\x8b\x08\0\0\0\0\0\0", 9), "| perisco replay -");
	assert_has(refused_bytes("snoop\0\0\0\0\0\0\2", 12), "is a snoop capture");
	assert_has(refused_bytes("\xd4\xc3\xb2\xa1\2\0\4\0", 8), "ends in the middle of a record that begins at byte 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ng_broken),
		cmocka_unit_test(ng_skips),
		cmocka_unit_test(cut_pcap),
		cmocka_unit_test(cut_ng),
		cmocka_unit_test(parsers_stay_inside),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
