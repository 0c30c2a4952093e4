/* SPDX-License-Identifier: MIT */
#include "workers/workers.h"

#include <errno.h>
#include <stdlib.h>

#include "workers/route.h"
#include "workers/worker.h"

#define SHARE      16u                 /* of the memory, for fragments and routes; and as much for what is on its way */
#define FRAGMENTS  ((size_t)8 << 20)   /* more is never needed for them, and with */
#define FEW        ((size_t)1 << 20)   /* ... less than that no datagram fits: each of the four sizes it needs takes a slab */
#define BLOCK_MAX  ((size_t)64 << 10)  /* so that what is on its way to a worker stays in the cache, */
#define BLOCK_MIN  ((size_t)16 << 10)  /* ... and yet it is woken for many packets at once */

struct workers {
	struct engine *engine;     /* the only one, or the one in front of the workers' */
	struct engine_hooks hooks; /* of the caller's thread */
	struct route *route;
	unsigned n;                /* 0: there is but one engine, and what follows is not there */
	struct worker worker[];
};

/* --- from the engine in front --------------------------------------------------------------------------------------- */

static void on_record(void *ctx, const struct record *r)
{
	struct workers *w = ctx;

	w->hooks.record(w->hooks.ctx, r);
}

static void on_pass(void *ctx, const struct packet *pkt, const struct segment *seg, uint64_t now_ns)
{
	struct workers *w = ctx;
	unsigned left, to = route_find(w->route, seg, now_ns, &left);

	if (left != to)
		worker_segment(&w->worker[left], WORKER_MOVED, pkt, seg, now_ns);
	worker_segment(&w->worker[to], WORKER_SEGMENT, pkt, seg, now_ns);
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct workers *w = ctx;

	for (unsigned i = 0; i < w->n; i++)
		worker_tick(&w->worker[i], now_ns);
}

static void on_missed(void *ctx, uint64_t ts_ns)
{
	struct workers *w = ctx;

	for (unsigned i = 0; i < w->n; i++)
		worker_missed(&w->worker[i], ts_ns);
}

static void on_detail(void *ctx, enum detail detail)
{
	struct workers *w = ctx;

	for (unsigned i = 0; i < w->n; i++)
		worker_detail(&w->worker[i], detail);
}

/* --- life ----------------------------------------------------------------------------------------------------------- */

static size_t block_size(size_t memory, unsigned n)
{
	size_t size = memory / SHARE / n / QUEUE_BLOCKS & ~(size_t)4095;

	return size > BLOCK_MAX ? BLOCK_MAX : size < BLOCK_MIN ? BLOCK_MIN : size;
}

static int open_all(struct workers *w, unsigned n, const struct engine_config *config, void *const ctx[], void (*rest)(void *ctx))
{
	size_t routes = config->memory / SHARE / 2, fragments = routes, block = block_size(config->memory, n);
	const struct engine_hooks front = {.ctx = w, .record = w->hooks.record ? on_record : NULL, .pass = on_pass,
					   .tick = on_tick, .missed = on_missed, .detail = on_detail};
	struct engine_hooks hooks = w->hooks;
	struct engine_config each = *config;
	int err = 0;

	fragments = fragments > FRAGMENTS ? FRAGMENTS : fragments < FEW ? FEW : fragments;
	each.memory = fragments;
	w->engine = engine_new(&each, &front);
	w->route = route_new(n, routes, config->hash_seed);
	if (!w->engine || !w->route)
		return -ENOMEM;
	each.memory = (config->memory - fragments - routes) / n - block * QUEUE_BLOCKS;
	while (w->n < n && !err) {
		hooks.ctx = ctx[1 + w->n];
		err = worker_open(&w->worker[w->n++], &each, &hooks, rest, block);
	}
	return err;
}

int workers_new(struct workers **ret, unsigned n, const struct engine_config *config, const struct engine_hooks *hooks,
		void *const ctx[], void (*rest)(void *ctx))
{
	struct workers *w;
	int err;

	*ret = NULL;
	if (n > 1 && config->memory / n < WORKERS_MEMORY)
		return -EINVAL;
	w = calloc(1, sizeof(*w) + (n > 1 ? n : 0) * sizeof(*w->worker));
	if (!w)
		return -ENOMEM;
	w->hooks = *hooks;
	w->hooks.ctx = ctx[0];
	if (n == 1) {
		w->engine = engine_new(config, &w->hooks);
		err = w->engine ? 0 : -ENOMEM;
	} else {
		err = open_all(w, n, config, ctx, rest);
	}
	if (err)
		workers_free(w);
	else
		*ret = w;
	return err;
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < w->n; i++)
		worker_close(&w->worker[i]);
	engine_free(w->engine);
	route_free(w->route);
	free(w);
}

/* --- packets -------------------------------------------------------------------------------------------------------- */

void workers_packet(struct workers *w, const struct packet *pkt)
{
	engine_packet(w->engine, pkt);
}

void workers_tick(struct workers *w, uint64_t now_ns)
{
	engine_tick(w->engine, now_ns);
}

void workers_loss(struct workers *w, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname)
{
	engine_loss(w->engine, ts_ns, loss, ifindex, ifname);
}

void workers_detail(struct workers *w, enum detail detail)
{
	engine_detail(w->engine, detail);
}

void workers_push(struct workers *w)
{
	for (unsigned i = 0; i < w->n; i++)
		worker_push(&w->worker[i]);
}

void workers_finish(struct workers *w)
{
	engine_finish(w->engine);
	for (unsigned i = 0; i < w->n; i++)
		worker_finish(&w->worker[i]);
	for (unsigned i = 0; i < w->n; i++)
		worker_join(&w->worker[i]);
}

static void add_stats(struct stats *sum, const struct stats *s)
{
#define X(name, unit, help) sum->name += s->name;
	PERISCO_STATS(X)
#undef X
}

struct stats workers_stats(struct workers *w)
{
	struct stats sum = *engine_stats(w->engine);
	struct worker_told told;

	for (unsigned i = 0; i < w->n; i++) {
		told = worker_told(&w->worker[i]);
		add_stats(&sum, &told.stats);
	}
	return sum;
}

/* What there is no place for goes to the last one, as in the engine. */
static unsigned add_ignored(struct ignored *sum, unsigned n, const struct ignored *more)
{
	unsigned i = 0;

	while (i < n && i < IGNORED_MAX - 1 && strcmp(sum[i].why, more->why) != 0)
		i++;
	if (i == n)
		sum[n++] = (struct ignored){.why = more->why};
	sum[i].now += more->now;
	sum[i].ever += more->ever;
	return n;
}

unsigned workers_ignored(struct workers *w, struct ignored ret[IGNORED_MAX])
{
	unsigned n = engine_ignored(w->engine, ret);
	struct worker_told told;

	for (unsigned i = 0; i < w->n; i++) {
		told = worker_told(&w->worker[i]);
		for (unsigned k = 0; k < told.ignoreds; k++)
			n = add_ignored(ret, n, &told.ignored[k]);
	}
	return n;
}

size_t workers_flows(struct workers *w)
{
	size_t sum = engine_flows(w->engine);

	for (unsigned i = 0; i < w->n; i++)
		sum += worker_told(&w->worker[i]).flows;
	return sum;
}

size_t workers_memory(struct workers *w)
{
	size_t sum = engine_memory(w->engine);

	for (unsigned i = 0; i < w->n; i++)
		sum += worker_told(&w->worker[i]).memory;
	return sum;
}
