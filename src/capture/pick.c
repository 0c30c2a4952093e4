/* SPDX-License-Identifier: MIT */
#include "capture/pick.h"

#include <errno.h>
#include <fnmatch.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool pick_wants(const struct live_config *config, const struct link *link)
{
	if (!config->n_patterns)
		return strcmp(link->kind, "veth") == 0 || strcmp(link->kind, "netkit") == 0;
	for (size_t i = 0; i < config->n_patterns; i++)
		if (fnmatch(config->patterns[i], link->name, 0) == 0)
			return true;
	return false;
}

int pick_l3(const struct link *link)
{
	switch (link->type) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return 0;
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
		return 1;
	default:
		return -1;
	}
}

int pick_check(const struct live_config *config, bool (*watched)(const void *ctx, const char *name), const void *ctx,
	       char *error, size_t n)
{
	const char *name;

	for (size_t i = 0; i < config->n_patterns; i++) {
		name = config->patterns[i];
		if (strpbrk(name, "*?[") || watched(ctx, name))
			continue;
		if (if_nametoindex(name)) {
			snprintf(error, n, "cannot watch interface \"%s\": its type of packets is not decoded", name);
			return -EPFNOSUPPORT;
		}
		snprintf(error, n, "cannot watch interface \"%s\": there is none of this name; see `ip link`", name);
		return -ENODEV;
	}
	return 0;
}

void pick_say(const struct live_config *config, bool always, const char *format, ...)
{
	char line[256];
	va_list args;

	if (!always && config->verbose <= 0)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (config->say)
		config->say(config->say_ctx, line);
	else
		fprintf(stderr, "perisco: %s\n", line);
}
