/* SPDX-License-Identifier: MIT */
/* Stands in for tc.c where live capture was not built. */
#ifndef HAVE_TC

#include "capture/tc.h"

#include <errno.h>
#include <stdio.h>

struct source *tc_open(const struct tc_config *config, int *err, char *error, size_t n)
{
	(void)config;
	*err = -EOPNOTSUPP;
	snprintf(error, n, "this perisco was built for replay only: install what 'scripts/deps build' does, then run make again");
	return NULL;
}

void tc_counts(struct source *s, struct tc_counts *ret)
{
	(void)s;
	*ret = (struct tc_counts){0};
}

#endif
