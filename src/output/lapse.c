/* SPDX-License-Identifier: MIT */
#include "output/lapse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "sink/courier.h"

#define RETRY_MS 1000u
#define TELL_MS  10000u /* a disk may be full, and not full, and full, ... */

void lapse_begin(struct lapse *l, int err)
{
	uint64_t now = clock_ms();
	char line[COURIER_NAME_MAX + 512];

	l->err = l->err ? l->err : err;
	l->on = true;
	l->retry_ms = now + RETRY_MS;
	if (l->told || now < l->tell_ms)
		return;
	l->told = true;
	l->tell_ms = now + TELL_MS;
	snprintf(line, sizeof(line), "cannot write to %.*s: %s; its records are dropped until that works again",
		 COURIER_NAME_MAX, l->name, strerror(-err));
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
	if (!l->told)
		return;
	l->told = false;
	snprintf(line, sizeof(line), "%.*s is written again", COURIER_NAME_MAX, l->name);
	l->say(line);
}

int lapse_sum(const struct lapse *l)
{
	char line[COURIER_NAME_MAX + 512];

	if (!l->err || !l->missed)
		return 0;
	snprintf(line, sizeof(line), "%.*s: %" PRIu64 " dropped because it could not be written", COURIER_NAME_MAX, l->name,
		 l->missed);
	l->say(line);
	return l->err;
}
