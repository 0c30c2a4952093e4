/* SPDX-License-Identifier: MIT */
#include "output/pcapwrite.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/slice.h"
#include "output/hostnames.h"
#include "output/lapse.h"
#include "output/pcaprecord.h"
#include "output/places.h"
#include "packet/linktype.h"

struct pcapwrite {
	struct pcapwrite_config config;
	struct rotation rotation;
	struct spill spill; /* its buf is NULL when no file is open */
	struct places places;
	struct hostnames *names; /* of pcapng */
	uint32_t named;      /* so many of them are in the file at hand, or need not be */
	bool ng;
	bool lent;           /* somebody has interfaces of places, which stay */
	struct lapse lapse;  /* of the files: each packet that is not in one is counted there */
	uint64_t put;        /* packets, some of which may wait in the spill, ... */
	uint64_t lost;       /* ... or did so in vain */
	int err;             /* why there is no file any more, a negative errno */
	int32_t link;        /* of pcap files; -1: not known yet */
	bool headed;         /* the pcap file at hand has its header */
	bool misfit;         /* a packet did not fit into it, ... */
	bool misfit_told;    /* ... and people know */
	char path[PATH_MAX]; /* of the file at hand */
	char error[256];     /* of what is not of the file */
};

/* --- pcapng --------------------------------------------------------------------------------------------------------- */

static int out_of_memory(struct pcapwrite *w)
{
	snprintf(w->error, sizeof w->error, "out of memory for one more interface in %s", w->spill.name);
	return -ENOMEM;
}

static int write_pcapng(struct pcapwrite *w, const struct brought *brought, const struct packet *pkt)
{
	struct place *p = places_find(&w->places, pkt->iface, pkt->link);
	int err = p ? 0 : out_of_memory(w);

	err = err ?: places_tell_lost(&w->places, p, &w->spill) ?: places_describe(&w->places, p, &w->spill);
	err = err ?: ngblock_packet(&w->spill, (uint32_t)p->id, pkt, brought);
	if (err)
		return err;
	spill_stake(&w->spill, &p->untold[LOST_BY_FILE], 1, 0);
	if (!p->seen.packets++ || pkt->ts_ns < p->seen.first_ns)
		p->seen.first_ns = pkt->ts_ns;
	if (pkt->ts_ns > p->seen.last_ns)
		p->seen.last_ns = pkt->ts_ns;
	return 0;
}

static int write_name(struct pcapwrite *w, const struct hostname *e)
{
	return ngblock_name(&w->spill, e->version, e->addr, e->name);
}

/* Wireshark shows the name that it read last: that is to be the address's first one. */
static int write_new_name(struct pcapwrite *w, const struct hostname *e)
{
	const struct hostname *first = &w->names->entry[e->first];

	return write_name(w, e) ?: e == first ? 0 : write_name(w, first);
}

/* Those that became known since names were written. */
static int write_new_names(struct pcapwrite *w)
{
	int err = 0;

	while (w->ng && w->named < w->names->n && !err) {
		err = write_new_name(w, &w->names->entry[w->named]);
		w->named += !err;
	}
	return err;
}

/* So many names go ahead of the packets, the first ones: a quarter of a file that has a limit is enough. */
static uint32_t names_ahead(const struct pcapwrite *w)
{
	uint64_t room = w->rotation.size ? w->rotation.size / 4 : UINT64_MAX;
	uint32_t i = 0;

	for (; i < w->names->n; i++) {
		size_t n = ngblock_name_size(w->names->entry[i].version, w->names->entry[i].name);

		if (n > room)
			break;
		room -= n;
	}
	return i;
}

static int begin_pcapng(struct pcapwrite *w)
{
	int err = ngblock_section(&w->spill);

	for (uint32_t i = names_ahead(w); i > 0 && !err; i--)
		err = write_name(w, &w->names->entry[i - 1]);
	w->named = err ? 0 : w->names->n;
	return err;
}

/* --- pcap ----------------------------------------------------------------------------------------------------------- */

static int write_header(struct pcapwrite *w, uint16_t link)
{
	int err = pcaprecord_header(&w->spill, link);

	w->headed = !err;
	w->link = err ? w->link : link;
	return err;
}

static bool fits(const struct pcapwrite *w, const struct packet *pkt)
{
	return w->link >= 0 && pcaprecord_fits(pkt, (uint16_t)w->link);
}

void pcapwrite_link(struct pcapwrite *w, uint16_t link)
{
	w->link = w->link < 0 ? link : w->link;
}

static int write_pcap(struct pcapwrite *w, const struct packet *pkt)
{
	int err = w->headed ? 0 : write_header(w, fits(w, pkt) ? (uint16_t)w->link : pkt->link);

	if (!err && !fits(w, pkt)) {
		w->misfit = true;
		snprintf(w->error, sizeof w->error,
			 "a packet of link type %u does not fit into %s, whose link type is %d; name a file that ends in .pcapng",
			 pkt->link, w->spill.name, w->link);
		return -EINVAL;
	}
	return err ?: pcaprecord_packet(&w->spill, (uint16_t)w->link, pkt);
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

static bool is_stdout(const struct pcapwrite *w)
{
	return strcmp(w->config.path, "-") == 0;
}

/* Makes the name of the file that it is the turn of. */
static int make_name(struct pcapwrite *w)
{
	if (!rotation_name(&w->rotation, w->config.path, w->path, sizeof w->path)) {
		snprintf(w->error, sizeof w->error, "'%.100s' makes no name of a file", w->config.path);
		return -ENAMETOOLONG;
	}
	return w->config.may && !w->config.may(w->config.ctx, w->path, w->error, sizeof w->error) ? -EEXIST : 0;
}

/* Opens it. */
static int open_file(struct pcapwrite *w)
{
	int err;

	w->headed = false;
	w->spill.error[0] = '\0';
	w->lapse.retry_ms = 0;
	places_begin(&w->places, !w->lent);
	w->err = make_name(w);
	err = w->err ? w->err : spill_open(&w->spill, w->path);
	return err ? err : w->ng ? begin_pcapng(w) : 0;
}

/* What is left to be said, at the end: the statistics of all interfaces, or the header of a pcap file without packets. */
static void write_end(struct pcapwrite *w)
{
	if (!w->ng && !w->headed)
		write_header(w, w->link < 0 ? LINKTYPE_ETHERNET : (uint16_t)w->link);
	write_new_names(w);
	for (size_t i = 0; i < PLACE_BUCKETS; i++)
		for (struct place *p = w->places.bucket[i]; p; p = p->next)
			if (places_tell_lost(&w->places, p, &w->spill) == 0 && p->id >= 0)
				ngblock_statistics(&w->spill, (uint32_t)p->id, &p->seen);
}

static int close_file(struct pcapwrite *w)
{
	int err;

	if (!w->spill.buf)
		return spill_close(&w->spill);
	if (w->lapse.on)
		spill_retry(&w->spill);
	write_end(w);
	err = spill_close(&w->spill);
	w->lost += spill_packets(&w->spill);
	w->lapse.missed += spill_packets(&w->spill);
	spill_give_up(&w->spill);
	if (!is_stdout(w))
		spill_remove_empty(&w->spill, w->path);
	return err;
}

/* One that cannot be completed is not waited for. */
static int turn(struct pcapwrite *w, enum rotation_turn how)
{
	int err = how == ROTATION_STAY ? 0 : close_file(w);

	if (how == ROTATION_STAY)
		return 0;
	if (how == ROTATION_OVER)
		w->err = -ECANCELED;
	if (err && !w->lapse.on)
		return err;
	return w->err ? w->err : open_file(w);
}

/* Can packets be written? If that failed, it is tried again when it is time to. 0 or a negative errno: -EAGAIN is not yet. */
static int ready(struct pcapwrite *w)
{
	uint64_t before;
	int err;

	if (w->err || !w->lapse.on)
		return w->err ? w->err : w->spill.err;
	if (lapse_waits(&w->lapse))
		return -EAGAIN;
	err = w->spill.buf ? 0 : open_file(w);
	before = w->spill.written;
	err = err ? err : spill_retry(&w->spill);
	if (err || w->spill.written == before) /* there may be nothing yet that could fail */
		return err;
	lapse_end(&w->lapse);
	return write_new_names(w);
}

int pcapwrite_turn(struct pcapwrite *w, uint64_t ts_ns)
{
	bool begins = w->rotation.seconds && !w->rotation.begun;
	enum rotation_turn how;

	if (w->err)
		return w->err;
	how = rotation_time(&w->rotation, ts_ns);
	return (begins ? open_file(w) : turn(w, how)) ?: ready(w);
}

/* --- both ----------------------------------------------------------------------------------------------------------- */

const char *pcapwrite_error(const struct pcapwrite *w)
{
	return w->spill.error[0] ? w->spill.error : w->error;
}

bool pcapwrite_is_ng(const struct pcapwrite *w)
{
	return w->ng;
}

struct pcapwrite *pcapwrite_open(const struct pcapwrite_config *config, char *error, size_t n)
{
	const struct slice path = slice_str(config->path);
	struct pcapwrite *w = calloc(1, sizeof *w);

	if (w) {
		w->config = *config;
		w->config.path = strdup(config->path);
		w->rotation = config->rotation;
		w->spill.fd = -1;
		w->link = -1;
		w->lapse = (struct lapse){.name = w->config.path, .what = "packets", .say = config->say};
		w->ng = slice_eq(path, SLICE("-")) || slice_ends(path, SLICE(".pcapng")) || slice_ends(path, SLICE(".ntar"));
		w->names = w->ng ? calloc(1, sizeof *w->names) : NULL;
	}
	if (!w || !w->config.path || (w->ng && !w->names)) {
		snprintf(error, n, "out of memory");
		pcapwrite_close(w);
		return NULL;
	}
	if ((w->rotation.seconds && !w->rotation.begun) || open_file(w) == 0)
		return w;
	snprintf(error, n, "%s", pcapwrite_error(w));
	pcapwrite_close(w);
	return NULL;
}

const struct iface *pcapwrite_iface(struct pcapwrite *w, const struct packet *pkt)
{
	struct place *p = places_find(&w->places, pkt->iface, pkt->link);

	w->lent = true;
	return p ? &p->iface : NULL;
}

/* The packet is not in the file. */
static void miss(struct pcapwrite *w, const struct packet *pkt)
{
	struct place *p = w->ng ? places_find(&w->places, pkt->iface, pkt->link) : NULL;

	w->lapse.missed++;
	if (!p)
		return;
	if (pkt->ts_ns > p->seen.last_ns)
		p->seen.last_ns = pkt->ts_ns;
	p->untold[LOST_BY_FILE].packets++;
}

/* Begins the next file if this one is large enough, and all of that is written: a file that cannot be is not left behind. */
static int turn_by_size(struct pcapwrite *w)
{
	uint64_t size = spill_size(&w->spill);
	int err = w->rotation.size && size > w->rotation.size ? spill_flush(&w->spill) : 0;

	return err ? err : turn(w, rotation_size(&w->rotation, size));
}

int pcapwrite_packet(struct pcapwrite *w, const struct brought *brought, const struct packet *pkt)
{
	int err = pcapwrite_turn(w, pkt->ts_ns) ?: turn_by_size(w);

	err = err ?: w->ng ? write_pcapng(w, brought, pkt) : write_pcap(w, pkt);
	if (!err)
		w->put++;
	else if (err != -ECANCELED)
		miss(w, pkt);
	return err;
}

int pcapwrite_loss(struct pcapwrite *w, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname)
{
	struct iface iface = {.index = ifindex};
	struct place *p;
	int err = w->ng ? pcapwrite_turn(w, ts_ns) : 0;

	if (!w->ng || w->err)
		return err;
	snprintf(iface.name, sizeof iface.name, "%s", ifname ? ifname : "");
	p = places_any(&w->places, &iface);
	if (!p)
		return out_of_memory(w);
	p->seen.last_ns = ts_ns;
	place_lose(p, loss);
	return err ?: places_tell_lost(&w->places, p, &w->spill);
}

int pcapwrite_name(struct pcapwrite *w, const struct record *exchange)
{
	bool is_new = w->ng && hostnames_learn(w->names, exchange);

	return is_new && w->spill.buf && !w->lapse.on ? write_new_names(w) : 0;
}

int pcapwrite_flush(struct pcapwrite *w)
{
	int err = ready(w);

	return err || !w->spill.buf ? err : spill_flush(&w->spill);
}

bool pcapwrite_can_reopen(const struct pcapwrite *w)
{
	return !is_stdout(w);
}

int pcapwrite_reopen(struct pcapwrite *w)
{
	int err;

	w->lapse.retry_ms = 0;
	if (!w->spill.buf || !spill_was_moved(&w->spill, w->path))
		return 0;
	err = close_file(w);
	return err && !w->lapse.on ? err : open_file(w);
}

/* That a packet does not fit into the file keeps no other one out of it. Was there one? The first is told. */
static bool pass_over(struct pcapwrite *w)
{
	char line[sizeof w->error + 64];

	if (!w->misfit)
		return false;
	snprintf(line, sizeof line, "packets are dropped: %s", w->error);
	if (!w->misfit_told)
		w->config.say(line);
	w->misfit_told = true;
	w->misfit = false;
	w->error[0] = '\0';
	if (!w->lapse.err) {
		w->lapse.err = -EINVAL;
		w->lapse.misfit = true;
	}
	return true;
}

bool pcapwrite_suspend(struct pcapwrite *w)
{
	bool on_disk = w->spill.inode || w->spill.fd < 0;

	if (pass_over(w) && !w->spill.err)
		return true;
	if (w->err || !w->spill.err || w->spill.err == -EPIPE || !on_disk || is_stdout(w))
		return false;
	lapse_begin(&w->lapse, w->spill.err);
	return true;
}

bool pcapwrite_is_suspended(const struct pcapwrite *w)
{
	return w->lapse.on;
}

uint64_t pcapwrite_written(const struct pcapwrite *w)
{
	return w->put - w->lost - (w->spill.buf ? spill_packets(&w->spill) : 0);
}

uint64_t pcapwrite_missed(const struct pcapwrite *w)
{
	return w->lapse.missed;
}

void pcapwrite_end(struct pcapwrite *w)
{
	close_file(w);
	w->err = w->err ? w->err : -ECANCELED;
}

int pcapwrite_close(struct pcapwrite *w)
{
	int err, why;

	if (!w)
		return 0;
	err = close_file(w);
	why = lapse_sum(&w->lapse);
	places_release(&w->places);
	free(w->names);
	free((char *)w->config.path);
	free(w);
	return why ? why : err;
}
