/* SPDX-License-Identifier: MIT */
/* A courier from the inside: courier.c has who hands records over and the spooler, delivery.c has the thread that delivers. */
#ifndef PERISCO_SINK_INTERNAL_H
#define PERISCO_SINK_INTERNAL_H

#include <pthread.h>
#include <time.h>

#include "sink/courier.h"

struct courier {
	struct courier_config config;
	struct carrier carrier;
	pthread_t thread, spooler;
	pthread_mutex_t lock;       /* held while a disk is waited for at the end alone */
	pthread_cond_t changed;     /* anything below did */
	struct parcel **queue;      /* a ring of `size` places */
	size_t at, n, size;
	struct courier_counts counts; /* queue_bytes counts the queue, and what the spooler and a batch took out of it */
	uint64_t run;               /* of the parcels that were put */
	struct timespec moved;      /* when a record last got its fate, or the end began */
	bool trying;                /* the carrier has it in hand */
	bool spooling;              /* the spooler has a parcel */
	bool loaded;                /* `batch` is counted as waiting, and the carrier has it */
	bool finished, closed;      /* the thread carries no more; the carrier is closed */
	bool abandoned;             /* the thread did not come back in time: `batch` and `counts` are not its any more, ... */
	bool orphaned;              /* ... and it frees all of this if it ever does */
	bool impatient;             /* to wait for room was in vain */
	struct timespec until;      /* when the time of grace is up */
	atomic_bool stop, hurry;
	/* The courier's thread alone, and who closes it while `loaded`: */
	struct batch batch;
	/* The courier's thread alone: */
	bool down, refusing;
	bool is_told;               /* that it is down; the last time was: */
	time_t told_down;
	bool dropping;
	uint64_t dropped, unreadable; /* that was told of */
	time_t told;                /* of drops */
	unsigned seed;
	char name[];
};

/* A line for people. Without the lock: it may be waited for. */
__attribute__((format(printf, 2, 3))) void courier_tell(const struct courier *c, const char *format, ...);

void courier_lock(struct courier *c);
/* Whoever waits looks again. */
void courier_unlock(struct courier *c);

/* From now on. */
struct timespec after_ms(unsigned ms);
/* With the lock: something changed, or false when it is too late. */
bool courier_wait_until(struct courier *c, const struct timespec *until);

/* With the lock, when there is any. */
struct parcel *courier_pop(struct courier *c);

/* Frees it all; the carrier is closed already. */
void courier_free(struct courier *c);

/* The thread that delivers. */
void *courier_run(void *courier);

#endif
