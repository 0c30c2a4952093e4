/* SPDX-License-Identifier: MIT */
/*
 * Whose copy of a packet counts. A packet can pass several capture points (both veths of two pods, a bridge), before and
 * behind address translation. The first point that shows a connection owns it; the others only tell where else it was seen.
 */
#include "engine/internal.h"

#define STRANGERS_MAX 64u    /* news in a row from elsewhere: the owner is gone, another takes over */
#define TWIN_NS (1 * SECOND) /* two views of one connection begin within this time */

static unsigned born_slot(const struct segment *seg)
{
	return (seg->seq * 0x9e3779b1u ^ seg->ack * 0x85ebca6bu) >> 24;
}

static void note_vantage(struct flow *f, const struct packet *pkt, const struct segment *seg)
{
	if (pkt->dir != DIRECTION_UNKNOWN)
		f->vantage |= (uint8_t)(1u << (pkt->dir == DIRECTION_IN ? seg->side : !seg->side));
}

static void set_owner(struct flow *f, const struct packet *pkt)
{
	if (!pkt->iface)
		return;
	f->ifindex = pkt->iface->index;
	if (strlen(pkt->iface->name) < sizeof(f->ifname))
		strcpy(f->ifname, pkt->iface->name);
}

/*
 * Translation changes addresses and ports, not sequence numbers: a flow that begins with the very segment that another one
 * began with, at another point, is the same connection.
 */
static bool is_twin(const struct engine *e, const struct born *b, const struct flow *f, const struct segment *seg)
{
	return e->vantage != VANTAGE_BOTH && b->flow && b->seq == seg->seq && b->ack == seg->ack && b->tsval == seg->tsval &&
	       b->flags == seg->flags && b->window == seg->window && b->n == seg->payload.n + seg->cut && (seg->seq || seg->ack) &&
	       f->first_ns - b->flow->first_ns <= TWIN_NS && f->ifindex && b->flow->ifindex != f->ifindex;
}

static void set_other(struct engine *e, struct flow *f, const struct flow *other)
{
	if (!f->other)
		f->other = pool_get(e->pool, sizeof(*f->other));
	if (f->other)
		*f->other = other->key;
}

/* `f` is `of`, behind address translation; `crossed`: their sides are the other way round. */
static void make_alias(struct engine *e, struct flow *f, struct flow *of, bool crossed)
{
	f->alias = true;
	of->vantage = 3;
	set_other(e, of, f);
	set_other(e, f, of);
	of->other_crossed = crossed;
}

uint64_t point_id(const struct engine *e, const struct flow *f)
{
	const struct flow *of = f;
	uint32_t hash;

	if (f->alias)
		of = f->other ? flow_find(&e->table, f->other, &hash) : NULL;
	return of && of->id == f->id && (of == f || !of->alias) ? f->id : 0;
}

void point_apart(const struct packet *pkt, struct flow_key *key)
{
	key->version |= pkt->iface ? pkt->iface->index << 8 : 0;
}

struct flow_key point_key(const struct flow_key *key)
{
	struct flow_key ret = *key;

	ret.version &= 0xff;
	return ret;
}

void point_first(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg)
{
	struct born *b = &e->born[born_slot(seg)];

	set_owner(f, pkt);
	note_vantage(f, pkt, seg);
	if (!is_twin(e, b, f, seg)) {
		*b = (struct born){.flow = f, .seq = seg->seq, .ack = seg->ack, .tsval = seg->tsval, .flags = seg->flags,
				   .window = seg->window, .n = (uint32_t)seg->payload.n + seg->cut, .side = seg->side};
		f->born = (uint8_t)born_slot(seg);
		return;
	}
	e->stats.flows_alias++;
	f->id = b->flow->id; /* under which a packet was told of already */
	if (e->vantage != VANTAGE_SERVER) {
		make_alias(e, f, b->flow, b->side != seg->side);
	} else {
		make_alias(e, b->flow, f, b->side != seg->side);
		b->flow = f;
		f->born = (uint8_t)born_slot(seg);
	}
}

void point_forget(struct engine *e, struct flow *f)
{
	if (e->born[f->born].flow == f)
		e->born[f->born].flow = NULL;
}

bool point_owns(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg)
{
	struct flow_side *s = &f->side[seg->side];
	const struct stream *st = &f->stream[seg->side];
	uint32_t n = (uint32_t)seg->payload.n + seg->cut;

	if (f->alias)
		return false;
	note_vantage(f, pkt, seg);
	if (e->vantage == VANTAGE_SERVER && pkt->dir == DIRECTION_OUT && (seg->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		set_owner(f, pkt);
	if (pkt->chosen && pkt->iface && pkt->iface->index != f->ifindex) {
		set_owner(f, pkt);
		f->side[0].owner_sees = f->side[1].owner_sees = false;
	}
	if (!pkt->iface || pkt->iface->index == f->ifindex) {
		s->owner_sees = true;
		s->strangers = 0;
		return true;
	}
	if (!s->owner_sees)
		return true;
	if (!n || (st->started && stream_offset(st, seg->seq) + n <= (int64_t)st->top))
		return false;
	if (++s->strangers <= STRANGERS_MAX)
		return false;
	set_owner(f, pkt);
	f->side[0].owner_sees = f->side[1].owner_sees = false;
	return true;
}
