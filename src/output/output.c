/* SPDX-License-Identifier: MIT */
#include "output/output.h"

#include <errno.h>
#include <pthread.h>
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

/* A format in use, and where what it writes goes. */
struct stream {
	const struct format *format;
	void *known;         /* what the format remembers of all threads' records, with the lock */
	struct sink **sinks; /* NULL: it failed */
	size_t n_sinks;
	bool prompt; /* one of them is a terminal */
};

/* What all have in common who write to the same place. Streams are added before there is a second one. */
struct place {
	const struct view *view;
	struct stream streams[FORMATS];
	size_t n_streams;
	pthread_mutex_t lock; /* held to write to sinks */
	_Atomic int failed;   /* the first failure, a negative errno; `error` is set before it */
	char error[512];
};

struct outputs {
	struct place *place;
	bool owner;
	struct buf buf[FORMATS]; /* what each stream's format has written so far, ... */
	void *state[FORMATS];    /* ... and what it remembers */
};

static struct outputs *outputs_at(struct place *place, bool owner)
{
	struct outputs *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->place = place;
	o->owner = owner;
	for (size_t i = 0; i < FORMATS; i++)
		o->buf[i] = buf_of(RECORD_MAX);
	return o;
}

struct outputs *outputs_new(const struct view *view)
{
	struct place *place = calloc(1, sizeof(*place));
	struct outputs *o = place ? outputs_at(place, true) : NULL;

	if (!o) {
		free(place);
		return NULL;
	}
	place->view = view;
	pthread_mutex_init(&place->lock, NULL);
	return o;
}

static void *state_new(const struct format *f)
{
	return calloc(1, f->state_size + 1);
}

struct outputs *outputs_share(struct outputs *o)
{
	struct place *p = o->place;
	struct outputs *ret = outputs_at(p, false);

	for (size_t i = 0; ret && i < p->n_streams; i++) {
		ret->state[i] = state_new(p->streams[i].format);
		if (!ret->state[i]) {
			outputs_close(ret);
			return NULL;
		}
	}
	return ret;
}

/* Remembers the first failure. With the lock. */
static void place_fail(struct place *p, int r, const char *what)
{
	if (p->failed)
		return;
	snprintf(p->error, sizeof(p->error), "cannot write to %s: %s", what, strerror(-r));
	p->failed = r;
}

/* With the lock. */
static void stream_write(struct place *p, struct stream *s, const struct buf *b)
{
	int r;

	for (size_t i = 0; i < s->n_sinks; i++) {
		r = s->sinks[i] ? sink_write(s->sinks[i], b->p, b->n) : 0;
		if (r == 0)
			continue;
		place_fail(p, r, sink_name(s->sinks[i]));
		sink_close(s->sinks[i]);
		s->sinks[i] = NULL;
	}
}

static void push(struct outputs *o, size_t i)
{
	struct place *p = o->place;
	struct stream *s = &p->streams[i];

	if (!o->buf[i].n)
		return;
	pthread_mutex_lock(&p->lock);
	stream_write(p, s, &o->buf[i]);
	if (s->format->meet)
		s->format->meet(o->state[i], s->known);
	pthread_mutex_unlock(&p->lock);
	o->buf[i].n = 0;
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
	struct place *p = o->place;
	struct stream *s;

	for (size_t i = 0; i < p->n_streams; i++)
		if (p->streams[i].format == f)
			return &p->streams[i];
	s = &p->streams[p->n_streams];
	s->format = f;
	s->known = state_new(f);
	o->state[p->n_streams] = s->known ? state_new(f) : NULL;
	if (!o->state[p->n_streams]) {
		free(s->known);
		return NULL;
	}
	p->n_streams++;
	return s;
}

static bool is_taken(const struct place *p, const struct sink *sink)
{
	for (size_t i = 0; i < p->n_streams; i++)
		for (size_t k = 0; k < p->streams[i].n_sinks; k++)
			if (p->streams[i].sinks[k] && sink_same(p->streams[i].sinks[k], sink))
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
	if (is_taken(o->place, sink)) {
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

static void refuse(struct place *p, const struct stream *s)
{
	pthread_mutex_lock(&p->lock);
	place_fail(p, -ENOMEM, s->format->name);
	pthread_mutex_unlock(&p->lock);
}

int outputs_write(struct outputs *o, const struct record *r)
{
	struct place *p = o->place;

	for (size_t i = 0; i < p->n_streams; i++) {
		struct stream *s = &p->streams[i];

		if (!s->format->write(o->state[i], p->view, r, &o->buf[i]))
			refuse(p, s);
		if (o->buf[i].n >= BLOCK || s->prompt)
			push(o, i);
	}
	return p->failed;
}

int outputs_flush(struct outputs *o)
{
	for (size_t i = 0; i < o->place->n_streams; i++)
		push(o, i);
	return o->place->failed;
}

const char *outputs_error(const struct outputs *o)
{
	return o->place->error;
}

static void stream_close(struct place *p, struct stream *s)
{
	char name[256];
	int r;

	for (size_t i = 0; i < s->n_sinks; i++) {
		if (!s->sinks[i])
			continue;
		snprintf(name, sizeof(name), "%s", sink_name(s->sinks[i]));
		r = sink_close(s->sinks[i]);
		if (r < 0)
			place_fail(p, r, name);
	}
	free(s->sinks);
	free(s->known);
}

static int place_close(struct place *p)
{
	int r;

	for (size_t i = 0; i < p->n_streams; i++)
		stream_close(p, &p->streams[i]);
	r = p->failed;
	pthread_mutex_destroy(&p->lock);
	free(p);
	return r;
}

int outputs_close(struct outputs *o)
{
	int r;

	if (!o)
		return 0;
	r = outputs_flush(o);
	if (o->owner)
		r = place_close(o->place);
	for (size_t i = 0; i < FORMATS; i++) {
		buf_release(&o->buf[i]);
		free(o->state[i]);
	}
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
