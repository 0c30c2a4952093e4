/* SPDX-License-Identifier: MIT */
/* Zstandard frames (RFC 8878), by libzstd. */
#ifndef PERISCO_SINK_ZST_H
#define PERISCO_SINK_ZST_H

#include <stdbool.h>
#include <stddef.h>

struct zst;

/* NULL when out of memory; NULL may be freed. */
struct zst *zst_new(void);
void zst_free(struct zst *z);

/*
 * Compresses `n` bytes, such that all of it can be read back; `end` ends the frame, and the next call begins another. The
 * result is valid until the next call. 0, or -ENOMEM.
 */
int zst_pack(struct zst *z, const void *p, size_t n, bool end, const void **ret, size_t *ret_n);

#endif
