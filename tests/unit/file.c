/* SPDX-License-Identifier: MIT */
/* Capture files as a source: pcap, merging, pipes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sys/resource.h>

#include "../file_rig.h"

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
		cmocka_unit_test(merged),
		cmocka_unit_test(merged_broken),
		cmocka_unit_test(merged_many),
		cmocka_unit_test(piped),
		cmocka_unit_test(stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
