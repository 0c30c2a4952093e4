/* SPDX-License-Identifier: MIT */
#include "output/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "output/place.h"

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
_Static_assert(2 * FORMATS <= STREAMS_MAX, "a place has room for all formats, which look different on a terminal");

struct marks {
	struct mark *v;
	size_t n, size;
};

struct outputs {
	struct place *place;
	bool owner;
	struct buf buf[STREAMS_MAX];     /* what each stream's format has written so far, ... */
	struct marks marks[STREAMS_MAX]; /* ... where each record of it lies, ... */
	void *state[STREAMS_MAX];        /* ... and what the format remembers */
};

static struct outputs *outputs_at(struct place *place, bool owner)
{
	struct outputs *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->place = place;
	o->owner = owner;
	for (size_t i = 0; i < STREAMS_MAX; i++)
		o->buf[i] = buf_of(RECORD_MAX);
	return o;
}

struct outputs *outputs_new(const struct outputs_config *config)
{
	struct place *place = calloc(1, sizeof(*place));
	struct outputs *o = place ? outputs_at(place, true) : NULL;

	if (!o || getrandom(&place->run, sizeof(place->run), 0) < 0) {
		free(o);
		free(place);
		return NULL;
	}
	place->config = config;
	pthread_mutex_init(&place->lock, NULL);
	return o;
}

static void *state_new(const struct stream *s)
{
	void *state = calloc(1, s->format->state_size + 1);

	if (state && s->format->look)
		s->format->look(state, &s->look);
	return state;
}

struct outputs *outputs_share(struct outputs *o)
{
	struct place *p = o->place;
	struct outputs *ret = outputs_at(p, false);

	for (size_t i = 0; ret && i < p->n_streams; i++) {
		ret->state[i] = state_new(&p->streams[i]);
		if (!ret->state[i]) {
			outputs_close(ret);
			return NULL;
		}
	}
	return ret;
}

static void push(struct outputs *o, size_t i)
{
	const struct lines lines = {o->buf[i].p, o->buf[i].n, o->marks[i].v, o->marks[i].n};

	if (!lines.n)
		return;
	place_push(o->place, &o->place->streams[i], o->state[i], &lines);
	o->buf[i].n = 0;
	o->marks[i].n = 0;
}

static const struct format *format_find(struct slice name)
{
	for (size_t i = 0; i < FORMATS; i++)
		if (slice_eq(name, slice_str(formats[i]->name)))
			return formats[i];
	return NULL;
}

static struct stream *stream_of(struct outputs *o, const struct format *f, bool watched)
{
	enum color color = o->place->config->color;
	struct place *p = o->place;
	struct stream *s;

	for (size_t i = 0; i < p->n_streams; i++)
		if (p->streams[i].format == f && p->streams[i].watched == watched)
			return &p->streams[i];
	s = &p->streams[p->n_streams];
	s->format = f;
	s->watched = watched;
	s->look.color = color == COLOR_ALWAYS || (color == COLOR_AUTO && watched);
	s->known = state_new(s);
	o->state[p->n_streams] = s->known ? state_new(s) : NULL;
	if (!o->state[p->n_streams]) {
		free(s->known);
		return NULL;
	}
	p->n_streams++;
	return s;
}

static int outputs_attach(struct outputs *o, const struct format *f, struct spec *spec, char *error, size_t n)
{
	struct place *p = o->place;
	struct drain *drain;
	struct stream *s;
	int r;

	if (p->n_drains == DRAINS_MAX) {
		snprintf(error, n, "more than %d outputs", DRAINS_MAX);
		return -EINVAL;
	}
	r = place_admit(p, spec, error, n);
	r = r ? r : drain_open(&drain, spec, (uint64_t)1 << p->n_drains, p->config, error, n);
	if (r < 0)
		return r;
	s = stream_of(o, f, f->look && drain_is_terminal(drain));
	if (s) {
		r = place_add(p, s, drain, error, n);
	} else {
		snprintf(error, n, "out of memory");
		r = -ENOMEM;
	}
	if (r < 0)
		drain_close(drain);
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

static int add(struct outputs *o, struct spec *spec, char *error, size_t n)
{
	const struct format *f = format_find(slice_str(spec->format));

	if (!f) {
		explain_formats(spec->format, strlen(spec->format), error, n);
		return -EINVAL;
	}
	if (f->write)
		return outputs_attach(o, f, spec, error, n);
	if (spec->path || spec->scheme) {
		snprintf(error, n, "output format '%s' takes no path: it writes nothing", f->name);
		return -EINVAL;
	}
	return 0;
}

int outputs_add(struct outputs *o, const char *text, char *error, size_t n)
{
	struct spec spec;
	int r = spec_parse(&spec, text, error, n);

	r = r ? r : add(o, &spec, error, n);
	spec_release(&spec);
	return r;
}

/* Room for one mark more. */
static bool marks_reserve(struct marks *m)
{
	size_t size = m->size ? m->size * 2 : 512;
	struct mark *more;

	if (m->n < m->size)
		return true;
	more = reallocarray(m->v, size, sizeof(*more));
	if (!more)
		return false;
	m->v = more;
	m->size = size;
	return true;
}

/* Serialises a record where it is to be known who wants it, and where it lies. False when out of memory. */
static __attribute__((noinline)) bool write_marked(struct outputs *o, size_t i, const struct record *r, uint64_t number)
{
	struct stream *s = &o->place->streams[i];
	struct marks *m = &o->marks[i];
	size_t at = o->buf[i].n;
	uint64_t sinks = 0;

	for (size_t k = 0; k < s->n_drains; k++)
		sinks |= drain_wants(s->drains[k], r);
	if (!sinks)
		return true;
	if (!marks_reserve(m) || !s->format->write(o->state[i], o->place->config->view, r, &o->buf[i]))
		return false;
	m->v[m->n++] = (struct mark){
		.flow_id = r->kind == RECORD_LOSS ? 0 : r->ends.flow_id,
		.ts_ns = r->ts_ns,
		.number = number,
		.sinks = sinks,
		.at = at,
		.n = o->buf[i].n - at,
	};
	return true;
}

/* Terminals may have got another width since the last line; the narrowest one counts. */
static __attribute__((noinline)) void look_again(struct outputs *o, size_t i)
{
	struct stream *s = &o->place->streams[i];
	struct look look = s->look;

	pthread_mutex_lock(&o->place->lock);
	for (size_t k = 0; k < s->n_drains; k++) {
		unsigned columns = drain_columns(s->drains[k]);

		look.columns = columns && (!look.columns || columns < look.columns) ? columns : look.columns;
	}
	pthread_mutex_unlock(&o->place->lock);
	s->format->look(o->state[i], &look);
}

int outputs_write(struct outputs *o, const struct record *r)
{
	struct place *p = o->place;
	uint64_t number = p->n_drains ? p->numbers++ : 0;
	bool done;

	for (size_t i = 0; i < p->n_streams; i++) {
		struct stream *s = &p->streams[i];

		if (s->watched)
			look_again(o, i);
		if (s->marked)
			done = write_marked(o, i, r, number);
		else
			done = s->format->write(o->state[i], p->config->view, r, &o->buf[i]);
		if (!done)
			place_fail(p, -ENOMEM, s->format->name);
		if (o->buf[i].n >= BLOCK || s->prompt)
			push(o, i);
	}
	return p->failed;
}

int outputs_reopen(struct outputs *o)
{
	outputs_flush(o);
	place_reopen(o->place);
	return o->place->failed;
}

bool outputs_take(const struct outputs *o, const char *path)
{
	return place_takes(o->place, path);
}

bool outputs_work(const struct outputs *o)
{
	return place_works(o->place);
}

bool outputs_can_reopen(const struct outputs *o)
{
	return place_can_reopen(o->place);
}

int outputs_flush(struct outputs *o)
{
	for (size_t i = 0; i < o->place->n_streams; i++)
		push(o, i);
	return o->place->failed;
}

bool outputs_count(const struct outputs *o, size_t i, const char **ret_name, struct courier_counts *ret)
{
	const struct place *p = o->place;

	if (i >= p->n_remote)
		return false;
	*ret_name = drain_name(p->remote[i]);
	drain_count(p->remote[i], ret);
	return true;
}

bool outputs_missed(const struct outputs *o, size_t i, const char **ret_name, uint64_t *ret)
{
	const struct place *p = o->place;

	if (i >= p->n_file)
		return false;
	*ret_name = drain_name(p->file[i]);
	*ret = drain_missed(p->file[i]);
	return true;
}

const char *outputs_error(const struct outputs *o)
{
	return o->place->error;
}

void outputs_end(struct outputs *o)
{
	outputs_flush(o);
	place_end(o->place);
}

int outputs_close(struct outputs *o)
{
	int r;

	if (!o)
		return 0;
	r = outputs_flush(o);
	if (o->owner)
		r = place_close(o->place);
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		buf_release(&o->buf[i]);
		free(o->marks[i].v);
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
