/* SPDX-License-Identifier: MIT */
#include "sink/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sink {
	int fd;
	bool terminal;
	struct stat stat;
	char name[];
};

static struct sink *sink_new(const char *name)
{
	struct sink *s = calloc(1, sizeof(*s) + strlen(name) + 1);

	if (s)
		strcpy(s->name, name);
	return s;
}

int sink_open(struct sink **ret, const char *path, char *error, size_t n)
{
	bool standard = !path || !*path || strcmp(path, "-") == 0;
	struct sink *s = sink_new(standard ? "standard output" : path);
	int r;

	*ret = NULL;
	if (!s) {
		snprintf(error, n, "out of memory");
		return -ENOMEM;
	}
	s->fd = standard ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	if (s->fd < 0 || fstat(s->fd, &s->stat) < 0) {
		r = -errno;
		snprintf(error, n, "cannot open %s for writing: %s", s->name, strerror(-r));
		sink_close(s);
		return r;
	}
	s->terminal = isatty(s->fd);
	*ret = s;
	return 0;
}

bool sink_same(const struct sink *a, const struct sink *b)
{
	bool plain = S_ISREG(a->stat.st_mode) || S_ISFIFO(a->stat.st_mode);

	return a->fd == b->fd || (plain && a->stat.st_dev == b->stat.st_dev && a->stat.st_ino == b->stat.st_ino);
}

bool sink_is_terminal(const struct sink *s)
{
	return s->terminal;
}

/* Takes back what follows the last line feed of the bytes just written, where that can be done. */
static void sink_trim(struct sink *s, const char *p, size_t written)
{
	const char *last = memrchr(p, '\n', written);
	off_t half = (off_t)(written - (last ? (size_t)(last + 1 - p) : 0));
	off_t end = lseek(s->fd, 0, SEEK_CUR);

	if (half == 0 || end < half || fstat(s->fd, &s->stat) < 0)
		return;
	if (!S_ISREG(s->stat.st_mode) || s->stat.st_size != end)
		return;
	if (ftruncate(s->fd, end - half) == 0)
		lseek(s->fd, end - half, SEEK_SET);
}

/* After a write that did not succeed: 0 to try again, or a negative errno. */
static int sink_wait(struct sink *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};

	if (errno == EINTR)
		return 0;
	if (errno != EAGAIN)
		return -errno;
	return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

int sink_write(struct sink *s, const void *p, size_t n)
{
	const char *bytes = p;
	int r;

	for (size_t at = 0; at < n;) {
		ssize_t written = write(s->fd, bytes + at, n - at);

		if (written > 0) {
			at += (size_t)written;
			continue;
		}
		r = written == 0 ? -EIO : sink_wait(s);
		if (r < 0) {
			sink_trim(s, bytes, at);
			return r;
		}
	}
	return 0;
}

const char *sink_name(const struct sink *s)
{
	return s->name;
}

int sink_close(struct sink *s)
{
	int r = 0;

	if (!s)
		return 0;
	if (s->fd > STDOUT_FILENO && close(s->fd) < 0)
		r = -errno;
	free(s);
	return r;
}
