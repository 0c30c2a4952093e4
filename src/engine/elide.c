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

	if (!e->hooks.elide || f->elides & 1u << seg->side || seg->flags & (TCP_SYN | TCP_FIN | TCP_RST))
		return;
	f->elides |= (uint8_t)(1u << seg->side);
	e->hooks.elide(e->hooks.ctx, &f->key, seg->side, &el);
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
