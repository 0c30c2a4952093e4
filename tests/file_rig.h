/* SPDX-License-Identifier: MIT */
/* Reads capture files that a test has built in memory, and keeps what their source gave. */
#ifndef PERISCO_TESTS_FILE_RIG_H
#define PERISCO_TESTS_FILE_RIG_H

#include <errno.h>

#include "capbuild.h"
#include "capture/file.h"

#define S UINT64_C(1000000000)

/* What a source gave. */
struct seen {
	struct {
		uint64_t ts_ns;
		uint32_t wire_len, ifindex;
		uint16_t link;
		uint8_t dir;
		char data[64], name[64];
		size_t n;
	} v[512];
	struct loss losses[32];
	size_t n, n_losses, stop_at; /* stop_at: the packet at which to give up, from 1 */
	int end;
	char error[256];
};

static inline int see(void *ctx, const struct packet *p)
{
	struct seen *s = ctx;

	assert_in_range(s->n, 0, 511);
	s->v[s->n].ts_ns = p->ts_ns;
	s->v[s->n].wire_len = p->wire_len;
	s->v[s->n].link = p->link;
	s->v[s->n].dir = p->dir;
	s->v[s->n].n = p->data.n;
	memcpy(s->v[s->n].data, p->data.p, p->data.n < 63 ? p->data.n : 63);
	if (p->iface) {
		assert_int_equal(p->iface->link, p->link);
		s->v[s->n].ifindex = p->iface->index;
		strcpy(s->v[s->n].name, p->iface->name);
	}
	return ++s->n == s->stop_at ? -ECANCELED : 0;
}

static inline int see_loss(void *ctx, const struct loss *l)
{
	struct seen *s = ctx;

	s->losses[s->n_losses++] = *l;
	return 0;
}

static inline void see_all(struct source *source, struct seen *s)
{
	while ((s->end = source->ops->poll(source, -1, see, s)) > 0)
		source->ops->losses(source, see_loss, s);
	source->ops->losses(source, see_loss, s);
	strcpy(s->error, source->error);
}

static inline struct source *open_one(const char *path, char error[256])
{
	return file_open(&path, 1, error, 256);
}

/* Reads a file with these bytes to its end. */
static inline struct seen *read_bytes(const void *p, size_t n)
{
	struct seen *s = calloc(1, sizeof *s);
	char path[64], error[256] = "";
	int fd = memory_file(p, n, path);
	struct source *source = open_one(path, error);

	assert_string_equal(error, "");
	assert_non_null(source);
	see_all(source, s);
	source->ops->close(source);
	close(fd);
	return s;
}

static inline struct seen *read_built(const struct bytes *b)
{
	return read_bytes(b->p, b->n);
}

/* The complaint about a file that cannot be opened. */
static inline const char *refused(const char *path)
{
	static char error[256];
	struct source *source;

	error[0] = '\0';
	source = open_one(path, error);
	assert_null(source);
	assert_string_not_equal(error, "");
	assert_null(strchr(error, '\n'));
	return error;
}

static inline const char *refused_bytes(const void *p, size_t n)
{
	char path[64];
	int fd = memory_file(p, n, path);
	const char *error = refused(path);

	close(fd);
	return error;
}

static inline void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' does not say '%s'", text, part);
}

#endif
