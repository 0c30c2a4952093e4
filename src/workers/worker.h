/* SPDX-License-Identifier: MIT */
/* One thread with one engine, behind a queue: what may be asked of an engine, but that it is done later. */
#ifndef PERISCO_WORKERS_WORKER_H
#define PERISCO_WORKERS_WORKER_H

#include "engine/engine.h"
#include "workers/queue.h"

#define WORKER_IFACES 64u

/* What an engine is asked for while it is at work. */
struct worker_told {
	struct stats stats;
	struct ignored ignored[IGNORED_MAX];
	unsigned ignoreds;
	size_t flows, memory;
};

struct worker {
	struct engine *engine;  /* the thread's, from its start to its end */
	struct queue queue;
	bool whole;             /* the engine wants whole packets, not only what is in the segment */
	void (*rest)(void *ctx); /* see workers_new, */
	void *ctx;              /* ... and that of the hooks */
	pthread_t thread;
	bool runs;
	struct iface sent[WORKER_IFACES];  /* what the thread has, or will have when it comes there, in ... */
	struct iface iface[WORKER_IFACES]; /* ... this, which is the thread's */
	pthread_mutex_t lock;
	struct worker_told told; /* with the lock: as of the last block that is done */
};

/* What to do with a segment: see the functions of engine.h. */
enum worker_way { WORKER_SEGMENT, WORKER_MOVED };

/* Starts the thread, which calls the hooks, and `rest` with the same ctx. `size` is that of a block of the queue. 0 or a negative errno; close it in both cases. */
int worker_open(struct worker *w, const struct engine_config *config, const struct engine_hooks *hooks,
		void (*rest)(void *ctx), size_t size);

/* What is borrowed is copied. Each of them waits when the queue is full. */
void worker_segment(struct worker *w, enum worker_way way, const struct packet *pkt, const struct segment *seg, uint64_t now_ns);
void worker_tick(struct worker *w, uint64_t now_ns);
void worker_missed(struct worker *w, uint64_t ts_ns);
void worker_detail(struct worker *w, enum detail detail);

/* What was asked up to now is to be done soon. */
void worker_push(struct worker *w);

/* No more will be asked: all flows are to be ended. Waits for nothing. */
void worker_finish(struct worker *w);
/* Waits until all is done, that included. */
void worker_join(struct worker *w);

/* Of what is done up to now. */
struct worker_told worker_told(struct worker *w);

/* Frees all; a thread that runs is finished first. */
void worker_close(struct worker *w);

#endif
