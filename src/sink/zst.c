/* SPDX-License-Identifier: MIT */
#include "sink/zst.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/*
 * Bytes of a block that is raw, not the last, and has nothing in it (RFC 8878, 3.1.1.2). The zstd program shows what it has of a
 * block only when it has read what follows: else a reader of a file that grows may lack the last lines.
 */
#define EMPTY 3u

struct zst {
	ZSTD_CCtx *ctx;
	void *out;
	size_t size;
};

struct zst *zst_new(void)
{
	struct zst *z = calloc(1, sizeof(*z));

	if (!z)
		return NULL;
	z->ctx = ZSTD_createCCtx();
	if (z->ctx)
		return z;
	free(z);
	return NULL;
}

void zst_free(struct zst *z)
{
	if (!z)
		return;
	ZSTD_freeCCtx(z->ctx);
	free(z->out);
	free(z);
}

static bool reserve(struct zst *z, size_t n)
{
	void *p = n > z->size ? realloc(z->out, n) : z->out;

	if (!p)
		return false;
	z->out = p;
	z->size = n > z->size ? n : z->size;
	return true;
}

int zst_pack(struct zst *z, const void *p, size_t n, const void **ret, size_t *ret_n)
{
	ZSTD_inBuffer in = {p, n, 0};
	ZSTD_outBuffer out = {0};
	size_t left;

	do {
		if (!reserve(z, out.pos + ZSTD_compressBound(n - in.pos) + 64 + EMPTY))
			return -ENOMEM;
		out.dst = z->out;
		out.size = z->size - EMPTY;
		left = ZSTD_compressStream2(z->ctx, &out, &in, ZSTD_e_flush);
		if (ZSTD_isError(left))
			return -ENOMEM;
	} while (left);
	memset((char *)z->out + out.pos, 0, EMPTY);
	*ret = z->out;
	*ret_n = out.pos + EMPTY;
	return 0;
}

const void *zst_end(struct zst *z, size_t *ret_n)
{
	static const unsigned char last_block[] = {1, 0, 0}; /* raw, with nothing in it (RFC 8878, 3.1.1.2) */

	ZSTD_CCtx_reset(z->ctx, ZSTD_reset_session_only);
	*ret_n = sizeof(last_block);
	return last_block;
}
