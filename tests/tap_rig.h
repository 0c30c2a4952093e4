/* SPDX-License-Identifier: MIT */
/* Packets that go through a tap to a file, and are read back as they were. Of cmocka, which is included before. */
#ifndef PERISCO_TESTS_TAP_RIG_H
#define PERISCO_TESTS_TAP_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/file.h"
#include "empty_dir.h"
#include "output/tap.h"
#include "packet/linktype.h"

enum { PACKETS = 4000 };

static char error[256];

/* A file in the test's directory; valid until the next call. */
static inline const char *file(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static inline struct tap *open_tap(const char *path, size_t hold)
{
	return tap_open(&(struct pcapwrite_config){.path = path}, hold, error, sizeof error);
}

static inline int put(struct tap *t, uint64_t flow_id, const struct packet *pkt)
{
	return tap_packet(t, &(struct brought){.flow_id = flow_id}, pkt);
}

/* The packets that are in the file: those on their way are not counted. */
static inline uint64_t written(struct tap *t)
{
	assert_int_equal(tap_flush(t), 0);
	return tap_counts(t)->written;
}

/* A packet whose bytes say which it is: its length and content depend on `n`. */
static inline struct packet packet(uint32_t n, const struct iface *iface)
{
	static uint8_t bytes[3000];
	struct packet p = {
		.ts_ns = UINT64_C(1700000000000000000) + n, .link = LINKTYPE_ETHERNET, .dir = (uint8_t)(n % 3), .iface = iface};

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(n + i * 7);
	memcpy(bytes, &n, sizeof n);
	p.data = slice_of(bytes, 60 + n * 37 % 2900);
	p.wire_len = (uint32_t)p.data.n + n % 5;
	return p;
}

/* --- reading back --- */

struct back {
	uint32_t v[PACKETS]; /* which packets, by the number in their bytes */
	struct iface ifaces[8];
	uint8_t dirs[8];
	uint16_t links[8];
	size_t n, bytes;
	struct loss losses[4];
	size_t lost_at[4], n_losses; /* packets before each loss */
	char lost_name[4][64];
	int end;
};

static inline int take_back(void *ctx, const struct packet *p)
{
	struct back *b = ctx;
	size_t skip = p->data.n >= 14 && p->data.p[12] == 8 && p->data.p[13] == 0 && p->data.p[14] == 0x45 ? 14 : 0;
	struct packet expect;

	memcpy(&b->v[b->n], p->data.p + skip, 4);
	if (!skip) {
		expect = packet(b->v[b->n], NULL);
		assert_int_equal(p->data.n, expect.data.n);
		assert_memory_equal(p->data.p, expect.data.p, p->data.n);
		assert_int_equal(p->ts_ns, expect.ts_ns);
		assert_int_equal(p->wire_len, expect.wire_len);
	}
	if (b->n < 8) {
		b->ifaces[b->n] = p->iface ? *p->iface : (struct iface){.index = 999};
		b->dirs[b->n] = p->dir;
		b->links[b->n] = p->link;
	}
	b->bytes += p->data.n;
	b->n++;
	return 0;
}

static inline int take_loss(void *ctx, const struct loss *l)
{
	struct back *b = ctx;

	assert_in_range(b->n_losses, 0, 3);
	b->losses[b->n_losses] = *l;
	strcpy(b->lost_name[b->n_losses], l->ifname);
	b->lost_at[b->n_losses++] = b->n;
	return 0;
}

/* Reads the file back and removes it. */
static inline struct back *read_back(const char *path)
{
	struct back *b = calloc(1, sizeof *b);
	struct source *s = file_open(&path, 1, error, sizeof error);

	assert_non_null(s);
	while ((b->end = s->ops->poll(s, 0, take_back, b)) > 0)
		s->ops->losses(s, take_loss, b);
	s->ops->losses(s, take_loss, b);
	s->ops->close(s);
	unlink(path);
	return b;
}

#endif
