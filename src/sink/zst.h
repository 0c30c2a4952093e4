/* SPDX-License-Identifier: MIT */
/* Zstandard frames (RFC 8878), by libzstd. */
#ifndef PERISCO_SINK_ZST_H
#define PERISCO_SINK_ZST_H

#include <stddef.h>

struct zst;

/* NULL when out of memory; NULL may be freed. */
struct zst *zst_new(void);
void zst_free(struct zst *z);

/*
 * Compresses `n` bytes, such that all of it can be read back: the begin of a frame, or more of it. The result is valid until the
 * next call, and to be written whole: else zst_end comes next. 0, or -ENOMEM.
 */
int zst_pack(struct zst *z, const void *p, size_t n, const void **ret, size_t *ret_n);

/* What ends a frame behind any result that was written whole. The next zst_pack begins another frame. */
const void *zst_end(struct zst *z, size_t *ret_n);

#endif
