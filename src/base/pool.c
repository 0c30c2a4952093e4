/* SPDX-License-Identifier: MIT */
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/pool.h"

#define SLAB ((size_t)256 << 10)    /* slabs are aligned to their size: a block finds its slab by masking */
#define SLAB_HEAD ((size_t)64)
#define CLASSES 21                  /* 64, 96, 128, 192, 256 ... 64 KiB; larger blocks come from the heap one by one */
#define CLASS_MAX (POOL_MIN << (CLASSES / 2))
#define SPARE_MAX 8                 /* empty slabs kept for the next class that needs one */

struct slab {
	struct list node;           /* in its class's partial list, in the pool's spares, or alone when full */
	struct list all;
	void *free;                 /* blocks given back, linked through their first word */
	uint32_t used;              /* blocks handed out */
	uint32_t fresh;             /* from here on no block was ever handed out */
	uint32_t size, class;       /* of its blocks */
};
_Static_assert(sizeof(struct slab) <= SLAB_HEAD, "a slab's head fits before its first block");

struct big {
	struct list all;
};

struct pool {
	size_t limit, held, used;
	pool_heap_fn heap;
	void *ctx;
	struct list partial[CLASSES];
	struct list spare, slabs, bigs;
	unsigned spares;
};

static void *heap_default(void *ctx, size_t align, size_t n)
{
	(void)ctx;
	return aligned_alloc(align, n);
}

/* Powers of two are even, what lies halfway between two of them is odd. */
static size_t class_size(unsigned class)
{
	return (POOL_MIN + (class & 1) * POOL_MIN / 2) << (class / 2);
}

static unsigned class_of(size_t n)
{
	unsigned up;

	if (n <= POOL_MIN)
		return 0;
	up = 2 * (64 - (unsigned)__builtin_clzl((n - 1) / POOL_MIN));
	return n <= class_size(up - 1) ? up - 1 : up;
}

size_t pool_round(size_t n)
{
	return class_size(class_of(n));
}

struct pool *pool_new(size_t limit, pool_heap_fn heap, void *ctx)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->limit = limit;
	p->heap = heap ? heap : heap_default;
	p->ctx = ctx;
	for (unsigned i = 0; i < CLASSES; i++)
		list_init(&p->partial[i]);
	list_init(&p->spare);
	list_init(&p->slabs);
	list_init(&p->bigs);
	return p;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	while (!list_empty(&p->slabs)) {
		struct slab *s = container_of(p->slabs.next, struct slab, all);

		list_remove(&s->all);
		free(s);
	}
	while (!list_empty(&p->bigs)) {
		struct big *b = container_of(p->bigs.next, struct big, all);

		list_remove(&b->all);
		free(b);
	}
	free(p);
}

static void slab_release(struct pool *p, struct slab *s)
{
	list_remove(&s->all);
	p->held -= SLAB;
	free(s);
}

/* A slab that was put by, or NULL. */
static struct slab *spare_get(struct pool *p)
{
	struct slab *s = container_of(p->spare.next, struct slab, node);

	if (list_empty(&p->spare))
		return NULL;
	list_remove(&s->node);
	p->spares--;
	return s;
}

/* A slab that a class holds although it is empty, or NULL. Only the last one of a list can be. */
static struct slab *idle_get(struct pool *p)
{
	for (unsigned i = 0; i < CLASSES; i++) {
		struct slab *s = container_of(p->partial[i].prev, struct slab, node);

		if (list_empty(&p->partial[i]) || s->used)
			continue;
		list_remove(&s->node);
		return s;
	}
	return NULL;
}

static void *heap_get(struct pool *p, size_t align, size_t n)
{
	void *block;

	if (p->held + n > p->limit)
		return NULL;
	block = p->heap(p->ctx, align, n);
	if (block)
		p->held += n;
	return block;
}

static struct slab *slab_new(struct pool *p)
{
	struct slab *s = heap_get(p, SLAB, SLAB);

	if (!s)
		return NULL;
	list_init(&s->node);
	list_append(&p->slabs, &s->all);
	return s;
}

/* Not inlined, as what else is rare is not: nearly always there is a slab at hand. */
static __attribute__((noinline)) struct slab *slab_for(struct pool *p, unsigned class)
{
	struct slab *s = spare_get(p);

	if (!s)
		s = slab_new(p);
	if (!s)
		s = idle_get(p);
	if (!s)
		return NULL;
	s->free = NULL;
	s->used = 0;
	s->fresh = SLAB_HEAD;
	s->size = (uint32_t)class_size(class);
	s->class = class;
	ASAN_POISON_MEMORY_REGION((char *)s + SLAB_HEAD, SLAB - SLAB_HEAD);
	list_append(&p->partial[class], &s->node);
	return s;
}

/* Makes room below the ceiling with slabs that are empty. */
static void shrink(struct pool *p, size_t n)
{
	while (p->held + n > p->limit) {
		struct slab *s = spare_get(p);

		if (!s)
			s = idle_get(p);
		if (!s)
			return;
		slab_release(p, s);
	}
}

static __attribute__((noinline)) void *big_get(struct pool *p, size_t n)
{
	struct big *b;

	if (n > POOL_MAX)
		return NULL;
	shrink(p, pool_round(n) + SLAB_HEAD);
	b = heap_get(p, SLAB_HEAD, pool_round(n) + SLAB_HEAD);
	if (!b)
		return NULL;
	list_append(&p->bigs, &b->all);
	p->used += pool_round(n);
	return (char *)b + SLAB_HEAD;
}

static __attribute__((noinline)) void big_put(struct pool *p, void *block, size_t n)
{
	struct big *b = (void *)((char *)block - SLAB_HEAD);

	list_remove(&b->all);
	p->used -= pool_round(n);
	p->held -= pool_round(n) + SLAB_HEAD;
	free(b);
}

static bool slab_full(const struct slab *s)
{
	return !s->free && s->fresh + s->size > SLAB;
}

void *pool_get(struct pool *p, size_t n)
{
	unsigned class = class_of(n);
	struct slab *s;
	void *block;

	if (n > CLASS_MAX)
		return big_get(p, n);
	if (list_empty(&p->partial[class])) {
		s = slab_for(p, class);
		if (!s)
			return NULL;
	} else {
		s = container_of(p->partial[class].next, struct slab, node);
	}
	block = s->free ? s->free : (char *)s + s->fresh;
	ASAN_UNPOISON_MEMORY_REGION(block, n > sizeof(void *) ? n : sizeof(void *));
	if (s->free)
		memcpy(&s->free, block, sizeof(void *));
	else
		s->fresh += s->size;
	s->used++;
	if (slab_full(s))
		list_remove(&s->node);
	p->used += s->size;
	return block;
}

/*
 * A slab whose blocks are all back serves any class, unless it is the last of its own: that one would come and go with each
 * block.
 */
static __attribute__((noinline)) void slab_idle(struct pool *p, struct slab *s)
{
	if (p->partial[s->class].next == p->partial[s->class].prev)
		return;
	list_remove(&s->node);
	if (p->spares < SPARE_MAX) {
		list_append(&p->spare, &s->node);
		p->spares++;
	} else {
		slab_release(p, s);
	}
}

void pool_put(struct pool *p, void *block, size_t n)
{
	struct slab *s;
	bool was_full;

	if (!block)
		return;
	if (n > CLASS_MAX) {
		big_put(p, block, n);
		return;
	}
	s = (void *)((uintptr_t)block & ~(SLAB - 1));
	was_full = slab_full(s);
	memcpy(block, &s->free, sizeof(void *));
	ASAN_POISON_MEMORY_REGION(block, s->size);
	s->free = block;
	s->used--;
	p->used -= s->size;
	if (was_full)
		list_insert_before(p->partial[s->class].next, &s->node);
	if (!s->used)
		slab_idle(p, s);
}

size_t pool_held(const struct pool *p)
{
	return p->held;
}

size_t pool_used(const struct pool *p)
{
	return p->used;
}
