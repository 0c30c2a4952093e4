/* SPDX-License-Identifier: MIT */
/* What signals ask of a run. */
#ifndef PERISCO_SIGNALS_H
#define PERISCO_SIGNALS_H

#include <stdbool.h>

/*
 * From now on the first SIGINT or SIGTERM asks for a clean end, and the second one ends at once; so does SIGHUP, unless nohup(1) said
 * otherwise. SIGPIPE is ignored.
 */
void signals_catch(void);

/* SIGHUP is to say from now on that files were moved away, as logrotate does. */
void signals_take_hangup(void);

/* Is the end asked for? */
bool signals_end(void);

/* Were files moved away since this was asked last? */
bool signals_moved(void);

#endif
