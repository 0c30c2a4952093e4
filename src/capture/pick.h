/* SPDX-License-Identifier: MIT */
/* Which interfaces are captured at, by whatever hook, and what is said about them. */
#ifndef PERISCO_CAPTURE_PICK_H
#define PERISCO_CAPTURE_PICK_H

#include "capture/link.h"
#include "capture/live.h"

/* Is this interface to be captured at? */
bool pick_wants(const struct live_config *config, const struct link *link);

/* 0: packets have an Ethernet header, 1: they begin with the IP header, -1: something else, which is not decoded. */
int pick_l3(const struct link *link);

/*
 * Is each interface that was named captured at, as `watched` has it? A glob may match nothing yet, but who gives a name
 * means an interface that is there. 0, or -ENODEV or -EPFNOSUPPORT with a line in `error`.
 */
int pick_check(const struct live_config *config, bool (*watched)(const void *ctx, const char *name), const void *ctx,
	       char *error, size_t n);

/* Says a line as the config wants it said: `always`, or only when it asks for talk. */
__attribute__((format(printf, 3, 4))) void pick_say(const struct live_config *config, bool always,
						    const char *format, ...);

#endif
