/* SPDX-License-Identifier: MIT */
#include "sink/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "sink/segment.h"
#include "sink/tally.h"

#define SEGMENT_MAX ((uint64_t)16 << 20) /* then the next one is begun; or an eighth of all */
#define FIRST       ((uint64_t)1 << 32)  /* the segment a new spool begins with: there is room in front */
#define MAGIC       0x6c636150u          /* "Pacl" */
#define COUNT_MS    1000                 /* between two looks at what there is: there may be thousands of segments */

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
	struct place last;       /* where the parcel that was taken last begins, */
	uint64_t last_counted;   /* ... and so many of its records were in `records` */
	struct tally records;    /* of this process, by segment, that were not taken */
	uint64_t first;          /* the segment this process began with: what is in front was there before */
	uint64_t max;
	uint64_t counted;        /* when there was no room and it was looked what there is, in ms */
	/* Read without the lock, which is held while a disk is waited for: */
	_Atomic uint64_t bytes, unreadable;
	_Atomic uint64_t lost, lost_before; /* records */
	atomic_bool empty;
};

static void remove_segment(struct spool *s, uint64_t segment)
{
	uint64_t bytes = segment_remove(s->dir, segment);

	s->bytes -= bytes < s->bytes ? bytes : s->bytes;
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

static void count_bytes(struct spool *s)
{
	struct segments found;

	if (segments_find(s->dir, &found) == 0)
		s->bytes = found.bytes;
}

/* Somebody may have removed segments to make room: then what there is was counted too high. */
static bool has_room(struct spool *s, uint64_t bytes)
{
	if (s->bytes + bytes > s->max && (!s->counted || clock_ms() - s->counted >= COUNT_MS)) {
		count_bytes(s);
		s->counted = clock_ms();
	}
	return s->bytes + bytes <= s->max;
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
	struct segments found;
	int r = segments_find(s->dir, &found);

	if (r < 0)
		return r;
	s->bytes = found.bytes;
	if (found.first > found.last) {
		s->end.segment = (done.segment > FIRST ? done.segment : FIRST) + 1;
		s->done = s->next = s->end;
		return 0;
	}
	for (uint64_t i = found.first; i < done.segment && i <= found.last; i++)
		remove_segment(s, i);
	s->done = done.segment >= found.first ? done : (struct place){found.first, 0};
	s->next = s->done;
	s->end.segment = (found.last > done.segment ? found.last : done.segment) + 1;
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
	if (!has_room(s, bytes))
		return -ENOSPC;
	if (s->out >= 0 && segment_is_not(s->dir, s->end.segment, s->out))
		next_segment(s);
	if (s->end.offset > 0 && s->end.offset + bytes > (s->max / 8 < SEGMENT_MAX ? s->max / 8 : SEGMENT_MAX))
		next_segment(s);
	if (s->out < 0)
		s->out = segment_open(s->dir, s->end.segment, O_WRONLY | O_CREAT | O_TRUNC);
	if (s->out < 0)
		return s->out;
	return tally_reach(&s->records, s->end.segment) ? 0 : -ENOMEM;
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
		*tally_at(&s->records, s->end.segment) += p->n_marks;
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

	if (!has_room(s, parcel_stored(p)))
		return -ENOSPC;
	fd = segment_open(s->dir, front.segment, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return fd;
	r = parcel_store(p, fd, 0);
	close(fd);
	if (r < 0) {
		remove_segment(s, front.segment);
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

/* So many of these are not in the segment any more; so many of those that were. */
static uint64_t count_out(struct spool *s, uint64_t segment, uint64_t records)
{
	uint64_t *left = tally_at(&s->records, segment);

	if (!left)
		return 0;
	records = records < *left ? records : *left;
	*left -= records;
	return records;
}

/* What is left of the segment is not to be read: goes on behind it. */
static void skip_segment(struct spool *s)
{
	bool last = s->next.segment == s->end.segment;
	struct stat st;

	if (s->in >= 0 && fstat(s->in, &st) == 0 && (uint64_t)st.st_size > s->next.offset)
		s->unreadable += (uint64_t)st.st_size - s->next.offset;
	s->lost += count_out(s, s->next.segment, UINT64_MAX);
	close_fd(&s->in);
	if (last)
		next_segment(s);
	s->next = (struct place){s->next.segment + 1, 0};
}

static void skip_parcel(struct spool *s, const struct extent *extent)
{
	s->unreadable += extent->bytes;
	*(s->next.segment < s->first ? &s->lost_before : &s->lost) += extent->records;
	count_out(s, s->next.segment, extent->records);
	s->next.offset += extent->bytes;
}

static void count_taken(struct spool *s, struct parcel *p, const struct extent *extent)
{
	p->segment = s->next.segment;
	s->last_counted = count_out(s, s->next.segment, extent->records);
	s->next.offset += extent->bytes;
}

static int take(struct spool *s, struct parcel **ret)
{
	struct extent extent = {0, 0};
	int r;

	while (!is_at_end(s)) {
		if (s->in < 0)
			s->in = segment_open(s->dir, s->next.segment, O_RDONLY);
		s->last = s->next;
		r = s->in < 0 ? s->in : parcel_load(ret, s->in, s->next.offset, &extent);
		if (r == 0)
			count_taken(s, *ret, &extent);
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
		remove_segment(s, i);
	s->done = s->next;
	tally_forget(&s->records, s->done.segment);
	if (is_at_end(s) && s->bytes)
		count_bytes(s);
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
	if (tally_at(&s->records, s->last.segment))
		*tally_at(&s->records, s->last.segment) += s->last_counted;
	unlock(s);
}

uint64_t spool_missing(struct spool *s)
{
	uint64_t ret = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->records.n; i++)
		if (s->records.counts[i] && segment_is_missing(s->dir, s->records.first + i))
			ret += count_out(s, s->records.first + i, UINT64_MAX);
	s->counted = 0; /* there may be room */
	pthread_mutex_unlock(&s->lock);
	return ret;
}

bool spool_lacks(const struct spool *s, uint64_t segment)
{
	return segment_is_missing(s->dir, segment);
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
	tally_release(&s->records);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
