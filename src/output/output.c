/* SPDX-License-Identifier: MIT */
#include "output/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "output/format.h"
#include "output/sink.h"

#define BLOCK      ((size_t)256 << 10) /* written at once */
#define RECORD_MAX ((size_t)256 << 20) /* no record takes more */

const struct format format_null = {
	.name = "null",
	.help = "nothing: to measure, or with -w alone",
};

/* A new format is a line here. */
static const struct format *const formats[] = {
	&format_text,
	&format_json,
	&format_null,
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

/* A format in use, what it has written so far, and where that goes. */
struct stream {
	const struct format *format;
	void *state;
	struct buf buf;
	struct sink **sinks; /* NULL: it failed */
	size_t n_sinks;
	bool prompt; /* one of them is a terminal */
};

struct outputs {
	const struct view *view;
	struct stream streams[FORMATS];
	size_t n_streams;
	int failed; /* the first failure, a negative errno */
	char error[512];
};

struct outputs *outputs_new(const struct view *view)
{
	struct outputs *o = calloc(1, sizeof(*o));

	if (o)
		o->view = view;
	return o;
}

/* Remembers the first failure. */
static int outputs_fail(struct outputs *o, int r, const char *what)
{
	if (!o->failed) {
		o->failed = r;
		snprintf(o->error, sizeof(o->error), "cannot write to %s: %s", what, strerror(-r));
	}
	return r;
}

static int stream_flush(struct outputs *o, struct stream *s)
{
	int r, first = 0;

	for (size_t i = 0; i < s->n_sinks && s->buf.n; i++) {
		r = s->sinks[i] ? sink_write(s->sinks[i], s->buf.p, s->buf.n) : 0;
		if (r == 0)
			continue;
		first = first ? first : outputs_fail(o, r, sink_name(s->sinks[i]));
		sink_close(s->sinks[i]);
		s->sinks[i] = NULL;
	}
	s->buf.n = 0;
	return first;
}

static const struct format *format_find(struct slice name)
{
	for (size_t i = 0; i < FORMATS; i++)
		if (slice_eq(name, slice_str(formats[i]->name)))
			return formats[i];
	return NULL;
}

static struct stream *stream_of(struct outputs *o, const struct format *f)
{
	struct stream *s;

	for (size_t i = 0; i < o->n_streams; i++)
		if (o->streams[i].format == f)
			return &o->streams[i];
	s = &o->streams[o->n_streams];
	s->state = calloc(1, f->state_size + 1);
	if (!s->state)
		return NULL;
	s->format = f;
	s->buf = buf_of(RECORD_MAX);
	o->n_streams++;
	return s;
}

static bool is_taken(const struct outputs *o, const struct sink *sink)
{
	for (size_t i = 0; i < o->n_streams; i++)
		for (size_t k = 0; k < o->streams[i].n_sinks; k++)
			if (o->streams[i].sinks[k] && sink_same(o->streams[i].sinks[k], sink))
				return true;
	return false;
}

static int stream_add(struct stream *s, struct sink *sink)
{
	struct sink **more = reallocarray(s->sinks, s->n_sinks + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->sinks = more;
	more[s->n_sinks++] = sink;
	s->prompt |= sink_is_terminal(sink);
	return 0;
}

static int outputs_attach(struct outputs *o, const struct format *f, const char *path, char *error, size_t n)
{
	struct sink *sink;
	struct stream *s;
	int r = sink_open(&sink, path, error, n);

	if (r < 0)
		return r;
	s = stream_of(o, f);
	if (is_taken(o, sink)) {
		snprintf(error, n, "two outputs cannot both write to %s: name another file", sink_name(sink));
		r = -EINVAL;
	} else if (!s || stream_add(s, sink) < 0) {
		snprintf(error, n, "out of memory");
		r = -ENOMEM;
	}
	if (r < 0)
		sink_close(sink);
	return r;
}

static void explain_formats(const char *spec, size_t length, char *error, size_t n)
{
	char names[128] = "";

	for (size_t i = 0; i < FORMATS; i++) {
		strcat(names, i == 0 ? "" : i + 1 < FORMATS ? ", " : " or ");
		strcat(names, formats[i]->name);
	}
	snprintf(error, n, "unknown output format '%.*s': use %s", (int)length, spec, names);
}

int outputs_add(struct outputs *o, const char *spec, char *error, size_t n)
{
	size_t length = strcspn(spec, ":");
	const struct format *f = format_find(slice_of(spec, length));
	const char *path = spec[length] ? spec + length + 1 : NULL;

	if (!f) {
		explain_formats(spec, length, error, n);
		return -EINVAL;
	}
	if (f->write)
		return outputs_attach(o, f, path, error, n);
	if (path) {
		snprintf(error, n, "output format '%s' takes no path: it writes nothing", f->name);
		return -EINVAL;
	}
	return 0;
}

int outputs_write(struct outputs *o, const struct record *r)
{
	for (size_t i = 0; i < o->n_streams; i++) {
		struct stream *s = &o->streams[i];

		if (!s->format->write(s->state, o->view, r, &s->buf))
			outputs_fail(o, -ENOMEM, s->format->name);
		if (s->buf.n >= BLOCK || s->prompt)
			stream_flush(o, s);
	}
	return o->failed;
}

int outputs_flush(struct outputs *o)
{
	for (size_t i = 0; i < o->n_streams; i++)
		stream_flush(o, &o->streams[i]);
	return o->failed;
}

const char *outputs_error(const struct outputs *o)
{
	return o->error;
}

static void stream_close(struct outputs *o, struct stream *s)
{
	char name[256];
	int r;

	stream_flush(o, s);
	for (size_t i = 0; i < s->n_sinks; i++) {
		if (!s->sinks[i])
			continue;
		snprintf(name, sizeof(name), "%s", sink_name(s->sinks[i]));
		r = sink_close(s->sinks[i]);
		if (r < 0)
			outputs_fail(o, r, name);
	}
	buf_release(&s->buf);
	free(s->sinks);
	free(s->state);
}

int outputs_close(struct outputs *o)
{
	int r;

	if (!o)
		return 0;
	for (size_t i = 0; i < o->n_streams; i++)
		stream_close(o, &o->streams[i]);
	r = o->failed;
	free(o);
	return r;
}

void outputs_help(char *buf, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < FORMATS && at < n; i++) {
		int r = snprintf(buf + at, n - at, "%-6s %s\n", formats[i]->name, formats[i]->help);

		at += r > 0 ? (size_t)r : 0;
	}
}
