/* SPDX-License-Identifier: MIT */
#include "workers/queue.h"

#include <errno.h>
#include <stdlib.h>

int queue_init(struct queue *q, size_t size)
{
	*q = (struct queue){.size = size};
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	for (unsigned i = 0; i < QUEUE_BLOCKS; i++) {
		q->block[i].p = malloc(size);
		if (!q->block[i].p)
			return -ENOMEM;
		q->block[i].size = size;
	}
	return 0;
}

void queue_release(struct queue *q)
{
	for (unsigned i = 0; i < QUEUE_BLOCKS; i++)
		free(q->block[i].p);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
}

static struct block *filling(struct queue *q)
{
	return &q->block[q->pushed % QUEUE_BLOCKS];
}

/* Gives an empty block room for `n` bytes. It stays as it is when there is no memory. */
static void resize(struct block *b, size_t n)
{
	uint8_t *p = malloc(n);

	if (!p)
		return;
	free(b->p);
	*b = (struct block){.p = p, .size = n};
}

/* Waits until the next block is the writer's. */
static void wait_for_room(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	while (q->pushed - q->taken == QUEUE_BLOCKS)
		pthread_cond_wait(&q->changed, &q->lock);
	pthread_mutex_unlock(&q->lock);
}

/* Not inlined: nearly always there is room. The block that `n` bytes go to, or NULL. */
static __attribute__((noinline)) struct block *next_block(struct queue *q, size_t n)
{
	struct block *b;

	queue_push(q);
	wait_for_room(q);
	b = filling(q);
	if (n > b->size)
		resize(b, n);
	else if (b->size > q->size && n <= q->size)
		resize(b, q->size);
	return n <= b->size ? b : NULL;
}

void *queue_write(struct queue *q, size_t n)
{
	struct block *b = filling(q);
	uint8_t *p;

	n = (n + 7) & ~(size_t)7;
	if (!q->filled || n > b->size - q->filled)
		b = next_block(q, n);
	if (!b)
		return NULL;
	p = b->p + q->filled;
	q->filled += n;
	return p;
}

/* At most one of the two waits: the queue is not full and empty at once. */
void queue_push(struct queue *q)
{
	if (!q->filled)
		return;
	filling(q)->n = q->filled;
	q->filled = 0;
	pthread_mutex_lock(&q->lock);
	q->pushed++;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

void queue_close(struct queue *q)
{
	queue_push(q);
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

bool queue_take(struct queue *q, struct slice *ret)
{
	const struct block *b;
	bool any;

	pthread_mutex_lock(&q->lock);
	while (q->pushed == q->taken && !q->closed)
		pthread_cond_wait(&q->changed, &q->lock);
	any = q->pushed != q->taken;
	pthread_mutex_unlock(&q->lock);
	if (!any)
		return false;
	b = &q->block[q->taken % QUEUE_BLOCKS];
	*ret = slice_of(b->p, b->n);
	return true;
}

void queue_done(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->taken++;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

bool queue_is_empty(struct queue *q)
{
	bool ret;

	pthread_mutex_lock(&q->lock);
	ret = q->pushed == q->taken;
	pthread_mutex_unlock(&q->lock);
	return ret;
}
