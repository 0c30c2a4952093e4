/* SPDX-License-Identifier: MIT */
#include "output/rotation.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)

enum rotation_turn rotation_time(struct rotation *r, uint64_t ts_ns)
{
	if (!r->seconds)
		return ROTATION_STAY;
	if (!r->begun) {
		r->begun = true;
		r->begin_ns = ts_ns;
		return ROTATION_STAY;
	}
	if (ts_ns / SECOND < r->begin_ns / SECOND + r->seconds)
		return ROTATION_STAY;
	r->lots++;
	if (!r->size && r->files && r->lots >= r->files)
		return ROTATION_OVER;
	r->begin_ns = ts_ns;
	r->number = 0;
	return ROTATION_NEXT;
}

enum rotation_turn rotation_size(struct rotation *r, uint64_t bytes)
{
	if (!r->size || bytes <= r->size)
		return ROTATION_STAY;
	r->number++;
	if (r->files && r->number >= r->files)
		r->number = 0;
	return ROTATION_NEXT;
}

/* Enough for the number of each file, so that their names are in order. */
static int digits(const struct rotation *r)
{
	int n = 0;

	for (uint64_t last = r->files ? r->files - 1 : 0; last; last /= 10)
		n++;
	return n;
}

static bool with_time(const struct rotation *r, const char *path, char *ret, size_t n)
{
	time_t t = (time_t)(r->begin_ns / SECOND);
	struct tm tm;

	return localtime_r(&t, &tm) && strftime(ret, n, path, &tm) > 0;
}

bool rotation_name(const struct rotation *r, const char *path, char *ret, size_t n)
{
	size_t len;

	if (r->seconds ? !with_time(r, path, ret, n) : (size_t)snprintf(ret, n, "%s", path) >= n)
		return false;
	if (!r->size || (!r->number && !digits(r)))
		return true;
	len = strlen(ret);
	return (size_t)snprintf(ret + len, n - len, "%0*" PRIu64, digits(r), r->number) < n - len;
}
