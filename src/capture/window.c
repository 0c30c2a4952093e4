/* SPDX-License-Identifier: MIT */
#include "capture/window.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int window_init(struct window *w, int fd, size_t size)
{
	struct stat st;

	*w = (struct window){.fd = fd, .size = size, .buf = malloc(size)};
	if (!w->buf)
		return -ENOMEM;
	w->regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	if (w->regular)
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

void window_release(struct window *w)
{
	if (w->fd > STDIN_FILENO)
		close(w->fd);
	w->fd = -1;
	free(w->buf);
	w->buf = NULL;
	w->at = w->end = w->size = 0;
}

static void window_slide(struct window *w)
{
	memmove(w->buf, w->buf + w->at, w->end - w->at);
	w->base += w->at;
	w->end -= w->at;
	w->at = 0;
}

static int window_grow(struct window *w, size_t want)
{
	size_t size = w->size;
	uint8_t *buf;

	while (size < want)
		size *= 2;
	if (size == w->size)
		return 0;
	buf = realloc(w->buf, size);
	if (!buf)
		return -ENOMEM;
	w->buf = buf;
	w->size = size;
	return 0;
}

/* > 0: read(2) will not block. */
static int window_wait(const struct window *w, int timeout_ms)
{
	struct pollfd p = {.fd = w->fd, .events = POLLIN};
	int r;

	if (w->regular)
		return 1;
	r = poll(&p, 1, timeout_ms);
	return r < 0 && errno != EINTR ? -errno : r < 0 ? 0 : r;
}

static void window_skip(struct window *w)
{
	size_t there = w->end - w->at, n = w->skip < there ? (size_t)w->skip : there;

	w->at += n;
	w->skip -= n;
}

int window_fill(struct window *w, size_t want, int timeout_ms)
{
	ssize_t n;
	int r;

	window_slide(w);
	r = window_grow(w, want);
	if (r < 0)
		return r;
	r = window_wait(w, timeout_ms);
	if (r <= 0)
		return r;
	n = read(w->fd, w->buf + w->end, w->size - w->end);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	w->over = n == 0;
	w->end += (size_t)n;
	window_skip(w);
	return 1;
}
