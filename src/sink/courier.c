/* SPDX-License-Identifier: MIT */
#include "sink/courier.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/internal.h"

#define GRACE_MS 2000u   /* for a carrier to come back, when the time is up */
#define TRY_MS   120000u /* one try may take that long before it is given up to wait for it */

/* Words of other hosts may be in it: only what is fit to be seen is shown. */
void courier_tell(const struct courier *c, const char *format, ...)
{
	char line[512];
	size_t n = (size_t)snprintf(line, sizeof(line), "%s: ", c->name);
	va_list args;

	if (n >= sizeof(line))
		n = sizeof(line) - 1;
	va_start(args, format);
	vsnprintf(line + n, sizeof(line) - n, format, args);
	va_end(args);
	for (char *p = line; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	c->config.say(line);
}

static struct timespec later(struct timespec t, unsigned ms)
{
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

struct timespec after_ms(unsigned ms)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return later(now, ms);
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

void courier_lock(struct courier *c)
{
	pthread_mutex_lock(&c->lock);
}

void courier_unlock(struct courier *c)
{
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

bool courier_wait_until(struct courier *c, const struct timespec *until)
{
	return pthread_cond_timedwait(&c->changed, &c->lock, until) != ETIMEDOUT;
}

/*
 * With the lock: waits for a change. False when for `ms` since then nothing got its fate: only of a try that is under way
 * nobody knows yet.
 */
static bool await_progress(struct courier *c, const struct timespec *since, unsigned ms)
{
	struct timespec now = after_ms(0), until = later(is_before(since, &c->moved) ? c->moved : *since, c->trying ? TRY_MS : ms);

	if (!is_before(&now, &until))
		return false;
	courier_wait_until(c, &until);
	return true;
}

/* --- the queue, under the lock --- */

static bool queue_push(struct courier *c, struct parcel *p)
{
	size_t size = c->size ? c->size * 2 : 64;
	struct parcel **more;

	if (c->n == c->size) {
		more = calloc(size, sizeof(*more));
		if (!more)
			return false;
		for (size_t i = 0; i < c->n; i++)
			more[i] = c->queue[(c->at + i) & (c->size - 1)];
		free(c->queue);
		c->queue = more;
		c->size = size;
		c->at = 0;
	}
	c->queue[(c->at + c->n++) & (c->size - 1)] = p;
	return true;
}

struct parcel *courier_pop(struct courier *c)
{
	struct parcel *p = c->queue[c->at];

	c->at = (c->at + 1) & (c->size - 1);
	c->n--;
	return p;
}

/* Is there room in the queue? With patience waits for it. */
static bool await_room(struct courier *c, size_t bytes)
{
	const struct timespec since = after_ms(0);

	while (c->counts.queue_bytes && c->counts.queue_bytes + bytes > c->config.queue && c->config.patience_ms && !c->impatient)
		c->impatient = !await_progress(c, &since, c->config.patience_ms);
	return c->counts.queue_bytes + bytes <= c->config.queue;
}

/* Of a parcel that is for others the most, a copy of its own share takes less memory. The caller's holder in each case. */
static struct parcel *share_of(const struct courier *c, struct parcel *p)
{
	struct parcel *own = parcel_bytes(p, c->config.bit) < p->n / 2 ? parcel_pick(p, c->config.bit) : NULL;

	return own ? own : parcel_keep(p);
}

void courier_put(struct courier *c, struct parcel *p)
{
	size_t records = parcel_count(p, c->config.bit);

	if (!records)
		return;
	p = share_of(c, p);
	courier_lock(c);
	c->run = p->run;
	c->counts.accepted += records;
	c->counts.waiting += records;
	if (await_room(c, parcel_size(p)) && queue_push(c, p)) {
		c->counts.queue_bytes += parcel_size(p);
		p = NULL;
	} else {
		c->counts.waiting -= records;
		c->counts.dropped_full += records;
	}
	courier_unlock(c);
	parcel_drop(p);
}

void courier_miss(struct courier *c, size_t n)
{
	courier_lock(c);
	c->counts.accepted += n;
	c->counts.dropped_full += n;
	courier_unlock(c);
}

/* --- the spooler: moves what waits to the disk --- */

/* Puts the records of a parcel on disk, and drops it. Called without the lock. */
static void spool_parcel(struct courier *c, struct parcel *p, bool *told)
{
	size_t records = parcel_count(p, c->config.bit), bytes = parcel_size(p);
	int r = spool_put(c->config.spool, p, c->config.bit);

	if (r < 0 && !*told)
		courier_tell(c, "the spool takes no more: %s", r == -ENOSPC ? "it is full" : strerror(-r));
	else if (r == 0 && *told)
		courier_tell(c, "the spool takes records again");
	*told = r < 0;
	parcel_drop(p);
	courier_lock(c);
	*(r < 0 ? &c->counts.dropped_spool : &c->counts.spooled) += records;
	c->counts.waiting -= records;
	c->counts.queue_bytes -= bytes;
	c->spooling = false;
	courier_unlock(c);
}

/* What is on disk is older, so all goes there while there is any; else when the queue is half full. */
static bool is_to_spool(const struct courier *c)
{
	return c->n && (c->counts.queue_bytes > c->config.queue / 2 || !spool_is_empty(c->config.spool));
}

static void *spooler_run(void *arg)
{
	struct courier *c = arg;
	struct parcel *p;
	bool told = false;

	courier_lock(c);
	while (!c->finished && !c->abandoned) {
		if (!is_to_spool(c)) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		c->spooling = true;
		p = courier_pop(c);
		courier_unlock(c);
		spool_parcel(c, p, &told);
		courier_lock(c);
	}
	courier_unlock(c);
	return NULL;
}

/* --- begin and end --- */

void courier_free(struct courier *c)
{
	spool_close(c->config.spool);
	batch_release(&c->batch);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c->queue);
	free(c);
}

/* The threads get no signals: those are for who waits for packets. */
static bool courier_start(struct courier *c)
{
	sigset_t all, before;
	bool started, both;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&c->thread, NULL, courier_run, c) == 0;
	both = started && (!c->config.spool || pthread_create(&c->spooler, NULL, spooler_run, c) == 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (started && !both) {
		courier_stop(c, true);
		pthread_join(c->thread, NULL);
	}
	if (!started)
		c->carrier.close(c->carrier.self);
	return both;
}

struct courier *courier_new(const struct courier_config *config, const struct carrier *carrier)
{
	struct courier *c = calloc(1, sizeof(*c) + strlen(config->name) + 1);
	pthread_condattr_t monotonic;

	if (!c) {
		carrier->close(carrier->self);
		spool_close(config->spool);
		return NULL;
	}
	strcpy(c->name, config->name);
	c->config = *config;
	c->carrier = *carrier;
	c->seed = (unsigned)time(NULL) ^ (unsigned)(uintptr_t)c;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (courier_start(c))
		return c;
	courier_free(c);
	return NULL;
}

/* Under the lock. */
static struct courier_counts counts_of(const struct courier *c)
{
	struct courier_counts ret = c->counts;

	ret.spool_bytes = c->config.spool ? spool_bytes(c->config.spool) : 0;
	return ret;
}

void courier_count(struct courier *c, struct courier_counts *ret)
{
	courier_lock(c);
	*ret = counts_of(c);
	pthread_mutex_unlock(&c->lock);
}

/* `n` records of memory go to the spool, or nowhere. Under the lock. */
static void give_up(struct courier *c, size_t n, int r)
{
	uint64_t *dropped = c->config.spool ? &c->counts.dropped_spool : &c->counts.dropped_exit;

	*(r < 0 ? dropped : &c->counts.spooled) += n;
	c->counts.waiting -= n;
}

/* A batch that came from the spool is still there: the next run delivers it. */
static void give_up_batch(struct courier *c)
{
	struct batch *l = &c->batch;
	size_t ours = batch_count(l, c->run);
	struct parcel *rest;

	if (l->spooled) {
		c->counts.spooled += ours;
		c->counts.recovered -= l->n_items - ours;
		c->counts.waiting -= l->n_items;
		return;
	}
	rest = c->config.spool ? batch_rest(l, c->run, c->config.bit) : NULL;
	give_up(c, l->n_items, rest ? spool_put_back(c->config.spool, rest) : -ENOMEM);
	c->counts.queue_bytes -= l->bytes;
	parcel_drop(rest);
}

static void give_up_queue(struct courier *c)
{
	struct parcel *p;

	while (c->n) {
		p = courier_pop(c);
		c->counts.queue_bytes -= parcel_size(p);
		give_up(c, parcel_count(p, c->config.bit),
			c->config.spool ? spool_put(c->config.spool, p, c->config.bit) : -EPIPE);
		parcel_drop(p);
	}
}

void courier_stop(struct courier *c, bool now)
{
	courier_lock(c);
	if (!c->stop)
		c->moved = after_ms(0);
	c->stop = true;
	if (now && !c->hurry) {
		c->until = after_ms(GRACE_MS);
		c->hurry = true;
	}
	courier_unlock(c);
}

void courier_wait(struct courier *c, unsigned ms)
{
	const struct timespec until = after_ms(ms);

	courier_lock(c);
	while (!c->finished && !c->hurry)
		if (!(c->config.patience_ms ? await_progress(c, &c->moved, ms) : courier_wait_until(c, &until)))
			break;
	pthread_mutex_unlock(&c->lock);
}

/* Lets it go, when its thread does not end in time. */
static void courier_part(struct courier *c)
{
	pthread_t thread = c->thread;
	bool closed;

	courier_lock(c);
	while (!c->closed && courier_wait_until(c, &c->until))
		;
	closed = c->closed;
	c->orphaned = !closed;
	pthread_mutex_unlock(&c->lock);
	if (closed) {
		pthread_join(thread, NULL);
		courier_free(c);
	} else {
		pthread_detach(thread);
	}
}

void courier_close(struct courier *c, unsigned deadline_ms, struct courier_counts *ret)
{
	if (!c)
		return;
	courier_stop(c, false);
	courier_wait(c, deadline_ms);
	courier_stop(c, true);
	courier_lock(c);
	while (!c->finished && courier_wait_until(c, &c->until))
		;
	c->abandoned = !c->finished;
	courier_unlock(c);
	if (c->config.spool)
		pthread_join(c->spooler, NULL);
	courier_lock(c);
	if (c->loaded)
		give_up_batch(c);
	give_up_queue(c);
	if (ret)
		*ret = counts_of(c);
	if (c->loaded) { /* or the thread is at the spool just now */
		spool_close(c->config.spool);
		c->config.spool = NULL;
	}
	courier_unlock(c);
	courier_part(c);
}
