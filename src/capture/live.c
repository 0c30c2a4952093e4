/* SPDX-License-Identifier: MIT */
#include "capture/live.h"

#include <errno.h>
#include <stdio.h>

#include "capture/afpacket.h"
#include "capture/pick.h"
#include "capture/tc.h"

/* What cannot be had by BPF programs may be had without. Who has the right to neither needs to know of both. */
static struct source *fall_back(const struct live_config *config, int *err, char *error, size_t n)
{
	char other[256];
	struct source *s = afpacket_open(config, err, other, sizeof(other));
	size_t at = strlen(error);

	if (s)
		pick_say(config, true, "%s: watching by a packet socket, which costs more", error);
	else if (*err == -EPERM)
		snprintf(error + at, n - at, "; and %s", other);
	else
		snprintf(error, n, "%s", other);
	return s;
}

struct source *live_open(const struct live_config *config, int *err, char *error, size_t n)
{
	struct source *s;

	if (config->hook == HOOK_PACKET)
		return afpacket_open(config, err, error, n);
	s = tc_open(config, err, error, n);
	if (!s && config->hook == HOOK_AUTO && (*err == -EPERM || *err == -EOPNOTSUPP))
		s = fall_back(config, err, error, n);
	return s;
}
