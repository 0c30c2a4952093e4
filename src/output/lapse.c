/* SPDX-License-Identifier: MIT */
#include "output/lapse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sink/courier.h"

#define RETRY_MS 1000u

void lapse_begin(struct lapse *l, int err)
{
	char line[COURIER_NAME_MAX + 512];

	l->err = l->err ? l->err : err;
	l->on = true;
	l->retry_ms = clock_ms() + RETRY_MS;
	if (!news_turn(&l->news, true))
		return;
	snprintf(line, sizeof(line), "cannot write to %.*s: %s; its %s are dropped until that works again",
		 COURIER_NAME_MAX, l->name, strerror(-err), l->what);
	l->say(line);
}

bool lapse_waits(const struct lapse *l)
{
	return l->on && clock_ms() < l->retry_ms;
}

void lapse_end(struct lapse *l)
{
	char line[COURIER_NAME_MAX + 512];

	l->on = false;
	if (!news_end(&l->news))
		return;
	snprintf(line, sizeof(line), "%.*s is written again", COURIER_NAME_MAX, l->name);
	l->say(line);
}

int lapse_sum(const struct lapse *l)
{
	char line[COURIER_NAME_MAX + 512];

	if (!l->err || !l->missed)
		return 0;
	snprintf(line, sizeof(line), "%.*s: %" PRIu64 " dropped%s", COURIER_NAME_MAX, l->name, l->missed,
		 l->misfit ? ", which do not fit into it" : " because it could not be written");
	l->say(line);
	return l->err;
}
