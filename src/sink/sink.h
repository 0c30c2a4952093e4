/* SPDX-License-Identifier: MIT */
/* Where finished lines go: a file, a pipe, a terminal. A sink knows no format. */
#ifndef PERISCO_SINK_SINK_H
#define PERISCO_SINK_SINK_H

#include <stdbool.h>
#include <stddef.h>

struct sink;

/*
 * Opens `path` for writing; NULL, "" or "-" is standard output. A file is created, or emptied when it was there.
 * Returns 0, or a negative errno with a line in `error`.
 */
int sink_open(struct sink **ret, const char *path, char *error, size_t n);

/* Do both write to the same file or stream? */
bool sink_same(const struct sink *a, const struct sink *b);

/* Is somebody watching, line by line? */
bool sink_is_terminal(const struct sink *s);

/*
 * Writes all of it, whole lines, and waits where it must. Returns 0 or a negative errno: -EPIPE when the reader is gone
 * (SIGPIPE is to be ignored). When a disk is full, what was written of a line that did not fit is taken back.
 */
int sink_write(struct sink *s, const void *p, size_t n);

/* What it is called in messages. */
const char *sink_name(const struct sink *s);

/* Closes it; standard output stays open. Returns 0 or a negative errno. NULL is allowed. */
int sink_close(struct sink *s);

#endif
