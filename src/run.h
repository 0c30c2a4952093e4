/* SPDX-License-Identifier: MIT */
/* One run, wired together: source -> filter -> tap -> engine -> select -> outputs; signals, the summary. */
#ifndef PERISCO_RUN_H
#define PERISCO_RUN_H

#include "cli/config.h"

/* Watches or replays until the end of the input, an interrupt, or enough exchanges. Speaks on stderr, and says how it went. */
enum exit_code run(const struct config *config);

/* One line on stderr, "perisco: " before it. */
__attribute__((format(printf, 1, 2))) void say(const char *fmt, ...);

#endif
