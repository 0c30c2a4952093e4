/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "sink/internal.h"

#define PAUSE_MS 1000u /* when the spool takes nothing, until it is tried again */

/* That it takes nothing begins and ends; when it comes and goes, not each time. */
static void tell_jam(struct courier *c, int r)
{
	if (!news_turn(&c->jammed, r < 0))
		return;
	if (r < 0)
		courier_tell(c, "the spool takes no more: %s", r == -ENOSPC ? "it is full" : strerror(-r));
	else
		courier_tell(c, "the spool takes records again");
}

/* Takes the first out of the queue, and counts it there. */
static void take_first(struct courier *c, uint64_t *count)
{
	struct parcel *p = courier_pop(c);
	size_t records = parcel_count(p, c->config.bit);

	*count += records;
	c->counts.waiting -= records;
	c->counts.queue_bytes -= parcel_size(p);
	parcel_drop(p);
}

/* With the lock, which is not held meanwhile: puts the first of the queue on disk. It stays where it is when that fails. */
static int put_first(struct courier *c)
{
	struct parcel *p = c->queue[c->at];
	int r;

	c->spooling = true;
	pthread_mutex_unlock(&c->lock);
	r = spool_put(c->config.spool, p, c->config.bit);
	tell_jam(c, r);
	courier_lock(c);
	c->spooling = false;
	c->jam = r;
	c->jam_until = after_ms(PAUSE_MS);
	c->disk_until = after_ms(DISK_MS);
	if (r == 0 && !c->left)
		take_first(c, &c->counts.spooled);
	pthread_cond_broadcast(&c->changed);
	return r;
}

/* What the carrier did not deliver comes before all else. With the lock, as above. */
static void put_back_batch(struct courier *c)
{
	struct batch *l = &c->batch;
	size_t n = l->n_items;
	struct parcel *rest = batch_rest(l, c->run, c->config.bit);
	int r;

	pthread_mutex_unlock(&c->lock);
	r = rest ? spool_put_back(c->config.spool, rest) : -ENOMEM;
	parcel_drop(rest);
	courier_lock(c);
	if (c->left)
		return;
	*(r < 0 ? &c->counts.dropped_spool : &c->counts.spooled) += n;
	c->counts.waiting -= n;
	c->counts.queue_bytes -= l->bytes;
}

/*
 * With the lock, as above: what somebody removed is not left there, nor is what is open of a batch that came from there; but there
 * is room for what comes now.
 */
static void look_for_missing(struct courier *c)
{
	const struct batch *l = &c->batch;
	size_t n_parcels = c->loaded && l->spooled && l->n_items ? l->n_parcels : 0;
	uint64_t missing, before = 0, run = c->run;

	pthread_mutex_unlock(&c->lock);
	missing = spool_missing(c->config.spool);
	for (size_t i = 0; i < n_parcels; i++)
		if (spool_lacks(c->config.spool, l->parcels[i]->segment))
			*(l->parcels[i]->run == run ? &missing : &before) += batch_count_in(l, l->parcels[i]);
	courier_lock(c);
	c->disk_until = after_ms(DISK_MS);
	c->missing = missing;
	c->missing_before = before;
}

/* At the end: all that waits. */
static void stow(struct courier *c)
{
	look_for_missing(c);
	if (c->loaded && !c->batch.spooled && c->batch.n_items)
		put_back_batch(c);
	while (c->n && !c->left)
		if (put_first(c) < 0 && !c->left)
			take_first(c, &c->counts.dropped_spool);
	c->stowed = true;
}

/* What is on disk is older, so all goes there while there is any; else when the queue is half full. */
static bool is_to_spool(const struct courier *c)
{
	return c->n && (c->counts.queue_bytes > c->config.queue / 2 || !spool_is_empty(c->config.spool));
}

void *spooler_run(void *courier)
{
	struct courier *c = courier;

	courier_lock(c);
	while (!c->finished && !c->abandoned) {
		if (!is_to_spool(c))
			pthread_cond_wait(&c->changed, &c->lock);
		else if (c->jam < 0 && !is_past(&c->jam_until))
			courier_wait_until(c, &c->jam_until);
		else
			put_first(c);
	}
	stow(c);
	courier_unlock(c);
	courier_leave(c);
	return NULL;
}
