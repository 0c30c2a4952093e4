/* SPDX-License-Identifier: MIT */
/*
 * IP fragments on the way to being datagrams again (RFC 791 section 3.2, RFC 8200 section 4.5), private to this room.
 *
 * All that strangers can grow has a ceiling: datagrams (FRAG_DATAGRAMS), their bytes in all (FRAG_MEMORY), the pieces
 * of one (FRAG_PIECES), and time (FRAG_TIMEOUT, from the first fragment that came, on packet time). Where there is no
 * room, the oldest datagram is given up. On overlap the first copy wins in IPv4; in IPv6 the whole datagram is dropped,
 * exact duplicates excepted (RFC 5722). A datagram whose fragments do not agree on its end is dropped in both.
 */
#ifndef PERISCO_PACKET_FRAG_H
#define PERISCO_PACKET_FRAG_H

#include "base/list.h"
#include "base/pool.h"
#include "base/slice.h"
#include "base/stats.h"

#define FRAG_DATAGRAMS 256u
#define FRAG_MEMORY    ((size_t)4 << 20)
#define FRAG_PIECES    1024u
#define FRAG_TIMEOUT   UINT64_C(30000000000) /* ns */
#define FRAG_BUCKETS   64u
#define FRAG_HEADER    40u                   /* the longest IP header kept, options excluded */

struct frag_table {
	struct pool *pool;
	struct stats *stats; /* fragments, fragments_lost */
	struct list by_age;  /* struct datagram, the oldest first */
	struct list bucket[FRAG_BUCKETS];
	size_t bytes;        /* of pool blocks held */
	unsigned n;          /* datagrams */
};

/*
 * What makes fragments belong together: the fields that RFC 791 and RFC 8200 name, and where they were seen, because
 * the same fragment passes several interfaces, and tunnels carry the same private addresses. It is compared as bytes.
 */
struct frag_key {
	uint8_t src[16], dst[16]; /* IPv4 in the first four bytes */
	uint32_t id, ifindex, tunnel_id;
	uint16_t vlan;
	uint8_t version, protocol; /* protocol: IPv4 only */
	uint8_t tunnel, dir;
	uint16_t zero;
};
_Static_assert(sizeof(struct frag_key) == 52, "no padding");

struct fragment {
	struct frag_key key;
	uint64_t ts_ns;
	const uint8_t *header; /* the IP header, FRAG_HEADER bytes at most */
	uint8_t header_n;
	bool more;             /* not the last one */
	bool dull;             /* the first fragment shows that nobody wants the datagram */
	uint32_t at, n;        /* offset, and bytes on the wire */
	struct slice data;     /* of these, the ones captured; data.n <= n */
};

/* A datagram: the IP header of its first fragment, then the payload up to the first byte that was not captured. */
struct frag_whole {
	uint8_t *p;       /* NULL: none */
	size_t header_n;
	size_t n;         /* bytes at p, header included */
	size_t wire;      /* the same on the wire */
};

enum frag_verdict {
	FRAG_HELD,  /* kept until the others come, or given up (which is counted) */
	FRAG_WHOLE, /* this was the last one missing */
	FRAG_DULL,  /* of a datagram that nobody wants */
};

/* Memory comes from `pool`, counts go to `stats`; both are borrowed. */
void frag_init(struct frag_table *t, struct pool *pool, struct stats *stats);

/* Gives up every datagram that is not complete. */
void frag_clear(struct frag_table *t);

/* Gives up what is older than FRAG_TIMEOUT at `now`. */
void frag_expire(struct frag_table *t, uint64_t now_ns);

/* When frag_expire will have something to do; UINT64_MAX: never. */
uint64_t frag_due(const struct frag_table *t);

/* Takes a fragment (copied). With FRAG_WHOLE the datagram is in *ret, and is the caller's until frag_release. */
enum frag_verdict frag_insert(struct frag_table *t, const struct fragment *f, struct frag_whole *ret);

/* Gives a datagram's memory back; it may be empty. */
void frag_release(struct frag_table *t, struct frag_whole *whole);

#endif
