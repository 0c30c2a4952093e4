/* SPDX-License-Identifier: MIT */
/* The vocabulary between reassembly and decoders: what the next bytes of a stream are, or that they are missing. */
#ifndef PERISCO_CHUNK_H
#define PERISCO_CHUNK_H

#include "record.h"

#define OFFSET_UNKNOWN UINT64_MAX

struct chunk {
	enum { CHUNK_DATA, CHUNK_GAP, CHUNK_END } kind;
	enum cause cause;     /* of a gap */
	uint64_t off, n;      /* the stream bytes it covers: [off, off + n) */
	/*
	 * The bytes: n of them for data; for a gap or the end, what was left of the data before it (then `off` is the gap's
	 * own begin, and the left bytes lie before it).
	 */
	struct slice data;
	size_t kept;          /* the first `kept` bytes of data were offered before; they have times of their own */
	uint64_t kept_ts_ns, kept_ack;
	uint64_t ts_ns;       /* capture time of the packet that brought the bytes */
	uint64_t ack;         /* how far its sender had received the other stream, as offset of that; or OFFSET_UNKNOWN */
};

/* The capture time and acknowledgement of byte `at` of a chunk's data. */
static inline uint64_t chunk_ts(const struct chunk *c, size_t at)
{
	return at < c->kept ? c->kept_ts_ns : c->ts_ns;
}

static inline uint64_t chunk_ack(const struct chunk *c, size_t at)
{
	return at < c->kept ? c->kept_ack : c->ack;
}

#endif
