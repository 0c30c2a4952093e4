/* SPDX-License-Identifier: MIT */
/* One JSON object a line; doc/records.md describes it. */
#include "output/format.h"
#include "output/json.h"
#include "output/names.h"
#include "output/trace.h"

static uint8_t *flow_side(uint8_t *w, const struct flow_record *f, int i)
{
	w = NUMBER(w, "segments", f->side[i].segments);
	w = NUMBER(w, "bytes", f->side[i].bytes);
	w = NUMBER(w, "retransmitted_bytes", f->side[i].retransmitted);
	w = NUMBER(w, "out_of_order_segments", f->side[i].out_of_order);
	w = NUMBER(OPEN(w, "lost_bytes"), "network", f->side[i].lost_network);
	w = NUMBER(w, "ring", f->side[i].lost_ring);
	w = NUMBER(w, "snaplen", f->side[i].lost_snaplen);
	w = CLOSE(NUMBER(w, "memory", f->side[i].lost_memory));
	return CLOSE(w);
}

static uint8_t *flow(uint8_t *w, const struct flow_record *f)
{
	w = OPEN(w, "flow");
	if (f->last_ns >= f->first_ns)
		w = NUMBER(w, "duration_ns", f->last_ns - f->first_ns);
	if (f->handshake_ns)
		w = NUMBER(w, "handshake_ns", f->handshake_ns);
	w = WORD(w, "protocol", f->protocol);
	w = WORD(w, "verdict", f->verdict);
	w = NUMBER(w, "exchanges", f->exchanges);
	w = FLAG(w, "syn_seen", f->syn_seen);
	w = flow_side(OPEN(w, "client"), f, 0);
	w = flow_side(OPEN(w, "server"), f, 1);
	return CLOSE(json_ended(w, f->ended, f->ended_by));
}

static uint8_t *loss(uint8_t *w, const struct loss_record *l)
{
	w = WORD(OPEN(w, "loss"), "cause", l->cause);
	w = NUMBER(w, "packets", l->packets);
	if (l->bytes)
		w = NUMBER(w, "bytes", l->bytes);
	if (l->cpu)
		w = NUMBER(w, "cpu", l->cpu - 1);
	return CLOSE(w);
}

static uint8_t *budget(uint8_t *w, const struct budget_record *b)
{
	w = WORD(OPEN(w, "budget"), "step", name_of_detail(b->detail));
	w = WORD(w, "before", name_of_detail(b->before));
	if (b->detail == DETAIL_COUNTS)
		w = NUMBER(w, "one_in", b->one_in);
	w = NUMBER(w, "cpu_ns", b->spent_ns);
	w = NUMBER(w, "limit_ns", b->limit_ns);
	return CLOSE(NUMBER(w, "lasted_ns", b->lasted_ns));
}

static uint8_t *time_stamp(uint8_t *w, uint64_t ns)
{
	w = NUMBER(OPEN(w, "ts"), "seconds", ns / 1000000000);
	return CLOSE(NUMBER(w, "nanos", ns % 1000000000));
}

static uint8_t *quoted_ip(uint8_t *w, const struct flow_key *k, unsigned side)
{
	*w++ = '"';
	w = print_ip(w, k->addr[side], k->version);
	return PRINT(w, "\",");
}

static uint8_t *addresses(uint8_t *w, const struct flow_key *k, unsigned client)
{
	w = quoted_ip(KEY(OPEN(w, "ip"), "client"), k, client);
	w = quoted_ip(KEY(w, "server"), k, !client);
	w = CLOSE(NUMBER(w, "ipVersion", k->version == 4 ? 1 : 2));
	w = NUMBER(PRINT(w, "\"l4\":{\"Protocol\":{\"TCP\":{"), "client_port", k->port[client]);
	w = NUMBER(w, "server_port", k->port[!client]);
	return PRINT(close_with(w, '}'), "}},");
}

static uint8_t *tunnel(uint8_t *w, const struct endpoints *e)
{
	w = WORD(OPEN(w, "tunnel"), "type", name_of_tunnel(e->tunnel));
	if (e->tunnel_id)
		w = NUMBER(w, "id", e->tunnel_id);
	return CLOSE(w);
}

static uint8_t *iface(struct buf *b, uint8_t *w, const struct endpoints *e)
{
	const char *vantage = name_of_vantage(e->vantage), *name = e->ifname ? e->ifname : "";

	if (!e->ifindex && !*name && !vantage && !e->vlan && !name_of_tunnel(e->tunnel))
		return w;
	w = OPEN(w, "iface");
	if (e->ifindex)
		w = NUMBER(w, "index", e->ifindex);
	w = *name ? string(b, KEY(w, "name"), slice_str(name)) : w;
	if (!w)
		return NULL;
	w = WORD(w, "vantage", vantage);
	if (e->vlan)
		w = NUMBER(w, "vlan", e->vlan - 1u);
	if (name_of_tunnel(e->tunnel))
		w = tunnel(w, e);
	return CLOSE(w);
}

static uint8_t *where(struct buf *b, uint8_t *w, const struct record *r)
{
	const struct endpoints *e = &r->ends;
	unsigned server = !e->other_client;

	w = iface(b, w, e);
	if (w && e->flow_id) {
		w = print_hex64(PRINT(w, "\"flow_id\":\""), e->flow_id);
		w = PRINT(w, "\",");
	}
	if (w && r->kind == RECORD_EXCHANGE && r->exchange.number)
		w = NUMBER(w, "exchange", r->exchange.number);
	if (w && e->translated) {
		w = quoted_ip(KEY(OPEN(w, "backend"), "ip"), &e->other, server);
		w = CLOSE(NUMBER(w, "port", e->other.port[server]));
	}
	return w;
}

static uint8_t *trace(uint8_t *w, const struct message *request)
{
	struct trace t;

	if (request->left_out & 1u << PART_HEADERS || !trace_of(&request->headers, &t))
		return w;
	w = print_bytes(PRINT(OPEN(w, "trace"), "\"trace_id\":\""), t.trace_id, sizeof(t.trace_id));
	w = print_bytes(PRINT(w, "\",\"span_id\":\""), t.span_id, sizeof(t.span_id));
	return PRINT(w, "\"},");
}

static bool json_write(void *state, const struct view *view, const struct record *r, struct buf *out)
{
	uint8_t *w = buf_start(out, FIXED);

	(void)state;
	if (!w)
		return false;
	w = time_stamp(PRINT(w, "{"), r->ts_ns);
	if (r->kind == RECORD_EXCHANGE || r->kind == RECORD_FLOW)
		w = addresses(w, &r->ends.key, r->ends.client != 0);
	if (r->kind == RECORD_EXCHANGE)
		w = json_exchange(out, w, view, &r->exchange);
	w = room(out, w, 0);
	if (w)
		w = where(out, w, r);
	if (!w)
		return false;
	if (r->kind == RECORD_EXCHANGE)
		w = json_missing(trace(w, &r->exchange.request), &r->exchange);
	else if (r->kind == RECORD_FLOW)
		w = flow(w, &r->flow);
	else if (r->kind == RECORD_LOSS)
		w = loss(w, &r->loss);
	else
		w = budget(w, &r->budget);
	buf_done(out, PRINT(close_with(w, '}'), "\n"));
	return true;
}

const struct format format_json = {
	.name = "json",
	.help = "one JSON object a line",
	.write = json_write,
};
