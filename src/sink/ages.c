/* SPDX-License-Identifier: MIT */
#include "sink/ages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/slice.h"
#include "base/value.h"

#define KEEP      5u
#define KEEP_MOST 9999u

int ages_take(struct sink_rotation *ret, struct spec *spec, char *error, size_t n)
{
	const char *size = spec_get(spec, "size", NULL), *every = spec_get(spec, "every", NULL), *keep = spec_get(spec, "keep", NULL);
	uint64_t files = KEEP;

	*ret = (struct sink_rotation){0};
	if ((size && !value_size(size, &ret->size)) || (every && !value_seconds(every, &ret->every)) ||
	    (keep && (!value_number(keep, &files) || files > KEEP_MOST)) || (keep && !size && !every)) {
		snprintf(error, n, "'%s': rotation is size=100M or every=1h or both, and keep=FILES up to %u", spec->text, KEEP_MOST);
		return -EINVAL;
	}
	ret->keep = (unsigned)files;
	return 0;
}

bool ages_turn(const struct sink_rotation *r)
{
	return r->size || r->every;
}

int ages_check(const char *name, const struct sink_rotation *r)
{
	struct stat found;

	if ((ages_turn(r) ? lstat : stat)(name, &found) < 0)
		return 0;
	return S_ISREG(found.st_mode) ? 0 : -EINVAL;
}

/* The name of the file that is `age` rotations old. False when it is too long. */
static bool old_name(const char *name, unsigned age, char *ret, size_t n)
{
	bool zst = slice_ends(slice_str(name), SLICE(SINK_ZST));
	int stem = (int)(strlen(name) - (zst ? strlen(SINK_ZST) : 0));

	if (age == 0)
		return (size_t)snprintf(ret, n, "%s", name) < n;
	return (size_t)snprintf(ret, n, "%.*s.%u%s", stem, name, age, zst ? SINK_ZST : "") < n;
}

/* Are both the same name in the same directory? The file need not be there. */
static bool same_name(const char *a, const char *b)
{
	const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
	const char *base_a = slash_a ? slash_a + 1 : a, *base_b = slash_b ? slash_b + 1 : b;
	char dir_a[4096], dir_b[4096];
	struct stat x, y;

	if (strcmp(base_a, base_b) != 0)
		return false;
	snprintf(dir_a, sizeof(dir_a), "%.*s.", (int)(base_a - a), a);
	snprintf(dir_b, sizeof(dir_b), "%.*s.", (int)(base_b - b), b);
	return stat(dir_a, &x) == 0 && stat(dir_b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool ages_have(const char *name, const struct sink_rotation *r, const char *path)
{
	unsigned oldest = ages_turn(r) ? r->keep : 0;
	char old[4096];

	for (unsigned age = 0; age <= oldest; age++)
		if (old_name(name, age, old, sizeof(old)) && same_name(old, path))
			return true;
	return false;
}

uint64_t ages_slot(const struct sink_rotation *r)
{
	return r->every ? (uint64_t)time(NULL) / r->every : 0;
}

size_t ages_fitting(const struct sink_rotation *r, uint64_t size, uint64_t slot, const char *p, size_t n)
{
	uint64_t room = size < r->size ? r->size - size : 0;
	const char *last;

	if (r->every && ages_slot(r) != slot && size)
		return 0;
	if (!r->size || n <= room)
		return n;
	last = room ? memrchr(p, '\n', room) : NULL;
	if (last)
		return (size_t)(last + 1 - p);
	if (size)
		return 0;
	last = memchr(p, '\n', n); /* a line that fits into no file gets one of its own */
	return last ? (size_t)(last + 1 - p) : n;
}

/* The youngest age of which there is no file, but no more than are kept. */
static unsigned gap_age(const char *name, const struct sink_rotation *r)
{
	char old[4096];
	struct stat st;
	unsigned age = 0;

	while (age < r->keep && old_name(name, age, old, sizeof(old)) && lstat(old, &st) == 0)
		age++;
	return age;
}

int ages_shift(const char *name, const struct sink_rotation *r)
{
	char from[4096], to[4096];

	if (ages_check(name, r) < 0)
		return -EINVAL;
	for (unsigned age = gap_age(name, r) + 1; age-- > 0;) {
		if (!old_name(name, age, from, sizeof(from)) || !old_name(name, age + 1, to, sizeof(to)))
			return -ENAMETOOLONG;
		if ((age == r->keep ? unlink(from) : rename(from, to)) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}
