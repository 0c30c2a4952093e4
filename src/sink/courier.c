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
#define SOON_MS  1000u   /* what is over by then needs no words */
#define TRY_MS   120000u /* one try may take that long before it is given up to wait for it */

void courier_clean(char *line)
{
	for (char *p = line; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

void courier_tell(const struct courier *c, const char *format, ...)
{
	char line[COURIER_NAME_MAX + 512];
	size_t n = (size_t)snprintf(line, sizeof(line), "%.*s: ", COURIER_NAME_MAX, c->name);
	va_list args;

	va_start(args, format);
	vsnprintf(line + n, sizeof(line) - n, format, args);
	va_end(args);
	courier_clean(line);
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

bool is_past(const struct timespec *t)
{
	struct timespec now = after_ms(0);

	return !is_before(&now, t);
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
	struct timespec until = later(is_before(since, &c->moved) ? c->moved : *since, c->trying ? TRY_MS : ms);

	if (is_past(&until))
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
		*(c->jam < 0 ? &c->counts.dropped_spool : &c->counts.dropped_full) += records;
		c->dropped_jam += c->jam < 0 ? records : 0;
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

/* --- begin and end --- */

static void courier_free(struct courier *c)
{
	spool_close(c->config.spool);
	batch_release(&c->batch);
	while (c->n)
		parcel_drop(courier_pop(c));
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c->queue);
	free(c);
}

void courier_leave(struct courier *c)
{
	bool last;

	courier_lock(c);
	last = --c->holders == 0;
	courier_unlock(c);
	if (last)
		courier_free(c);
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
	c->holders = config->spool ? 3 : 2;
	c->stowed = !config->spool;
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

void courier_stop(struct courier *c, bool now)
{
	courier_lock(c);
	if (!c->stop)
		c->moved = after_ms(0);
	c->stop = true;
	if (now && !c->hurry) {
		c->until = after_ms(GRACE_MS);
		c->disk_until = after_ms(DISK_MS);
		c->hurry = true;
	}
	courier_unlock(c);
}

/* With the lock, which is not held meanwhile: what is waited for, and how long, when that is not over soon. */
static void tell_wait(struct courier *c, unsigned ms)
{
	const struct timespec soon = after_ms(SOON_MS);
	unsigned long long n;

	while (!c->finished && !c->hurry && courier_wait_until(c, &soon))
		;
	n = c->finished || c->hurry ? 0 : c->counts.waiting + c->counts.spooled;
	pthread_mutex_unlock(&c->lock);
	if (n)
		courier_tell(c, "waiting up to %u s for %llu records to be taken%s", (ms + 999) / 1000, n,
			     c->config.patience_ms ? ", longer while some are" : "");
	courier_lock(c);
}

void courier_wait(struct courier *c, unsigned ms)
{
	const struct timespec until = after_ms(ms);

	courier_lock(c);
	if (ms > SOON_MS && !c->config.quiet)
		tell_wait(c, ms);
	while (!c->finished && !c->hurry)
		if (!(c->config.patience_ms ? await_progress(c, &c->moved, ms) : courier_wait_until(c, &until)))
			break;
	pthread_mutex_unlock(&c->lock);
}

/*
 * What waits has its fate. A batch that came from the spool is still there, and the next run delivers it, but for what somebody
 * removed. Under the lock.
 */
static void give_up(struct courier *c)
{
	const struct batch *l = &c->batch;

	if (c->loaded && l->spooled) {
		size_t ours = batch_count(l, c->run);

		c->counts.spooled += ours;
		c->counts.recovered -= l->n_items - ours;
		c->counts.waiting -= l->n_items;
	}
	c->missing = c->missing < c->counts.spooled ? c->missing : c->counts.spooled;
	c->counts.spooled -= c->missing;
	c->counts.recovered += c->missing_before;
	c->counts.dropped_spool += c->missing + c->missing_before;
	c->counts.dropped_exit += c->counts.waiting;
	c->counts.waiting = c->counts.queue_bytes = 0;
	c->left = true;
}

/* The thread that delivers has `until`, and the spooler as long as the disk takes something. Under the lock. */
static void await_threads(struct courier *c)
{
	struct timespec until;

	while (!c->finished && courier_wait_until(c, &c->until))
		;
	c->abandoned = !c->finished;
	pthread_cond_broadcast(&c->changed);
	do
		until = c->disk_until;
	while (!c->stowed && (courier_wait_until(c, &until) || is_before(&until, &c->disk_until)));
}

/* A thread that hangs is left alone with what it has. */
static void part(pthread_t thread, bool ended)
{
	if (ended)
		pthread_join(thread, NULL);
	else
		pthread_detach(thread);
}

void courier_end(struct courier *c, unsigned deadline_ms)
{
	if (c->left)
		return;
	courier_stop(c, false);
	courier_wait(c, deadline_ms);
	courier_stop(c, true);
	courier_lock(c);
	await_threads(c);
	give_up(c);
	while (!c->closed && courier_wait_until(c, &c->until))
		;
	courier_unlock(c);
}

void courier_close(struct courier *c, unsigned deadline_ms, struct courier_counts *ret)
{
	bool closed, stowed;

	if (!c)
		return;
	courier_end(c, deadline_ms);
	courier_lock(c);
	if (ret)
		*ret = counts_of(c);
	closed = c->closed;
	stowed = c->stowed;
	courier_unlock(c);
	part(c->thread, closed);
	if (c->config.spool)
		part(c->spooler, stowed);
	courier_leave(c);
}
