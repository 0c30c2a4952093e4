/* SPDX-License-Identifier: MIT */
/*
 * The engine's own rooms: tcp.c (what a segment means), point.c (whose copy counts), deliver.c (streams to decoders),
 * elide.c (what need not be captured), end.c (ends, memory, records).
 */
#ifndef PERISCO_ENGINE_INTERNAL_H
#define PERISCO_ENGINE_INTERNAL_H

#include "engine/engine.h"
#include "packet/decode.h"
#include "reassembly/flow.h"

#define SECOND ((uint64_t)1000000000)

/* The latest connections and the segments that they began with: to find their copies behind address translation. */
struct born {
	struct flow *flow;
	uint32_t seq, ack, tsval, n;
	uint16_t window;
	uint8_t flags, side;
};

struct engine {
	struct flow_table table;
	struct decoder *decoder;
	struct pool *pool;
	struct stats stats;
	struct conn_env env;
	struct engine_hooks hooks;
	bool flow_records;
	enum vantage vantage;
	size_t embryos_max;           /* of flows without payload: a flood of them must leave room for what others say */
	uint64_t ring_loss_ns;        /* when the capture last said that its ring was full; 0: never */
	struct flow *current;         /* being handled: never evicted */
	struct ignored ignored[IGNORED_MAX]; /* why == NULL: not used */
	uint64_t expired_ns;          /* when tcp_expire last looked */
	bool reclaiming;
	struct brought brought;       /* by the packet at hand, ... */
	const struct packet *bringing;/* ... which is this one, if there is hooks.segment; or NULL, ... */
	const struct segment *brought_by; /* ... with this segment, ... */
	const struct flow *brought_to;/* ... of this flow, ... */
	bool past_gap;                /* ... in which other bytes were given up for it: what waited behind those is not its own */
	struct born born[256];        /* by hash of the segment */
};

/* Takes one segment; `pkt` is the packet that it came in. */
void tcp_segment(struct engine *e, const struct packet *pkt, const struct segment *seg);
/* The segment's connection goes on elsewhere: ends what it replaces here. */
void tcp_moved(struct engine *e, const struct segment *seg);
/* Ends flows that were silent too long, gives up holes that waited too long; but not more often than is worth it. */
#define EXPIRE_EVERY (SECOND / 100)
void tcp_expire_now(struct engine *e);
static inline void tcp_expire(struct engine *e)
{
	if (e->table.now_ns - e->expired_ns >= EXPIRE_EVERY)
		tcp_expire_now(e);
}

/* A new flow: sets its owner, or finds that it is another one's alias. */
void point_first(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg);
/* The id of the connection that the flow is, or is an alias of; 0: that one is not there any more. */
uint64_t point_id(const struct engine *e, const struct flow *f);
/* Tells connections by the point that shows them too: changes the key. */
void point_apart(const struct packet *pkt, struct flow_key *key);
/* The key without that. */
struct flow_key point_key(const struct flow_key *key);
/* Is this the copy of the packet that counts? */
bool point_owns(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg);
void point_forget(struct engine *e, struct flow *f);

/* Hands a segment that simply continues its stream to the decoder; false: it does not, and must go the long way. */
bool flow_pass(struct engine *e, struct flow *f, unsigned side, const struct span *span);
/* Hands all that is in order to the flow's decoder. */
void flow_deliver(struct engine *e, struct flow *f, unsigned first_side);
/* Nobody decodes the flow, for a while now: is something else spoken by now? */
void flow_look_again(struct engine *e, struct flow *f);
/* The flow waits for bytes: has it waited long enough? */
void flow_stalled(struct engine *e, struct flow *f);
/* Missing bytes have waited long enough: goes on without them. */
void flow_give_up(struct engine *e, struct flow *f, enum cause cause);
/* The cause of a hole that is found now. */
enum cause gap_cause(const struct engine *e, const struct flow *f);

/* The decoder of one side wants nothing before `until`: see struct conn_env. */
void engine_skip(void *ctx, struct conn *c, unsigned side, uint64_t until);
/* Nobody decodes the flow from now on: counts it. Or it is looked at again, or over. */
void flow_left_alone(struct engine *e, struct flow *f);
void flow_not_left_alone(struct engine *e, struct flow *f);
/* Nobody decodes the flow: if it goes on like this, its payload need not be captured. */
void flow_ignore(struct engine *e, struct flow *f, unsigned side);
/* The flow is only a copy of another one: nor need its packets. */
void flow_ignore_alias(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg);
/* The capture only counts the flow from this packet on, or no more. */
void flow_counting(struct engine *e, struct flow *f, const struct packet *pkt, const struct segment *seg);
/* The flow ends: how far did what was not captured go? All is wanted again. */
void flow_elided(struct engine *e, struct flow *f);

/* No more bytes will come: what is open is emitted. Twice does no harm. `by`: the side that ended it, or -1. */
void flow_close(struct engine *e, struct flow *f, enum ended how, int by);
/* The flow is over: what is open is emitted, and the flow is gone. `by`: the side that ended it, or -1. */
void flow_end(struct engine *e, struct flow *f, enum ended how, int by);

/* See struct conn_env. */
bool engine_reclaim(void *ctx, struct conn *c);
void engine_emit(void *ctx, struct conn *c, struct record *r);

#endif
