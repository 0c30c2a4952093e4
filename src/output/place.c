/* SPDX-License-Identifier: MIT */
#include "output/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define END_MS 5000 /* for what waits, at the end */

static bool is_taken(const struct place *p, const struct drain *drain)
{
	for (size_t i = 0; i < p->n_streams; i++)
		for (size_t k = 0; k < p->streams[i].n_drains; k++)
			if (drain_same(p->streams[i].drains[k], drain))
				return true;
	return false;
}

int place_add(struct place *p, struct stream *s, struct drain *drain, char *error, size_t n)
{
	struct drain **more;

	if (is_taken(p, drain)) {
		snprintf(error, n, "two outputs cannot both write to %s: name another one", drain_name(drain));
		return -EINVAL;
	}
	more = reallocarray(s->drains, s->n_drains + 1, sizeof(*more));
	if (!more) {
		snprintf(error, n, "out of memory");
		return -ENOMEM;
	}
	s->drains = more;
	more[s->n_drains++] = drain;
	s->prompt |= drain_is_terminal(drain);
	s->marked |= drain_wants_marks(drain);
	s->remote |= drain_is_remote(drain);
	p->n_drains++;
	if (drain_is_remote(drain))
		p->remote[p->n_remote++] = drain;
	return 0;
}

bool place_takes(struct place *p, const char *path)
{
	bool ret = false;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n_streams && !ret; i++)
		for (size_t k = 0; k < p->streams[i].n_drains && !ret; k++)
			ret = drain_takes(p->streams[i].drains[k], path);
	pthread_mutex_unlock(&p->lock);
	return ret;
}

/* With the lock. */
static void fail(struct place *p, int r, const char *what)
{
	if (p->failed)
		return;
	snprintf(p->error, sizeof(p->error), "cannot write to %s: %s", what, strerror(-r));
	p->failed = r;
}

void place_fail(struct place *p, int r, const char *what)
{
	pthread_mutex_lock(&p->lock);
	fail(p, r, what);
	pthread_mutex_unlock(&p->lock);
}

/* With the lock. */
static void stream_write(struct place *p, struct stream *s, const struct lines *l)
{
	int r;

	for (size_t i = 0; i < s->n_drains; i++) {
		r = drain_is_remote(s->drains[i]) ? 0 : drain_write(s->drains[i], l);
		if (r < 0)
			fail(p, r, drain_name(s->drains[i]));
	}
}

/* How many of the lines the drain wants. */
static size_t lines_for(const struct lines *l, const struct drain *d)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_marks; i++)
		n += (l->marks[i].sinks & drain_bit(d)) != 0;
	return n;
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
		if (drain_is_remote(s->drains[i]))
			drain_send(s->drains[i], parcel, parcel ? 0 : lines_for(l, s->drains[i]));
	parcel_drop(parcel);
}

void place_push(struct place *p, struct stream *s, void *state, const struct lines *l)
{
	pthread_mutex_lock(&p->lock);
	stream_write(p, s, l);
	if (s->format->meet)
		s->format->meet(state, s->known);
	pthread_mutex_unlock(&p->lock);
	if (s->remote)
		stream_send(p, s, l);
}

bool place_can_reopen(const struct place *p)
{
	for (size_t i = 0; i < p->n_streams; i++)
		for (size_t k = 0; k < p->streams[i].n_drains; k++)
			if (drain_can_reopen(p->streams[i].drains[k]))
				return true;
	return false;
}

/* With the lock. */
static void stream_reopen(struct place *p, struct stream *s)
{
	for (size_t i = 0; i < s->n_drains; i++) {
		int r = drain_can_reopen(s->drains[i]) ? drain_reopen(s->drains[i]) : 0;

		if (r < 0)
			fail(p, r, drain_name(s->drains[i]));
	}
}

void place_reopen(struct place *p)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n_streams; i++)
		stream_reopen(p, &p->streams[i]);
	pthread_mutex_unlock(&p->lock);
}

/* All of them get the same time to deliver what waits, and to give it up; who has patience has it with each. */
static void end_remote(struct place *p)
{
	uint64_t deadline = clock_ms() + END_MS, now;
	unsigned patience = p->config->patience_ms;

	for (size_t i = 0; i < p->n_remote; i++)
		drain_stop(p->remote[i], false);
	for (size_t i = 0; i < p->n_remote; i++) {
		now = clock_ms();
		drain_wait(p->remote[i], patience ? patience : deadline > now ? (unsigned)(deadline - now) : 0);
	}
	for (size_t i = 0; i < p->n_remote; i++)
		drain_stop(p->remote[i], true);
}

static void stream_close(struct place *p, struct stream *s)
{
	for (size_t i = 0; i < s->n_drains; i++) {
		char name[256];
		int r;

		snprintf(name, sizeof(name), "%s", drain_name(s->drains[i]));
		r = drain_close(s->drains[i]);
		if (r < 0)
			fail(p, r, name);
	}
	free(s->drains);
	free(s->known);
}

int place_close(struct place *p)
{
	int r;

	end_remote(p);
	for (size_t i = 0; i < p->n_streams; i++)
		stream_close(p, &p->streams[i]);
	r = p->failed;
	pthread_mutex_destroy(&p->lock);
	free(p);
	return r;
}
