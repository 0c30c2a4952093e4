/* SPDX-License-Identifier: MIT */
/* What a segment means for its connection (RFC 9293): begin, data, acknowledgement, end. */
#include <errno.h>

#include "engine/internal.h"

#define SILENCE_EMBRYO (60 * SECOND)
#define SILENCE_ACTIVE (3600 * SECOND)
#define SILENCE_CLOSING (1 * SECOND)
#define LATE_SYN ((int32_t)1 << 20)    /* a SYN may be overtaken by this much of its own data */
#define RESET_BACK 65536               /* how far a RST may lie: behind the next byte, ... */
#define RESET_AHEAD (1 << 20)          /* ... and ahead of the last one */

/* --- begin ---------------------------------------------------------------------------------------------------------- */

/* FNV-like over what live and replay have in common. */
static uint64_t make_id(const struct flow_key *key, const struct segment *seg)
{
	uint64_t w[5], h = 0xcbf29ce484222325u ^ seg->seq ^ (uint64_t)seg->side << 32;

	memcpy(w, key, sizeof(w));
	for (unsigned i = 0; i < 5; i++) {
		h = (h ^ w[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	h = (h ^ seg->ts_ns) * 0x9e3779b97f4a7c15u;
	h ^= h >> 29;
	return h ? h : 1;
}

/* Of too many connections that never said anything the oldest goes. */
static void bound_embryos(struct engine *e)
{
	if (e->table.in_phase[FLOW_EMBRYO] <= e->embryos_max)
		return;
	e->stats.flows_evicted++;
	flow_end(e, container_of(e->table.phase[FLOW_EMBRYO].next, struct flow, node), ENDED_EVICTED, -1);
}

static struct flow *flow_new(struct engine *e, const struct packet *pkt, const struct segment *seg, uint32_t hash)
{
	struct flow *f;

	bound_embryos(e);
	f = flow_add(&e->table, &seg->key, hash);
	while (!f && engine_reclaim(e, NULL))
		f = flow_add(&e->table, &seg->key, hash);
	if (!f)
		return NULL;
	e->stats.flows++;
	f->id = make_id(&seg->key, seg);
	f->first_ns = seg->ts_ns;
	f->vlan = seg->vlan;
	f->tunnel = seg->tunnel;
	f->tunnel_id = seg->tunnel_id;
	f->conn.env = &e->env;
	f->conn.guess = seg->key.port[0] < seg->key.port[1];
	f->conn.midstream = !(seg->flags & TCP_SYN);
	e->stats.flows_midstream += f->conn.midstream;
	point_first(e, f, pkt, seg);
	return f;
}

/* Does the segment belong to a new connection between the same ends? */
static inline __attribute__((always_inline)) bool is_successor(const struct flow *f, const struct segment *seg)
{
	const struct stream *st = &f->stream[seg->side];
	uint32_t n = (uint32_t)seg->payload.n + seg->cut;
	int32_t late;

	if (seg->flags & TCP_SYN) {
		if (st->syn_seen)
			return st->isn != seg->seq;
		if (f->alias)
			return !(seg->flags & TCP_ACK);
		if (!st->started)
			return f->phase == FLOW_CLOSING;
		late = (int32_t)(st->next_seq - (seg->seq + 1));
		return f->phase == FLOW_CLOSING || late < 0 || late > LATE_SYN;
	}
	return st->ended && n && stream_offset(st, seg->seq) + n > (int64_t)st->next + 1;
}

/* Ends what the segment's connection replaces; what is still there under its key, or NULL. Inline: every segment asks. */
static inline __attribute__((always_inline)) struct flow *replace(struct engine *e, struct flow *f, const struct segment *seg)
{
	if (!f || !is_successor(f, seg))
		return f;
	flow_end(e, f, f->phase == FLOW_CLOSING ? ENDED_CLOSED : ENDED_REPLACED, -1);
	return NULL;
}

void tcp_moved(struct engine *e, const struct segment *seg)
{
	uint32_t hash;

	replace(e, flow_find(&e->table, &seg->key, &hash), seg);
}

static void handle_syn(struct flow *f, const struct segment *seg)
{
	struct stream *st = &f->stream[seg->side];

	if (st->syn_seen)
		return;
	st->syn_seen = true;
	st->isn = seg->seq;
	if (!st->started || st->tentative)
		stream_start(st, seg->seq + 1);
	st->tentative = false;
	f->stream[0].anchored = f->stream[1].anchored = true;
	if (!f->probed && !f->conn.proto)
		f->conn.midstream = false;
	if (f->conn.client < 0)
		f->conn.client = (int8_t)(seg->flags & TCP_ACK ? !seg->side : seg->side);
	if (!(seg->flags & TCP_ACK) && !f->shaken && !f->counted) /* else its end will not be seen */
		f->handshake_ns = seg->ts_ns;
}

/* Of an alias only its SYNs are of interest: another one is another connection's. */
static void handle_alias(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg)
{
	struct stream *st = &f->stream[seg->side];

	if (seg->flags & TCP_SYN) {
		st->syn_seen = true;
		st->isn = seg->seq;
	}
	flow_ignore_alias(e, f, pkt, seg);
}

/* --- data and acknowledgement --------------------------------------------------------------------------------------- */

/* Nobody decodes the flow: its bytes are only counted. */
static void skip_payload(struct engine *e, struct flow *f, const struct segment *seg, uint32_t seq, uint32_t n)
{
	uint64_t news = stream_skip(&f->stream[seg->side], seq, n, seg->flags & TCP_FIN);

	e->stats.ignored += news;
	if (f->elides & 1u << seg->side && news > seg->payload.n)
		f->side[seg->side].bytes += news - seg->payload.n;
	flow_unstall(f);
	if (f->left && !f->counted && seg->ts_ns >= f->stalled_ns)
		flow_look_again(e, f);
	else
		flow_ignore(e, f, seg->side);
}

/* Takes the long way: puts the payload in its place, and hands on what is in order then. */
static void insert_payload(struct engine *e, struct flow *f, const struct segment *seg, const struct span *span, uint32_t n)
{
	struct stream *st = flow_stream(f, seg->side);
	uint64_t old = st->retransmitted, disorder = st->out_of_order, differs = st->differs;

	if (n && stream_insert(st, e->pool, span) == -ENOMEM)
		engine_reclaim(e, &f->conn);
	if (seg->flags & TCP_FIN)
		stream_fin(st, span->seq + n);
	e->stats.retransmitted += st->retransmitted - old;
	e->stats.out_of_order += st->out_of_order - disorder;
	e->stats.overlap_differs += st->differs - differs;
	flow_deliver(e, f, seg->side);
}

/* `ack`: what the segment acknowledges, as offset of the other stream, or OFFSET_UNKNOWN. */
static void handle_payload(struct engine *e, struct flow *f, const struct segment *seg, uint32_t n, uint64_t ack)
{
	struct span span = {.seq = seg->seq + (seg->flags & TCP_SYN ? 1 : 0), .payload = seg->payload, .cut = seg->cut,
			    .ts_ns = seg->ts_ns, .ack = ack};

	if (f->conn.done) {
		skip_payload(e, f, seg, span.seq, n);
		return;
	}
	if (seg->flags & TCP_FIN || !flow_pass(e, f, seg->side, &span))
		insert_payload(e, f, seg, &span, n);
	if (f->conn.done) {
		stream_release(&f->stream[0], e->pool);
		stream_release(&f->stream[1], e->pool);
		flow_left_alone(e, f);
	}
}

/* Returns the acknowledgement as an offset of the other stream, or OFFSET_UNKNOWN. */
static uint64_t handle_ack(struct flow *f, const struct segment *seg)
{
	struct stream *other = flow_stream(f, !seg->side);
	uint64_t off = stream_acked(other, seg->ack);

	if (!f->shaken && f->handshake_ns && seg->side == (unsigned)f->conn.client && other->syn_seen) {
		f->handshake_ns = seg->ts_ns - f->handshake_ns;
		f->shaken = true;
	}
	return off;
}

/* --- end ------------------------------------------------------------------------------------------------------------ */

/* A RST that lies far from what its sender sent last is not its own (RFC 5961 section 3). */
static bool reset_believed(const struct stream *st, const struct segment *seg)
{
	uint64_t top = st->top > st->next ? st->top : st->next;
	int64_t off = stream_offset(st, seg->seq);

	return !st->started || (off >= (int64_t)st->next - RESET_BACK && off <= (int64_t)top + RESET_AHEAD);
}

static bool is_over(const struct flow *f)
{
	return f->stream[0].ended && f->stream[1].ended;
}

/* Has the other side not received all, so that it may come again? */
static bool is_owing(const struct stream *st)
{
	return st->fin != OFFSET_UNKNOWN && st->acked < st->fin;
}

/* Which list the flow belongs to now. One that is over waits longer for what may come again. */
static enum flow_phase phase_of(const struct flow *f)
{
	if (f->reset || (is_over(f) && !is_owing(&f->stream[0]) && !is_owing(&f->stream[1])))
		return FLOW_CLOSING;
	if (is_over(f))
		return FLOW_EMBRYO;
	return f->side[0].bytes || f->side[1].bytes ? FLOW_ACTIVE : FLOW_EMBRYO;
}

/* A segment of the flow, and the packet's copy that counts. */
static void take(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg, uint32_t n)
{
	uint64_t ack = OFFSET_UNKNOWN;

	if ((pkt->counted ? f->counted != 3 : f->counted >> seg->side & 1) && !f->closed)
		flow_counting(e, f, pkt, seg);
	f->side[seg->side].segments++;
	f->side[seg->side].bytes += f->elides & 1u << seg->side ? seg->payload.n : n;
	if (seg->flags & TCP_SYN)
		handle_syn(f, seg);
	if ((seg->flags & TCP_ACK) && !(seg->flags & TCP_RST))
		ack = handle_ack(f, seg);
	if ((seg->flags & TCP_FIN) && f->closed_by < 0)
		f->closed_by = f->conn.by = (int8_t)seg->side;
	if (n || (seg->flags & TCP_FIN))
		handle_payload(e, f, seg, n, ack);
	else if (!list_empty(&f->stalled) || (!f->conn.done && stream_hole(&f->stream[!seg->side])))
		flow_deliver(e, f, seg->side);
	if (seg->flags & TCP_RST && f->elides)
		flow_elided(e, f);
	if ((seg->flags & TCP_RST) && !f->reset && !f->closed && reset_believed(&f->stream[seg->side], seg)) {
		f->reset = true;
		f->closed_by = f->conn.by = (int8_t)seg->side;
	}
	if (!list_empty(&f->stalled))
		flow_stalled(e, f);
	flow_touch(&e->table, f, phase_of(f));
	if (is_over(f) && !f->reset)
		flow_close(e, f, ENDED_CLOSED, f->closed_by);
}

/* ... or one that does not. */
static void take_copy(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg, uint32_t n)
{
	e->stats.copies += n;
	if (f->alias)
		handle_alias(e, f, pkt, seg);
	flow_touch(&e->table, f, f->alias ? FLOW_ACTIVE : (enum flow_phase)f->phase);
}

/* What does the packet bring? Not inlined, nor is the next one: most runs do not ask. */
static __attribute__((noinline)) void ask(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg)
{
	e->brought = (struct brought){.flow_id = point_id(e, f)};
	e->bringing = pkt;
	e->brought_by = seg;
	e->brought_to = f;
	e->past_gap = false;
	e->env.bringing = &f->conn;
}

static __attribute__((noinline)) void tell(struct engine *e)
{
	e->env.bringing = NULL;
	e->hooks.segment(e->hooks.ctx, e->bringing, &e->brought);
	e->bringing = NULL;
}

void tcp_segment(struct engine *e, const struct packet *pkt, const struct segment *seg)
{
	uint32_t hash, n = (uint32_t)seg->payload.n + seg->cut;
	struct flow *f = replace(e, flow_find(&e->table, &seg->key, &hash), seg);

	if (!f && (seg->flags & TCP_RST) && !n)
		return;
	if (!f)
		f = flow_new(e, pkt, seg, hash);
	if (!f) {
		e->stats.flows_evicted++;
		e->stats.lost_memory += n;
		return;
	}
	e->current = f;
	if (__builtin_expect(e->hooks.segment != NULL, false))
		ask(e, f, pkt, seg);
	if (point_owns(e, f, pkt, seg))
		take(e, f, pkt, seg, n);
	else
		take_copy(e, f, pkt, seg, n);
	e->current = NULL;
	if (__builtin_expect(e->bringing != NULL, false))
		tell(e);
}

void tcp_expire_now(struct engine *e)
{
	static const struct {
		enum flow_phase phase;
		enum ended how;
		uint64_t silence_ns;
	} limit[] = {
		{FLOW_CLOSING, ENDED_CLOSED, SILENCE_CLOSING},
		{FLOW_EMBRYO, ENDED_TIMEOUT, SILENCE_EMBRYO},
		{FLOW_ACTIVE, ENDED_TIMEOUT, SILENCE_ACTIVE},
	};
	struct flow *f;

	e->expired_ns = e->table.now_ns;
	if (e->hooks.tick)
		e->hooks.tick(e->hooks.ctx, e->table.now_ns);
	while ((f = flow_stalled_oldest(&e->table, SECOND))) {
		e->current = f;
		flow_requeue(&e->table, f);
		flow_stalled(e, f);
		e->current = NULL;
	}
	for (unsigned i = 0; i < sizeof(limit) / sizeof(limit[0]); i++)
		while ((f = flow_silent(&e->table, limit[i].phase, limit[i].silence_ns))) {
			e->stats.flows_timeout += limit[i].how == ENDED_TIMEOUT && !f->closed;
			flow_end(e, f, limit[i].how, f->closed_by);
		}
}
