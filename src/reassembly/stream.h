/* SPDX-License-Identifier: MIT */
/*
 * One direction of a connection, put back in order (RFC 9293 section 3.4). Pull, not push: insert a segment, then peek and
 * consume chunks until there is none, then settle before the segment's bytes go away.
 *
 * All positions are 64-bit offsets; offset 0 is the first byte of the stream, or of what was seen of it. Only stream_offset
 * knows that sequence numbers wrap. Segments are never refused for lying outside a receive window: its scale is unknown
 * when the SYN was not seen.
 */
#ifndef PERISCO_REASSEMBLY_STREAM_H
#define PERISCO_REASSEMBLY_STREAM_H

#include "base/pool.h"
#include "chunk.h"

struct piece;

struct stream {
	/*
	 * Bytes below `next` were consumed, kept or given up. The borrowed bytes `cur` begin at `next`; `kept` are the last
	 * bytes below `next`, offered but not consumed. Pieces lie at or above `next`, in order, and do not overlap.
	 */
	uint64_t next;
	uint32_t next_seq;            /* sequence number of `next` */
	uint32_t kept_n;              /* bytes of `kept` */
	bool started;                 /* `next` is known */
	bool tentative : 1;           /* ... from the other side's acknowledgement only */
	bool anchored : 1;            /* the connection was seen to begin: what is missing before the first bytes was there */
	bool syn_seen;
	bool ended;                   /* CHUNK_END was offered */
	bool closing;                 /* what is missing will not come: holes are offered as gaps */
	bool fresh;                   /* there are bytes that were not offered yet */
	bool begun;                   /* something was offered */
	bool shed;                    /* out-of-order bytes were let go: the next gap is ours */
	uint64_t fin;                 /* offset of the FIN, or OFFSET_UNKNOWN */
	uint64_t acked;               /* the other side has received all below */
	uint64_t top;                 /* the highest byte seen, plus one */
	uint64_t skip_to;             /* below this, holes are given up, for skip_cause */
	struct piece *head;           /* the first piece that waits */
	/* 64 bytes up to here: all that most segments need */

	struct piece *tail;
	uint32_t pieces;
	uint32_t waiting;             /* bytes of blocks that pieces and `kept` take */

	struct slice cur;
	uint64_t cur_ts_ns, cur_ack;
	uint32_t cur_cut;             /* bytes right behind `cur` that are known to be missing, ... */
	uint8_t cut_cause;            /* ... for this reason */
	uint8_t skip_cause;
	uint8_t offer : 4;            /* the kind of the chunk offered last, ... */
	uint8_t offer_cause : 4;      /* ... its cause, ... */
	bool joined;                  /* a copy of `cur` lies behind `kept`, so that both are offered as one */
	uint64_t offer_n;             /* ... and its size, if it was a gap */
	uint64_t elided_to;           /* nobody wants what is missing below: it is not waited for, and offered as CAUSE_ELIDED */
	struct piece *owned;          /* the piece that `cur` lies in, if it does */

	uint8_t *kept;
	uint32_t kept_size;           /* of its block */
	uint32_t isn;                 /* valid if syn_seen */
	uint64_t kept_ts_ns, kept_ack;

	uint64_t retransmitted;       /* payload bytes that were there already */
	uint32_t out_of_order;        /* segments */
	uint32_t differs;             /* overlapping copies with other bytes */
	uint64_t lost[5];             /* stream bytes given up, by cause up to CAUSE_MEMORY */
};

_Static_assert(offsetof(struct stream, head) == 56, "the first 64 bytes are a line of the cache");

/* The sequence space that one segment takes. */
struct span {
	uint32_t seq;                 /* of its first payload byte */
	struct slice payload;         /* borrowed until stream_settle */
	uint32_t cut;
	uint64_t ts_ns, ack;
};

/* All zero but for `fin`. Nothing is allocated. */
void stream_init(struct stream *st);
void stream_release(struct stream *st, struct pool *pool);

/* Offset 0 is the byte with this sequence number (ISN + 1). Starting again is allowed as long as nothing was inserted. */
void stream_start(struct stream *st, uint32_t seq);

/* The offset of a sequence number, the one nearest to `next`; negative when it lies before the start. */
static inline int64_t stream_offset(const struct stream *st, uint32_t seq)
{
	return (int64_t)st->next + (int32_t)(seq - st->next_seq);
}

/*
 * Takes a segment's payload. In order: borrowed. Else copied into pieces from `pool`; the first copy of a byte wins.
 * Returns 0, or -ENOMEM when out-of-order bytes could not be kept (they are as if never captured; cause CAUSE_MEMORY).
 */
int stream_insert(struct stream *st, struct pool *pool, const struct span *span);

/* The stream ends before this sequence number. */
void stream_fin(struct stream *st, uint32_t seq);

/*
 * The other side has received everything below this sequence number. Returns its offset (0 if that lies before the start), or
 * OFFSET_UNKNOWN if it lies so far ahead that it is not believed.
 */
uint64_t stream_acked(struct stream *st, uint32_t ack);

/* The end of the hole at `next`: how far it is certain that bytes are missing. Equals `next` when there is none. */
uint64_t stream_hole_end(const struct stream *st);

/* Nothing waits, is missing, or comes to its end: what is here was offered, and what comes next is next. A quick look. */
static inline bool stream_quiet(const struct stream *st)
{
	return !st->head && st->fin == OFFSET_UNKNOWN && st->acked <= st->next + 1 && st->skip_to <= st->next && !st->closing;
}

/* Is something missing at `next`, while bytes behind it are here or known to have been received? */
static inline bool stream_hole(const struct stream *st)
{
	return !stream_quiet(st) && stream_hole_end(st) > st->next;
}

/*
 * The short way of a segment that continues a stream to which nothing else happens: if stream_continues, its bytes may be
 * handed on as they are, and stream_pass tells that all were consumed. (If not all were: insert, peek, consume, settle.)
 */
static inline bool stream_continues(const struct stream *st, uint32_t seq)
{
	return seq == st->next_seq && st->started && !st->tentative && !st->kept_n && stream_quiet(st);
}

static inline void stream_pass(struct stream *st, size_t n)
{
	st->next += n;
	st->next_seq += (uint32_t)n;
	if (st->top < st->next)
		st->top = st->next;
	st->begun = true;
}

/* From now on payload below this offset, which may lie far ahead, need not come. */
static inline void stream_elide(struct stream *st, uint64_t until)
{
	st->elided_to = until;
}

/* Gives up the hole at `next`: it is offered as a gap with this cause. */
void stream_give_up(struct stream *st, enum cause cause);

/* The flow is over: all that is here is offered, holes as gaps, then the end. */
void stream_close(struct stream *st, enum cause cause);

/*
 * Nobody wants these bytes: moves on past them, whatever is missing. Returns how many of them were new; if payload was to be
 * left out, what is missing before them counts too. After the FIN the stream has ended.
 */
uint64_t stream_skip(struct stream *st, uint32_t seq, uint32_t n, bool fin);

/* The bytes that come from now on are wanted again, and nothing is missing before them. */
void stream_resume(struct stream *st);

/* Can stream_peek have anything to offer? A quick look. */
static inline bool stream_idle(const struct stream *st)
{
	return st->ended || (!st->fresh && !st->head && !st->cur_cut && st->skip_to <= st->next && !st->closing &&
			     (st->fin == OFFSET_UNKNOWN || (st->fin != st->next && st->elided_to <= st->next)));
}

/* The next chunk, or false. The same one again if it was not consumed at all. */
bool stream_peek(struct stream *st, struct pool *pool, struct chunk *ret);

/*
 * Takes `n` bytes of the chunk's data (of a gap or end: any `n`; all is taken). Less than all means: what follows is needed
 * to go on; the rest is offered again together with it.
 */
void stream_consume(struct stream *st, struct pool *pool, size_t n);

/* Keeps what was not offered or not consumed, before the inserted segment's bytes go away. */
void stream_settle(struct stream *st, struct pool *pool);

#endif
