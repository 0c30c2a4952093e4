/* SPDX-License-Identifier: MIT */
#include "workers/worker.h"

#include <errno.h>
#include <signal.h>

#define REST_EVERY 64u /* blocks, when there is always another one */

enum kind { KIND_SEGMENT = WORKER_SEGMENT, KIND_MOVED = WORKER_MOVED, KIND_TICK, KIND_MISSED, KIND_DETAIL, KIND_IFACE };

/* In the queue one follows the other; `n` includes what is behind the head. */
struct task {
	uint32_t n;
	uint16_t kind;
	uint16_t iface; /* where the packet's is, or this one is to be; WORKER_IFACES: none */
	uint64_t time_ns; /* or what else there is to say */
};

struct iface_set {
	struct task head;
	struct iface iface;
};

/* The packet's bytes follow; or those of the segment, if no more is wanted. */
struct passed {
	struct task head;
	struct packet pkt;  /* without `iface`, and without data.p */
	struct segment seg; /* without payload.p, ... */
	size_t at;          /* ... which is there in the data */
};

/* --- the writer's side ---------------------------------------------------------------------------------------------- */

/* NULL when it takes more than a block, and there is no memory. */
static void *ask(struct worker *w, enum kind kind, size_t n, uint64_t time_ns)
{
	struct task *m = queue_write(&w->queue, n);

	if (m)
		*m = (struct task){.n = (uint32_t)((n + 7) & ~(size_t)7), .kind = (uint16_t)kind, .iface = WORKER_IFACES,
				      .time_ns = time_ns};
	return m;
}

static bool iface_eq(const struct iface *a, const struct iface *b)
{
	return a->index == b->index && a->link == b->link && strcmp(a->name, b->name) == 0;
}

/* Where the thread will find the interface. */
static uint16_t send_iface(struct worker *w, const struct iface *iface)
{
	struct iface_set *m;
	uint16_t at;

	if (!iface)
		return WORKER_IFACES;
	at = (uint16_t)(iface->index % WORKER_IFACES);
	if (iface_eq(&w->sent[at], iface))
		return at;
	m = ask(w, KIND_IFACE, sizeof(*m), 0);
	w->sent[at] = m->iface = *iface;
	m->head.iface = at;
	return at;
}

void worker_segment(struct worker *w, enum worker_way way, const struct packet *pkt, const struct segment *seg, uint64_t now_ns)
{
	struct slice data = w->whole && way == WORKER_SEGMENT ? pkt->data : seg->payload;
	uint16_t iface = send_iface(w, pkt->iface);
	struct passed *p = ask(w, (enum kind)way, sizeof(*p) + data.n, now_ns);
	bool lacks = !p;

	if (lacks) { /* a huge one: it is known how much there was */
		data.n = 0;
		p = ask(w, (enum kind)way, sizeof(*p), now_ns);
	}
	p->head.iface = iface;
	p->pkt = *pkt;
	p->pkt.data.n = data.n;
	p->seg = *seg;
	p->at = seg->payload.n && data.n ? (size_t)(seg->payload.p - data.p) : 0;
	if (lacks) {
		p->seg.cut += (uint32_t)seg->payload.n;
		p->seg.payload.n = 0;
	}
	if (data.n)
		memcpy(p + 1, data.p, data.n);
}

void worker_tick(struct worker *w, uint64_t now_ns)
{
	ask(w, KIND_TICK, sizeof(struct task), now_ns);
}

void worker_missed(struct worker *w, uint64_t ts_ns)
{
	ask(w, KIND_MISSED, sizeof(struct task), ts_ns);
}

void worker_detail(struct worker *w, enum detail detail)
{
	ask(w, KIND_DETAIL, sizeof(struct task), detail);
}

void worker_push(struct worker *w)
{
	queue_push(&w->queue);
}

/* --- the thread's side ---------------------------------------------------------------------------------------------- */

static void take_segment(struct worker *w, struct passed *p)
{
	struct packet *pkt = &p->pkt;
	struct segment *seg = &p->seg;

	pkt->iface = p->head.iface < WORKER_IFACES ? &w->iface[p->head.iface] : NULL;
	pkt->data.p = (const uint8_t *)(p + 1);
	seg->payload.p = pkt->data.p + p->at;
	if (p->head.kind == KIND_SEGMENT)
		engine_segment(w->engine, pkt, seg, p->head.time_ns);
	else
		engine_moved(w->engine, pkt, seg, p->head.time_ns);
}

static void take(struct worker *w, void *task)
{
	struct task *m = task;

	switch ((enum kind)m->kind) {
	case KIND_SEGMENT:
	case KIND_MOVED:
		take_segment(w, task);
		break;
	case KIND_TICK:
		engine_tick(w->engine, m->time_ns);
		break;
	case KIND_MISSED:
		engine_missed(w->engine, m->time_ns);
		break;
	case KIND_DETAIL:
		engine_detail(w->engine, (enum detail)m->time_ns);
		break;
	case KIND_IFACE:
		w->iface[m->iface] = ((struct iface_set *)task)->iface;
		break;
	}
}

static void publish(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->told.stats = *engine_stats(w->engine);
	w->told.ignoreds = engine_ignored(w->engine, w->told.ignored);
	w->told.flows = engine_flows(w->engine);
	w->told.memory = engine_memory(w->engine);
	pthread_mutex_unlock(&w->lock);
}

static void *work(void *ctx)
{
	struct worker *w = ctx;
	struct slice block;
	unsigned busy = 0;

	while (queue_take(&w->queue, &block)) {
		for (size_t at = 0; at < block.n;) {
			void *task = (void *)(block.p + at);

			take(w, task);
			at += ((struct task *)task)->n;
		}
		queue_done(&w->queue);
		publish(w);
		busy = queue_is_empty(&w->queue) ? REST_EVERY : busy + 1;
		if (busy == REST_EVERY) {
			w->rest(w->ctx);
			busy = 0;
		}
	}
	engine_finish(w->engine);
	publish(w);
	w->rest(w->ctx);
	return NULL;
}

/* --- life ----------------------------------------------------------------------------------------------------------- */

/* Signals are for the thread that reads: they wake it up. */
static int start(struct worker *w)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->runs = err == 0;
	return -err;
}

int worker_open(struct worker *w, const struct engine_config *config, const struct engine_hooks *hooks,
		void (*rest)(void *ctx), size_t size)
{
	int err;

	*w = (struct worker){.whole = hooks->segment, .rest = rest, .ctx = hooks->ctx};
	pthread_mutex_init(&w->lock, NULL);
	err = queue_init(&w->queue, size);
	if (err)
		return err;
	w->engine = engine_new(config, hooks);
	return w->engine ? start(w) : -ENOMEM;
}

void worker_finish(struct worker *w)
{
	queue_close(&w->queue);
}

void worker_join(struct worker *w)
{
	if (w->runs)
		pthread_join(w->thread, NULL);
	w->runs = false;
}

struct worker_told worker_told(struct worker *w)
{
	struct worker_told ret;

	pthread_mutex_lock(&w->lock);
	ret = w->told;
	pthread_mutex_unlock(&w->lock);
	return ret;
}

void worker_close(struct worker *w)
{
	if (w->runs)
		worker_finish(w);
	worker_join(w);
	engine_free(w->engine);
	queue_release(&w->queue);
	pthread_mutex_destroy(&w->lock);
}
