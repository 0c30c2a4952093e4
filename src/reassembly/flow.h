/* SPDX-License-Identifier: MIT */
/*
 * Connections, by their two ends. A flow is found by a hash that an attacker can not foresee, lives in one of three lists by
 * what it waits for, and is forgotten after a silence, measured on the packets' own clock.
 */
#ifndef PERISCO_REASSEMBLY_FLOW_H
#define PERISCO_REASSEMBLY_FLOW_H

#include "base/list.h"
#include "packet/key.h"
#include "proto/proto.h"
#include "reassembly/stream.h"

/* Each list is ordered by last_ns, the longest silent first. */
enum flow_phase {
	FLOW_EMBRYO,   /* no payload yet: the first to go when memory is short, a flood of SYNs costs no real connection; or over,
			  but for what was not acknowledged */
	FLOW_ACTIVE,
	FLOW_CLOSING,  /* reset, or both sides have ended: kept for late copies */
	FLOW_PHASES,
};

/* The counts of one direction, for the flow record. */
struct flow_side {
	uint64_t segments, bytes;
	uint32_t strangers;           /* segments with news in a row, from another capture point than the owner */
	bool owner_sees;              /* the owner shows this direction */
};

struct flow {
	struct flow *chain;           /* the next one in the bucket */
	struct list node;             /* in the list of its phase */
	struct list stalled;          /* in the table's list of flows that wait for missing bytes, by stalled_ns */
	struct flow_key key;
	uint32_t hash;
	uint8_t phase;
	bool reset;                   /* RST was seen */
	int8_t closed_by;             /* the side of the RST, else of the first FIN, or -1 */
	uint8_t vantage;              /* bits: seen near side 0, seen near side 1 */
	uint16_t vlan;
	uint8_t tunnel;
	uint8_t stalled_segments;     /* that came since it stalled, at most 255 */
	uint8_t stalled_rounds;       /* seconds since it stalled, at most 255 */
	bool alias;                   /* a copy of another flow, behind address translation: its packets are not used */
	bool other_crossed;           /* the sides of `other` are the other way round */
	bool closed;                  /* what was open is emitted */
	uint8_t ignored;              /* the engine's reason why nobody decodes it, counted from 1; 0: none */
	bool shaken : 1;              /* the handshake was seen */
	uint8_t elides : 2;           /* bits: payload of side 0, of side 1 need not come */
	bool left : 1;                /* alone, for nobody decodes it; but at stalled_ns it is to be looked at again */
	uint8_t counted : 2;          /* a bit for each side of which the capture only counts the bytes now, ... */
	bool was_counted : 1;         /* ... or did so before */
	uint8_t born;                 /* its place among the engine's latest flows */
	uint32_t tunnel_id;
	uint32_t ifindex;             /* the capture point that owns it: the first that showed it */
	uint32_t probed;              /* payload bytes that detection has seen, at most DETECT_MAX */
	uint64_t id;                  /* made of key, first sequence number and start: the same live and replayed */
	uint64_t first_ns, last_ns;
	uint64_t stalled_ns;          /* since when it is; or see `left` */
	uint64_t handshake_ns;        /* since the SYN, if `shaken`; else when that was, or 0 */
	struct stream stream[2];
	struct flow_side side[2];
	struct conn conn;
	struct flow_key *other;       /* the key of its copy behind address translation, of an alias that of the original, from the
					 pool; or NULL */
	char ifname[16];              /* a longer one is left out */
};

/* The stream of a side. Chosen between two: an index would be multiplied again for each field that is read. */
static inline struct stream *flow_stream(struct flow *f, unsigned side)
{
	return side ? &f->stream[1] : &f->stream[0];
}

struct flow_table {
	struct pool *pool;
	struct flow **bucket;
	size_t buckets, flows;        /* buckets is a power of two */
	struct key_seed seed;
	uint64_t now_ns;
	struct list phase[FLOW_PHASES], stalled;
	size_t in_phase[FLOW_PHASES]; /* flows of each */
};

/* 0 or -ENOMEM. The pool is borrowed. */
int flow_table_init(struct flow_table *t, struct pool *pool, uint64_t seed);
/* Frees the table, not its flows: they must be gone. */
void flow_table_release(struct flow_table *t);

/* The flow with this key, or NULL. *hash is what flow_add wants. Inline: every segment asks. */
static inline struct flow *flow_find(const struct flow_table *t, const struct flow_key *key, uint32_t *hash)
{
	uint64_t h = key_hash(key, &t->seed);
	struct flow *f;

	*hash = (uint32_t)(h ^ h >> 32);
	for (f = t->bucket[*hash & (t->buckets - 1)]; f; f = f->chain)
		if (f->hash == *hash && key_eq(&f->key, key))
			return f;
	return NULL;
}

/* A new flow, last in FLOW_EMBRYO; NULL when there is no memory. The caller fills in the rest. */
struct flow *flow_add(struct flow_table *t, const struct flow_key *key, uint32_t hash);

/* Takes a flow out of the table and gives back its memory, that of its streams included. */
void flow_remove(struct flow_table *t, struct flow *f);

/* It was heard of at t->now_ns: moves it to the end of the list of `phase`. */
void flow_touch(struct flow_table *t, struct flow *f, enum flow_phase phase);

/* The longest silent flow of a phase that is silent for more than `silence_ns` now, or NULL. */
struct flow *flow_silent(const struct flow_table *t, enum flow_phase phase, uint64_t silence_ns);

/* Waits for missing bytes from now on; or no more. */
void flow_stall(struct flow_table *t, struct flow *f);
void flow_unstall(struct flow *f);
/* The flow that waited longest, if it is for more than `ns` since it stalled or was requeued; or NULL. */
struct flow *flow_stalled_oldest(const struct flow_table *t, uint64_t ns);
/* It waits one more round. */
void flow_requeue(struct flow_table *t, struct flow *f);

#endif
