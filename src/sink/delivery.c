/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/internal.h"

#define DELAY_FIRST  100u   /* milliseconds until the second try */
#define DELAY_MOST   30000u
#define DELAY_AT_END 500u   /* at most, when there is not much time left */
#define BATCH_BYTES  ((size_t)4 << 20)

/* --- what to deliver --- */

/* So many bytes are brought at once, but one parcel at least. What is left of a small queue goes to the spool meanwhile. */
static size_t batch_most(const struct courier *c)
{
	return c->config.queue / 4 < BATCH_BYTES ? c->config.queue / 4 : BATCH_BYTES;
}

/* Under the lock. */
static void batch_from_queue(struct courier *c)
{
	while (c->n && batch_has_room(&c->batch, batch_most(c))) {
		struct parcel *p = courier_pop(c);

		if (batch_add(&c->batch, p, c->config.bit))
			continue;
		c->counts.dropped_full += parcel_count(p, c->config.bit);
		c->counts.waiting -= parcel_count(p, c->config.bit);
		c->counts.queue_bytes -= parcel_size(p);
		parcel_drop(p);
	}
	c->batch.spooled = false;
	c->loaded = c->batch.n_items > 0;
}

/*
 * What could not be read, as far as it is known which records it was. What was put into the spool and is not in it any more was
 * not readable either. Under the lock.
 */
static void count_lost(struct courier *c)
{
	uint64_t lost = spool_lost(c->config.spool, false), before = spool_lost(c->config.spool, true);
	uint64_t ours = lost - c->lost < c->counts.spooled ? lost - c->lost : c->counts.spooled;

	if (!c->spooling && spool_is_empty(c->config.spool))
		ours = c->counts.spooled;
	c->counts.spooled -= ours;
	c->counts.recovered += before - c->lost_before;
	c->counts.dropped_spool += ours + before - c->lost_before;
	c->lost = lost;
	c->lost_before = before;
}

/* The batch is there: its records wait now. Not for who comes back when the last counts are given: they are still there. */
static void count_spooled(struct courier *c)
{
	struct batch *l = &c->batch;
	size_t ours;

	courier_lock(c);
	ours = batch_count(l, c->run);
	while (c->counts.spooled < ours + spool_lost(c->config.spool, false) - c->lost && c->spooling)
		pthread_cond_wait(&c->changed, &c->lock);
	if (c->abandoned) {
		courier_unlock(c);
		return;
	}
	c->counts.spooled -= ours;
	c->counts.recovered += l->n_items - ours;
	c->counts.waiting += l->n_items;
	c->loaded = l->n_items > 0;
	l->spooled = c->loaded;
	count_lost(c);
	courier_unlock(c);
}

static void tell_unreadable(struct courier *c)
{
	uint64_t bytes = spool_unreadable(c->config.spool), lost = spool_lost(c->config.spool, false) - c->lost;

	if (bytes > c->unreadable)
		courier_tell(c, "%llu bytes of the spool could not be read: they are left out",
			     (unsigned long long)(bytes - c->unreadable));
	else if (lost)
		courier_tell(c, "somebody removed files of the spool: %llu records are dropped", (unsigned long long)lost);
	c->unreadable = bytes;
}

/* Without the lock. 0, or a negative errno: then it may be better later. */
static int batch_from_spool(struct courier *c)
{
	struct parcel *p = NULL;
	int r = 0;

	while (batch_has_room(&c->batch, batch_most(c))) {
		r = spool_take(c->config.spool, c->config.bit, &p);
		if (r < 0 || !p)
			break;
		if (batch_add(&c->batch, p, c->config.bit))
			continue;
		parcel_drop(p);
		spool_untake(c->config.spool);
		r = -ENOMEM;
		break;
	}
	tell_unreadable(c);
	if (!c->batch.n_items && r == 0) {
		batch_clear(&c->batch);
		spool_done(c->config.spool); /* what could not be read is not looked at again */
	}
	count_spooled(c);
	return c->batch.n_items ? 0 : r;
}

/* Waits so long; less when the end begins, or the time is up. */
static void wait_ms(struct courier *c, unsigned ms)
{
	struct timespec until = after_ms(ms);
	bool stop;

	courier_lock(c);
	stop = c->stop;
	while (!c->hurry && c->stop == stop && courier_wait_until(c, &until))
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

/* Fills the batch, sooner or later, if the spool has anything. */
static void read_spool(struct courier *c)
{
	int r = batch_from_spool(c);

	for (unsigned tries = 0; r < 0 && !c->hurry; tries++) {
		if (!tries)
			courier_tell(c, "cannot read the spool: %s; trying again", strerror(-r));
		wait_ms(c, delay_of(c, tries));
		r = batch_from_spool(c);
	}
}

/* Waits for something to deliver. False when that was all, or the time is up. */
static bool batch_take(struct courier *c)
{
	courier_lock(c);
	while (!c->loaded && !c->hurry) {
		if (c->config.spool && !spool_is_empty(c->config.spool)) {
			pthread_mutex_unlock(&c->lock);
			read_spool(c);
			courier_lock(c);
		} else if (c->n && !c->spooling) {
			batch_from_queue(c);
		} else if (c->stop && !c->n && !c->spooling) {
			break;
		} else {
			pthread_cond_wait(&c->changed, &c->lock);
		}
	}
	courier_unlock(c);
	return c->loaded;
}

/* --- delivery --- */

static void tell_drops(struct courier *c)
{
	uint64_t dropped;
	bool more, over;

	courier_lock(c);
	dropped = c->counts.dropped_full + c->dropped_jam;
	over = c->counts.queue_bytes <= c->config.queue / 2;
	pthread_mutex_unlock(&c->lock);
	more = dropped > c->dropped;
	c->dropped = dropped;
	if ((!more && !over) || !news_turn(&c->dropping, more))
		return;
	if (more)
		courier_tell(c, "the queue is full: records are dropped");
	else
		courier_tell(c, "no more records are dropped; %llu were", (unsigned long long)dropped);
}

/* That it begins and ends to fail; of a place that comes and goes, not each time. */
static void tell_state(struct courier *c, bool down, const char *why)
{
	if (down && news_turn(&c->outage, true))
		courier_tell(c, "%s; trying again", why);
	if (!down && news_end(&c->outage))
		courier_tell(c, "delivers again");
}

static void tell_once(struct courier *c, int r, bool refused, const char *why)
{
	if (refused && !c->refusing)
		courier_tell(c, "%s; what is refused is left out, and counted", why);
	c->refusing |= refused;
	if (!c->hurry) /* or it was given up */
		tell_state(c, r < 0, why);
	tell_drops(c);
}

/* Counts what has a fate now, and whether any was refused. Returns how many have one; -1: nobody wants to know any more. */
static ssize_t count_fates(struct courier *c, bool *refused)
{
	size_t delivered, refusals;

	courier_lock(c);
	c->trying = false;
	if (c->abandoned) {
		courier_unlock(c);
		return -1;
	}
	batch_settle(&c->batch, &delivered, &refusals);
	c->counts.refused += refusals;
	c->counts.delivered += delivered;
	c->counts.waiting -= delivered + refusals;
	if (delivered + refusals) {
		c->impatient = false;
		c->moved = after_ms(0);
	}
	courier_unlock(c);
	*refused = refusals > 0;
	return (ssize_t)(delivered + refusals);
}

static void batch_done(struct courier *c)
{
	if (c->batch.spooled)
		spool_done(c->config.spool);
	courier_lock(c);
	if (c->batch.spooled)
		c->jam = 0; /* there may be room */
	else if (!c->left)
		c->counts.queue_bytes -= c->batch.bytes;
	c->loaded = false;
	courier_unlock(c);
	batch_clear(&c->batch);
}

static void begin_try(struct courier *c, size_t again)
{
	courier_lock(c);
	c->trying = true;
	c->counts.retried += again;
	pthread_mutex_unlock(&c->lock);
}

/* True when all of the batch has its fate. */
static bool batch_deliver(struct courier *c)
{
	char why[256];
	bool refused, at_it;

	begin_try(c, 0);
	for (unsigned tries = 0;; tries++) {
		int r;
		ssize_t settled;

		*why = 0;
		r = c->carrier.carry(c->carrier.self, c->batch.items, c->batch.n_items, &c->hurry, why, sizeof(why));
		settled = count_fates(c, &refused);
		if (settled < 0)
			return false;
		at_it = r == -EINPROGRESS;
		tell_once(c, at_it && settled ? 0 : r, refused, why);
		if (settled || at_it)
			tries = 0;
		if (!c->batch.n_items || c->hurry)
			return !c->batch.n_items;
		wait_ms(c, delay_of(c, tries));
		if (c->hurry)
			return false;
		begin_try(c, at_it ? 0 : c->batch.n_items);
	}
}

void *courier_run(void *courier)
{
	struct courier *c = courier;

	while (batch_take(c) && batch_deliver(c))
		batch_done(c);
	courier_lock(c);
	c->finished = true;
	courier_unlock(c);
	c->carrier.close(c->carrier.self);
	courier_lock(c);
	c->closed = true;
	courier_unlock(c);
	courier_leave(c);
	return NULL;
}
