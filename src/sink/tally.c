/* SPDX-License-Identifier: MIT */
#include "sink/tally.h"

#include <stdlib.h>
#include <string.h>

bool tally_reach(struct tally *t, uint64_t at)
{
	uint64_t *more;
	size_t n;

	if (!t->n)
		t->first = at;
	if (at < t->first || tally_at(t, at))
		return at >= t->first;
	n = (size_t)(at - t->first) + 1;
	more = reallocarray(t->counts, n, sizeof(*more));
	if (!more)
		return false;
	memset(more + t->n, 0, (n - t->n) * sizeof(*more));
	t->counts = more;
	t->n = n;
	return true;
}

uint64_t *tally_at(struct tally *t, uint64_t at)
{
	return at >= t->first && at - t->first < t->n ? &t->counts[at - t->first] : NULL;
}

void tally_forget(struct tally *t, uint64_t below)
{
	size_t n = below <= t->first ? 0 : below - t->first < t->n ? (size_t)(below - t->first) : t->n;

	if (!n)
		return;
	memmove(t->counts, t->counts + n, (t->n - n) * sizeof(*t->counts));
	t->first += n;
	t->n -= n;
}

void tally_release(struct tally *t)
{
	free(t->counts);
	*t = (struct tally){0};
}
