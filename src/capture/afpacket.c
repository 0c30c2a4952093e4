/* SPDX-License-Identifier: MIT */
#include "capture/afpacket.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "capture/afpacket_code.h"
#include "capture/afpacket_ring.h"
#include "capture/filter.h"
#include "capture/nics.h"
#include "capture/pick.h"
#include "packet/linktype.h"

#define SECOND 1000000000ULL
#define BATCH  512          /* packets a poll */
#define LAG    (SECOND / 4) /* the ring hands over no later than this, on a loaded host too */

struct afpacket {
	struct source source; /* first */
	struct live_config config;
	struct frames frames;
	struct nics nics;
	struct links *links;
	struct code code;
	uint64_t seen;    /* Unix time; packets from before were handed over */
	uint64_t told;    /* Unix time; losses were */
	struct counts counts;
	bool changed;     /* interfaces came or went: the program is to be made anew */
	bool stopped;
	uint64_t stopped_ns; /* Unix time */
};

static uint64_t wall_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* --- interfaces --- */

static void forget(struct afpacket *a, struct nic *nic, bool gone)
{
	pick_say(&a->config, false, "%s: %s", nic->iface.name, gone ? "gone" : "detached");
	nic->gone_ns = wall_time();
	a->changed = true;
}

static void welcome(struct afpacket *a, const struct link *link)
{
	int l3 = pick_l3(link);
	struct nic *nic = nics_add(&a->nics, link->index, link->name);

	if (!nic) {
		pick_say(&a->config, true, "%s: cannot be watched: out of memory", link->name);
		return;
	}
	nic->failed = l3 < 0;
	nic->loopback = link->flags & IFF_LOOPBACK;
	nic->iface.link = l3 ? LINKTYPE_RAW : LINKTYPE_ETHERNET;
	a->changed = true;
	if (nic->failed)
		pick_say(&a->config, true, "%s: interfaces of type %u are not decoded", link->name, link->type);
	else
		pick_say(&a->config, false, "%s: watched by packet", link->name);
}

/* Interfaces are known by their index; a name may change, and with it whether they are wanted. */
static void on_there(struct afpacket *a, const struct link *link)
{
	bool wanted = pick_wants(&a->config, link);
	struct nic *nic = nics_find(&a->nics, link->index);

	if (nic)
		nic->listed = true;
	if ((!nic || nic->gone_ns) && wanted)
		welcome(a, link);
	else if (nic && !nic->gone_ns && !wanted)
		forget(a, nic, false);
	else if (nic && !nic->gone_ns)
		nic_rename(nic, link->name);
}

static void on_link(void *ctx, enum link_event event, const struct link *link)
{
	struct afpacket *a = ctx;
	struct nic *nic = link ? nics_find(&a->nics, link->index) : NULL;

	if (event == LINK_THERE)
		on_there(a, link);
	else if (event == LINK_GONE && nic && !nic->gone_ns)
		forget(a, nic, true);
	for (size_t i = 0; i < a->nics.n && !link; i++) {
		nic = &a->nics.v[i];
		if (event == LINK_ALL)
			nic->listed = false;
		else if (!nic->listed && !nic->gone_ns)
			forget(a, nic, true);
	}
}

static bool watches(const void *ctx, const char *name)
{
	const struct nics *nics = ctx;

	for (size_t i = 0; i < nics->n; i++)
		if (!nics->v[i].gone_ns && strcmp(nics->v[i].iface.name, name) == 0)
			return !nics->v[i].failed;
	return false;
}

/*
 * Tells the kernel which packets are wanted. It takes long programs from those with privileges only: then it is told
 * less, and more packets come to be looked at here.
 */
static int choose(struct afpacket *a)
{
	const struct bpf_program *user = a->config.filter ? filter_program(a->config.filter, LINKTYPE_ETHERNET) : NULL;
	size_t n;
	uint32_t *index = nics_indices(&a->nics, &n);
	int err = -ENOMEM;

	if (index && code_build(&a->code, index, n, user))
		err = frames_filter(&a->frames, &a->code);
	if (err && index && code_build(&a->code, index, n, NULL))
		err = frames_filter(&a->frames, &a->code);
	if (err && code_build(&a->code, NULL, 0, NULL))
		err = frames_filter(&a->frames, &a->code);
	free(index);
	a->changed = false;
	return err;
}

/* --- packets --- */

static int hand_over(struct afpacket *a, const struct frame *f, packet_fn fn, void *ctx)
{
	struct nic *nic = nics_find(&a->nics, f->ifindex);
	struct packet pkt = {.ts_ns = f->ts_ns, .dir = f->out ? DIRECTION_OUT : DIRECTION_IN, .data = f->l2};

	if (!nic || nic->failed || (nic->loopback && f->out))
		return 0;
	pkt.iface = &nic->iface;
	pkt.link = nic->iface.link;
	pkt.wire_len = f->wire_len;
	if (pkt.link == LINKTYPE_RAW) {
		pkt.data = f->l3;
		pkt.wire_len -= (uint32_t)(f->l2.n - f->l3.n);
	}
	if (a->config.snaplen)
		pkt.data = slice_first(pkt.data, a->config.snaplen);
	a->counts.packets++;
	a->counts.bytes += pkt.wire_len;
	return fn(ctx, &pkt);
}

/* Hands over a batch of what the ring holds: how many packets, or what `fn` returned to stop. */
static int drain(struct afpacket *a, packet_fn fn, void *ctx)
{
	uint64_t before = wall_time() - LAG;
	struct frame f;
	int n, err;

	for (n = 0; n < BATCH && frames_next(&a->frames, &f); n++) {
		err = hand_over(a, &f, fn, ctx);
		if (err)
			return err;
		if (f.ts_ns > a->seen)
			a->seen = f.ts_ns;
	}
	if (n < BATCH) {
		if (before > a->seen)
			a->seen = before;
		nics_reap(&a->nics, before);
	}
	return n;
}

/* Returns > 0, 0 when a signal came, or a negative errno. */
static int wait_for_packets(struct afpacket *a, int timeout_ms)
{
	struct pollfd fds[2] = {
		{.fd = links_fd(a->links), .events = POLLIN},
		{.fd = a->frames.fd, .events = POLLIN},
	};

	if (frames_more(&a->frames))
		timeout_ms = 0;
	else if (a->stopped && timeout_ms > FRAMES_RETIRE_MS)
		timeout_ms = FRAMES_RETIRE_MS;
	if (poll(fds, 2, timeout_ms) < 0)
		return 0;
	if (fds[0].revents && links_read(a->links) < 0) {
		snprintf(a->source.error, sizeof(a->source.error), "cannot follow interfaces: rtnetlink failed");
		return -EIO;
	}
	return 1;
}

/* What is left was handed over. The kernel hands over its last block in time, or else something is broken. */
static bool is_over(const struct afpacket *a)
{
	return frames_empty(&a->frames) || wall_time() - a->stopped_ns > SECOND;
}

static int afpacket_poll(struct source *s, int timeout_ms, packet_fn fn, void *ctx)
{
	struct afpacket *a = (struct afpacket *)s;
	int n = wait_for_packets(a, timeout_ms);

	if (n <= 0)
		return n < 0 ? n : 1;
	if (a->changed && !a->stopped)
		choose(a);
	n = drain(a, fn, ctx);
	if (n < 0)
		return n;
	return n || !a->stopped || !is_over(a);
}

static int afpacket_losses(struct source *s, loss_fn fn, void *ctx)
{
	struct afpacket *a = (struct afpacket *)s;
	struct loss loss = {.ts_ns = wall_time(), .cause = "ring"};
	uint64_t lost;

	if (!a->stopped && loss.ts_ns - a->told < SECOND)
		return 0;
	lost = frames_lost(&a->frames);
	a->told = loss.ts_ns;
	a->counts.dropped += lost;
	a->counts.packets += lost;
	loss.packets = lost;
	return lost ? fn(ctx, &loss) : 0;
}

static uint64_t afpacket_now(struct source *s)
{
	return ((struct afpacket *)s)->seen;
}

/* Runs of the program before are over when a grace period is. */
static void afpacket_stop(struct source *s)
{
	struct afpacket *a = (struct afpacket *)s;

	code_refuse(&a->code);
	frames_filter(&a->frames, &a->code);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		usleep(50000);
	a->stopped = true;
	a->stopped_ns = wall_time();
}

static void afpacket_counts(struct source *s, struct counts *ret)
{
	struct afpacket *a = (struct afpacket *)s;

	*ret = a->counts;
	ret->ring = a->frames.map_n;
	for (size_t i = 0; i < a->nics.n; i++) {
		ret->interfaces += !a->nics.v[i].gone_ns && !a->nics.v[i].failed;
		ret->failed += !a->nics.v[i].gone_ns && a->nics.v[i].failed;
	}
}

static void afpacket_close(struct source *s)
{
	struct afpacket *a = (struct afpacket *)s;

	links_close(a->links);
	frames_release(&a->frames);
	nics_release(&a->nics);
	free(a);
}

static const struct source_ops afpacket_ops = {
	.name = "packet",
	.poll = afpacket_poll,
	.losses = afpacket_losses,
	.now = afpacket_now,
	.stop = afpacket_stop,
	.counts = afpacket_counts,
	.close = afpacket_close,
};

static int start(struct afpacket *a, char *error, size_t n)
{
	int err = frames_open(&a->frames, a->config.ring, error, n);

	if (err)
		return err;
	err = links_open(&a->links, on_link, a);
	if (!err)
		err = links_dump(a->links);
	if (err) {
		snprintf(error, n, "cannot list interfaces by rtnetlink: %s", strerror(-err));
		return err;
	}
	err = pick_check(&a->config, watches, &a->nics, error, n);
	if (err)
		return err;
	err = choose(a);
	if (!err)
		err = frames_start(&a->frames);
	if (err)
		snprintf(error, n, "cannot capture by a packet socket: %s", strerror(-err));
	a->seen = a->told = wall_time();
	return err;
}

struct source *afpacket_open(const struct live_config *config, int *err, char *error, size_t n)
{
	struct afpacket *a = calloc(1, sizeof(*a));

	if (!a) {
		*err = -ENOMEM;
		snprintf(error, n, "out of memory");
		return NULL;
	}
	a->source.ops = &afpacket_ops;
	a->config = *config;
	a->frames.fd = -1;
	*err = start(a, error, n);
	if (!*err)
		return &a->source;
	afpacket_close(&a->source);
	return NULL;
}
