/* SPDX-License-Identifier: MIT */
/*
 * Brings records to where a network is between: a bounded queue, and a thread of its own that tries again, later and later,
 * when the other side is away. Whoever hands records over never waits. Each record that was accepted is in the end
 * delivered, or dropped and counted by cause, or still in the spool.
 */
#ifndef PERISCO_SINK_COURIER_H
#define PERISCO_SINK_COURIER_H

#include <stdbool.h>

#include "sink/batch.h"
#include "sink/parcel.h"
#include "sink/spool.h"

/* What knows the way: a client of some protocol. Only the courier's thread calls it, but for `probe`, which comes first. */
struct carrier {
	void *self;
	/* Is the other side there? 0, or a negative errno with a line in `why`. */
	int (*probe)(void *self, char *why, size_t n);
	/*
	 * Tries to deliver the items, in order, and says the fate of each: FATE_OPEN is tried again, those alone and in the same
	 * order. 0, or a negative errno with a line in `why` when what is open is to be told; if any is refused the line is there
	 * in each case. -EINPROGRESS: what is open it has in hand itself, and goes on with it when it is called again, which is
	 * soon, and no other try. It takes some seconds at most, and returns soon once `*hurry` is true.
	 */
	int (*carry)(void *self, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n);
	void (*close)(void *self);
};

#define COURIER_NAME_MAX 500 /* bytes of it in a message */

struct courier_config {
	const char *name;             /* in messages; copied */
	uint64_t bit;                 /* its bit in struct mark's sinks */
	size_t queue;                 /* bytes that may wait in memory, beside a batch that is under way */
	unsigned patience_ms;         /* how long courier_put waits for room while nothing gets its fate; 0: it never waits */
	struct spool *spool;          /* where they wait when it is down; NULL: nowhere. Becomes the courier's */
	bool quiet;                   /* at the end, how long it is waited for is not told */
	void (*say)(const char *line); /* one line for people; any thread */
};

/* Words of other hosts may be in a line: what is not fit to be seen, and might move a cursor, becomes '?'. */
void courier_clean(char *line);

struct courier;

/* Records, by what became of them so far. accepted + recovered = delivered + refused + dropped_* + waiting + spooled. */
struct courier_counts {
	uint64_t accepted, delivered;
	uint64_t recovered;      /* found in the spool of an earlier run */
	uint64_t retried;        /* tries beyond the first, but for those that the carrier makes itself */
	uint64_t refused;        /* by the other side, for good */
	uint64_t dropped_full;   /* the queue was full, or memory was */
	uint64_t dropped_spool;  /* the same, or at the end, when the spool took nothing; or it could not be read */
	uint64_t dropped_exit;   /* the time at the end was up */
	uint64_t waiting;        /* in memory */
	uint64_t spooled;        /* on disk */
	uint64_t queue_bytes, spool_bytes;
};

/* Begins; the carrier is the courier's from now on. NULL when out of memory or threads: then both are closed. */
struct courier *courier_new(const struct courier_config *config, const struct carrier *carrier);

/* Accepts the records of a parcel that bear its bit. Without patience it waits for no network and no disk. */
void courier_put(struct courier *c, struct parcel *p);

/* `n` records were for it, for whose parcel there was no memory. */
void courier_miss(struct courier *c, size_t n);

void courier_count(struct courier *c, struct courier_counts *ret);

/* No more is put: what waits is tried at once, and more often; `now`: the time for it is up. */
void courier_stop(struct courier *c, bool now);

/*
 * Waits until all is delivered. After courier_stop. At most `ms`; with patience at most so long after a record got its fate, or
 * after the stop, and longer while a try is under way: 120 s. It is then the same in which order couriers are waited for. Says so
 * when it takes longer than a second.
 */
void courier_wait(struct courier *c, unsigned ms);

/*
 * Delivers what it can within `deadline_ms`, and leaves the rest in the spool or drops it: nothing waits then, and the counts are
 * the last ones. Takes two seconds more at most for the carrier, and with a spool as long as the disk takes one more parcel every
 * five seconds: who hangs even then is left alone with what it has, which is dropped.
 */
void courier_end(struct courier *c, unsigned deadline_ms);

/* Ends it, unless it has, and gives the last counts (ret may be NULL). NULL is allowed. */
void courier_close(struct courier *c, unsigned deadline_ms, struct courier_counts *ret);

#endif
