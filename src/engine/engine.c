/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "engine/internal.h"
#include "packet/decode.h"

#define MEMORY_DEFAULT ((size_t)256 << 20)

struct engine *engine_new(const struct engine_config *config, const struct engine_hooks *hooks)
{
	struct engine *e = calloc(1, sizeof(*e));
	size_t memory = config->memory ? config->memory : MEMORY_DEFAULT;

	if (!e)
		return NULL;
	e->embryos_max = memory / 2 / sizeof(struct flow);
	e->hooks = *hooks;
	e->flow_records = config->flow_records;
	e->vantage = config->vantage;
	e->pool = pool_new(memory, config->heap, config->heap_ctx);
	if (!e->pool || flow_table_init(&e->table, e->pool, config->hash_seed) < 0)
		goto fail;
	e->decoder = decoder_new(e->pool, &e->stats);
	if (!e->decoder)
		goto fail;
	e->env = (struct conn_env){.pool = e->pool, .stats = &e->stats, .body_keep = config->body_keep,
				   .stream_interval_ns = config->stream_interval_ns, .ctx = e, .reclaim = engine_reclaim,
				   .emit = engine_emit, .skip = engine_skip, .brought = &e->brought};
	return e;
fail:
	engine_free(e);
	return NULL;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	flow_table_release(&e->table);
	decoder_free(e->decoder);
	pool_free(e->pool);
	free(e);
}

/* Not inlined, so that what came in one packet needs no room for it. */
static __attribute__((noinline)) void engine_reassembled(struct engine *e, const struct packet *pkt, const struct segment *seg)
{
	struct packet whole = decoder_datagram(e->decoder, pkt);

	tcp_segment(e, &whole, seg);
}

/* Nor is this, which an engine that has connections never does. */
static __attribute__((noinline)) void engine_pass(struct engine *e, const struct packet *pkt, const struct segment *seg)
{
	struct packet whole = *pkt;

	if (seg->reassembled)
		whole = decoder_datagram(e->decoder, pkt);
	e->hooks.pass(e->hooks.ctx, &whole, seg, e->table.now_ns);
}

static void engine_pass_time(struct engine *e, uint64_t now_ns)
{
	if (now_ns > e->table.now_ns)
		e->table.now_ns = now_ns;
}

static inline void engine_take(struct engine *e, const struct packet *pkt, struct segment *seg)
{
	if (e->vantage == VANTAGE_BOTH)
		point_apart(pkt, &seg->key);
	e->stats.segments++;
	e->stats.payload += seg->payload.n + seg->cut;
	if (seg->reassembled)
		engine_reassembled(e, pkt, seg);
	else
		tcp_segment(e, pkt, seg);
}

void engine_packet(struct engine *e, const struct packet *pkt)
{
	struct segment seg;

	e->stats.packets++;
	e->stats.bytes += pkt->wire_len;
	engine_pass_time(e, pkt->ts_ns);
	if (packet_decode(e->decoder, pkt, &seg) == DECODED_TCP) {
		if (e->hooks.pass)
			engine_pass(e, pkt, &seg);
		else
			engine_take(e, pkt, &seg);
	}
	tcp_expire(e);
}

void engine_segment(struct engine *e, const struct packet *pkt, struct segment *seg, uint64_t now_ns)
{
	engine_pass_time(e, now_ns);
	seg->reassembled = false; /* that was elsewhere */
	engine_take(e, pkt, seg);
}

void engine_moved(struct engine *e, const struct packet *pkt, struct segment *seg, uint64_t now_ns)
{
	engine_pass_time(e, now_ns);
	if (e->vantage == VANTAGE_BOTH)
		point_apart(pkt, &seg->key);
	tcp_moved(e, seg);
}

void engine_tick(struct engine *e, uint64_t now_ns)
{
	engine_pass_time(e, now_ns);
	tcp_expire(e);
}

void engine_missed(struct engine *e, uint64_t ts_ns)
{
	e->ring_loss_ns = ts_ns;
	if (e->hooks.missed)
		e->hooks.missed(e->hooks.ctx, ts_ns);
}

void engine_loss(struct engine *e, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname)
{
	struct record r = {.kind = RECORD_LOSS, .ts_ns = ts_ns, .loss = *loss};

	r.ends.ifindex = ifindex;
	r.ends.ifname = ifname;
	if (strcmp(loss->cause, "ring") == 0)
		engine_missed(e, e->table.now_ns > ts_ns ? e->table.now_ns : ts_ns);
	if (e->hooks.record)
		e->hooks.record(e->hooks.ctx, &r);
}

void engine_detail(struct engine *e, enum detail detail)
{
	e->env.detail = detail;
	if (e->hooks.detail)
		e->hooks.detail(e->hooks.ctx, detail);
}

void engine_finish(struct engine *e)
{
	decoder_flush(e->decoder);
	for (unsigned i = 0; i < FLOW_PHASES; i++)
		while (!list_empty(&e->table.phase[i]))
			flow_end(e, container_of(e->table.phase[i].next, struct flow, node), ENDED_OPEN, -1);
}

const struct stats *engine_stats(const struct engine *e)
{
	return &e->stats;
}

size_t engine_flows(const struct engine *e)
{
	return e->table.flows;
}

size_t engine_memory(const struct engine *e)
{
	return pool_held(e->pool) + e->table.buckets * sizeof(*e->table.bucket);
}
