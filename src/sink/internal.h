/* SPDX-License-Identifier: MIT */
/*
 * A courier from the inside: courier.c has who hands records over, delivery.c the thread that delivers, spooler.c the one that
 * moves what waits to the disk.
 */
#ifndef PERISCO_SINK_INTERNAL_H
#define PERISCO_SINK_INTERNAL_H

#include <pthread.h>
#include <time.h>

#include "base/news.h"
#include "sink/courier.h"

#define DISK_MS 5000u /* for a disk to take one more parcel, at the end */

struct courier {
	struct courier_config config;
	struct carrier carrier;
	pthread_t thread, spooler;
	pthread_mutex_t lock;       /* never held while a disk is waited for */
	pthread_cond_t changed;     /* anything below did */
	struct parcel **queue;      /* a ring of `size` places */
	size_t at, n, size;
	struct courier_counts counts; /* queue_bytes counts the queue, and what the spooler and a batch took out of it */
	uint64_t run;               /* of the parcels that were put */
	struct timespec moved;      /* when a record last got its fate, or the end began */
	bool trying;                /* a call of the carrier is under way */
	unsigned holders;           /* who closes it, and the threads: the last one frees all of this */
	bool spooling;              /* the spooler has the first of the queue in hand, which stays there meanwhile */
	int jam;                    /* why the spool took nothing: it is tried again when it has given something, or */
	struct timespec jam_until;
	uint64_t dropped_jam;       /* of dropped_spool: the queue was full, too */
	bool stowed;                /* the spooler did what it can */
	uint64_t missing, missing_before; /* open records that somebody removed from the spool: of this run, or one before */
	struct timespec disk_until; /* it is waited for so long */
	bool left;                  /* the last counts are given: what is in the queue is counted */
	bool loaded;                /* `batch` is counted as waiting, and the carrier has it */
	bool finished, closed;      /* the thread carries no more; the carrier is closed */
	bool abandoned;             /* the thread did not come back in time: `batch` and `counts` are not its any more */
	bool impatient;             /* to wait for room was in vain */
	struct timespec until;      /* when the time of grace is up */
	atomic_bool stop, hurry;
	/* The courier's thread alone; when it is finished or abandoned, what is open in it is not: */
	struct batch batch;
	/* The courier's thread alone: */
	bool refusing;
	struct news outage, dropping;
	uint64_t dropped, unreadable; /* that was told of */
	uint64_t lost, lost_before; /* in the spool, that was counted */
	unsigned seed;
	/* The spooler alone: */
	struct news jammed;
	char name[];
};

/* A line for people. Without the lock: it may be waited for. */
__attribute__((format(printf, 2, 3))) void courier_tell(const struct courier *c, const char *format, ...);

void courier_lock(struct courier *c);
/* Whoever waits looks again. */
void courier_unlock(struct courier *c);

/* From now on. */
struct timespec after_ms(unsigned ms);
bool is_past(const struct timespec *t);
/* With the lock: something changed, or false when it is too late. */
bool courier_wait_until(struct courier *c, const struct timespec *until);

/* With the lock, when there is any. */
struct parcel *courier_pop(struct courier *c);

/* One holder less; the last one frees it all. */
void courier_leave(struct courier *c);

/* The threads. */
void *courier_run(void *courier);
void *spooler_run(void *courier);

#endif
