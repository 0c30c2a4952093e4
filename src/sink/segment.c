/* SPDX-License-Identifier: MIT */
#include "sink/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void name_of(char name[32], uint64_t segment)
{
	snprintf(name, 32, "%016" PRIx64 ".spool", segment);
}

int segment_open(int dir, uint64_t segment, int flags)
{
	char name[32];
	int fd;

	name_of(name, segment);
	fd = openat(dir, name, flags | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

uint64_t segment_remove(int dir, uint64_t segment)
{
	struct stat st;
	char name[32];

	name_of(name, segment);
	return fstatat(dir, name, &st, 0) == 0 && unlinkat(dir, name, 0) == 0 ? (uint64_t)st.st_size : 0;
}

bool segment_is_missing(int dir, uint64_t segment)
{
	struct stat st;
	char name[32];

	name_of(name, segment);
	return fstatat(dir, name, &st, 0) < 0 && errno == ENOENT;
}

bool segment_is_not(int dir, uint64_t segment, int fd)
{
	struct stat named, open;
	char name[32];

	name_of(name, segment);
	if (fstatat(dir, name, &named, 0) < 0)
		return errno == ENOENT;
	return fstat(fd, &open) == 0 && (named.st_ino != open.st_ino || named.st_dev != open.st_dev);
}

/* Adds the file of that name, if it is one. */
static void add(int dir, const char *name, struct segments *ret)
{
	uint64_t segment;
	int length = 0;
	struct stat st;

	if (sscanf(name, "%16" SCNx64 ".spool%n", &segment, &length) != 1 || length != 22 || fstatat(dir, name, &st, 0) < 0)
		return;
	ret->bytes += (uint64_t)st.st_size;
	ret->first = segment < ret->first ? segment : ret->first;
	ret->last = segment > ret->last ? segment : ret->last;
}

int segments_find(int dir, struct segments *ret)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a copy of `dir` would go on where it was read last */
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	*ret = (struct segments){.first = UINT64_MAX};
	if (!d) {
		int r = -errno;

		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((entry = readdir(d)))
		add(dir, entry->d_name, ret);
	closedir(d);
	return 0;
}
