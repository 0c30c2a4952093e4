/* SPDX-License-Identifier: MIT */
#include "sink/parcel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#define MAGIC 0x6c636150u /* "Pacl" */

/* In front of each parcel's marks and bytes in a file. */
struct head {
	uint32_t magic, crc; /* the CRC of all that follows it, in this header and behind */
	uint64_t run, n_marks, n;
};

struct parcel *parcel_new(size_t n_marks, size_t n)
{
	struct parcel *p = malloc(sizeof(*p) + n_marks * sizeof(p->marks[0]) + n);

	if (!p)
		return NULL;
	*p = (struct parcel){.holders = 1, .n_marks = n_marks, .n = n};
	p->bytes = (uint8_t *)&p->marks[n_marks];
	return p;
}

struct parcel *parcel_keep(struct parcel *p)
{
	atomic_fetch_add_explicit(&p->holders, 1, memory_order_relaxed);
	return p;
}

void parcel_drop(struct parcel *p)
{
	if (p && atomic_fetch_sub_explicit(&p->holders, 1, memory_order_acq_rel) == 1)
		free(p);
}

size_t parcel_size(const struct parcel *p)
{
	return sizeof(*p) + p->n_marks * sizeof(p->marks[0]) + p->n;
}

size_t parcel_count(const struct parcel *p, uint64_t sinks)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_marks; i++)
		n += (p->marks[i].sinks & sinks) != 0;
	return n;
}

size_t parcel_bytes(const struct parcel *p, uint64_t sinks)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_marks; i++)
		n += p->marks[i].sinks & sinks ? p->marks[i].n : 0;
	return n;
}

struct parcel *parcel_pick(const struct parcel *p, uint64_t sinks)
{
	struct parcel *ret = parcel_new(parcel_count(p, sinks), parcel_bytes(p, sinks));
	size_t bytes = 0, count = 0;

	if (!ret)
		return NULL;
	ret->run = p->run;
	for (size_t i = 0; i < p->n_marks; i++) {
		if (!(p->marks[i].sinks & sinks))
			continue;
		ret->marks[count] = p->marks[i];
		ret->marks[count++].at = bytes;
		memcpy(ret->bytes + bytes, p->bytes + p->marks[i].at, p->marks[i].n);
		bytes += p->marks[i].n;
	}
	return ret;
}

/* --- in a file --- */

static uint32_t crc_of(const struct head *h, const void *marks, const void *bytes)
{
	uLong crc = crc32_z(0, (const uint8_t *)&h->run, sizeof(*h) - offsetof(struct head, run));

	crc = crc32_z(crc, marks, h->n_marks * sizeof(struct mark));
	return (uint32_t)crc32_z(crc, bytes, h->n);
}

static uint64_t stored(const struct head *h)
{
	return sizeof(*h) + h->n_marks * sizeof(struct mark) + h->n;
}

uint64_t parcel_stored(const struct parcel *p)
{
	return stored(&(struct head){.n_marks = p->n_marks, .n = p->n});
}

int parcel_store(const struct parcel *p, int fd, uint64_t at)
{
	struct head h = {.magic = MAGIC, .run = p->run, .n_marks = p->n_marks, .n = p->n};
	struct iovec parts[] = {
		{&h, sizeof(h)},
		{(void *)p->marks, p->n_marks * sizeof(p->marks[0])},
		{p->bytes, p->n},
	};
	ssize_t written;

	h.crc = crc_of(&h, p->marks, p->bytes);
	written = pwritev(fd, parts, 3, (off_t)at);
	if (written < 0)
		return -errno;
	return (uint64_t)written == stored(&h) ? 0 : -ENOSPC;
}

/* The header there, in a file of `size` bytes. 0, -ENODATA or another negative errno. */
static int load_head(int fd, uint64_t at, uint64_t size, struct head *h)
{
	ssize_t got = pread(fd, h, sizeof(*h), (off_t)at);

	if (got < 0)
		return -errno;
	return got == sizeof(*h) && h->magic == MAGIC && h->n_marks <= size / sizeof(struct mark) && h->n <= size ? 0 : -ENODATA;
}

static bool is_within(const struct parcel *p)
{
	for (size_t i = 0; i < p->n_marks; i++)
		if (!p->marks[i].n || p->marks[i].at > p->n || p->marks[i].n > p->n - p->marks[i].at)
			return false;
	return true;
}

/* What the header says must be there. The same. */
static int load_rest(int fd, uint64_t at, const struct head *h, struct parcel **ret)
{
	size_t all = (size_t)(stored(h) - sizeof(*h)); /* the bytes lie behind the marks */
	struct parcel *p = parcel_new(h->n_marks, h->n);
	ssize_t got;
	int r;

	if (!p)
		return -ENOMEM;
	p->run = h->run;
	got = pread(fd, p->marks, all, (off_t)(at + sizeof(*h)));
	if (got == (ssize_t)all && crc_of(h, p->marks, p->bytes) == h->crc && is_within(p)) {
		*ret = p;
		return 0;
	}
	r = got < 0 ? -errno : -ENODATA;
	parcel_drop(p);
	return r;
}

/* Of a parcel that is not whole: its header is believed when it leads to another one, or to the end. 0 or a negative errno. */
static int measure(int fd, uint64_t at, uint64_t size, const struct head *h, struct extent *extent)
{
	struct head next;
	int r = at + stored(h) == size ? 0 : load_head(fd, at + stored(h), size, &next);

	if (r == 0)
		*extent = (struct extent){stored(h), h->n_marks};
	return r == -ENODATA ? 0 : r;
}

int parcel_load(struct parcel **ret, int fd, uint64_t at, struct extent *extent)
{
	struct stat st;
	struct head h;
	int r, known;

	*extent = (struct extent){0, 0};
	if (fstat(fd, &st) < 0)
		return -errno;
	r = load_head(fd, at, (uint64_t)st.st_size, &h);
	if (r < 0)
		return r;
	r = load_rest(fd, at, &h, ret);
	if (r == 0)
		*extent = (struct extent){stored(&h), h.n_marks};
	if (r != -ENODATA)
		return r;
	known = measure(fd, at, (uint64_t)st.st_size, &h, extent);
	return known < 0 ? known : -ENODATA;
}
