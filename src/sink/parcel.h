/* SPDX-License-Identifier: MIT */
/*
 * Finished records on their way: the bytes of one format, and where each record lies in them. A parcel is written once,
 * then only read, by as many sinks as got it.
 */
#ifndef PERISCO_SINK_PARCEL_H
#define PERISCO_SINK_PARCEL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* One record of a parcel. */
struct mark {
	uint64_t flow_id; /* 0: of no flow */
	uint64_t ts_ns;   /* Unix time */
	uint64_t number;  /* of the record in its run; with `run` of the parcel it is the record's id */
	uint64_t sinks;   /* a bit for each sink that wants it */
	uint64_t at;      /* its bytes in the parcel, line feed included */
	uint64_t n;
};

struct parcel {
	atomic_uint holders;
	uint64_t run;     /* a random number of the run that made the records */
	uint64_t segment; /* that it was taken from, when it comes from a spool */
	size_t n_marks;
	size_t n;         /* bytes */
	uint8_t *bytes;
	struct mark marks[]; /* the bytes lie behind them */
};

/* A parcel with room for all that; its content is the caller's to fill in. NULL when out of memory. */
struct parcel *parcel_new(size_t n_marks, size_t n);

/* One more holder. Returns the parcel. */
struct parcel *parcel_keep(struct parcel *p);

/* One holder less; the last one frees it. NULL is allowed. */
void parcel_drop(struct parcel *p);

/* How much memory it takes. */
size_t parcel_size(const struct parcel *p);

/* A new one of those records alone that the sinks of these bits want. NULL when out of memory. */
struct parcel *parcel_pick(const struct parcel *p, uint64_t sinks);

/* How many of its records the sinks of these bits want. */
size_t parcel_count(const struct parcel *p, uint64_t sinks);

/* The bytes of these. */
size_t parcel_bytes(const struct parcel *p, uint64_t sinks);

/* Room in a file, and how many records are there. */
struct extent {
	uint64_t bytes, records;
};

/* The bytes that it takes in a file. */
uint64_t parcel_stored(const struct parcel *p);

/* Writes it to a place in a file. 0 or a negative errno: then a part of it may be there; -ENOSPC when that is all. */
int parcel_store(const struct parcel *p, int fd, uint64_t at);

/*
 * Reads one, whose holder the caller becomes. 0; -ENODATA when what is there is no whole parcel; or another negative errno, when
 * it may be better later. `extent` is what it takes; with -ENODATA too if it is known, else it has no bytes.
 */
int parcel_load(struct parcel **ret, int fd, uint64_t at, struct extent *extent);

#endif
