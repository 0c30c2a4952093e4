/* SPDX-License-Identifier: MIT */
/*
 * A buffer that slides over a file: read(2) in large pieces, records used in place. For a single pass this is cheaper than
 * mmap, it works on pipes, and a file that shrinks meanwhile is no SIGBUS.
 */
#ifndef PERISCO_CAPTURE_WINDOW_H
#define PERISCO_CAPTURE_WINDOW_H

#include "base/slice.h"

struct window {
	uint8_t *buf;
	size_t at, end, size; /* at <= end <= size: [at, end) was read and not used yet */
	uint64_t base;        /* offset in the file of buf[0] */
	uint64_t skip;        /* bytes to throw away when they come; then at == end */
	int fd;
	bool regular; /* a file on a disk: reading it never waits for anybody */
	bool over;    /* the end of the file was reached */
};

/* Takes over `fd`. `size` is that of the buffer at first. 0 or -ENOMEM. */
int window_init(struct window *w, int fd, size_t size);

/* Closes and frees; may be called again. */
void window_release(struct window *w);

/*
 * Reads once, waiting `timeout_ms` at most (negative: for ever) when it is no regular file. Moves what is not used to the
 * front, and makes the buffer as large as `want`, the bytes that must be there at once. Returns 1 (there is more, or the end
 * was reached), 0 (nothing came in time, or a signal did), or a negative errno.
 */
int window_fill(struct window *w, size_t want, int timeout_ms);

static inline struct slice window_bytes(const struct window *w)
{
	return slice_of(w->buf + w->at, w->end - w->at);
}

/* Offset in the file of the first byte that is neither used nor skipped. */
static inline uint64_t window_offset(const struct window *w)
{
	return w->base + w->at;
}

/* Uses `n` bytes up; those that were not read yet will be skipped. */
static inline void window_use(struct window *w, uint64_t n)
{
	size_t there = w->end - w->at;

	if (n <= there) {
		w->at += n;
	} else {
		w->at = w->end;
		w->skip += n - there;
	}
}

#endif
