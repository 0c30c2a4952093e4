/* SPDX-License-Identifier: MIT */
#include "capture/tc.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "capture/pick.h"
#include "capture/tc_clock.h"
#include "capture/tc_elide.h"
#include "capture/tc_follow.h"
#include "capture/tc_gate.h"
#include "capture/tc_load.h"
#include "capture/tc_meter.h"

#define SECOND      1000000000ULL
#define BATCH       512 /* packets a poll */
#define NAP_MS      25  /* at most, between looks into the ring while there is traffic, ... */
#define NAP_SHARE   64  /* ... unless this part of it fills up before */
#define STEP_EVERY  (SECOND / 50) /* programs are attached between looks that find nothing more, or that late */

struct tc {
	struct source source; /* first */
	struct load load;
	struct gate gate;
	struct ring ring;
	struct follow follow;
	struct clock clock;
	pthread_mutex_t steering; /* of the clock: others ask it too, see tc_elided */
	struct meter meter;
	uint32_t shares;      /* how often the share of connections was said */
	struct port *port;    /* of the last packet */
	uint64_t seen;        /* boot time; packets from before were handed over */
	uint64_t compared;    /* boot time; the clocks were */
	uint64_t stepped;     /* boot time; a program was attached, or taken off */
	uint64_t told;        /* boot time; losses were */
	uint64_t lost;        /* shared.lost when they were */
	uint64_t ring_peak;   /* bytes that lay in the ring, at most */
	int epoll;            /* the bell, and news of interfaces */
	bool idle;            /* the last look was in vain */
	bool more;            /* the last batch left something in the ring */
	bool stopped;
};

static uint64_t boot_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static struct iface *iface_of(struct tc *t, uint32_t ifindex)
{
	if (!t->port || t->port->iface.index != ifindex)
		t->port = ports_find(&t->follow.ports, ifindex);
	return t->port ? &t->port->iface : NULL;
}

static int hand_over(struct tc *t, const struct event *e, packet_fn fn, void *ctx)
{
	struct packet pkt = {
		.ts_ns = clock_wall(&t->clock, e->boot_ns),
		.wire_len = e->wire_len,
		.link = e->flags & EVENT_L3 ? 101 : 1, /* LINKTYPE_RAW, LINKTYPE_ETHERNET */
		.chosen = e->flags & EVENT_CHOSEN,
		.counted = e->flags & EVENT_COUNTED,
		.dir = e->dir == EVENT_IN ? DIRECTION_IN : DIRECTION_OUT,
		.iface = iface_of(t, e->ifindex),
		.data = slice_of(e->flags & EVENT_TAGGED ? e->tag : e->frame, e->cap_len),
	};

	return fn(ctx, &pkt);
}

/* Hands over a batch of what the ring holds: how many packets, or what `fn` returned to stop. */
static int drain(struct tc *t, packet_fn fn, void *ctx)
{
	uint64_t now = boot_time();
	const struct event *e;
	int n, err;
	uint32_t size;

	for (n = 0; n < BATCH; n++) {
		e = ring_next(&t->ring, &size);
		if (!e)
			break;
		err = hand_over(t, e, fn, ctx);
		if (err)
			return err;
		if (e->boot_ns > t->seen)
			t->seen = e->boot_ns;
	}
	t->more = n == BATCH;
	if (!t->more && now > t->seen)
		t->seen = now;
	t->idle = !n;
	return n;
}

/*
 * Waits for packets. While there are some we look now and then: a wakeup a packet would cost more than the packet, and what
 * comes by the hundred is decoded in half the time. When there are none we say so, and the next packet wakes us up. It sees
 * that, or we see it: both first write and then look, see ring_the_bell in capture.bpf.h. Returns > 0, 0 when a signal came,
 * or a negative errno.
 */
static int wait_for_packets(struct tc *t, int timeout_ms)
{
	struct epoll_event ready[2];
	unsigned long filled;
	int n;

	if (t->more || t->stopped || follow_waits(&t->follow))
		timeout_ms = 0;
	else if (!t->idle && timeout_ms > NAP_MS)
		timeout_ms = NAP_MS;
	ring_free(&t->ring);
	if (timeout_ms)
		__atomic_exchange_n(&t->load.shared->want_wake, t->idle ? WAKE_ANY : WAKE_BIG, __ATOMIC_SEQ_CST);
	filled = ring_end(&t->ring) - t->ring.at;
	if (filled > (t->idle ? 0 : t->load.shared->nap_room)) /* the bell, if it rang, was before */
		timeout_ms = 0;
	n = epoll_wait(t->epoll, ready, 2, timeout_ms);
	if (timeout_ms)
		filled = ring_end(&t->ring) - t->ring.at;
	if (filled > t->ring_peak)
		t->ring_peak = filled;
	__atomic_store_n(&t->load.shared->want_wake, WAKE_NOT, __ATOMIC_RELAXED); /* awake: no bell, nor a look for one */
	if (n < 0)
		return 0;
	for (int i = 0; i < n; i++)
		if (ready[i].data.fd == links_fd(t->follow.links) && links_read(t->follow.links) < 0) {
			snprintf(t->source.error, sizeof(t->source.error), "cannot follow interfaces: rtnetlink failed");
			return -EIO;
		}
	return 1;
}

/* Of the ring only its bell is listened for: that it holds something is no event. */
static int listen_to(struct tc *t, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	return epoll_ctl(t->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static void housekeeping(struct tc *t)
{
	uint64_t boot, wall;

	if (!t->stopped && (!t->more || boot_time() - t->stepped > STEP_EVERY) && follow_step(&t->follow))
		t->stepped = boot_time();
	if (t->port && t->port->gone)
		t->port = NULL;
	ports_reap(&t->follow.ports, &t->ring);
	if ((int64_t)(t->seen - t->compared) < (int64_t)SECOND)
		return;
	clock_compare(&boot, &wall);
	pthread_mutex_lock(&t->steering);
	clock_steer(&t->clock, boot, wall);
	pthread_mutex_unlock(&t->steering);
	t->compared = boot;
}

static int tc_poll(struct source *s, int timeout_ms, packet_fn fn, void *ctx)
{
	struct tc *t = (struct tc *)s;
	uint64_t start = boot_time(), passed;
	int n, left = timeout_ms;

	do {
		n = wait_for_packets(t, left);
		if (n <= 0)
			return n < 0 ? n : 1;
		housekeeping(t);
		n = drain(t, fn, ctx);
		if (n < 0)
			return n;
		passed = (boot_time() - start) / 1000000;
		left = passed < (uint64_t)timeout_ms ? timeout_ms - (int)passed : 0;
	} while (!n && left && !t->stopped);
	return n || !t->stopped;
}

static int tc_losses(struct source *s, loss_fn fn, void *ctx)
{
	struct tc *t = (struct tc *)s;
	uint64_t lost = __atomic_load_n(&t->load.shared->lost, __ATOMIC_ACQUIRE), now;

	if (lost == t->lost)
		return 0;
	now = boot_time();
	if (!t->stopped && now - t->told < SECOND)
		return 0;
	t->lost = lost;
	t->told = now;
	return ports_losses(&t->follow.ports, clock_wall(&t->clock, now), fn, ctx);
}

static uint64_t tc_now(struct source *s)
{
	struct tc *t = (struct tc *)s;

	return clock_wall(&t->clock, t->seen);
}

/* Programs that run now come to their end while we wait for a grace period; those that start see `off`. */
static void tc_stop(struct source *s)
{
	struct tc *t = (struct tc *)s;

	__atomic_store_n(&t->load.shared->off, 1, __ATOMIC_SEQ_CST);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		usleep(50000);
	gate_stop(&t->gate);
	t->stopped = true;
}

static void tc_elide(struct source *s, const struct flow_key *key, unsigned side, const struct elision *e)
{
	elide_put(((struct tc *)s)->load.halves_fd, key, side, e);
}

static bool tc_elided(struct source *s, const struct flow_key *key, unsigned side, struct elision *ret)
{
	struct tc *t = (struct tc *)s;

	if (!elide_take(t->load.halves_fd, key, side, ret))
		return false;
	pthread_mutex_lock(&t->steering);
	if (ret->last_ns)
		ret->last_ns = clock_wall(&t->clock, ret->last_ns);
	pthread_mutex_unlock(&t->steering);
	return true;
}

static void tc_share(struct source *s, unsigned shift, uint32_t seed)
{
	struct tc *t = (struct tc *)s;
	uint64_t share = (uint64_t)seed << 32 | (++t->shares << 8 & 0xffffff00) | shift;

	__atomic_store_n(&t->load.shared->share, shift ? share : 0, __ATOMIC_RELEASE);
}

static uint64_t tc_spent(struct source *s)
{
	return meter_ns(&((struct tc *)s)->meter);
}

static void tc_close(struct source *s)
{
	struct tc *t = (struct tc *)s;

	if (t->load.shared)
		__atomic_store_n(&t->load.shared->off, 1, __ATOMIC_SEQ_CST);
	follow_close(&t->follow);
	ring_release(&t->ring);
	meter_release(&t->meter);
	gate_release(&t->gate);
	load_release(&t->load);
	if (t->epoll > 0)
		close(t->epoll);
	pthread_mutex_destroy(&t->steering);
	free(t);
}

static void tc_counts(struct source *s, struct counts *ret)
{
	struct tc *t = (struct tc *)s;

	ports_count(&t->follow.ports, ret);
	ret->waiting = t->follow.waiting;
	ret->ring = t->load.ring_size;
	ret->ring_used = ring_end(&t->ring) - t->ring.at;
	ret->ring_peak = t->ring_peak;
	ret->filtered = gate_refused(&t->gate);
}

static const struct source_ops tc_ops = {
	.name = "tc",
	.poll = tc_poll,
	.losses = tc_losses,
	.now = tc_now,
	.stop = tc_stop,
	.elide = tc_elide,
	.elided = tc_elided,
	.share = tc_share,
	.spent = tc_spent,
	.counts = tc_counts,
	.close = tc_close,
};

/* Where it is attached it is the only one: see tc_xdp.h. */
static void add_xdp(struct tc *t, const struct live_config *config, struct hook_programs *programs)
{
	int err = load_xdp(&t->load, programs->xdp);

	if (err)
		pick_say(config, true, "no xdp: the kernel refuses the programs, which need Linux 5.18: %s", strerror(-err));
	else
		pick_say(config, true, "xdp: while perisco watches, no other XDP program can be attached to the same interface");
}

/* The programs to attach: the gates in front of the others, if there is a filter that can be had in the kernel. */
static struct hook_programs programs_of(struct tc *t, const struct live_config *config)
{
	const int *fd = t->load.prog_fd;
	struct hook_programs programs = {{{fd[WAY_IN], fd[WAY_OUT]}, {fd[WAY_IN], fd[WAY_OUT]}}, {0, 0}};
	char why[128];

	if (config->hook == HOOK_XDP)
		add_xdp(t, config, &programs);
	if (!config->filter)
		return programs;
	if (gate_init(&t->gate, config->filter, &programs, why, sizeof(why)) < 0) {
		pick_say(config, false, "the filter runs in userspace only: %s", why);
		return programs;
	}
	pick_say(config, false, "the filter runs in the kernel");
	return t->gate.programs;
}

static int tc_start(struct tc *t, const struct live_config *config, char *error, size_t n)
{
	struct hook_programs programs;
	uint64_t boot, wall;
	int err = load_init(&t->load, config->ring, config->verbose, error, n);

	if (err)
		return err;
	t->load.shared->whole = config->whole;
	t->load.shared->last = config->last;
	t->load.shared->snaplen = config->snaplen;
	t->load.shared->nap_room = (uint32_t)(t->load.ring_size / NAP_SHARE);
	err = ring_open(&t->ring, t->load.ring_fd, t->load.ring_size);
	if (err) {
		snprintf(error, n, "cannot map the ring buffer: %s", strerror(-err));
		return err;
	}
	clock_compare(&boot, &wall);
	clock_init(&t->clock, boot, wall);
	t->seen = t->compared = boot;
	programs = programs_of(t, config);
	if (config->metered && meter_open(&t->meter, &programs) < 0)
		pick_say(config, true, "what the programs cost is not measured: the kernel refused");
	err = follow_open(&t->follow, config, &programs, t->load.tallies_fd, &t->ring, error, n);
	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!err)
		err = t->epoll < 0 ? -errno : listen_to(t, links_fd(t->follow.links), EPOLLIN);
	if (!err)
		err = listen_to(t, t->load.ring_fd, EPOLLIN | EPOLLET);
	while (!err && boot_time() - boot < TC_PATIENCE_MS * 1000000ULL && follow_step(&t->follow))
		;
	return err;
}

struct source *tc_open(const struct live_config *config, int *err, char *error, size_t n)
{
	struct tc *t = calloc(1, sizeof(*t));

	if (!t) {
		*err = -ENOMEM;
		snprintf(error, n, "out of memory");
		return NULL;
	}
	t->source.ops = &tc_ops;
	pthread_mutex_init(&t->steering, NULL);
	*err = tc_start(t, config, error, n);
	if (!*err)
		return &t->source;
	tc_close(&t->source);
	return NULL;
}
