/* SPDX-License-Identifier: MIT */
/*
 * All memory of an engine comes from one pool with one ceiling. Blocks come in powers of two from POOL_MIN to POOL_MAX
 * and the sizes halfway between, carved out of slabs; a slab whose blocks are all free serves any class again. The steady
 * state allocates nothing from the heap.
 */
#ifndef PERISCO_BASE_POOL_H
#define PERISCO_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_MIN ((size_t)64)
#define POOL_MAX ((size_t)1 << 20) /* the largest block that may be asked for */

struct pool;

/* Returns `n` bytes aligned to `align` that free(3) takes back, or NULL. A parameter, so that a test can fail each allocation once. */
typedef void *(*pool_heap_fn)(void *ctx, size_t align, size_t n);

/* A pool that takes at most `limit` bytes from the heap. `heap` may be NULL (aligned_alloc). NULL when out of memory. */
struct pool *pool_new(size_t limit, pool_heap_fn heap, void *ctx);

/* Frees everything at once, blocks still in use included. NULL is allowed. */
void pool_free(struct pool *p);

/* A block of at least `n` bytes, not zeroed, aligned to 16; NULL when the ceiling is reached or n > POOL_MAX. */
void *pool_get(struct pool *p, size_t n);

/* Gives a block back; `n` is the size asked for. NULL is allowed. */
void pool_put(struct pool *p, void *block, size_t n);

/* The size of the block that a request for `n` bytes gets. */
size_t pool_round(size_t n);

/* Bytes taken from the heap now, and bytes of blocks handed out now. */
size_t pool_held(const struct pool *p);
size_t pool_used(const struct pool *p);

#endif
