/* SPDX-License-Identifier: MIT */
#include "output/output.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "output/drain.h"
#include "output/format.h"

#define DRAINS_MAX 64                  /* as many as struct mark has bits */
#define END_MS     5000                /* for what waits, at the end */
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
	void *known;           /* what the format remembers of all threads' records, with the lock */
	struct drain **drains; /* NULL: it failed */
	size_t n_drains;
	bool prompt;           /* one of them is a terminal, */
	bool marked;           /* ... wants to know where each record lies, */
	bool remote;           /* ... leads to another host */
};

/* What all have in common who write to the same place. Streams are added before there is a second one. */
struct place {
	const struct outputs_config *config;
	struct stream streams[FORMATS];
	size_t n_streams, n_drains;
	uint64_t run;             /* with their number, what records are told apart by */
	_Atomic uint64_t numbers;
	pthread_mutex_t lock; /* held to write to files */
	_Atomic int failed;   /* the first failure, a negative errno; `error` is set before it */
	char error[512];
};

struct marks {
	struct mark *v;
	size_t n, size;
};

struct outputs {
	struct place *place;
	bool owner;
	struct buf buf[FORMATS];     /* what each stream's format has written so far, ... */
	struct marks marks[FORMATS]; /* ... where each record of it lies, ... */
	void *state[FORMATS];        /* ... and what the format remembers */
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
static void stream_write(struct place *p, struct stream *s, const struct lines *l)
{
	int r;

	for (size_t i = 0; i < s->n_drains; i++) {
		if (!s->drains[i] || drain_is_remote(s->drains[i]))
			continue;
		r = drain_write(s->drains[i], l);
		if (r == 0)
			continue;
		place_fail(p, r, drain_name(s->drains[i]));
		drain_close(s->drains[i], 0);
		s->drains[i] = NULL;
	}
}

/* One parcel for all of them. */
static void stream_send(const struct place *p, struct stream *s, const struct lines *l)
{
	struct parcel *parcel = parcel_new(l->n_marks, l->n);

	if (parcel) {
		parcel->run = p->run;
		memcpy(parcel->marks, l->marks, l->n_marks * sizeof(l->marks[0]));
		memcpy(parcel->bytes, l->p, l->n);
	}
	for (size_t i = 0; i < s->n_drains; i++)
		if (s->drains[i] && drain_is_remote(s->drains[i]))
			drain_send(s->drains[i], parcel, l->n_marks);
	parcel_drop(parcel);
}

static struct drain *can_reopen(const struct place *p, size_t i, size_t k)
{
	struct drain *d = p->streams[i].drains[k];

	return d && drain_can_reopen(d) ? d : NULL;
}

bool outputs_can_reopen(const struct outputs *o)
{
	const struct place *p = o->place;

	for (size_t i = 0; i < p->n_streams; i++)
		for (size_t k = 0; k < p->streams[i].n_drains; k++)
			if (can_reopen(p, i, k))
				return true;
	return false;
}

/* With the lock. */
static void reopen(struct place *p, struct stream *s, size_t k)
{
	int r = drain_reopen(s->drains[k]);

	if (r == 0)
		return;
	place_fail(p, r, drain_name(s->drains[k]));
	drain_close(s->drains[k], 0);
	s->drains[k] = NULL;
}

static void push(struct outputs *o, size_t i)
{
	struct place *p = o->place;
	struct stream *s = &p->streams[i];
	const struct lines lines = {o->buf[i].p, o->buf[i].n, o->marks[i].v, o->marks[i].n};

	if (!lines.n)
		return;
	pthread_mutex_lock(&p->lock);
	stream_write(p, s, &lines);
	if (s->format->meet)
		s->format->meet(o->state[i], s->known);
	pthread_mutex_unlock(&p->lock);
	if (s->remote)
		stream_send(p, s, &lines);
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

static bool is_taken(const struct place *p, const struct drain *drain)
{
	for (size_t i = 0; i < p->n_streams; i++)
		for (size_t k = 0; k < p->streams[i].n_drains; k++)
			if (p->streams[i].drains[k] && drain_same(p->streams[i].drains[k], drain))
				return true;
	return false;
}

static int stream_add(struct stream *s, struct drain *drain)
{
	struct drain **more = reallocarray(s->drains, s->n_drains + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->drains = more;
	more[s->n_drains++] = drain;
	s->prompt |= drain_is_terminal(drain);
	s->marked |= drain_wants_marks(drain);
	s->remote |= drain_is_remote(drain);
	return 0;
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
	r = drain_open(&drain, spec, (uint64_t)1 << p->n_drains, p->config, error, n);
	if (r < 0)
		return r;
	s = stream_of(o, f);
	if (is_taken(p, drain)) {
		snprintf(error, n, "two outputs cannot both write to %s: name another one", drain_name(drain));
		r = -EINVAL;
	} else if (!s || stream_add(s, drain) < 0) {
		snprintf(error, n, "out of memory");
		r = -ENOMEM;
	}
	if (r < 0)
		drain_close(drain, 0);
	else
		p->n_drains++;
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

static void refuse(struct place *p, const struct stream *s)
{
	pthread_mutex_lock(&p->lock);
	place_fail(p, -ENOMEM, s->format->name);
	pthread_mutex_unlock(&p->lock);
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
		sinks |= s->drains[k] ? drain_wants(s->drains[k], r) : 0;
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

int outputs_write(struct outputs *o, const struct record *r)
{
	struct place *p = o->place;
	uint64_t number = p->n_drains ? p->numbers++ : 0;
	bool done;

	for (size_t i = 0; i < p->n_streams; i++) {
		struct stream *s = &p->streams[i];

		if (s->marked)
			done = write_marked(o, i, r, number);
		else
			done = s->format->write(o->state[i], p->config->view, r, &o->buf[i]);
		if (!done)
			refuse(p, s);
		if (o->buf[i].n >= BLOCK || s->prompt)
			push(o, i);
	}
	return p->failed;
}

int outputs_reopen(struct outputs *o)
{
	struct place *p = o->place;

	outputs_flush(o);
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n_streams; i++)
		for (size_t k = 0; k < p->streams[i].n_drains; k++)
			if (can_reopen(p, i, k))
				reopen(p, &p->streams[i], k);
	pthread_mutex_unlock(&p->lock);
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

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void stream_close(struct place *p, struct stream *s, uint64_t deadline)
{
	uint64_t now;
	int r;

	for (size_t i = 0; i < s->n_drains; i++) {
		char name[256];

		if (!s->drains[i])
			continue;
		now = now_ms();
		snprintf(name, sizeof(name), "%s", drain_name(s->drains[i]));
		r = drain_close(s->drains[i], deadline > now ? (unsigned)(deadline - now) : 0);
		if (r < 0)
			place_fail(p, r, name);
	}
	free(s->drains);
	free(s->known);
}

static int place_close(struct place *p)
{
	uint64_t deadline = now_ms() + END_MS;
	int r;

	for (size_t i = 0; i < p->n_streams; i++)
		stream_close(p, &p->streams[i], deadline);
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
