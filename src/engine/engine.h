/* SPDX-License-Identifier: MIT */
/*
 * The pure core: packets in, records out. It opens, reads, writes and logs nothing and never asks the time; its clock is the
 * packets' own. One engine is used by one thread; N engines share nothing.
 */
#ifndef PERISCO_ENGINE_ENGINE_H
#define PERISCO_ENGINE_ENGINE_H

#include "base/pool.h"
#include "base/stats.h"
#include "record.h"

struct engine;

struct engine_config {
	size_t memory;        /* ceiling of the engine's memory, bytes; 0: 256 MiB */
	uint32_t body_keep;   /* first bytes of each body to keep in the record; 0: none */
	uint64_t stream_interval_ns; /* an exchange that goes on is recorded each time this has passed; 0: only when it is over */
	/*
	 * Whose packets count of a connection that several capture points show: those of the one that shows its begin first
	 * (VANTAGE_UNKNOWN, VANTAGE_CLIENT: that is nearest to the client) or last (VANTAGE_SERVER), or each makes records of its own
	 * (VANTAGE_BOTH).
	 */
	enum vantage vantage;
	bool flow_records;    /* emit a RECORD_FLOW at the end of each connection */
	uint64_t hash_seed;   /* of the flow table; does not change any record */
	pool_heap_fn heap;    /* see pool_new; NULL for the ordinary heap */
	void *heap_ctx;
};

/* Calls out of the engine; what they are given is borrowed for the call. Any may be NULL. */
struct engine_hooks {
	void *ctx;
	/* A record is complete. */
	void (*record)(void *ctx, const struct record *r);
	/*
	 * What a packet brought; called for each TCP packet of a flow when its bytes are decoded, so behind any record that it
	 * completes. `pkt` is the packet as captured, or the reassembled datagram when it came in fragments.
	 */
	void (*segment)(void *ctx, const struct packet *pkt, const struct brought *brought);
	/*
	 * Payload of one direction is not wanted: see struct source_ops. Tunnelled connections are never left out. Both are NULL
	 * when all of it comes anyway. The same records are made, but that less is known of what came twice.
	 */
	void (*elide)(void *ctx, const struct flow_key *key, unsigned side, const struct elision *e);
	bool (*elided)(void *ctx, const struct flow_key *key, unsigned side, struct elision *ret);
	/* No packet and no record of this flow will follow. */
	void (*flow_end)(void *ctx, uint64_t flow_id);
	/*
	 * All four or none: this engine stands in front of others, and has no connections itself. A segment was found at this
	 * time of the capture; `pkt` is as with `segment`. Time passed; which must be told to all at the same place in the order
	 * of things, for engine_tick. The ring lost packets at about this time. From here on this much detail is
	 * wanted.
	 */
	void (*pass)(void *ctx, const struct packet *pkt, const struct segment *seg, uint64_t now_ns);
	void (*tick)(void *ctx, uint64_t now_ns);
	void (*missed)(void *ctx, uint64_t ts_ns);
	void (*detail)(void *ctx, enum detail detail);
};

/* Hooks are copied. NULL when out of memory. */
struct engine *engine_new(const struct engine_config *config, const struct engine_hooks *hooks);
void engine_free(struct engine *e);

/* Takes one packet. */
void engine_packet(struct engine *e, const struct packet *pkt);

/*
 * What an engine in front of this one told to its hooks. All segments of a connection come to one engine, and all else to each of
 * them: so what they do is what one alone would have done. `seg` may be changed.
 */
void engine_segment(struct engine *e, const struct packet *pkt, struct segment *seg, uint64_t now_ns);
void engine_missed(struct engine *e, uint64_t ts_ns);

/* This segment began a connection, and went to another engine: what it replaces here is over. */
void engine_moved(struct engine *e, const struct packet *pkt, struct segment *seg, uint64_t now_ns);

/* Time passed without packets: silent flows time out. Times that go back are ignored. Nanoseconds since 1970. */
void engine_tick(struct engine *e, uint64_t now_ns);

/*
 * The capture lost packets before they came here: emits a RECORD_LOSS, and what is missing from streams at about this time
 * is said to be lost for this cause ("ring" is CAUSE_RING, all else CAUSE_NETWORK).
 */
void engine_loss(struct engine *e, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname);

/* How much is to be made of the packets that come from now on; DETAIL_WHOLE at first. See struct packet for DETAIL_COUNTS. */
void engine_detail(struct engine *e, enum detail detail);

/* The input is over: every flow is ended and every open exchange emitted. The engine can only be asked for stats then. */
void engine_finish(struct engine *e);

/* Valid as long as the engine. */
const struct stats *engine_stats(const struct engine *e);

/* Fills in at most IGNORED_MAX reasons; returns how many there are. */
unsigned engine_ignored(const struct engine *e, struct ignored ret[IGNORED_MAX]);

/* Connections now in the table; bytes held from the heap. */
size_t engine_flows(const struct engine *e);
size_t engine_memory(const struct engine *e);

#endif
