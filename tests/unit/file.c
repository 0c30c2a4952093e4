/* SPDX-License-Identifier: MIT */
/* Capture files as a source: both formats, merging, pipes, and files that are broken or cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/resource.h>

#include "../capbuild.h"
#include "capture/file.h"
#include "capture/pcapfile.h"
#include "capture/pcapng.h"

#define S UINT64_C(1000000000)

/* What a source gave. */
struct seen {
	struct {
		uint64_t ts_ns;
		uint32_t wire_len, ifindex;
		uint16_t link;
		uint8_t dir;
		char data[64], name[64];
		size_t n;
	} v[512];
	struct loss losses[32];
	size_t n, n_losses, stop_at; /* stop_at: the packet at which to give up, from 1 */
	int end;
	char error[256];
};

static int see(void *ctx, const struct packet *p)
{
	struct seen *s = ctx;

	assert_in_range(s->n, 0, 511);
	s->v[s->n].ts_ns = p->ts_ns;
	s->v[s->n].wire_len = p->wire_len;
	s->v[s->n].link = p->link;
	s->v[s->n].dir = p->dir;
	s->v[s->n].n = p->data.n;
	memcpy(s->v[s->n].data, p->data.p, p->data.n < 63 ? p->data.n : 63);
	if (p->iface) {
		assert_int_equal(p->iface->link, p->link);
		s->v[s->n].ifindex = p->iface->index;
		strcpy(s->v[s->n].name, p->iface->name);
	}
	return ++s->n == s->stop_at ? -ECANCELED : 0;
}

static int see_loss(void *ctx, const struct loss *l)
{
	struct seen *s = ctx;

	s->losses[s->n_losses++] = *l;
	return 0;
}

static void see_all(struct source *source, struct seen *s)
{
	while ((s->end = source->ops->poll(source, -1, see, s)) > 0)
		source->ops->losses(source, see_loss, s);
	source->ops->losses(source, see_loss, s);
	strcpy(s->error, source->error);
}

static struct source *open_one(const char *path, char error[256])
{
	return file_open(&path, 1, error, 256);
}

/* Reads a file with these bytes to its end. */
static struct seen *read_bytes(const void *p, size_t n)
{
	struct seen *s = calloc(1, sizeof *s);
	char path[64], error[256] = "";
	int fd = memory_file(p, n, path);
	struct source *source = open_one(path, error);

	assert_string_equal(error, "");
	assert_non_null(source);
	see_all(source, s);
	source->ops->close(source);
	close(fd);
	return s;
}

static struct seen *read_built(const struct bytes *b)
{
	return read_bytes(b->p, b->n);
}

/* The complaint about a file that cannot be opened. */
static const char *refused(const char *path)
{
	static char error[256];
	struct source *source;

	error[0] = '\0';
	source = open_one(path, error);
	assert_null(source);
	assert_string_not_equal(error, "");
	assert_null(strchr(error, '\n'));
	return error;
}

static const char *refused_bytes(const void *p, size_t n)
{
	char path[64];
	int fd = memory_file(p, n, path);
	const char *error = refused(path);

	close(fd);
	return error;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' does not say '%s'", text, part);
}

/* --- pcap --- */

static void pcap_variants(void **state)
{
	static const struct {
		uint32_t magic, unit;
		bool modified;
	} variants[] = {{0xa1b2c3d4, 1000, false}, {0xa1b23c4d, 1, false}, {0xa1b2cd34, 1000, true}};

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct bytes b = {.swap = i % 2};
		struct seen *s;

		pcap_header(&b, variants[i / 2].magic, 2, 4, 0xf4000000 | 113); /* with a frame check sequence of 30 bytes */
		for (uint32_t k = 0; k < 3; k++) {
			put32(&b, 0xfffffff0 + k);
			put32(&b, 999999);
			put32(&b, k);
			put32(&b, 100 + k);
			if (variants[i / 2].modified)
				put64(&b, 0x0102030405060708);
			put(&b, "abc", k);
		}
		s = read_built(&b);
		assert_int_equal(s->end, 0);
		assert_int_equal(s->n, 3);
		for (uint32_t k = 0; k < 3; k++) {
			assert_int_equal(s->v[k].ts_ns, (0xfffffff0 + k) * S + 999999u * variants[i / 2].unit);
			assert_int_equal(s->v[k].wire_len, 100 + k);
			assert_int_equal(s->v[k].n, k);
			assert_memory_equal(s->v[k].data, "abc", k);
			assert_int_equal(s->v[k].link, 113);
			assert_int_equal(s->v[k].ifindex, 0);
		}
		free(s);
	}
}

/* Which of the two lengths comes first depends on the version. */
static void pcap_lengths(void **state)
{
	static const struct {
		uint16_t major, minor;
		uint32_t first, second, captured, wire;
	} cases[] = {
		{2, 4, 3, 9, 3, 9}, {2, 4, 3, 2, 3, 3}, {2, 3, 3, 9, 3, 9},
		{2, 3, 9, 3, 3, 9}, {2, 2, 9, 3, 3, 9}, {543, 0, 9, 3, 3, 9},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes b = {.n = 0};
		struct seen *s;

		pcap_header(&b, 0xa1b2c3d4, cases[i].major, cases[i].minor, 1);
		put64(&b, 1);
		put32(&b, cases[i].first);
		put32(&b, cases[i].second);
		put(&b, "abcdefghi", cases[i].captured);
		s = read_built(&b);
		assert_int_equal(s->end, 0);
		assert_int_equal(s->n, 1);
		assert_int_equal(s->v[0].n, cases[i].captured);
		assert_int_equal(s->v[0].wire_len, cases[i].wire);
		free(s);
	}
}

static void pcap_versions(void **state)
{
	struct bytes b = {.n = 0};

	(void)state;
	pcap_header(&b, 0xa1b2c3d4, 3, 0, 1);
	assert_has(refused_bytes(b.p, b.n), "a version of pcap that is not known");
}

/* Larger than the buffer, and larger than anything. */
static void pcap_large(void **state)
{
	size_t n = 3 << 20;
	uint8_t *p = calloc(1, 24 + 16 + n);
	struct bytes b = {.n = 0};
	struct seen *s;

	(void)state;
	pcap_header(&b, 0xa1b2c3d4, 2, 4, 1);
	put64(&b, 7);
	put32(&b, (uint32_t)n);
	put32(&b, (uint32_t)n);
	memcpy(p, b.p, b.n);
	s = read_bytes(p, b.n + n);
	assert_int_equal(s->end, 0);
	assert_int_equal(s->n, 1);
	assert_int_equal(s->v[0].n, n);
	free(s);
	memcpy(p + 32, &(uint32_t){64 << 20}, 4);
	s = read_bytes(p, b.n + n);
	assert_int_equal(s->end, -EBADMSG);
	assert_has(s->error, "is broken at byte 24, after 0 packets: a packet of more than 64 MiB");
	free(s);
	free(p);
}

/* --- pcapng --- */

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

/* --- broken files --- */

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

/* --- several files --- */

struct group {
	char path[512][64];
	const char *paths[512];
	int fds[512];
	size_t n;
};

static void group_add(struct group *g, const struct bytes *b)
{
	g->fds[g->n] = memory_file(b->p, b->n, g->path[g->n]);
	g->paths[g->n] = g->path[g->n];
	g->n++;
}

static struct seen *group_read(struct group *g)
{
	struct seen *s = calloc(1, sizeof *s);
	char error[256];
	struct source *source = file_open(g->paths, g->n, error, sizeof error);

	assert_non_null(source);
	see_all(source, s);
	source->ops->close(source);
	for (size_t i = 0; i < g->n; i++)
		close(g->fds[i]);
	return s;
}

/* The earliest packet first; of equal ones that of the first name. One file runs dry early, one goes back in time. */
static void merged(void **state)
{
	static const uint32_t times[4][5] = {{1, 5, 5, 9, 20}, {2, 5, 0, 0, 0}, {0, 0, 0, 0, 0}, {5, 3, 9, 21, 22}};
	static const struct {
		uint32_t time;
		char name;
	} order[] = {{1, 'a'}, {2, 'b'}, {5, 'a'}, {5, 'a'},  {5, 'b'},  {5, 'd'},
		     {3, 'd'}, {9, 'a'}, {9, 'd'}, {20, 'a'}, {21, 'd'}, {22, 'd'}};
	struct group g = {.n = 0};
	struct seen *s;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct bytes b = {.n = 0};

		pcap_header(&b, 0xa1b2c3d4, 2, 4, 1);
		for (size_t k = 0; k < 5 && times[i][k]; k++)
			pcap_packet(&b, times[i][k], 0, (char[]){(char)('a' + i), 0}, 1);
		group_add(&g, &b);
	}
	s = group_read(&g);
	assert_int_equal(s->end, 0);
	assert_int_equal(s->n, sizeof order / sizeof *order);
	for (size_t i = 0; i < s->n; i++) {
		assert_int_equal(s->v[i].ts_ns, order[i].time * S);
		assert_int_equal(s->v[i].data[0], order[i].name);
	}
	free(s);
}

/* Those that are broken give what they have, the others all; then one complaint tells of the first. */
static void merged_broken(void **state)
{
	struct group g = {.n = 0};
	struct seen *s;

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		struct bytes b = {.n = 0};

		pcap_header(&b, 0xa1b2c3d4, 2, 4, 1);
		for (uint32_t k = 0; k < 4; k++)
			pcap_packet(&b, 1 + k * 10 + i, 0, "data", 4);
		b.n -= i == 1 ? 1 : i == 3 ? 25 : i == 4 ? 75 : 0;
		group_add(&g, &b);
	}
	s = group_read(&g);
	assert_int_equal(s->end, -EBADMSG);
	assert_int_equal(s->n, 4 + 3 + 4 + 2 + 0);
	assert_has(s->error, "; and 2 more of the files");
	assert_has(s->error, "begins at byte 24, after 0 packets");
	assert_has(s->error, g.path[4]);
	free(s);
}

/* More than the soft limit of open files. */
static void merged_many(void **state)
{
	struct rlimit limit, low;
	struct group g = {.n = 0};
	struct seen *s;

	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		struct bytes b = {.n = 0};

		pcap_header(&b, 0xa1b2c3d4, 2, 4, 1);
		pcap_packet(&b, 1000 - i, 0, "data", 4);
		group_add(&g, &b);
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	low = limit;
	low.rlim_cur = 310;
	if (limit.rlim_max < 700)
		skip();
	setrlimit(RLIMIT_NOFILE, &low);
	s = group_read(&g);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(s->end, 0);
	assert_int_equal(s->n, 300);
	for (size_t i = 1; i < s->n; i++)
		assert_true(s->v[i - 1].ts_ns < s->v[i].ts_ns);
	free(s);
}

/* --- pipes --- */

/* What is written is handed over before more is. */
static void piped(void **state)
{
	char path[64], error[256];
	struct seen s = {.n = 0};
	struct bytes b = {.n = 0};
	struct source *source;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fds[0]);
	source = open_one(path, error); /* returns before anything was written */
	assert_non_null(source);
	close(fds[0]);
	assert_int_equal(source->ops->poll(source, 0, see, &s), 1);
	pcap_header(&b, 0xa1b2c3d4, 2, 4, 1);
	for (uint32_t i = 0; i < 3; i++)
		pcap_packet(&b, i, 0, "data", 4);
	for (size_t i = 0; i < b.n - 1; i++) {
		assert_int_equal(write(fds[1], b.p + i, 1), 1);
		assert_int_equal(source->ops->poll(source, -1, see, &s), 1);
		assert_int_equal(s.n, i + 1 < 24 ? 0 : (i + 1 - 24) / 20);
		assert_int_equal(source->ops->poll(source, 0, see, &s), 1);
	}
	close(fds[1]);
	see_all(source, &s);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.end, -EBADMSG);
	source->ops->close(source);
}

/* Whoever takes the packets may stop, and go on behind the last one taken. */
static void stopped(void **state)
{
	char path[64], error[256];
	struct seen s = {.stop_at = 2};
	struct bytes b = {.n = 0};
	struct source *source;
	int fd;

	(void)state;
	pcap_header(&b, 0xa1b2c3d4, 2, 4, 1);
	for (uint32_t i = 0; i < 4; i++)
		pcap_packet(&b, i, 0, "data", 4);
	fd = memory_file(b.p, b.n, path);
	source = open_one(path, error);
	assert_int_equal(source->ops->poll(source, -1, see, &s), -ECANCELED);
	assert_int_equal(s.n, 2);
	see_all(source, &s);
	assert_int_equal(s.end, 0);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.v[3].ts_ns, 3 * S);
	source->ops->close(source);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcap_variants),
		cmocka_unit_test(pcap_lengths),
		cmocka_unit_test(pcap_versions),
		cmocka_unit_test(pcap_large),
		cmocka_unit_test(ng_times),
		cmocka_unit_test(ng_interfaces),
		cmocka_unit_test(ng_blocks),
		cmocka_unit_test(ng_simple_cut),
		cmocka_unit_test(ng_losses),
		cmocka_unit_test(ng_losses_many),
		cmocka_unit_test(ng_loss_comments),
		cmocka_unit_test(ng_broken),
		cmocka_unit_test(ng_skips),
		cmocka_unit_test(cut_pcap),
		cmocka_unit_test(cut_ng),
		cmocka_unit_test(parsers_stay_inside),
		cmocka_unit_test(refusals),
		cmocka_unit_test(merged),
		cmocka_unit_test(merged_broken),
		cmocka_unit_test(merged_many),
		cmocka_unit_test(piped),
		cmocka_unit_test(stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
