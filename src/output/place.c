/* SPDX-License-Identifier: MIT */
#include "output/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define END_MS 5000 /* for what waits, at the end */

static int refuse(const char *name, char *error, size_t n)
{
	snprintf(error, n, "two outputs cannot both write to %s: name another one", name);
	return -EINVAL;
}

int place_admit(const struct place *p, struct spec *spec, char *error, size_t n)
{
	const char *clash = NULL;

	for (size_t i = 0; i < p->n_file && !clash; i++)
		clash = drain_clash(p->file[i], spec);
	return clash ? refuse(clash, error, n) : 0;
}

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

	if (is_taken(p, drain))
		return refuse(drain_name(drain), error, n);
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
	else
		p->file[p->n_file++] = drain;
	return 0;
}

bool place_takes(struct place *p, const char *path)
{
	bool ret = false;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n_file && !ret; i++)
		ret = drain_takes(p->file[i], path);
	pthread_mutex_unlock(&p->lock);
	return ret;
}

/* With the lock. */
static void fail(struct place *p, int r, const char *what)
{
	if (p->failed)
		return;
	snprintf(p->error, sizeof(p->error), "cannot write to %.*s: %s", COURIER_NAME_MAX, what, strerror(-r));
	p->failed = r;
}

void place_fail(struct place *p, int r, const char *what)
{
	pthread_mutex_lock(&p->lock);
	fail(p, r, what);
	pthread_mutex_unlock(&p->lock);
}

/* Can any be written, but for this one? With the lock. */
static bool works(const struct place *p, const struct drain *without)
{
	for (size_t i = 0; i < p->n_file; i++)
		if (p->file[i] != without && drain_works(p->file[i]))
			return true;
	return p->n_remote;
}

bool place_works(struct place *p)
{
	bool ret;

	pthread_mutex_lock(&p->lock);
	ret = works(p, NULL);
	pthread_mutex_unlock(&p->lock);
	return ret;
}

/* A full disk is no reason to withhold from others what is theirs; a reader that goes is the end. With the lock. */
static void file_did(struct place *p, struct drain *d, int r)
{
	if (r == 0)
		return;
	if (r != -EPIPE && !drain_is_terminal(d) && (p->failed || works(p, d) || p->config->more)) { /* a run that ends counts, too */
		drain_suspend(d, r);
		return;
	}
	drain_give_up(d);
	fail(p, r, drain_name(d));
}

/* With the lock. */
static void stream_write(struct place *p, struct stream *s, const struct lines *l)
{
	for (size_t i = 0; i < s->n_drains; i++)
		if (!drain_is_remote(s->drains[i]))
			file_did(p, s->drains[i], drain_write(s->drains[i], l));
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
			drain_send(s->drains[i], parcel, parcel ? 0 : drain_lines(s->drains[i], l, 0));
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
	for (size_t i = 0; i < p->n_file; i++)
		if (drain_can_reopen(p->file[i]))
			return true;
	return false;
}

void place_reopen(struct place *p)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n_file; i++)
		if (drain_can_reopen(p->file[i]))
			file_did(p, p->file[i], drain_reopen(p->file[i]));
	pthread_mutex_unlock(&p->lock);
}

/* All of them get the same time to deliver what waits, and to give it up; who has patience has it with each. */
void place_end(struct place *p)
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
	for (size_t i = 0; i < p->n_remote; i++)
		drain_end(p->remote[i]);
}

/* Returns the first failure, `failed` if there was one before; that a reader has gone is the least of them. */
static int stream_close(struct stream *s, int failed)
{
	for (size_t i = 0; i < s->n_drains; i++) {
		int r = drain_close(s->drains[i]);

		failed = r < 0 && (failed == 0 || failed == -EPIPE) ? r : failed;
	}
	free(s->drains);
	free(s->known);
	return failed;
}

int place_close(struct place *p)
{
	int r = p->failed;

	place_end(p);
	for (size_t i = 0; i < p->n_streams; i++)
		r = stream_close(&p->streams[i], r);
	pthread_mutex_destroy(&p->lock);
	free(p);
	return r;
}
