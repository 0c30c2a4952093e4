/* SPDX-License-Identifier: MIT */
/*
 * One JSON object a line; doc/records.md describes it. Text of the wire asks for the room it may need and FIXED bytes
 * behind it; between two such requests less than FIXED bytes are written. A pointer that is NULL means that there was
 * no room, and is passed on. Each member ends with a comma, which the end of its object overwrites.
 */
#include "output/escape.h"
#include "output/format.h"
#include "output/names.h"
#include "output/print.h"
#include "output/target.h"

#define FIXED 4096

#define KEY(w, name)       PRINT(w, "\"" name "\":")
#define NUMBER(w, name, v) comma(print_u64(KEY(w, name), (v)))
#define WORD(w, name, s)   ((s) ? word(KEY(w, name), (s)) : (w))
#define OPEN(w, name)      PRINT(w, "\"" name "\":{")
#define CLOSE(w)           comma(close_with((w), '}'))
#define CLOSE_LIST(w)      comma(close_with((w), ']'))

static inline uint8_t *room(struct buf *b, uint8_t *w, size_t n)
{
	return buf_room(b, w, n + FIXED);
}

static inline uint8_t *comma(uint8_t *w)
{
	*w++ = ',';
	return w;
}

static inline uint8_t *close_with(uint8_t *w, char bracket)
{
	w -= w[-1] == ',';
	*w++ = (uint8_t)bracket;
	return w;
}

/* A string of our own words. */
static uint8_t *word(uint8_t *w, const char *s)
{
	*w++ = '"';
	w = print_str(w, s);
	return PRINT(w, "\",");
}

/* Text of the wire. */
static uint8_t *string(struct buf *b, uint8_t *w, struct slice s)
{
	w = room(b, w, ESCAPE_JSON_MAX(s.n));
	if (!w)
		return NULL;
	*w++ = '"';
	w = escape_json(w, s);
	return PRINT(w, "\",");
}

/* A member with text of the wire; none when there is no text. */
#define TEXT(b, w, name, s) ((s).n ? string((b), KEY(w, name), (s)) : (w))

/* What lies between a string and `limit` may be read too. */
static inline uint8_t *field_line(struct buf *b, uint8_t *w, const struct view *view, struct slice name,
				  struct slice value, const uint8_t *limit)
{
	w = room(b, w, ESCAPE_JSON_MAX(name.n) + ESCAPE_JSON_MAX(value.n));
	if (!w)
		return NULL;
	w = escape_json_within(PRINT(w, "{\"key\":\""), name, limit);
	w = PRINT(w, "\",\"value\":\"");
	w = view_hides(view, name) ? PRINT(w, VIEW_REDACTED) : escape_json_within(w, value, limit);
	return PRINT(w, "\"},");
}

static uint8_t *field_lines(struct buf *b, uint8_t *w, const struct view *view, const struct fields *f)
{
	const struct fields lines = *f; /* for the compiler: what is written cannot change it */
	const uint8_t *limit = f->n ? f->text + f->v[f->n - 1].value + f->v[f->n - 1].value_len : NULL;

	for (uint32_t i = 0; w && i < lines.n; i++) {
		struct slice name = field_name(&lines, i);

		if (view->headers == HEADERS_ALL || view_wants(view, name))
			w = field_line(b, w, view, name, field_value(&lines, i), limit);
	}
	return w ? CLOSE_LIST(w) : NULL;
}

static uint8_t *body(struct buf *b, uint8_t *w, struct slice s)
{
	if (s.n == 0)
		return w;
	if (escape_is_text(s))
		return TEXT(b, w, "body", s);
	w = room(b, w, (s.n + 2) / 3 * 4);
	if (!w)
		return NULL;
	w = print_base64(PRINT(w, "\"body_base64\":\""), s);
	return PRINT(w, "\",");
}

static uint8_t *request_start(struct buf *b, uint8_t *w, const struct message *m)
{
	w = TEXT(b, w, "method", m->method);
	return w ? TEXT(b, w, "url", m->target) : NULL;
}

/* What of a request does not stand in the original shape. */
static uint8_t *request_more(struct buf *b, uint8_t *w, const struct message *m)
{
	struct slice authority = m->authority.n ? m->authority : request_authority(m);
	struct slice scheme = m->scheme.n ? m->scheme : target_parse(m->target).scheme;

	w = TEXT(b, w, "authority", authority);
	return w ? TEXT(b, w, "scheme", scheme) : NULL;
}

/* Were its field lines seen? None at all are a list without elements, unless some are known to be missing. */
static bool has_fields(const struct message *m)
{
	bool whole = true;

	for (unsigned i = 0; i < m->missings && i < MISSING_MAX; i++)
		whole &= m->missing[i].part != PART_HEADERS;
	return whole || m->headers.n;
}

static uint8_t *message(struct buf *b, uint8_t *w, const struct view *view, const struct message *m, bool request)
{
	w = TEXT(b, PRINT(w, "{\"Record\":{\"Http\":{"), "protocol", m->protocol);
	if (w && request)
		w = request_start(b, w, m);
	else if (w && m->status)
		w = NUMBER(w, "code", m->status);
	if (w && view->headers != HEADERS_NONE && has_fields(m))
		w = field_lines(b, PRINT(w, "\"headers\":["), view, &m->headers);
	if (w && view->headers != HEADERS_NONE && m->trailers.n)
		w = field_lines(b, PRINT(w, "\"trailers\":["), view, &m->trailers);
	if (w)
		w = request ? request_more(b, w, m) : TEXT(b, w, "reason", m->reason);
	if (!w)
		return NULL;
	if (m->first_ns && m->last_ns >= m->first_ns)
		w = NUMBER(w, "duration_ns", m->last_ns - m->first_ns);
	if (m->unknown_fields)
		w = NUMBER(w, "unknown_headers", m->unknown_fields);
	w = NUMBER(w, "body_bytes", m->body_bytes);
	w = NUMBER(w, "wire_bytes", m->wire_bytes);
	if (!m->complete)
		w = PRINT(w, "\"complete\":false,");
	w = body(b, w, m->body);
	return w ? PRINT(close_with(w, '}'), "}},") : NULL;
}

/* Interim responses, with their time after the first byte of the request. */
static uint8_t *interims(uint8_t *w, const struct exchange_record *x)
{
	const struct message *m = &x->response;

	w = PRINT(w, "\"interim\":[");
	for (unsigned i = 0; i < m->interims && i < INTERIM_MAX; i++) {
		w = NUMBER(PRINT(w, "{"), "code", m->interim[i].status);
		if (x->request.first_ns && m->interim[i].ts_ns >= x->request.first_ns)
			w = NUMBER(w, "after_ns", m->interim[i].ts_ns - x->request.first_ns);
		w = CLOSE(w);
	}
	w = CLOSE_LIST(w);
	return m->interims > INTERIM_MAX ? NUMBER(w, "interims", m->interims) : w;
}

static uint8_t *ended(uint8_t *w, unsigned how, int by)
{
	if (!name_of_ended(how))
		return w;
	w = WORD(OPEN(w, "ended"), "how", name_of_ended(how));
	if (by >= 0)
		w = WORD(w, "by", by == 0 ? "client" : "server");
	return CLOSE(w);
}

static uint8_t *grpc_side(uint8_t *w, const struct grpc_record *g, int i)
{
	if (!g->counted[i])
		return w;
	w = i ? NUMBER(w, "response_messages", g->messages[1]) : NUMBER(w, "request_messages", g->messages[0]);
	return i ? NUMBER(w, "response_message_bytes", g->bytes[1]) : NUMBER(w, "request_message_bytes", g->bytes[0]);
}

static uint8_t *grpc(struct buf *b, uint8_t *w, const struct grpc_record *g)
{
	w = TEXT(b, OPEN(w, "grpc"), "service", g->service);
	w = w ? TEXT(b, w, "method", g->method) : NULL;
	w = w ? TEXT(b, w, "message", g->message) : NULL;
	w = room(b, w, 0);
	if (!w)
		return NULL;
	if (g->status >= 0) {
		w = NUMBER(w, "status", (unsigned)g->status);
		w = WORD(w, "status_name", name_of_grpc_status(g->status));
	}
	w = grpc_side(grpc_side(w, g, 0), g, 1);
	return CLOSE(WORD(w, "kind", name_of_grpc_kind(g->kind)));
}

static uint8_t *exchange(struct buf *b, uint8_t *w, const struct view *view, const struct exchange_record *x)
{
	w = OPEN(w, "l7");
	if (x->timed) {
		w = NUMBER(w, "latency_ns", x->latency_ns);
		w = NUMBER(w, "duration_ns", x->duration_ns);
	}
	if (x->request.seen)
		w = message(b, KEY(w, "request"), view, &x->request, true);
	if (w && x->response.seen)
		w = message(b, KEY(w, "response"), view, &x->response, false);
	w = room(b, w, 0);
	if (!w)
		return NULL;
	if (x->response.interims)
		w = interims(w, x);
	if (x->stream_id)
		w = NUMBER(w, "stream_id", x->stream_id);
	if (x->was_reset)
		w = NUMBER(w, "reset_code", x->reset_code);
	if (x->is_grpc) {
		w = grpc(b, w, &x->grpc);
		if (!w)
			return NULL;
	}
	w = ended(w, x->ended, x->ended_by);
	w = WORD(w, "turned", name_of_turned(x->turned));
	return CLOSE(w);
}

static uint8_t *missing_of(uint8_t *w, const struct message *m, const char *side)
{
	for (unsigned i = 0; i < m->missings && i < MISSING_MAX; i++) {
		w = WORD(PRINT(w, "{"), "side", side);
		w = WORD(w, "part", name_of_part(m->missing[i].part));
		w = WORD(w, "cause", name_of_cause(m->missing[i].cause));
		if (m->missing[i].bytes)
			w = NUMBER(w, "bytes", m->missing[i].bytes);
		w = CLOSE(w);
	}
	return w;
}

static uint8_t *missing(uint8_t *w, const struct exchange_record *x)
{
	if (!x->request.missings && !x->response.missings)
		return w;
	w = missing_of(PRINT(w, "\"missing\":["), &x->request, "request");
	w = missing_of(w, &x->response, "response");
	return CLOSE_LIST(w);
}

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
	w = f->syn_seen ? PRINT(w, "\"syn_seen\":true,") : PRINT(w, "\"syn_seen\":false,");
	w = flow_side(OPEN(w, "client"), f, 0);
	w = flow_side(OPEN(w, "server"), f, 1);
	return CLOSE(ended(w, f->ended, f->ended_by));
}

static uint8_t *loss(uint8_t *w, const struct loss_record *l)
{
	w = WORD(OPEN(w, "loss"), "cause", l->cause);
	w = NUMBER(w, "packets", l->packets);
	if (l->bytes)
		w = NUMBER(w, "bytes", l->bytes);
	return CLOSE(w);
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

static uint8_t *where(struct buf *b, uint8_t *w, const struct endpoints *e)
{
	unsigned server = !e->other_client;

	w = iface(b, w, e);
	if (w && e->flow_id) {
		w = print_hex64(PRINT(w, "\"flow_id\":\""), e->flow_id);
		w = PRINT(w, "\",");
	}
	if (w && e->translated) {
		w = quoted_ip(KEY(OPEN(w, "backend"), "ip"), &e->other, server);
		w = CLOSE(NUMBER(w, "port", e->other.port[server]));
	}
	return w;
}

static bool json_write(void *state, const struct view *view, const struct record *r, struct buf *out)
{
	uint8_t *w = buf_start(out, FIXED);

	(void)state;
	if (!w)
		return false;
	w = time_stamp(PRINT(w, "{"), r->ts_ns);
	if (r->kind != RECORD_LOSS)
		w = addresses(w, &r->ends.key, r->ends.client != 0);
	if (r->kind == RECORD_EXCHANGE)
		w = exchange(out, w, view, &r->exchange);
	w = room(out, w, 0);
	if (w)
		w = where(out, w, &r->ends);
	if (!w)
		return false;
	if (r->kind == RECORD_EXCHANGE)
		w = missing(w, &r->exchange);
	else if (r->kind == RECORD_FLOW)
		w = flow(w, &r->flow);
	else
		w = loss(w, &r->loss);
	buf_done(out, PRINT(close_with(w, '}'), "\n"));
	return true;
}

const struct format format_json = {
	.name = "json",
	.help = "one JSON object a line",
	.write = json_write,
};
