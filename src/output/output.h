/* SPDX-License-Identifier: MIT */
/*
 * Outputs: a format (how a record reads) and a transport (where it goes). Formats know no transport, transports no
 * format. A record is serialised once per format and goes to every transport that asked for it.
 *
 * Each thread that has records has a `struct outputs` of its own: it serialises for itself, and only whole blocks of
 * lines meet those of the others.
 */
#ifndef PERISCO_OUTPUT_OUTPUT_H
#define PERISCO_OUTPUT_OUTPUT_H

#include "output/view.h"
#include "record.h"
#include "sink/courier.h"

struct outputs;

/* Colours: where somebody watches, everywhere, or nowhere. */
enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* What all outputs have in common. All of it is borrowed for life. */
struct outputs_config {
	const struct view *view;
	enum color color;
	const char *const *properties; /* KEY=VALUE, of librdkafka */
	size_t n_properties;
	const char *spool;             /* the directory where records wait for hosts that are away; NULL: none */
	uint64_t spool_max;            /* bytes, of each */
	bool strict;                   /* a host that is away when an output is added is an error */
	unsigned patience_ms;          /* how long to wait for room in a host's queue while nothing goes on; 0: not at all */
	bool quiet;                    /* at the end, only what was dropped is told */
	_Atomic bool more;             /* the run has a use even when none of its files can be written; may change */
	void (*say)(const char *line); /* a line for people; any thread */
};

/* No output yet. NULL when out of memory. */
struct outputs *outputs_new(const struct outputs_config *config);

/*
 * The same outputs for one more thread, when all of them are added. To be closed before `o` is. NULL when out of memory.
 */
struct outputs *outputs_share(struct outputs *o);

/*
 * Adds one, as struct spec has it: "text", "json:/var/log/x.json", "null", "kafka://host:9092/topic"; "-" or no path is
 * standard output. A file is created, or emptied when it was there; two outputs cannot share one. An option that is one of
 * select_add's conditions chooses records. Returns 0, or a negative errno with a line in `error` (what failed, on what, what
 * to do).
 */
int outputs_add(struct outputs *o, const char *spec, char *error, size_t n);

/*
 * Serialises one record and keeps it until a block is full; to a terminal it goes out at once. Returns 0 or a negative
 * errno: -EPIPE when the reader is gone (SIGPIPE is to be ignored). See outputs_error. Each further call returns the first
 * failure again. A file that cannot be written while the run has another use is no failure yet: what it misses is counted,
 * it is tried again each second, and both are told.
 */
int outputs_write(struct outputs *o, const struct record *r);

/*
 * Hands everything buffered to the operating system: to be called when the source is idle. Returns as outputs_write
 * does.
 */
int outputs_flush(struct outputs *o);

/*
 * Files that somebody moved away are made anew: see sink_reopen. Returns as outputs_write does. One thread at a time; what
 * others have not handed over goes into the new ones.
 */
int outputs_reopen(struct outputs *o);

/* Does any of them write to this file, or would it, or move or remove it, when it rotates or is opened again? Any thread. */
bool outputs_take(const struct outputs *o, const char *path);

/* Can any of them be written just now? A host that is away can. Any thread. */
bool outputs_work(const struct outputs *o);

/* Does any of them write to a file that can be opened again? */
bool outputs_can_reopen(const struct outputs *o);

/*
 * Of the i'th output that leads to another host: what became of its records so far, and its name in messages, as long as the
 * outputs live. False: there are no more. Any thread.
 */
bool outputs_count(const struct outputs *o, size_t i, const char **ret_name, struct courier_counts *ret);

/* The same of the i'th of the others: how many records it missed because it could not be written. */
bool outputs_missed(const struct outputs *o, size_t i, const char **ret_name, uint64_t *ret);

/* What failed first, one line, for whoever was told by outputs_write; "" when nothing did. */
const char *outputs_error(const struct outputs *o);

/*
 * Nothing is written any more, by any thread: flushes, and gives other hosts some seconds to take what waits. Each record for one
 * of them has its last fate then, while outputs_count and outputs_missed may be asked during that and behind it.
 */
void outputs_end(struct outputs *o);

/*
 * Flushes, and closes what is not shared by others, behind outputs_end if that was not called. Returns 0 or the first
 * negative errno, also that of a file or host that missed something. NULL is allowed.
 */
int outputs_close(struct outputs *o);

/* "name   help" lines of the formats, for the help text. */
void outputs_help(char *buf, size_t n);

#endif
