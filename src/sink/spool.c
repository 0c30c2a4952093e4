/* SPDX-License-Identifier: MIT */
#include "sink/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define SEGMENT_MAX ((uint64_t)16 << 20) /* then the next one is begun; or an eighth of all */
#define FIRST       ((uint64_t)1 << 32)  /* the segment a new spool begins with: there is room in front */
#define MAGIC       0x6c636150u          /* "Pacl" */

struct place {
	uint64_t segment, offset;
};

/* What the file `head` holds. */
struct note {
	uint32_t magic, crc; /* of what follows */
	struct place done;
};

/* Invariant: done <= last <= next <= end, and the segments from done.segment to end.segment are the files there are. */
struct spool {
	pthread_mutex_t lock;
	int dir, mark;           /* the directory, locked; its file `head` */
	int out, in;             /* segments end.segment and next.segment; -1: not open */
	struct place done, next, end;
	struct place last;       /* where the parcel that was taken last begins */
	uint64_t first;          /* the segment this process began with: what is in front was there before */
	uint64_t max;
	/* Read without the lock, which is held while a disk is waited for: */
	_Atomic uint64_t bytes, unreadable;
	_Atomic uint64_t lost, lost_before; /* records */
	atomic_bool empty;
};

static void segment_name(char name[32], uint64_t segment)
{
	snprintf(name, 32, "%016" PRIx64 ".spool", segment);
}

static int segment_open(const struct spool *s, uint64_t segment, int flags)
{
	char name[32];
	int fd;

	segment_name(name, segment);
	fd = openat(s->dir, name, flags | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static void segment_remove(struct spool *s, uint64_t segment)
{
	struct stat st;
	char name[32];

	segment_name(name, segment);
	if (fstatat(s->dir, name, &st, 0) == 0 && unlinkat(s->dir, name, 0) == 0)
		s->bytes -= (uint64_t)st.st_size < s->bytes ? (uint64_t)st.st_size : s->bytes;
}

static bool is_at_end(const struct spool *s)
{
	return s->next.segment == s->end.segment && s->next.offset == s->end.offset;
}

static void unlock(struct spool *s)
{
	s->empty = is_at_end(s);
	pthread_mutex_unlock(&s->lock);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Finds the segments that are there: the first and the last number, and their bytes. */
static int survey(struct spool *s, uint64_t *first, uint64_t *last)
{
	int fd = fcntl(s->dir, F_DUPFD_CLOEXEC, 0), length;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t segment;
	struct stat st;

	if (!dir) {
		close_fd(&fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir))) {
		length = 0;
		if (sscanf(entry->d_name, "%16" SCNx64 ".spool%n", &segment, &length) != 1 || length != 22 ||
		    fstatat(s->dir, entry->d_name, &st, 0) < 0)
			continue;
		s->bytes += (uint64_t)st.st_size;
		*first = segment < *first ? segment : *first;
		*last = segment > *last ? segment : *last;
	}
	closedir(dir);
	return 0;
}

static uint32_t note_crc(const struct note *note)
{
	return (uint32_t)crc32_z(0, (const uint8_t *)&note->done, sizeof(note->done));
}

/* Where the last run ended: nowhere, if that was not noted, and all that is there comes again. */
static struct place read_note(const struct spool *s)
{
	struct note note;

	if (pread(s->mark, &note, sizeof(note), 0) != sizeof(note) || note.magic != MAGIC || note.crc != note_crc(&note))
		return (struct place){0, 0};
	return note.done;
}

static int write_note(const struct spool *s)
{
	struct note note = {.magic = MAGIC, .done = s->done};
	ssize_t written;

	note.crc = note_crc(&note);
	written = pwrite(s->mark, &note, sizeof(note), 0);
	return written < 0 ? -errno : written == sizeof(note) ? 0 : -ENOSPC;
}

/* Goes on where the last run ended. Nothing is appended to its last segment, whose end may be torn. */
static int resume(struct spool *s)
{
	struct place done = read_note(s);
	uint64_t first = UINT64_MAX, last = 0;
	int r = survey(s, &first, &last);

	if (r < 0)
		return r;
	if (first == UINT64_MAX) {
		s->end.segment = (done.segment > FIRST ? done.segment : FIRST) + 1;
		s->done = s->next = s->end;
		return 0;
	}
	for (uint64_t i = first; i < done.segment && i <= last; i++)
		segment_remove(s, i);
	s->done = done.segment >= first ? done : (struct place){first, 0};
	s->next = s->done;
	s->end.segment = (last > done.segment ? last : done.segment) + 1;
	return 0;
}

static int spool_begin(struct spool *s, const char *path)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return -errno;
	if (flock(s->dir, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	s->mark = openat(s->dir, "head", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return s->mark < 0 ? -errno : resume(s);
}

int spool_open(struct spool **ret, const char *path, uint64_t max, char *error, size_t n)
{
	struct spool *s = calloc(1, sizeof(*s));
	int r;

	*ret = NULL;
	if (!s) {
		snprintf(error, n, "out of memory");
		return -ENOMEM;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->dir = s->mark = s->out = s->in = -1;
	s->max = max;
	r = spool_begin(s, path);
	s->empty = is_at_end(s);
	s->first = s->end.segment;
	if (r < 0) {
		snprintf(error, n, "cannot use '%s' as a spool: %s", path,
			 r == -EBUSY ? "another process does; name another directory" : strerror(-r));
		spool_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

static void next_segment(struct spool *s)
{
	close_fd(&s->out);
	s->end = (struct place){s->end.segment + 1, 0};
}

/* The segment that is appended to, with room for one more parcel. */
static int make_room(struct spool *s, uint64_t bytes)
{
	if (s->bytes + bytes > s->max)
		return -ENOSPC;
	if (s->end.offset > 0 && s->end.offset + bytes > (s->max / 8 < SEGMENT_MAX ? s->max / 8 : SEGMENT_MAX))
		next_segment(s);
	if (s->out < 0)
		s->out = segment_open(s, s->end.segment, O_WRONLY | O_CREAT | O_TRUNC);
	return s->out < 0 ? s->out : 0;
}

/* What is there of a parcel that did not fit, and cannot be taken away. */
static void count_torn(struct spool *s)
{
	struct stat st;

	if (fstat(s->out, &st) == 0 && (uint64_t)st.st_size > s->end.offset)
		s->bytes += (uint64_t)st.st_size - s->end.offset;
}

/* A parcel is there whole or not at all. */
static int append(struct spool *s, const struct parcel *p)
{
	int r = make_room(s, parcel_stored(p));

	if (r < 0)
		return r;
	r = parcel_store(p, s->out, s->end.offset);
	if (r == 0) {
		s->end.offset += parcel_stored(p);
		s->bytes += parcel_stored(p);
	} else if (ftruncate(s->out, (off_t)s->end.offset) < 0) {
		count_torn(s);
		next_segment(s);
	}
	return r;
}

int spool_put(struct spool *s, const struct parcel *p, uint64_t bit)
{
	struct parcel *own = parcel_pick(p, bit);
	int r;

	if (!own)
		return -ENOMEM;
	pthread_mutex_lock(&s->lock);
	r = own->n_marks ? append(s, own) : 0;
	unlock(s);
	parcel_drop(own);
	return r;
}

/* A segment of its own, in front of the first one. */
static int put_back(struct spool *s, const struct parcel *p)
{
	struct place front = {s->done.segment - 1, 0};
	int fd, r;

	if (s->bytes + parcel_stored(p) > s->max)
		return -ENOSPC;
	fd = segment_open(s, front.segment, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return fd;
	r = parcel_store(p, fd, 0);
	close(fd);
	if (r < 0) {
		segment_remove(s, front.segment);
		return r;
	}
	s->bytes += parcel_stored(p);
	s->done = s->next = front;
	close_fd(&s->in);
	return write_note(s);
}

int spool_put_back(struct spool *s, const struct parcel *p)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = put_back(s, p);
	unlock(s);
	return r;
}

/* What is left of the segment is not to be read: goes on behind it. */
static void skip_segment(struct spool *s)
{
	bool last = s->next.segment == s->end.segment;
	struct stat st;

	if (s->in >= 0 && fstat(s->in, &st) == 0 && (uint64_t)st.st_size > s->next.offset)
		s->unreadable += (uint64_t)st.st_size - s->next.offset;
	close_fd(&s->in);
	if (last)
		next_segment(s);
	s->next = (struct place){s->next.segment + 1, 0};
}

static void skip_parcel(struct spool *s, const struct extent *extent)
{
	s->unreadable += extent->bytes;
	*(s->next.segment < s->first ? &s->lost_before : &s->lost) += extent->records;
	s->next.offset += extent->bytes;
}

static int take(struct spool *s, struct parcel **ret)
{
	struct extent extent = {0, 0};
	int r;

	while (!is_at_end(s)) {
		if (s->in < 0)
			s->in = segment_open(s, s->next.segment, O_RDONLY);
		s->last = s->next;
		r = s->in < 0 ? s->in : parcel_load(ret, s->in, s->next.offset, &extent);
		if (r == 0)
			s->next.offset += extent.bytes;
		if (r != -ENODATA && r != -ENOENT)
			return r;
		if (r == -ENODATA && extent.bytes)
			skip_parcel(s, &extent);
		else
			skip_segment(s);
	}
	return 0;
}

int spool_take(struct spool *s, uint64_t bit, struct parcel **ret)
{
	int r;

	*ret = NULL;
	pthread_mutex_lock(&s->lock);
	r = take(s, ret);
	unlock(s);
	for (size_t i = 0; *ret && i < (*ret)->n_marks; i++)
		(*ret)->marks[i].sinks = bit;
	return r;
}

int spool_done(struct spool *s)
{
	int r;

	pthread_mutex_lock(&s->lock);
	if (is_at_end(s) && s->end.offset > 0) {
		close_fd(&s->in);
		next_segment(s);
		s->next = s->end;
	}
	for (uint64_t i = s->done.segment; i < s->next.segment; i++)
		segment_remove(s, i);
	s->done = s->next;
	r = write_note(s);
	unlock(s);
	return r;
}

void spool_untake(struct spool *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->next.segment != s->last.segment)
		close_fd(&s->in);
	s->next = s->last;
	unlock(s);
}

bool spool_is_empty(const struct spool *s)
{
	return s->empty;
}

uint64_t spool_bytes(const struct spool *s)
{
	return s->bytes;
}

uint64_t spool_unreadable(const struct spool *s)
{
	return s->unreadable;
}

uint64_t spool_lost(const struct spool *s, bool before)
{
	return before ? s->lost_before : s->lost;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	close_fd(&s->in);
	close_fd(&s->out);
	close_fd(&s->mark);
	close_fd(&s->dir);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
