/* SPDX-License-Identifier: MIT */
/* The TC hooks of this host's interfaces as a source. */
#ifndef PERISCO_CAPTURE_TC_H
#define PERISCO_CAPTURE_TC_H

#include "capture/live.h"

/*
 * Loads the programs, attaches them to all interfaces that match, and follows new ones; HOOK_AUTO is the better one of TCX
 * and TC. Attaching by TCX takes some 10 ms each: what takes longer than TC_PATIENCE_MS altogether is done by and by,
 * between polls. Otherwise as live_open. A packet of more than 32 KiB is handed over as several, and counts as these.
 */
#define TC_PATIENCE_MS 300
struct source *tc_open(const struct live_config *config, int *err, char *error, size_t n);

#endif
