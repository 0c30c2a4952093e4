/* SPDX-License-Identifier: MIT */
/* Stands in for live.c where live capture was not built. */
#ifndef HAVE_TC

#include "capture/live.h"

#include <errno.h>
#include <stdio.h>

struct source *live_open(const struct live_config *config, int *err, char *error, size_t n)
{
	(void)config;
	*err = -EOPNOTSUPP;
	snprintf(error, n, "this perisco was built for replay only: install what 'scripts/deps build' does, then run make again");
	return NULL;
}

#endif
