/* SPDX-License-Identifier: MIT */
#include "output/tap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "output/hold.h"

struct tap {
	struct pcapwrite *file;
	struct hold *hold; /* NULL: everything is wanted */
	struct tap_counts counts;
	uint64_t refused;  /* packets of flows that there was no room to know */
	const char *error; /* static; NULL: see the file's */
};

struct tap *tap_open(const struct pcapwrite_config *config, size_t hold, char *error, size_t n)
{
	struct tap *t = calloc(1, sizeof *t);

	snprintf(error, n, "out of memory");
	if (!t)
		return NULL;
	if (hold)
		t->hold = hold_new(hold);
	if (!hold || t->hold)
		t->file = pcapwrite_open(config, error, n);
	if (t->file)
		return t;
	tap_close(t);
	return NULL;
}

static void tap_count(struct tap *t)
{
	if (!t->hold)
		return;
	t->counts.held = hold_count(t->hold);
	t->counts.let_go = hold_let_go(t->hold) + t->refused;
}

/* Who waits for a file to work again need not know. */
static int unless_suspended(int err)
{
	return err == -EAGAIN ? 0 : err;
}

static int tap_write(struct tap *t, const struct brought *brought, const struct packet *pkt)
{
	return unless_suspended(pcapwrite_packet(t->file, brought, pkt));
}

/* Keeps the packet, with an interface that lives as long as the file. */
static int tap_keep(struct tap *t, struct hold_flow *f, const struct brought *brought, const struct packet *pkt)
{
	struct packet kept = *pkt;

	kept.iface = pcapwrite_iface(t->file, pkt);
	if (!kept.iface) {
		t->error = "out of memory";
		return -ENOMEM;
	}
	hold_put(t->hold, f, &kept, brought);
	return 0;
}

int tap_packet(struct tap *t, const struct brought *brought, const struct packet *pkt)
{
	struct hold_flow *f;
	int err = 0;

	if (!t->hold)
		return tap_write(t, brought, pkt);
	if (!brought->flow_id)
		return 0;
	f = hold_add(t->hold, brought->flow_id);
	if (f && hold_is_decided(f))
		return tap_write(t, brought, pkt);
	if (f)
		err = tap_keep(t, f, brought, pkt);
	else
		t->refused++;
	tap_count(t);
	return err;
}

int tap_match(struct tap *t, uint64_t flow_id)
{
	struct hold_flow *f = t->hold && flow_id ? hold_add(t->hold, flow_id) : NULL;
	struct brought brought;
	struct packet pkt;
	int err = 0, r;

	if (t->hold && flow_id && !f) {
		t->error = "too little memory for the flows that are wanted; give more with --memory";
		return -ENOMEM;
	}
	if (f)
		hold_decide(f);
	while (f && hold_take(t->hold, f, &pkt, &brought)) {
		r = tap_write(t, &brought, &pkt);
		err = err ? err : r;
	}
	tap_count(t);
	return err != -ECANCELED && !*tap_error(t) ? 0 : err; /* it may work again */
}

void tap_forget(struct tap *t, uint64_t flow_id)
{
	struct hold_flow *f = t->hold ? hold_find(t->hold, flow_id) : NULL;

	if (f)
		t->counts.forgotten += hold_forget(t->hold, f);
	tap_count(t);
}

void tap_loss(struct tap *t, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname)
{
	pcapwrite_loss(t->file, ts_ns, loss, ifindex, ifname);
}

void tap_link(struct tap *t, uint16_t link)
{
	pcapwrite_link(t->file, link);
}

int tap_turn(struct tap *t, uint64_t ts_ns)
{
	return unless_suspended(pcapwrite_turn(t->file, ts_ns));
}

int tap_exchange(struct tap *t, const struct record *exchange)
{
	return pcapwrite_name(t->file, exchange);
}

bool tap_tells(const struct tap *t)
{
	return pcapwrite_is_ng(t->file);
}

int tap_reopen(struct tap *t)
{
	return pcapwrite_reopen(t->file);
}

bool tap_suspend(struct tap *t)
{
	return !t->error && pcapwrite_suspend(t->file);
}

bool tap_is_suspended(const struct tap *t)
{
	return pcapwrite_is_suspended(t->file);
}

bool tap_can_reopen(const struct tap *t)
{
	return pcapwrite_can_reopen(t->file);
}

const struct tap_counts *tap_counts(struct tap *t)
{
	t->counts.written = pcapwrite_written(t->file);
	t->counts.unwritten = pcapwrite_missed(t->file);
	t->counts.failed = *tap_error(t);
	return &t->counts;
}

const char *tap_error(const struct tap *t)
{
	return t->error ? t->error : pcapwrite_error(t->file);
}

int tap_flush(struct tap *t)
{
	return unless_suspended(pcapwrite_flush(t->file));
}

void tap_end(struct tap *t)
{
	pcapwrite_end(t->file);
}

int tap_close(struct tap *t)
{
	int err;

	if (!t)
		return 0;
	err = pcapwrite_close(t->file);
	hold_free(t->hold);
	free(t);
	return err;
}
