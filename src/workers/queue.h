/* SPDX-License-Identifier: MIT */
/*
 * From one thread to one other: bytes, in blocks, in order. The writer fills a block at its leisure and hands it over as a whole,
 * so that the two meet once in many pieces of work. There are QUEUE_BLOCKS of them: who writes faster than the other reads, waits.
 */
#ifndef PERISCO_WORKERS_QUEUE_H
#define PERISCO_WORKERS_QUEUE_H

#include <pthread.h>

#include "base/slice.h"

#define QUEUE_BLOCKS 8u

struct block {
	uint8_t *p;
	size_t n, size; /* bytes handed over in it, and what it has room for */
};

/* Invariant: taken <= pushed <= taken + QUEUE_BLOCKS. The blocks from `taken` up to `pushed` are the reader's. */
struct queue {
	struct block block[QUEUE_BLOCKS];
	size_t size;            /* of a block; one that must hold more is larger, once */
	size_t filled;          /* the writer's own: bytes in its block; 0: it has none */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* one of the two below */
	unsigned pushed, taken; /* blocks so far; `pushed` is written by the writer, `taken` by the reader, both with the lock */
	bool closed;
};

/* `size` is the room in a block, a multiple of 8. 0 or -ENOMEM; release it in both cases. */
int queue_init(struct queue *q, size_t size);
void queue_release(struct queue *q);

/*
 * For the writer: room for `n` bytes, aligned to 8, behind what was written before; rounded up, the reader finds the next ones at
 * the next multiple of 8. Waits when all blocks are full. NULL when it takes more than a block, and there is no memory.
 */
void *queue_write(struct queue *q, size_t n);

/* For the writer: hands over what was written; nothing is no harm. Waits for nobody. */
void queue_push(struct queue *q);

/* For the writer: hands over the last block. */
void queue_close(struct queue *q);

/* For the reader: waits for the next block. It is the reader's until queue_done. False: the queue is closed, and there is none. */
bool queue_take(struct queue *q, struct slice *ret);
void queue_done(struct queue *q);
/* For the reader: would it wait? */
bool queue_is_empty(struct queue *q);

#endif
