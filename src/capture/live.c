/* SPDX-License-Identifier: MIT */
#include "capture/live.h"

#include "capture/tc.h"

struct source *live_open(const struct live_config *config, int *err, char *error, size_t n)
{
	return tc_open(config, err, error, n);
}
