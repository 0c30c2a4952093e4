/* SPDX-License-Identifier: MIT */
#include "output/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPILL_SIZE = 256 << 10 };

static int spill_fail(struct spill *s, int err, const char *what)
{
	if (!s->err)
		snprintf(s->error, sizeof s->error, "cannot %s %s: %s", what, s->name, strerror(-err));
	s->err = s->err ? s->err : err;
	return s->err;
}

/* What is it that was opened? */
static void look(struct spill *s)
{
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return;
	s->listened = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode);
	if (S_ISREG(st.st_mode)) {
		s->device = st.st_dev;
		s->inode = st.st_ino;
		s->base = (uint64_t)lseek(s->fd, 0, fcntl(s->fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
	}
}

bool spill_was_moved(const struct spill *s, const char *path)
{
	struct stat st;

	return s->inode && (stat(path, &st) < 0 || st.st_dev != s->device || st.st_ino != s->inode);
}

void spill_remove_empty(const struct spill *s, const char *path)
{
	struct stat st;

	if (s->inode && !s->base && !s->written && lstat(path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode)
		unlink(path);
}

int spill_open(struct spill *s, const char *path)
{
	bool standard = strcmp(path, "-") == 0;

	*s = (struct spill){.fd = STDOUT_FILENO};
	if (standard)
		snprintf(s->name, sizeof s->name, "standard output");
	else
		snprintf(s->name, sizeof s->name, "'%s'", path);
	if (!standard)
		s->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (s->fd < 0)
		return spill_fail(s, -errno, "write to");
	if (isatty(s->fd)) {
		snprintf(s->error, sizeof s->error, "%s is a terminal, which packets would spoil; name a file", s->name);
		return s->err = -ENOTSUP;
	}
	look(s);
	s->buf = malloc(SPILL_SIZE);
	if (!s->buf)
		spill_fail(s, -ENOMEM, "write to");
	return s->buf ? 0 : spill_close(s);
}

/* Whoever reads a pipe or socket that does not block is waited for. */
static bool spill_wait(const struct spill *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};

	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

static int spill_write(struct spill *s, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t r = write(s->fd, p, n);

		if (r < 0 && (errno == EINTR || (errno == EAGAIN && spill_wait(s))))
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		s->written += (size_t)r;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

/* Takes back what is torn, where nobody else wrote behind it. 0 or a negative errno. */
static int spill_cut(struct spill *s)
{
	const uint64_t end = s->base + s->written;
	struct stat st;

	if (!s->torn)
		return 0;
	if (fstat(s->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != end + s->torn)
		return -EIO;
	if (ftruncate(s->fd, (off_t)end) < 0 || lseek(s->fd, (off_t)end, SEEK_SET) < 0)
		return -errno;
	s->torn = 0;
	return 0;
}

/* A write failed: goes back to the begin of the record that it failed in. Returns its place among them. */
static unsigned spill_back(struct spill *s, int err)
{
	unsigned i = s->n_begin - 1;

	spill_fail(s, err, "write to");
	while (i > 0 && s->begin[i].at > s->written)
		i--;
	s->torn = s->written - s->begin[i].at;
	s->written = s->begin[i].at;
	spill_cut(s);
	return i;
}

/* Has whoever read a pipe or socket gone? */
static bool is_left(const struct spill *s)
{
	struct pollfd p = {.fd = s->fd};

	return s->listened && poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP);
}

int spill_flush(struct spill *s)
{
	const uint64_t base = s->written;
	size_t gone = s->used;
	unsigned i = s->n_begin;
	int err;

	if (s->err || !s->used)
		return s->err || !is_left(s) ? s->err : spill_fail(s, -EPIPE, "write to");
	err = spill_write(s, s->buf, s->used);
	if (err) {
		i = spill_back(s, err);
		gone = s->written - base;
	}
	s->used -= gone;
	s->n_begin -= i;
	memmove(s->buf, s->buf + gone, s->used);
	memmove(s->begin, s->begin + i, s->n_begin * sizeof s->begin[0]);
	return err;
}

int spill_retry(struct spill *s)
{
	int err;

	s->err = 0;
	s->error[0] = '\0';
	err = spill_cut(s);
	return err ? spill_fail(s, err, "write to") : spill_flush(s);
}

int spill_begin(struct spill *s, size_t n, bool packet)
{
	bool full = s->used + n > SPILL_SIZE || s->n_begin == SPILL_RECORDS;
	int err = s->err || !full ? s->err : spill_flush(s);

	if (err)
		return err;
	s->direct = n > SPILL_SIZE;
	s->n_begin = s->used ? s->n_begin : 0;
	s->begin[s->n_begin].at = spill_size(s);
	s->begin[s->n_begin].lost = NULL;
	s->begin[s->n_begin++].packet = packet;
	return 0;
}

int spill_put(struct spill *s, const void *p, size_t n)
{
	int err = s->err;

	if (!err && s->direct) {
		err = spill_write(s, p, n);
		if (err)
			s->n_begin = spill_back(s, err);
	} else if (!err && n) {
		memcpy(s->buf + s->used, p, n);
		s->used += n;
	}
	return err;
}

unsigned spill_packets(const struct spill *s)
{
	unsigned n = 0;

	for (unsigned i = 0; s->used && i < s->n_begin; i++)
		n += s->begin[i].packet;
	return n;
}

void spill_stake(struct spill *s, struct loss_record *lost, uint64_t packets, uint64_t bytes)
{
	s->begin[s->n_begin - 1].lost = lost;
	s->begin[s->n_begin - 1].packets = packets;
	s->begin[s->n_begin - 1].bytes = bytes;
}

void spill_give_up(struct spill *s)
{
	for (unsigned i = 0; s->used && i < s->n_begin; i++)
		if (s->begin[i].lost) {
			s->begin[i].lost->packets += s->begin[i].packets;
			s->begin[i].lost->bytes += s->begin[i].bytes;
		}
	s->used = s->n_begin = 0;
}

int spill_close(struct spill *s)
{
	if (s->buf)
		spill_flush(s);
	if (s->fd > STDERR_FILENO && close(s->fd) < 0)
		spill_fail(s, -errno, "write to");
	s->fd = -1;
	free(s->buf);
	s->buf = NULL;
	return s->err;
}
