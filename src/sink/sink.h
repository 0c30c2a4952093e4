/* SPDX-License-Identifier: MIT */
/* Where finished lines go on this host: a file, a pipe, a terminal. A sink knows no format. */
#ifndef PERISCO_SINK_SINK_H
#define PERISCO_SINK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sink;

/* How a file becomes several: "x" is written to, "x.1" is the one before it, "x.2" the one before that. */
struct sink_rotation {
	uint64_t size;  /* bytes that a file has at most, but for a line that is larger; 0: any number */
	uint64_t every; /* seconds: a new file at each multiple of it in Unix time; 0: never */
	unsigned keep;  /* files to keep beside the one that is written to */
};

/*
 * Opens `path` for writing; NULL, "" or "-" is standard output. A file is created, or emptied when it was there; with
 * rotation (NULL: none) the one that was there becomes the one before. When the name ends in ".zst" the file is compressed
 * (RFC 8878), and can be read up to the last write at any time; the number of a rotated one comes before ".zst". Returns 0,
 * or a negative errno with a line in `error`: -EINVAL when what is to be rotated is something else than a regular file.
 */
int sink_open(struct sink **ret, const char *path, const struct sink_rotation *rotation, char *error, size_t n);

/* Do both write to the same file or stream? */
bool sink_same(const struct sink *a, const struct sink *b);

/* Is that its file, or would one that is made there be taken for it, or moved or removed by its rotation? */
bool sink_takes(const struct sink *s, const char *path);

/*
 * If one of that path and rotation were opened, would the two of them write to, move or remove the same file? Which: `path` or the
 * name of this one; NULL: none.
 */
const char *sink_clash(const struct sink *s, const char *path, const struct sink_rotation *rotation);

/* Is somebody watching, line by line? And how wide is the terminal just now, in columns; 0: who knows. */
bool sink_is_terminal(const struct sink *s);
unsigned sink_columns(const struct sink *s);

/*
 * Writes all of it, whole lines, and waits where it must; no line is cut by rotation. Returns 0 or a negative errno: -EPIPE
 * when the reader is gone (SIGPIPE is to be ignored). When a disk is full, what was written of a line that did not fit is
 * taken back. After a failure sink_retry comes first. A file that others cut, as logrotate does with copytruncate, goes on at its
 * end.
 */
int sink_write(struct sink *s, const void *p, size_t n);

/* So many of the bytes of the last sink_write stay written: whole lines. */
size_t sink_kept(const struct sink *s);

/* After a failure: makes ready to go on, as sink_reopen does where there is a name. 0 or a negative errno. */
int sink_retry(struct sink *s);

/* Is it a file that has a name? */
bool sink_can_reopen(const struct sink *s);

/*
 * Somebody moved the file away: goes on in a new one of its name, or at the end of the one that is there. 0 or a negative errno:
 * -EINVAL when that is something else than a file.
 */
int sink_reopen(struct sink *s);

/* What it is called in messages. */
const char *sink_name(const struct sink *s);

/* Completes and closes it; standard output stays open. Returns 0 or a negative errno. NULL is allowed. */
int sink_close(struct sink *s);

#endif
