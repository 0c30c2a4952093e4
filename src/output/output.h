/* SPDX-License-Identifier: MIT */
/*
 * Outputs: a format (how a record reads) and a transport (where it goes). Formats know no transport, transports no format.
 * A record is serialised once per format and goes to every transport that asked for it.
 */
#ifndef PERISCO_OUTPUT_OUTPUT_H
#define PERISCO_OUTPUT_OUTPUT_H

#include "output/view.h"
#include "record.h"

struct outputs;

/* No output yet. `view` is borrowed for life. NULL when out of memory. */
struct outputs *outputs_new(const struct view *view);

/*
 * Adds one, FORMAT[:PATH] ("text", "json:/var/log/x.json", "null"); PATH "-" or none is standard output. Returns 0, or a
 * negative errno with a line in `error` (what failed, on what, what to do).
 */
int outputs_add(struct outputs *o, const char *spec, char *error, size_t n);

/* Serialises and writes one record. Returns 0, or a negative errno: -EPIPE when the reader is gone. See outputs_error. */
int outputs_write(struct outputs *o, const struct record *r);

/* Hands everything buffered to the operating system: to be called when the source is idle. */
int outputs_flush(struct outputs *o);

/* What failed last, one line; "" when nothing did. */
const char *outputs_error(const struct outputs *o);

/* Flushes and closes. Returns 0 or the first negative errno. NULL is allowed. */
int outputs_close(struct outputs *o);

/* "name   help" lines of the formats, for the help text. */
void outputs_help(char *buf, size_t n);

#endif
