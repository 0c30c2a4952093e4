/* SPDX-License-Identifier: MIT */
#include "sink/courier.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOAD_PARCELS 64
#define LOAD_BYTES   ((size_t)4 << 20) /* brought at once, but one parcel at least */
#define DELAY_FIRST  100u              /* milliseconds until the second try */
#define DELAY_MOST   30000u
#define DELAY_AT_END 500u              /* at most, when there is not much time left */

/* What is under way: parcels of the queue or of the spool, and their records that are still to be delivered. */
struct load {
	struct parcel *parcels[LOAD_PARCELS];
	size_t n_parcels, bytes;
	struct item *items;
	size_t n_items, size;
	bool spooled;
};

struct courier {
	struct courier_config config;
	struct carrier carrier;
	pthread_t thread, spooler;
	pthread_mutex_t lock;
	pthread_cond_t changed;     /* anything below did */
	struct parcel **queue;      /* a ring of `size` places */
	size_t at, n, size;
	struct courier_counts counts; /* queue_bytes counts the queue, and what the spooler and a load took out of it */
	uint64_t run;               /* of the parcels that were put */
	bool finished, spooling;
	atomic_bool stop, hurry;
	/* The courier's thread alone: */
	struct load load;
	bool down;
	unsigned seed;
};

__attribute__((format(printf, 2, 3))) static void tell(const struct courier *c, const char *format, ...)
{
	char line[512];
	size_t n = (size_t)snprintf(line, sizeof(line), "%s: ", c->config.name);
	va_list args;

	if (n >= sizeof(line))
		n = sizeof(line) - 1;
	va_start(args, format);
	vsnprintf(line + n, sizeof(line) - n, format, args);
	va_end(args);
	c->config.say(line);
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

static struct parcel *queue_pop(struct courier *c)
{
	struct parcel *p = c->queue[c->at];

	c->at = (c->at + 1) & (c->size - 1);
	c->n--;
	return p;
}

void courier_put(struct courier *c, struct parcel *p)
{
	size_t records = parcel_count(p, c->config.bit), bytes = parcel_size(p);

	if (!records)
		return;
	pthread_mutex_lock(&c->lock);
	c->run = p->run;
	c->counts.accepted += records;
	if (c->counts.queue_bytes + bytes <= c->config.queue && queue_push(c, p)) {
		parcel_keep(p);
		c->counts.queue_bytes += bytes;
		c->counts.waiting += records;
		pthread_cond_broadcast(&c->changed);
	} else {
		c->counts.dropped_full += records;
	}
	pthread_mutex_unlock(&c->lock);
}

void courier_miss(struct courier *c, size_t n)
{
	pthread_mutex_lock(&c->lock);
	c->counts.accepted += n;
	c->counts.dropped_full += n;
	pthread_mutex_unlock(&c->lock);
}

/* --- the spooler: moves what waits to the disk --- */

/* Puts the records of a parcel on disk, and drops it. Called without the lock. */
static void spool_parcel(struct courier *c, struct parcel *p)
{
	size_t records = parcel_count(p, c->config.bit), bytes = parcel_size(p);
	int r = spool_put(c->config.spool, p, c->config.bit);

	pthread_mutex_lock(&c->lock);
	if (r < 0 && !c->counts.dropped_spool)
		tell(c, "the spool takes no more: %s", r == -ENOSPC ? "it is full" : strerror(-r));
	*(r < 0 ? &c->counts.dropped_spool : &c->counts.spooled) += records;
	c->counts.waiting -= records;
	c->counts.queue_bytes -= bytes;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	parcel_drop(p);
}

/* What is on disk is older, so all goes there while there is any; else when the queue is half full. */
static bool is_to_spool(struct courier *c)
{
	return c->n && (c->counts.queue_bytes > c->config.queue / 2 || !spool_is_empty(c->config.spool));
}

static void *spooler_run(void *arg)
{
	struct courier *c = arg;
	struct parcel *p;

	pthread_mutex_lock(&c->lock);
	while (!c->finished) {
		if (!is_to_spool(c)) {
			c->spooling = false;
			pthread_cond_broadcast(&c->changed);
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		c->spooling = true;
		p = queue_pop(c);
		pthread_mutex_unlock(&c->lock);
		spool_parcel(c, p);
		pthread_mutex_lock(&c->lock);
	}
	c->spooling = false;
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* --- loads --- */

static bool load_add(struct load *l, struct parcel *p, uint64_t bit)
{
	struct item *more;

	if (l->n_items + p->n_marks > l->size) {
		more = reallocarray(l->items, l->n_items + p->n_marks, sizeof(*more));
		if (!more)
			return false;
		l->items = more;
		l->size = l->n_items + p->n_marks;
	}
	l->parcels[l->n_parcels++] = p;
	l->bytes += parcel_size(p);
	for (size_t i = 0; i < p->n_marks; i++) {
		const struct mark *m = &p->marks[i];

		if (m->sinks & bit)
			l->items[l->n_items++] = (struct item){p->bytes + m->at, m->n, m->flow_id, m->ts_ns, p->run, m->number, FATE_OPEN};
	}
	return true;
}

static bool load_has_room(const struct load *l)
{
	return l->n_parcels < LOAD_PARCELS && l->bytes < LOAD_BYTES;
}

static void load_from_queue(struct courier *c)
{
	while (c->n && load_has_room(&c->load)) {
		struct parcel *p = queue_pop(c);

		if (load_add(&c->load, p, c->config.bit))
			continue;
		c->counts.dropped_full += parcel_count(p, c->config.bit);
		c->counts.waiting -= parcel_count(p, c->config.bit);
		c->counts.queue_bytes -= parcel_size(p);
		parcel_drop(p);
	}
}

static void load_from_spool(struct courier *c)
{
	struct parcel *p;

	while (load_has_room(&c->load)) {
		int r = spool_take(c->config.spool, c->config.bit, &p);

		if (r < 0)
			tell(c, "cannot read the spool: %s", strerror(-r));
		if (r < 0 || !p)
			return;
		if (p->run == c->run)
			c->counts.spooled -= p->n_marks;
		else
			c->counts.recovered += p->n_marks;
		c->counts.waiting += p->n_marks;
		if (!load_add(&c->load, p, c->config.bit))
			return parcel_drop(p);
	}
}

/* Waits for something to deliver. False when that was all, or the time is up. */
static bool load_take(struct courier *c)
{
	struct load *l = &c->load;

	pthread_mutex_lock(&c->lock);
	while (!l->n_items && !c->hurry) {
		l->spooled = c->config.spool && !spool_is_empty(c->config.spool);
		if (l->spooled)
			load_from_spool(c);
		else if (c->n && !c->spooling)
			load_from_queue(c);
		else if (c->stop && !c->n && !c->spooling)
			break;
		else
			pthread_cond_wait(&c->changed, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return l->n_items;
}

/* Counts what has a fate, and moves what has none to the front. Returns how many had. */
static size_t load_settle(struct courier *c)
{
	struct load *l = &c->load;
	size_t open = 0, settled, refused = 0;

	for (size_t i = 0; i < l->n_items; i++) {
		refused += l->items[i].fate == FATE_REFUSED;
		if (l->items[i].fate == FATE_OPEN)
			l->items[open++] = l->items[i];
	}
	settled = l->n_items - open;
	l->n_items = open;
	pthread_mutex_lock(&c->lock);
	c->counts.refused += refused;
	c->counts.delivered += settled - refused;
	c->counts.waiting -= settled;
	pthread_mutex_unlock(&c->lock);
	return settled;
}

static void load_release(struct courier *c)
{
	struct load *l = &c->load;

	for (size_t i = 0; i < l->n_parcels; i++)
		parcel_drop(l->parcels[i]);
	pthread_mutex_lock(&c->lock);
	if (!l->spooled)
		c->counts.queue_bytes -= l->bytes;
	pthread_mutex_unlock(&c->lock);
	l->n_parcels = l->bytes = l->n_items = 0;
}

/* --- delivery --- */

static struct timespec after_ms(unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

static void wait_ms(struct courier *c, unsigned ms)
{
	struct timespec until = after_ms(ms);

	pthread_mutex_lock(&c->lock);
	while (!c->hurry && pthread_cond_timedwait(&c->changed, &c->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&c->lock);
}

/* The time before try number `tries` + 1: twice as long each time, and nobody knocks at the same moment. */
static unsigned delay_of(struct courier *c, unsigned tries)
{
	unsigned most = c->stop ? DELAY_AT_END : DELAY_MOST;
	unsigned delay = tries < 9 ? DELAY_FIRST << tries : DELAY_MOST;

	delay = delay < most ? delay : most;
	return delay / 2 + (unsigned)rand_r(&c->seed) % (delay / 2 + 1);
}

static void tell_once(struct courier *c, int r, const char *why)
{
	if (r < 0 && !c->down)
		tell(c, "%s; trying again", why);
	else if (r == 0 && c->down)
		tell(c, "delivers again");
	c->down = r < 0;
}

/* True when all of the load has its fate. */
static bool load_deliver(struct courier *c)
{
	char why[256];

	for (unsigned tries = 0;; tries++) {
		int r = c->carrier.carry(c->carrier.self, c->load.items, c->load.n_items, &c->hurry, why, sizeof(why));

		tell_once(c, r, why);
		if (load_settle(c))
			tries = 0;
		if (!c->load.n_items || c->hurry)
			return !c->load.n_items;
		wait_ms(c, delay_of(c, tries));
		if (c->hurry)
			return false;
		pthread_mutex_lock(&c->lock);
		c->counts.retried += c->load.n_items;
		pthread_mutex_unlock(&c->lock);
	}
}

static void *courier_run(void *arg)
{
	struct courier *c = arg;

	while (load_take(c) && load_deliver(c)) {
		if (c->load.spooled)
			spool_done(c->config.spool);
		load_release(c);
	}
	pthread_mutex_lock(&c->lock);
	c->finished = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* --- begin and end --- */

static void courier_free(struct courier *c)
{
	if (c->carrier.close)
		c->carrier.close(c->carrier.self);
	spool_close(c->config.spool);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c->queue);
	free(c->load.items);
	free(c);
}

static bool courier_start(struct courier *c)
{
	if (pthread_create(&c->thread, NULL, courier_run, c))
		return false;
	if (!c->config.spool || pthread_create(&c->spooler, NULL, spooler_run, c) == 0)
		return true;
	c->stop = c->hurry = true;
	pthread_cond_broadcast(&c->changed);
	pthread_join(c->thread, NULL);
	return false;
}

struct courier *courier_new(const struct courier_config *config, const struct carrier *carrier)
{
	struct courier *c = calloc(1, sizeof(*c));
	pthread_condattr_t monotonic;

	if (!c) {
		carrier->close(carrier->self);
		spool_close(config->spool);
		return NULL;
	}
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

void courier_count(struct courier *c, struct courier_counts *ret)
{
	pthread_mutex_lock(&c->lock);
	*ret = c->counts;
	pthread_mutex_unlock(&c->lock);
	ret->spool_bytes = c->config.spool ? spool_bytes(c->config.spool) : 0;
}

/* What is still open of a load that came from memory, as one parcel. NULL when out of memory. */
static struct parcel *load_rest(const struct courier *c)
{
	const struct load *l = &c->load;
	struct parcel *p;
	size_t bytes = 0;

	for (size_t i = 0; i < l->n_items; i++)
		bytes += l->items[i].n;
	p = parcel_new(l->n_items, bytes);
	if (!p)
		return NULL;
	p->run = c->run;
	bytes = 0;
	for (size_t i = 0; i < l->n_items; i++) {
		const struct item *item = &l->items[i];

		p->marks[i] = (struct mark){item->flow_id, item->ts_ns, item->number, c->config.bit, bytes, item->n};
		memcpy(p->bytes + bytes, item->p, item->n);
		bytes += item->n;
	}
	return p;
}

/* `n` records of memory go to the spool, or nowhere. */
static void give_up(struct courier *c, size_t n, int r)
{
	uint64_t *dropped = c->config.spool ? &c->counts.dropped_spool : &c->counts.dropped_exit;

	*(r < 0 ? dropped : &c->counts.spooled) += n;
	c->counts.waiting -= n;
}

/* A load that came from the spool is still there: the next run delivers it. */
static void give_up_load(struct courier *c)
{
	struct load *l = &c->load;
	struct parcel *rest;

	if (l->n_items && l->spooled) {
		for (size_t i = 0; i < l->n_items; i++)
			if (l->items[i].run == c->run)
				c->counts.spooled++;
			else
				c->counts.recovered--;
		c->counts.waiting -= l->n_items;
	} else if (l->n_items) {
		rest = c->config.spool ? load_rest(c) : NULL;
		give_up(c, l->n_items, rest ? spool_put_back(c->config.spool, rest) : -ENOMEM);
		parcel_drop(rest);
	}
	load_release(c);
}

static void give_up_queue(struct courier *c)
{
	struct parcel *p;

	while (c->n) {
		p = queue_pop(c);
		give_up(c, parcel_count(p, c->config.bit),
			c->config.spool ? spool_put(c->config.spool, p, c->config.bit) : -EPIPE);
		parcel_drop(p);
	}
	c->counts.queue_bytes = 0;
}

/* Until the thread has finished, or the time is up. */
static void courier_wait(struct courier *c, unsigned deadline_ms)
{
	struct timespec until = after_ms(deadline_ms);

	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->changed);
	while (!c->finished && pthread_cond_timedwait(&c->changed, &c->lock, &until) != ETIMEDOUT)
		;
	c->hurry = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	if (c->config.spool)
		pthread_join(c->spooler, NULL);
}

void courier_close(struct courier *c, unsigned deadline_ms, struct courier_counts *ret)
{
	if (!c)
		return;
	courier_wait(c, deadline_ms);
	give_up_load(c);
	give_up_queue(c);
	if (ret)
		courier_count(c, ret);
	courier_free(c);
}
