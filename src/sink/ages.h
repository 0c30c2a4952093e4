/* SPDX-License-Identifier: MIT */
/* A file that becomes several: what they are called, when one ends, and how each gets one older. See struct sink_rotation. */
#ifndef PERISCO_SINK_AGES_H
#define PERISCO_SINK_AGES_H

#include "sink/sink.h"
#include "sink/spec.h"

#define SINK_ZST ".zst" /* at the end of a name: the file is compressed, and a number comes before it */

/* What the options of a spec say of rotation. 0, or -EINVAL with a line in `error`. */
int ages_take(struct sink_rotation *ret, struct spec *spec, char *error, size_t n);

/* Does it ever become several? */
bool ages_turn(const struct sink_rotation *r);

/*
 * May the name be renamed, or opened again? So it is if it is a regular file's, or nobody's; not even a link to one is renamed: it
 * may be /dev/stdout. 0 or -EINVAL.
 */
int ages_check(const char *name, const struct sink_rotation *r);

/* Is the path that of the file, or of one of those before it? None of them need be there. */
bool ages_have(const char *name, const struct sink_rotation *r, const char *path);

/* The part of time that a file which is opened now is for. */
uint64_t ages_slot(const struct sink_rotation *r);

/*
 * So many of `n` bytes go into the file that is open, which was opened in `slot` and has `size` bytes: whole lines; 0 when another
 * one is to be begun.
 */
size_t ages_fitting(const struct sink_rotation *r, uint64_t size, uint64_t slot, const char *p, size_t n);

/*
 * Each file up to the first gap becomes one older, the oldest one goes: what fails halfway leaves a gap, so that to try it again
 * moves nothing twice. 0 or a negative errno.
 */
int ages_shift(const char *name, const struct sink_rotation *r);

#endif
