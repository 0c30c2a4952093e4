/* SPDX-License-Identifier: MIT */
/*
 * Conversations over TCP made by hand, an engine that takes their packets, and its records as lines of text. A packet's bytes
 * lie in a heap block of their exact size, so that a sanitizer sees a read beyond their end.
 */
#ifndef PERISCO_TESTS_ENGINE_RIG_H
#define PERISCO_TESTS_ENGINE_RIG_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "packet/linktype.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

enum { CLIENT, SERVER };

/* --- packets -------------------------------------------------------------------------------------------------------- */

struct shot {
	uint64_t ts_ns;
	uint32_t ip[2], seq, ack, cut; /* ip, port: source and destination; cut: the last bytes of data are not captured */
	uint16_t port[2];
	uint8_t flags, side;
	struct slice data;
	const struct iface *iface;
	enum direction dir;
	bool chosen, counted;
};

static inline uint8_t *put_be(uint8_t *p, uint64_t v, unsigned n)
{
	while (n--)
		*p++ = (uint8_t)(v >> 8 * n);
	return p;
}

/* IPv4, or IPv6 with the same numbers, without a link layer. */
static inline void shot_play(struct engine *e, const struct shot *s, bool ip6)
{
	size_t head = (ip6 ? 40 : 20) + 20, n = head + s->data.n - s->cut;
	uint8_t *bytes = malloc(n), *p = bytes;
	struct packet pkt = {.ts_ns = s->ts_ns, .wire_len = (uint32_t)(head + s->data.n), .link = LINKTYPE_RAW, .dir = s->dir,
			     .chosen = s->chosen, .counted = s->counted, .iface = s->iface, .data = slice_of(bytes, n)};

	if (!bytes)
		abort();
	if (ip6) {
		p = put_be(p, 0x60000000, 4);
		p = put_be(p, 20 + s->data.n > 65535 ? 0 : 20 + s->data.n, 2);
		p = put_be(p, 0x0640, 2);
		for (unsigned i = 0; i < 2; i++)
			p = put_be(put_be(put_be(p, 0x20010db8, 4), 0, 8), s->ip[i], 4);
	} else {
		p = put_be(p, 0x4500, 2);
		p = put_be(p, head + s->data.n > 65535 ? 0 : head + s->data.n, 2); /* as the kernel does */
		p = put_be(p, UINT64_C(0x0000400040060000), 8);
		p = put_be(put_be(p, s->ip[0], 4), s->ip[1], 4);
	}
	p = put_be(put_be(p, s->port[0], 2), s->port[1], 2);
	p = put_be(put_be(p, s->seq, 4), s->ack, 4);
	p = put_be(p, 0x50, 1);
	p = put_be(put_be(p, s->flags, 1), 0xfaf0, 2);
	p = put_be(p, 0, 4);
	if (n > head)
		memcpy(p, s->data.p, n - head);
	engine_packet(e, &pkt);
	free(bytes);
}

/* --- conversations -------------------------------------------------------------------------------------------------- */

#define SHOTS_MAX 4096

/* One connection: what each side says becomes a shot. Change what you like before you say something. */
struct talk {
	struct shot shots[SHOTS_MAX];
	unsigned n;
	uint64_t now, step;            /* of the next shot, and how much later the one after it is */
	uint32_t ip[2], seq[2];        /* of client and server; seq is of the next byte */
	uint16_t port[2];
	const struct iface *iface;
	enum direction dir;            /* of the client's packets */
};

static inline struct talk *talk_new(void)
{
	struct talk *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->now = 1000 * S;
	t->step = MS;
	t->ip[CLIENT] = 0x0a000001;
	t->ip[SERVER] = 0x0a000002;
	t->port[CLIENT] = 50000;
	t->port[SERVER] = 80;
	t->seq[CLIENT] = 0xfffffff0; /* wraps soon */
	t->seq[SERVER] = 1000;
	return t;
}

/* A segment with these bytes, which must live as long as the conversation. Returns it, to be changed. */
static inline struct shot *talk_shot(struct talk *t, unsigned side, uint8_t flags, struct slice data)
{
	struct shot *s = &t->shots[t->n++];

	if (t->n > SHOTS_MAX)
		abort();
	*s = (struct shot){.ts_ns = t->now, .ip = {t->ip[side], t->ip[!side]}, .port = {t->port[side], t->port[!side]},
			   .seq = t->seq[side], .ack = flags & TCP_ACK ? t->seq[!side] : 0, .flags = flags,
			   .side = (uint8_t)side, .data = data, .iface = t->iface, .dir = t->dir};
	if (t->dir && side == SERVER)
		s->dir = t->dir == DIRECTION_IN ? DIRECTION_OUT : DIRECTION_IN;
	t->seq[side] += (uint32_t)data.n + (flags & TCP_SYN ? 1 : 0) + (flags & TCP_FIN ? 1 : 0);
	t->now += t->step;
	return s;
}

static inline struct shot *talk_bytes(struct talk *t, unsigned side, const void *p, size_t n)
{
	return talk_shot(t, side, TCP_PSH | TCP_ACK, slice_of(p, n));
}

static inline struct shot *talk_say(struct talk *t, unsigned side, const char *text)
{
	return talk_bytes(t, side, text, strlen(text));
}

static inline void talk_open(struct talk *t)
{
	talk_shot(t, CLIENT, TCP_SYN, SLICE(""));
	talk_shot(t, SERVER, TCP_SYN | TCP_ACK, SLICE(""));
	talk_shot(t, CLIENT, TCP_ACK, SLICE(""));
}

static inline void talk_ack(struct talk *t, unsigned side)
{
	talk_shot(t, side, TCP_ACK, SLICE(""));
}

static inline void talk_fin(struct talk *t, unsigned side)
{
	talk_shot(t, side, TCP_FIN | TCP_ACK, SLICE(""));
}

static inline void talk_close(struct talk *t)
{
	talk_fin(t, CLIENT);
	talk_fin(t, SERVER);
	talk_ack(t, CLIENT);
}

/* --- records as text ------------------------------------------------------------------------------------------------ */

struct rig {
	struct engine *e;
	struct engine_config config;
	bool ip6, full;                /* full: all that is in a record; else one short line, ... */
	bool bare;                     /* ... without times, nor what came more than once, ... */
	bool untidy;                   /* ... nor how much that was */
	char *text;
	size_t text_n;
	FILE *out;
	unsigned records[4], ends;     /* by kind */
	void (*on_record)(void *ctx, const struct record *r);
	void (*elide)(void *ctx, const struct flow_key *key, unsigned side, const struct elision *e);
	bool (*elided)(void *ctx, const struct flow_key *key, unsigned side, struct elision *ret);
	void *ctx;
};

static inline void print_slice(FILE *out, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		fprintf(out, s.p[i] > ' ' && s.p[i] < 127 ? "%c" : s.p[i] == ' ' ? " " : "\\%02x", s.p[i]);
}

static inline void print_fields(FILE *out, const char *what, const struct fields *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		fprintf(out, " %s(", what);
		print_slice(out, field_name(f, i));
		fputc('=', out);
		print_slice(out, field_value(f, i));
		fputc(')', out);
	}
}

static inline void print_half(const struct rig *r, const struct message *m)
{
	static const char *const parts[] = {"start", "head", "body", "trailers"};
	static const char *const causes[] = {"network", "ring", "snaplen", "elided", "memory", "grammar"};
	FILE *out = r->out;

	if (!m->seen) {
		fputc('-', out);
		return;
	}
	if (m->status)
		fprintf(out, "%u", m->status);
	print_slice(out, m->method);
	if (m->target.p && m->target.n)
		fputc(' ', out), print_slice(out, m->target);
	if (m->protocol.n)
		fputc(' ', out), print_slice(out, slice_from(m->protocol, 5));
	if (m->body_bytes)
		fprintf(out, " %" PRIu64 "B", m->body_bytes);
	for (unsigned i = 0; i < m->interims && i < INTERIM_MAX; i++)
		fprintf(out, " interim(%u)", m->interim[i].status);
	print_fields(out, "trailer", &m->trailers);
	for (unsigned i = 0; i < m->missings; i++)
		fprintf(out, " missing(%s %s %" PRIu64 ")", parts[m->missing[i].part], causes[m->missing[i].cause],
			m->missing[i].bytes);
	if (!m->complete)
		fputs(" incomplete", out);
	if (!r->full)
		return;
	fprintf(out, " %" PRIu64 "..%" PRIu64 " wire(%" PRIu64 ") interims(%u) reason(", m->first_ns, m->last_ns, m->wire_bytes,
		m->interims);
	print_slice(out, m->reason);
	fputs(") body(", out);
	print_slice(out, m->body);
	fputc(')', out);
	for (unsigned i = 0; i < m->interims && i < INTERIM_MAX; i++)
		fprintf(out, " interim(%u at %" PRIu64 ")", m->interim[i].status, m->interim[i].ts_ns);
	print_fields(out, "field", &m->headers);
}

static const char *const ended_names[] = {"well", "closed", "reset", "timeout", "open", "evicted", "replaced", "lost",
					  "goaway", "budget"};

static inline void print_exchange(const struct rig *r, const struct exchange_record *x)
{
	static const char *const turned[] = {"not", "tunnel", "websocket", "h2c", "other"};
	FILE *out = r->out;

	print_half(r, &x->request);
	fputs(" -> ", out);
	print_half(r, &x->response);
	if (x->timed && !r->bare)
		fprintf(out, " %" PRIu64 "/%" PRIu64 "us", x->latency_ns / US, x->duration_ns / US);
	if (x->ended)
		fprintf(out, " %s", ended_names[x->ended]);
	if (x->ended_by >= 0)
		fprintf(out, " by %s", x->ended_by ? "server" : "client");
	if (x->turned)
		fprintf(out, " turned(%s)", turned[x->turned]);
}

static inline void print_flow(const struct rig *r, const struct flow_record *f)
{
	fprintf(r->out, "flow %s %s %" PRIu64 " exchanges, %s", f->protocol ? f->protocol : "-", f->verdict ? f->verdict : "-",
		f->exchanges, ended_names[f->ended]);
	if (f->ended_by >= 0)
		fprintf(r->out, " by %s", f->ended_by ? "server" : "client");
	for (unsigned i = 0; i < 2 && r->bare; i++)
		fprintf(r->out, ", lost %" PRIu64 " %" PRIu64, f->side[i].lost_network, f->side[i].lost_ring);
	for (unsigned i = 0; i < 2 && r->bare && !r->untidy; i++)
		fprintf(r->out, ", %" PRIu64 "B", f->side[i].bytes);
	for (unsigned i = 0; i < 2 && !r->bare; i++)
		fprintf(r->out, ", %" PRIu64 " segments %" PRIu64 "B again %" PRIu64 " disorder %" PRIu64 " lost %" PRIu64
			" %" PRIu64 " %" PRIu64 " %" PRIu64, f->side[i].segments, f->side[i].bytes, f->side[i].retransmitted,
			f->side[i].out_of_order, f->side[i].lost_network, f->side[i].lost_ring, f->side[i].lost_snaplen,
			f->side[i].lost_memory);
}

static inline void rig_on_record(void *ctx, const struct record *rec)
{
	struct rig *r = ctx;
	const struct endpoints *at = &rec->ends;

	r->records[rec->kind]++;
	if (r->on_record)
		r->on_record(r->ctx, rec);
	if (rec->kind == RECORD_EXCHANGE)
		print_exchange(r, &rec->exchange);
	else if (rec->kind == RECORD_FLOW)
		print_flow(r, &rec->flow);
	else
		fprintf(r->out, "loss %s %" PRIu64, rec->loss.cause, rec->loss.packets);
	if (r->full)
		fprintf(r->out, " ts %" PRIu64 " client %u port %u vantage %u vlan %u if %u(%s) id %" PRIx64, rec->ts_ns, at->client,
			at->key.port[at->client], at->vantage, at->vlan, at->ifindex, at->ifname, at->flow_id);
	if (r->full && at->translated)
		fprintf(r->out, " other %u", at->other.port[at->other_client]);
	fputc('\n', r->out);
}

static inline void rig_on_end(void *ctx, uint64_t id)
{
	(void)id;
	((struct rig *)ctx)->ends++;
}

/* An engine with this configuration; what was said before is forgotten. NULL engine when there is no memory. */
static inline void rig_open(struct rig *r)
{
	struct engine_hooks hooks = {.ctx = r, .record = rig_on_record, .flow_end = rig_on_end, .elide = r->elide,
				     .elided = r->elided};

	memset(r->records, 0, sizeof(r->records));
	r->ends = 0;
	r->out = open_memstream(&r->text, &r->text_n);
	if (!r->out)
		abort();
	r->e = engine_new(&r->config, &hooks);
}

/* Nothing more will come: r->text is complete. It must be freed. */
static inline void rig_finish(struct rig *r)
{
	if (r->e)
		engine_finish(r->e);
	fclose(r->out);
	r->out = NULL;
}

static inline void rig_close(struct rig *r)
{
	if (r->out)
		rig_finish(r);
	engine_free(r->e);
	r->e = NULL;
	free(r->text);
	r->text = NULL;
}

static inline void rig_play(struct rig *r, const struct talk *t)
{
	for (unsigned i = 0; i < t->n; i++)
		shot_play(r->e, &t->shots[i], r->ip6);
}

/* The text so far. */
static inline const char *rig_text(struct rig *r)
{
	fflush(r->out);
	return r->text;
}

#endif
