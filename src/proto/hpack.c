/* SPDX-License-Identifier: MIT */
#include "proto/hpack.h"

#define TABLE_MAX ((size_t)1 << 20)   /* the largest table that an encoder may ask for */
#define TABLE_DEFAULT 4096u           /* RFC 9113 section 6.5.2 */
#define TABLE_LARGE 65536u            /* what those ask for that want more */
#define PLACEHOLDER_SIZE 33u          /* RFC 7541 section 4.1: no real entry is smaller */

/* --- nghttp2's memory comes from the pool; each block tells its size ------------------------------------------------ */

#define TAG sizeof(size_t)

static void *mem_malloc(size_t n, void *ctx)
{
	struct hpack *h = ctx;
	size_t *p = n > POOL_MAX - TAG ? NULL : conn_alloc(h->conn, n + TAG);

	if (!p)
		return NULL;
	*p = n + TAG;
	return (char *)p + TAG;
}

static void mem_free(void *p, void *ctx)
{
	struct hpack *h = ctx;
	size_t *tag = p ? (size_t *)((char *)p - TAG) : NULL;

	if (tag)
		conn_free(h->conn, tag, *tag);
}

static void *mem_calloc(size_t k, size_t n, void *ctx)
{
	void *p = mem_malloc(k * n, ctx);

	if (p)
		memset(p, 0, k * n);
	return p;
}

static void *mem_realloc(void *old, size_t n, void *ctx)
{
	void *p = mem_malloc(n, ctx);
	size_t had = old ? *(size_t *)((char *)old - TAG) - TAG : 0;

	if (p && old) {
		memcpy(p, old, had < n ? had : n);
		mem_free(old, ctx);
	}
	return p;
}

/* --- the inflater --------------------------------------------------------------------------------------------------- */

static int block_end(struct hpack *h)
{
	nghttp2_hd_inflate_end_headers(h->inflater);
	h->at = HPACK_BEGIN;
	return 0;
}

int hpack_inflate(struct hpack *h, struct slice *in, bool last, struct slice *name, struct slice *value)
{
	nghttp2_nv nv;
	ssize_t n;
	int flags;

	if (h->at == HPACK_BETWEEN && !in->n)
		return last ? block_end(h) : 0;
	/* a table size update behind a field (RFC 7541 section 4.2): the inflater may not have seen that */
	if (h->at == HPACK_BETWEEN && in->p[0] >> 5 == 1)
		return -1;
	do {
		n = nghttp2_hd_inflate_hd2(h->inflater, &nv, &flags, in->p, in->n, last);
		if (n < 0)
			return -1;
		*in = slice_from(*in, (size_t)n);
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			hpack_field(&nv, name, value);
			h->at = HPACK_BETWEEN;
			return 1;
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			return block_end(h);
		h->at = HPACK_INSIDE;
	} while (in->n);
	return last ? -1 : 0;
}

static int read_all(struct hpack *h, const void *block, size_t n)
{
	struct slice in = slice_of(block, n), name, value;
	int r;

	do
		r = hpack_next(h, &in, true, &name, &value);
	while (r > 0);
	return r;
}

/* Literals with incremental indexing (RFC 7541 section 6.2.1) for as many entries as a table of the default size can have. */
static int fill(struct hpack *h)
{
	static const uint8_t literal[] = {0x40, 1, HPACK_PLACEHOLDER, 0};
	uint8_t block[(TABLE_DEFAULT / PLACEHOLDER_SIZE + 1) * sizeof(literal)];

	for (size_t i = 0; i < sizeof(block); i += sizeof(literal))
		memcpy(block + i, literal, sizeof(literal));
	return read_all(h, block, sizeof(block));
}

/* A table full of placeholders. */
static int prime(struct hpack *h, enum hpack_table table)
{
	static const uint8_t large[] = {0x3f, 0xe1, 0xff, 0x03}; /* TABLE_LARGE, as a table size update (section 6.3) */
	unsigned times = table == HPACK_LARGE ? TABLE_LARGE / TABLE_DEFAULT : table == HPACK_DEFAULT;
	int r = table == HPACK_LARGE ? read_all(h, large, sizeof(large)) : 0;

	while (times-- && r == 0)
		r = fill(h);
	return r;
}

struct hpack *hpack_new(struct conn *c, enum hpack_table table)
{
	struct hpack *h = conn_alloc(c, sizeof(*h));

	if (!h)
		return NULL;
	*h = (struct hpack){.conn = c,
			    .mem = {.mem_user_data = h, .malloc = mem_malloc, .free = mem_free, .calloc = mem_calloc,
				    .realloc = mem_realloc}};
	if (nghttp2_hd_inflate_new2(&h->inflater, &h->mem) != 0) {
		conn_free(c, h, sizeof(*h));
		return NULL;
	}
	nghttp2_hd_inflate_change_table_size(h->inflater, TABLE_MAX);
	if (prime(h, table) == 0)
		return h;
	hpack_free(c, h);
	return NULL;
}

void hpack_free(struct conn *c, struct hpack *h)
{
	if (!h)
		return;
	nghttp2_hd_inflate_del(h->inflater);
	conn_free(c, h, sizeof(*h));
}
