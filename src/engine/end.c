/* SPDX-License-Identifier: MIT */
/* The end of a flow, memory that is needed elsewhere, and the records of all this. */
#include "engine/internal.h"

static void fill_ends(const struct flow *f, struct endpoints *ret)
{
	uint8_t client = f->conn.client < 0 ? f->conn.guess : (uint8_t)f->conn.client;

	*ret = (struct endpoints){.key = point_key(&f->key), .client = client, .tunnel = f->tunnel, .vlan = f->vlan,
				  .tunnel_id = f->tunnel_id, .ifindex = f->ifindex, .ifname = f->ifname, .flow_id = f->id};
	if (f->vantage == 3)
		ret->vantage = VANTAGE_BOTH;
	else if (f->vantage)
		ret->vantage = f->vantage == 1u << client ? VANTAGE_CLIENT : VANTAGE_SERVER;
	if (f->other) {
		ret->translated = true;
		ret->other = *f->other;
		ret->other_client = f->other_crossed ? !client : client;
	}
}

void engine_emit(void *ctx, struct conn *c, struct record *r)
{
	struct engine *e = ctx;

	fill_ends(container_of(c, struct flow, conn), &r->ends);
	if (e->hooks.record)
		e->hooks.record(e->hooks.ctx, r);
}

static void emit_flow(struct engine *e, const struct flow *f, enum ended how, int by)
{
	struct record r = {.kind = RECORD_FLOW, .ts_ns = f->first_ns};
	struct flow_record *fr = &r.flow;

	fill_ends(f, &r.ends);
	fr->first_ns = f->first_ns;
	fr->last_ns = f->last_ns;
	for (unsigned i = 0; i < 2; i++) {
		unsigned side = i ? !r.ends.client : r.ends.client;
		const struct stream *st = &f->stream[side];

		fr->side[i].segments = f->side[side].segments;
		fr->side[i].bytes = f->side[side].bytes;
		fr->side[i].retransmitted = st->retransmitted;
		fr->side[i].out_of_order = st->out_of_order;
		fr->side[i].lost_network = st->lost[CAUSE_NETWORK];
		fr->side[i].lost_ring = st->lost[CAUSE_RING];
		fr->side[i].lost_snaplen = st->lost[CAUSE_SNAPLEN];
		fr->side[i].lost_memory = st->lost[CAUSE_MEMORY];
	}
	fr->protocol = f->conn.proto ? f->conn.proto->name : NULL;
	fr->verdict = f->conn.verdict;
	if (!fr->verdict && !fr->protocol)
		fr->verdict = f->side[0].bytes || f->side[1].bytes ? "unknown" : "empty";
	fr->exchanges = f->conn.exchanges;
	fr->handshake_ns = f->shaken ? f->handshake_ns : 0;
	fr->syn_seen = f->stream[0].syn_seen || f->stream[1].syn_seen;
	fr->ended = (uint8_t)how;
	fr->ended_by = by < 0 ? -1 : (int8_t)conn_role(&f->conn, (unsigned)by);
	e->hooks.record(e->hooks.ctx, &r);
}

void flow_close(struct engine *e, struct flow *f, enum ended how, int by)
{
	if (f->closed)
		return;
	f->closed = true;
	f->conn.how = (uint8_t)how;
	f->conn.by = (int8_t)by;
	if (f->elides)
		flow_elided(e, f);
	stream_close(&f->stream[0], gap_cause(e, f));
	stream_close(&f->stream[1], gap_cause(e, f));
	flow_deliver(e, f, 0);
	flow_unstall(f);
	if (f->conn.state) {
		f->conn.proto->close(&f->conn);
		conn_free(&f->conn, f->conn.state, f->conn.proto->state_size);
		f->conn.state = NULL;
		f->conn.done = true;
	}
}

static bool has_fin(const struct stream *st)
{
	return st->ended || st->fin != OFFSET_UNKNOWN;
}

void flow_end(struct engine *e, struct flow *f, enum ended how, int by)
{
	struct flow *current = e->current;

	if (f->reset || (has_fin(&f->stream[0]) && has_fin(&f->stream[1]))) {
		how = f->reset ? ENDED_RESET : ENDED_CLOSED;
		by = f->closed_by;
	}
	e->current = f;
	if (!f->alias) {
		flow_close(e, f, how, by);
		if (e->flow_records && e->hooks.record)
			emit_flow(e, f, how, by);
	}
	if (f->elides)
		flow_elided(e, f);
	if (e->hooks.flow_end && !f->alias)
		e->hooks.flow_end(e->hooks.ctx, f->id);
	flow_not_left_alone(e, f);
	point_forget(e, f);
	flow_remove(&e->table, f);
	e->current = current;
}

/* The flow that has most bytes waiting, among the first few that wait. */
static struct flow *most_waiting(struct engine *e)
{
	struct flow *best = NULL;
	size_t most = 0;
	unsigned looked = 0;

	for (struct list *l = e->table.stalled.next; l != &e->table.stalled && looked < 64; l = l->next, looked++) {
		struct flow *f = container_of(l, struct flow, stalled);
		size_t waiting = f->stream[0].waiting + f->stream[1].waiting;

		if (f != e->current && waiting > most) {
			best = f;
			most = waiting;
		}
	}
	return best;
}

bool engine_reclaim(void *ctx, struct conn *c)
{
	static const enum flow_phase order[] = {FLOW_EMBRYO, FLOW_CLOSING, FLOW_ACTIVE};
	struct engine *e = ctx;
	struct flow *current = e->current, *f;
	bool found = false;

	if (e->reclaiming)
		return false;
	e->reclaiming = true;
	if (c)
		e->current = container_of(c, struct flow, conn);
	f = most_waiting(e);
	if (f) {
		struct flow *keep = e->current;

		e->current = f;
		flow_give_up(e, f, CAUSE_MEMORY);
		e->current = keep;
		found = true;
	}
	for (unsigned i = 0; i < 3 && !found; i++) {
		const struct list *l = &e->table.phase[order[i]];

		f = container_of(l->next, struct flow, node);
		if (f == e->current && l->next != l->prev)
			f = container_of(l->next->next, struct flow, node);
		if (list_empty(l) || f == e->current)
			continue;
		e->stats.flows_evicted++;
		flow_end(e, f, ENDED_EVICTED, -1);
		found = true;
	}
	e->reclaiming = false;
	e->current = current;
	return found;
}
