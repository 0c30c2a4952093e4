/* SPDX-License-Identifier: MIT */
/*
 * Capture files, read by ourselves and not by libpcap, because libpcap refuses a pcapng file with several link types, does
 * not tell which interface a packet came from, which way it went, and how many were lost, and costs more: it copies each
 * packet once, and asks stdio for each.
 *
 * Several files are merged by a heap of readers, each with its next packet at hand ("ready"). A reader whose next packet is
 * not known yet is earlier than all that are: it comes to the top and is read on first. So one loop serves a single file, a
 * thousand of them, and pipes.
 */
#include "capture/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/list.h"
#include "capture/reader.h"

/*
 * The buffer of a single file, and of many together. From 128 KiB to 2 MiB there is no difference in time; less memory is
 * more often in the cache.
 */
enum { BUFFER_ONE = 256 << 10, BUFFER_ALL = 8 << 20, BUFFER_MIN = 16 << 10 };

struct input {
	struct reader reader;
	struct packet head; /* the next packet, when ready */
	bool ready;
};

struct files {
	struct source source;
	struct input *inputs;
	size_t n;
	struct input **heap; /* those not at their end; heap[0] is the earliest */
	size_t live;
	size_t failed; /* inputs that ended in a failure */
	int err;       /* that of the first of them */
};

/* --- the heap --- */

static bool earlier(const struct input *a, const struct input *b)
{
	if (a->ready != b->ready)
		return b->ready;
	if (a->ready && a->head.ts_ns != b->head.ts_ns)
		return a->head.ts_ns < b->head.ts_ns;
	return a < b;
}

/* What is at `at` may be later than what is below: lets it sink to its place. */
static void heap_sink(struct files *f, size_t at)
{
	struct input *moving = f->heap[at];
	size_t child;

	while ((child = 2 * at + 1) < f->live) {
		if (child + 1 < f->live && earlier(f->heap[child + 1], f->heap[child]))
			child++;
		if (!earlier(f->heap[child], moving))
			break;
		f->heap[at] = f->heap[child];
		at = child;
	}
	f->heap[at] = moving;
}

/* --- reading --- */

/* The top is at its end, or at the end of what can be read of it: it leaves the heap. */
static void top_over(struct files *f)
{
	struct input *top = f->heap[0];

	if (top->reader.failed && f->failed++ == 0) {
		f->err = top->reader.failed;
		reader_explain(&top->reader, f->source.error, sizeof f->source.error);
	}
	reader_close(&top->reader);
	f->heap[0] = f->heap[--f->live];
	if (f->live)
		heap_sink(f, 0);
}

/* Finds the next packet of the top in what was read: 1, or -EAGAIN when more must be read. */
static int top_next(struct files *f)
{
	struct input *top = f->heap[0];
	int r = reader_next(&top->reader, &top->head);

	if (r == -EAGAIN)
		return r;
	top->ready = r > 0;
	if (r <= 0)
		top_over(f);
	else if (f->live > 1)
		heap_sink(f, 0);
	return 1;
}

/* Hands over the top's packet; and when no other file can have an earlier one, all that was read of it. */
static int top_deliver(struct files *f, packet_fn fn, void *ctx)
{
	struct input *top = f->heap[0];
	int r;

	top->ready = false;
	do
		r = fn(ctx, &top->head);
	while (r >= 0 && f->live == 1 && reader_next(&top->reader, &top->head) > 0);
	return r;
}

static int files_end(struct files *f)
{
	size_t n = strlen(f->source.error), others = f->failed - 1;

	if (!f->failed)
		return 0;
	if (others)
		snprintf(f->source.error + n, sizeof f->source.error - n, "; and %zu more of the files", others);
	f->failed = 1;
	return f->err;
}

/* Reads when there is nothing to hand over, and returns before it would read again. */
static int files_poll(struct source *s, int timeout_ms, packet_fn fn, void *ctx)
{
	struct files *f = container_of(s, struct files, source);
	bool delivered = false, waited = false;

	while (f->live) {
		if (f->heap[0]->ready) {
			int r = top_deliver(f, fn, ctx);
			if (r < 0)
				return r;
			delivered = true;
		}
		if (top_next(f) > 0)
			continue;
		if (delivered || waited || reader_fill(&f->heap[0]->reader, timeout_ms) == 0)
			return 1;
		waited = !f->heap[0]->reader.window.regular;
	}
	return files_end(f);
}

static int files_losses(struct source *s, loss_fn fn, void *ctx)
{
	struct files *f = container_of(s, struct files, source);
	int r = 0;

	for (size_t i = 0; i < f->n && r >= 0; i++)
		r = reader_losses(&f->inputs[i].reader, fn, ctx);
	return r;
}

/* --- life --- */

static void files_close(struct source *s)
{
	struct files *f = container_of(s, struct files, source);

	for (size_t i = 0; i < f->n; i++)
		reader_close(&f->inputs[i].reader);
	free(f->inputs);
	free(f->heap);
	free(f);
}

static const struct source_ops file_ops = {
	.name = "file",
	.poll = files_poll,
	.losses = files_losses,
	.close = files_close,
};

/* More files than the soft limit allows are no reason to ask anybody. */
static void raise_limit(size_t files)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= files + 64)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static size_t buffer_size(size_t files)
{
	size_t size = BUFFER_ONE;

	while (size > BUFFER_MIN && size * files > BUFFER_ALL)
		size /= 2;
	return files == 1 ? BUFFER_ONE : size;
}

/* A file on disk says at once whether it is a capture; a pipe may keep us waiting, so it is asked later. */
static int input_begin(struct input *in, const char *path, size_t buffer)
{
	struct reader *r = &in->reader;
	int err = reader_open(r, path, buffer);

	if (err < 0 || !r->window.regular)
		return err;
	do
		err = reader_next(r, &in->head);
	while (err == -EAGAIN && !reader_begun(r) && reader_fill(r, 0) >= 0);
	in->ready = err > 0;
	return reader_begun(r) ? 0 : r->failed;
}

static struct files *files_new(size_t n)
{
	struct files *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	f->source.ops = &file_ops;
	f->inputs = calloc(n, sizeof *f->inputs);
	f->heap = calloc(n, sizeof *f->heap);
	if (f->inputs && f->heap)
		return f;
	files_close(&f->source);
	return NULL;
}

struct source *file_open(const char *const *paths, size_t n, char *error, size_t error_n)
{
	struct files *f = files_new(n);

	if (!f) {
		snprintf(error, error_n, "out of memory");
		return NULL;
	}
	raise_limit(n);
	for (; f->n < n; f->n++) {
		struct input *in = &f->inputs[f->n];

		if (input_begin(in, paths[f->n], buffer_size(n)) < 0) {
			reader_explain(&in->reader, error, error_n);
			reader_close(&in->reader);
			files_close(&f->source);
			return NULL;
		}
	}
	for (; f->live < n; f->live++)
		f->heap[f->live] = &f->inputs[f->live];
	for (size_t i = n; i > 0; i--)
		heap_sink(f, i - 1);
	return &f->source;
}
