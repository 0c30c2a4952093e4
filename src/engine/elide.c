/* SPDX-License-Identifier: MIT */
/*
 * What need not be captured: the capture is told, and may leave it out. Nothing here changes a record: what is left out was
 * only to be counted, and how far it went is asked for in the end.
 */
#include "engine/internal.h"

#define ELIDE_MIN ((uint64_t)256 << 10) /* less is not worth the telling: to copy it costs no more than to wake up and say so */
#define LOOK_AGAIN_NS (30 * SECOND)    /* at what nobody knows: something else may be spoken by then */
#define ELIDE_SEGMENTS 16              /* of a flow that nobody decodes, before it is worth the telling */

static void tell(struct engine *e, struct flow *f, unsigned side, uint64_t until)
{
	struct stream *st = &f->stream[side];
	const struct elision el = {.until = (int64_t)until, .top = (int64_t)(st->top > st->next ? st->top : st->next),
				   .seq0 = st->next_seq - (uint32_t)st->next,
				   .begin = st->syn_seen ? st->isn + 1 : 0,
				   .ifindex = f->side[side].owner_sees ? f->ifindex : 0};

	stream_elide(st, until);
	f->elides |= (uint8_t)(1u << side);
	e->hooks.elide(e->hooks.ctx, &f->key, side, &el);
}

void engine_skip(void *ctx, struct conn *c, unsigned side, uint64_t until)
{
	struct engine *e = ctx;
	struct flow *f = container_of(c, struct flow, conn);
	const struct stream *st = &f->stream[side];

	if (e->hooks.elide && f->tunnel == TUNNEL_NONE && until >= st->next + ELIDE_MIN && until > st->elided_to)
		tell(e, f, side, until);
}

void flow_left_alone(struct engine *e, struct flow *f)
{
	unsigned i = 0;

	if (!f->conn.verdict || f->ignored)
		return;
	f->left = strcmp(f->conn.verdict, "unknown") == 0;
	if (f->left)
		f->stalled_ns = e->table.now_ns + LOOK_AGAIN_NS;
	while (i < IGNORED_MAX - 1 && e->ignored[i].why && strcmp(e->ignored[i].why, f->conn.verdict) != 0)
		i++;
	e->ignored[i].why = f->conn.verdict;
	e->ignored[i].now++;
	e->ignored[i].ever++;
	f->ignored = (uint8_t)(i + 1);
}

void flow_not_left_alone(struct engine *e, struct flow *f)
{
	if (f->ignored)
		e->ignored[f->ignored - 1].now--;
	f->ignored = 0;
}

unsigned engine_ignored(const struct engine *e, struct ignored ret[IGNORED_MAX])
{
	unsigned n = 0;

	while (n < IGNORED_MAX && e->ignored[n].why)
		n++;
	memcpy(ret, e->ignored, n * sizeof(*ret));
	return n;
}

void flow_ignore(struct engine *e, struct flow *f, unsigned side)
{
	if (e->hooks.elide && f->tunnel == TUNNEL_NONE && f->stream[side].elided_to != ELIDE_ALL &&
	    f->side[side].segments >= ELIDE_SEGMENTS)
		tell(e, f, side, ELIDE_ALL);
}

void flow_ignore_alias(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg)
{
	const struct stream *st = &f->stream[seg->side];
	const struct elision el = {.until = ELIDE_ALL, .seq0 = seg->seq + (uint32_t)seg->payload.n + seg->cut,
				   .begin = st->syn_seen ? st->isn + 1 : 0,
				   .ifindex = pkt->iface ? pkt->iface->index : 0};

	if (pkt->counted) { /* the programs have forgotten what they were told */
		f->elides &= (uint8_t)~(1u << seg->side);
		return;
	}
	if (!e->hooks.elide || f->elides & 1u << seg->side || seg->flags & (TCP_SYN | TCP_FIN | TCP_RST))
		return;
	f->elides |= (uint8_t)(1u << seg->side);
	e->hooks.elide(e->hooks.ctx, &f->key, seg->side, &el);
}

/* --- to stay within the CPU budget ---------------------------------------------------------------------------------- */

/* What is open is emitted; the bytes that follow are only counted. */
static void count_only(struct engine *e, struct flow *f)
{
	struct conn *c = &f->conn;

	f->counted = 3;
	e->stats.flows_counted += !f->was_counted;
	f->was_counted = true;
	f->elides = 3;
	if (!f->shaken)
		f->handshake_ns = 0; /* its end will not be seen */
	for (unsigned side = 0; side < 2; side++) {
		struct stream *st = &f->stream[side];

		stream_release(st, e->pool);
		if (st->top > st->next) /* what waited was counted when it came */
			stream_skip(st, st->next_seq + (uint32_t)(st->top - st->next), 0, false);
		stream_elide(st, ELIDE_ALL);
	}
	flow_unstall(f);
	if (c->done)
		return;
	c->how = ENDED_BUDGET;
	c->by = -1;
	if (c->state) {
		c->proto->close(c);
		conn_free(c, c->state, c->proto->state_size);
		c->state = NULL;
	}
	c->how = ENDED_WELL;
	c->by = f->closed_by;
	c->verdict = "budget";
	c->done = true;
	flow_left_alone(e, f);
}

/* Payload of one side went on to this sequence number, which was not captured. */
static void went_on(struct engine *e, struct flow *f, unsigned side, uint32_t seq)
{
	uint64_t news = f->stream[side].ended ? 0 : stream_skip(&f->stream[side], seq, 0, false);

	e->stats.ignored += news;
	f->side[side].bytes += news;
	stream_resume(&f->stream[side]);
}

/* It is decoded again, as if it had begun before the capture: each side from its own next packet on. */
static void decode_again(struct engine *e, struct flow *f, const struct segment *seg)
{
	struct conn *c = &f->conn;
	bool syn = seg->flags & TCP_SYN;

	f->counted &= (uint8_t)~(1u << seg->side);
	went_on(e, f, seg->side, seg->seq + syn);
	if (!c->verdict || strcmp(c->verdict, "budget") != 0)
		return;
	flow_not_left_alone(e, f);
	c->proto = NULL;
	c->verdict = NULL;
	c->done = false;
	c->midstream = c->gapped = true;
	f->probed = 0;
}

void flow_counting(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg)
{
	if (pkt->counted)
		count_only(e, f);
	else if (seg->ts_ns >= f->last_ns) /* it was not overtaken by one that is counted */
		decode_again(e, f, seg);
}

void flow_elided(struct engine *e, struct flow *f)
{
	uint8_t elides = f->elides;
	struct elision el;

	f->elides = 0;
	for (unsigned side = 0; side < 2; side++) {
		struct stream *st = &f->stream[side];

		el = (struct elision){.seq0 = st->next_seq - (uint32_t)st->next};
		if (!(elides & 1u << side) || !e->hooks.elided(e->hooks.ctx, &f->key, side, &el))
			continue;
		if (f->alias || el.seq0 + (uint32_t)st->next != st->next_seq || el.top <= (int64_t)st->top)
			continue;
		st->top = (uint64_t)el.top;
		if (st->cur_ts_ns < el.last_ns)
			st->cur_ts_ns = el.last_ns;
	}
}
