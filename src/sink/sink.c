/* SPDX-License-Identifier: MIT */
#include "sink/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/slice.h"
#include "sink/ages.h"
#include "sink/zst.h"

#define BUSY  ((size_t)64 << 10) /* who writes as much at once will soon write more */
#define AHEAD ((size_t)1 << 20)  /* of it, in bytes */

struct sink {
	int fd;
	bool terminal;
	struct stat stat;
	struct sink_rotation rotation;
	struct zst *zst;   /* NULL: as it comes */
	bool framed;       /* the file ends within a frame of it */
	bool ext4;         /* it is on one */
	uint64_t size;     /* of the file, but for... */
	uint64_t torn;     /* ... so much of a line at its end that could not be taken back */
	uint64_t reserved; /* bytes of it that have a place on the disk, if there was one; 0: none was asked for */
	uint64_t slot;     /* of time, in which it was opened */
	size_t kept;       /* of the last sink_write */
	char name[];
};

static struct sink *sink_new(const char *name, const struct sink_rotation *rotation)
{
	struct sink *s = calloc(1, sizeof(*s) + strlen(name) + 1);

	if (!s)
		return NULL;
	strcpy(s->name, name);
	s->fd = -1;
	if (rotation)
		s->rotation = *rotation;
	return s;
}

static bool is_ext4(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == EXT4_SUPER_MAGIC;
}

/* Opens the file of its name. 0 or a negative errno. */
static int open_file(struct sink *s, int flags)
{
	s->fd = open(s->name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | flags, 0666);
	if (s->fd < 0 || fstat(s->fd, &s->stat) < 0)
		return -errno;
	s->size = S_ISREG(s->stat.st_mode) ? (uint64_t)s->stat.st_size : 0;
	lseek(s->fd, 0, SEEK_END); /* where it will be */
	s->ext4 = is_ext4(s->fd);
	s->slot = ages_slot(&s->rotation);
	return 0;
}

static bool same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* --- writing --- */

/* Others may have written to the file, or cut it, as logrotate does with copytruncate: then it begins anew. */
static void look(struct sink *s)
{
	uint64_t size = s->size;
	size_t n;

	if (!sink_can_reopen(s) || s->torn || fstat(s->fd, &s->stat) < 0)
		return;
	s->size = (uint64_t)s->stat.st_size;
	if (s->size >= size)
		return;
	s->reserved = 0;
	s->framed = false;
	if (s->zst)
		zst_end(s->zst, &n);
}

/* Takes back what follows the last line feed of the bytes just written, where that can be done. Returns how many stay. */
static size_t sink_trim(struct sink *s, const char *p, size_t written)
{
	const char *last = s->zst ? NULL : memrchr(p, '\n', written);
	size_t kept = last ? (size_t)(last + 1 - p) : 0;
	off_t half = (off_t)(written - kept), end = lseek(s->fd, 0, SEEK_CUR);

	if (half == 0 || end < half || fstat(s->fd, &s->stat) < 0)
		return kept;
	if (!S_ISREG(s->stat.st_mode) || s->stat.st_size != end)
		return kept;
	if (ftruncate(s->fd, end - half) == 0)
		lseek(s->fd, end - half, SEEK_SET);
	else
		s->torn = (uint64_t)half;
	return kept;
}

/*
 * On ext4 it costs less to get a place on the disk for much at once than one for each page, as write(2) does. Where there is none
 * to be had, the write will tell.
 */
static void reserve(struct sink *s, size_t n)
{
	if (!s->ext4 || n < BUSY || s->size + n <= s->reserved || !sink_can_reopen(s))
		return;
	s->reserved = s->size + n + AHEAD;
	(void)fallocate(s->fd, FALLOC_FL_KEEP_SIZE, (off_t)s->size, (off_t)(n + AHEAD));
}

/* Gives back the places behind the end. A file that others write to as well is left alone. */
static void give_back(struct sink *s)
{
	off_t end = lseek(s->fd, 0, SEEK_CUR);

	if (fstat(s->fd, &s->stat) == 0 && s->stat.st_size == end)
		(void)!ftruncate(s->fd, end);
	s->reserved = 0;
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

static int write_all(struct sink *s, const void *p, size_t n)
{
	const char *bytes = p;
	size_t kept;
	int r;

	reserve(s, n);
	for (size_t at = 0; at < n;) {
		ssize_t written = write(s->fd, bytes + at, n - at);

		if (written > 0) {
			at += (size_t)written;
			continue;
		}
		r = written == 0 ? -EIO : sink_wait(s);
		if (r < 0) {
			kept = sink_trim(s, bytes, at);
			s->size += kept;
			s->kept += kept;
			return r;
		}
	}
	s->size += n;
	return 0;
}

static int write_packed(struct sink *s, const void *p, size_t n)
{
	const void *packed;
	size_t packed_n;
	int r = zst_pack(s->zst, p, n, &packed, &packed_n);

	r = r ? r : write_all(s, packed, packed_n);
	if (r)
		return r;
	s->framed = true;
	look(s);
	if (s->framed)
		return 0;
	/* It was cut meanwhile: what is there has no begin of a frame, and would be none for all that follows. */
	if (ftruncate(s->fd, 0) < 0)
		return -errno;
	s->size = 0;
	return write_packed(s, p, n);
}

/* Also behind a block that was taken back: what comes then is in a frame of its own. 0 or a negative errno. */
static int end_frame(struct sink *s)
{
	const void *end;
	size_t n;
	int r;

	look(s);
	end = s->zst ? zst_end(s->zst, &n) : NULL;
	r = s->framed ? write_all(s, end, n) : 0;
	s->framed &= r < 0;
	return r;
}

/* Ends the file. 0 or a negative errno. */
static int complete(struct sink *s)
{
	int r = s->fd >= 0 && !s->torn ? end_frame(s) : 0;

	if (s->reserved)
		give_back(s);
	if (s->fd > STDOUT_FILENO && close(s->fd) < 0 && r == 0)
		r = -errno;
	s->fd = -1;
	return r;
}

static int rotate(struct sink *s)
{
	int r = complete(s);

	r = r ? r : ages_shift(s->name, &s->rotation);
	return r ? r : open_file(s, O_TRUNC);
}

int sink_write(struct sink *s, const void *p, size_t n)
{
	const char *at = p;
	int r = 0;

	s->kept = 0;
	look(s);
	while (n && r == 0) {
		size_t now = ages_fitting(&s->rotation, s->size, s->slot, at, n);

		if (!now)
			r = rotate(s);
		else
			r = s->zst ? write_packed(s, at, now) : write_all(s, at, now);
		s->kept += r ? 0 : now;
		at += now;
		n -= now;
	}
	return r;
}

size_t sink_kept(const struct sink *s)
{
	return s->kept;
}

bool sink_can_reopen(const struct sink *s)
{
	return s->fd != STDOUT_FILENO && S_ISREG(s->stat.st_mode);
}

/* The file was opened again. If it is the one that was left, nothing is to follow its whole lines. 0 or a negative errno. */
static int resume(struct sink *s, const struct sink *left)
{
	bool same = same_inode(&s->stat, &left->stat) && s->size == left->size + left->torn;

	if (same) {
		s->size = left->size;
		s->slot = left->slot;
	}
	if (same && s->torn && ftruncate(s->fd, (off_t)s->size) < 0)
		return -errno;
	s->torn = 0;
	s->framed &= same;
	return end_frame(s);
}

int sink_reopen(struct sink *s)
{
	int r = complete(s);
	const struct sink left = *s;

	r = r ? r : ages_check(s->name, &s->rotation);
	r = r ? r : open_file(s, 0);
	return r ? r : resume(s, &left);
}

int sink_retry(struct sink *s)
{
	if (sink_can_reopen(s))
		return sink_reopen(s);
	return s->torn ? -EIO : end_frame(s);
}

/* --- begin and end --- */

static bool is_standard(const char *path)
{
	return !path || !*path || strcmp(path, "-") == 0;
}

static int begin(struct sink *s, bool standard)
{
	int r;

	if (standard) {
		s->fd = STDOUT_FILENO;
		return fstat(s->fd, &s->stat) < 0 ? -errno : 0;
	}
	if (slice_ends(slice_str(s->name), SLICE(SINK_ZST))) {
		s->zst = zst_new();
		if (!s->zst)
			return -ENOMEM;
	}
	r = ages_turn(&s->rotation) && stat(s->name, &s->stat) == 0 && s->stat.st_size ? ages_shift(s->name, &s->rotation) : 0;
	return r ? r : open_file(s, O_TRUNC);
}

int sink_open(struct sink **ret, const char *path, const struct sink_rotation *rotation, char *error, size_t n)
{
	bool standard = is_standard(path);
	struct sink *s = sink_new(standard ? "standard output" : path, rotation);
	int r;

	*ret = NULL;
	if (!s) {
		snprintf(error, n, "out of memory");
		return -ENOMEM;
	}
	if (ages_turn(&s->rotation) && (standard || ages_check(s->name, &s->rotation) < 0)) {
		snprintf(error, n, "cannot rotate %s: it is not a regular file", s->name);
		sink_close(s);
		return -EINVAL;
	}
	r = begin(s, standard);
	if (r < 0) {
		snprintf(error, n, "cannot open %s for writing: %s", s->name, strerror(-r));
		sink_close(s);
		return r;
	}
	s->terminal = isatty(s->fd);
	*ret = s;
	return 0;
}

/* Is that its file or pipe? A device, as /dev/null, is shared by all. */
static bool owns(const struct sink *s, const struct stat *st)
{
	return (S_ISREG(s->stat.st_mode) || S_ISFIFO(s->stat.st_mode)) && same_inode(&s->stat, st);
}

bool sink_same(const struct sink *a, const struct sink *b)
{
	return a->fd == b->fd || owns(a, &b->stat);
}

bool sink_takes(const struct sink *s, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && owns(s, &st))
		return true;
	return sink_can_reopen(s) && ages_have(s->name, &s->rotation, path);
}

const char *sink_clash(const struct sink *s, const char *path, const struct sink_rotation *rotation)
{
	if (is_standard(path))
		return NULL;
	if (sink_takes(s, path))
		return path;
	return sink_can_reopen(s) && ages_have(path, rotation, s->name) ? s->name : NULL;
}

bool sink_is_terminal(const struct sink *s)
{
	return s->terminal;
}

unsigned sink_columns(const struct sink *s)
{
	struct winsize size;

	return s->terminal && ioctl(s->fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

const char *sink_name(const struct sink *s)
{
	return s->name;
}

int sink_close(struct sink *s)
{
	int r;

	if (!s)
		return 0;
	r = complete(s);
	zst_free(s->zst);
	free(s);
	return r;
}
