/* SPDX-License-Identifier: MIT */
/* Where an -o leads: a file, or a courier to another host; and which records are wanted there. */
#ifndef PERISCO_OUTPUT_DRAIN_H
#define PERISCO_OUTPUT_DRAIN_H

#include "output/output.h"
#include "sink/courier.h"
#include "sink/parcel.h"
#include "sink/spec.h"

struct drain;

/* Finished records of one format. The marks are there only where a drain asks for them. */
struct lines {
	const uint8_t *p;
	size_t n;
	const struct mark *marks;
	size_t n_marks;
};

/*
 * Opens what the spec names; what of it concerns the format is the caller's. `bit` is the drain's own in struct mark. 0, or a
 * negative errno with a line in `error`.
 */
int drain_open(struct drain **ret, struct spec *spec, uint64_t bit, const struct outputs_config *config, char *error, size_t n);

/* Do both write to the same file or stream? */
bool drain_same(const struct drain *a, const struct drain *b);

/* As sink_clash, with what the spec names; NULL also of what drain_open is going to refuse. And as sink_takes. */
const char *drain_clash(const struct drain *d, struct spec *spec);
bool drain_takes(const struct drain *d, const char *path);

/* Is somebody watching, line by line? How wide is the terminal (see sink_columns)? Is another host behind it? Are marks needed? */
bool drain_is_terminal(const struct drain *d);
unsigned drain_columns(const struct drain *d);
bool drain_is_remote(const struct drain *d);
bool drain_wants_marks(const struct drain *d);

/* Its bit if the record is wanted, else 0. Any thread. */
uint64_t drain_wants(const struct drain *d, const struct record *r);

/* How many of the lines are wanted, of those that end behind `from`. */
size_t drain_lines(const struct drain *d, const struct lines *l, uint64_t from);

/*
 * To a file: writes those lines that are wanted, and waits where it must; one thread at a time. 0, or a negative errno each time
 * that it fails. Then it is to be suspended, to be tried again a second later, and what it misses is counted, which is told
 * now and then, and at the end; or it is given up, which nobody is told of.
 */
int drain_write(struct drain *d, const struct lines *l);
void drain_suspend(struct drain *d, int err);
void drain_give_up(struct drain *d);

/* Is a file neither suspended nor given up? */
bool drain_works(const struct drain *d);

/* How many records a file missed. Any thread. */
uint64_t drain_missed(const struct drain *d);

/* To another host: takes the records that are wanted, and never waits. NULL: there was no memory for `n` of them. Any thread. */
void drain_send(struct drain *d, struct parcel *p, size_t n);

/* A file that can be opened again; and that it is, or is tried at once if it is suspended. Returns as drain_write does. */
bool drain_can_reopen(const struct drain *d);
int drain_reopen(struct drain *d);

/* What it is called in messages. */
const char *drain_name(const struct drain *d);

/* What became of the records for another host so far. */
void drain_count(const struct drain *d, struct courier_counts *ret);

/* Of another host: as courier_stop, courier_wait and courier_end, at once. */
void drain_stop(struct drain *d, bool now);
void drain_wait(struct drain *d, unsigned ms);
void drain_end(struct drain *d);

/*
 * Closes it. What became of the records for another host is told, and what a file missed; what never arrives is a failure,
 * -EREMOTEIO of another host. 0 or a negative errno. NULL is allowed.
 */
int drain_close(struct drain *d);

#endif
