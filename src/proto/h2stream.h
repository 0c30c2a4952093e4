/* SPDX-License-Identifier: MIT */
/* The streams of an HTTP/2 connection (RFC 9113 section 5), each an exchange in the making. */
#ifndef PERISCO_PROTO_H2STREAM_H
#define PERISCO_PROTO_H2STREAM_H

#include "proto/exchange.h"

#define H2_CLOSED 64u

/* It lies in its exchange. */
struct h2stream {
	struct h2stream *chain;
	struct h2stream *older, *newer;
	uint32_t id;
	struct exchange *x;
	bool headers[2], ended[2];    /* by role: 0 client, 1 server: a header section, the end of the stream was seen */
	bool gap[2];                  /* its end may be in what is missing */
};

struct h2streams {
	struct h2stream **bucket;     /* a power of two of them; NULL until the first stream */
	struct h2stream *oldest, *newest;
	uint32_t n, buckets;
	struct h2closed {
		uint32_t id;
		bool request;         /* its request was seen */
	} closed[H2_CLOSED];          /* the latest that are over, ... */
	uint32_t closed_n;            /* ... of so many */
};

/* The stream that the exchange is that of. */
static inline struct h2stream *h2stream_of(struct exchange *x)
{
	return (struct h2stream *)x->scratch[0];
}

/* The stream, or NULL. */
struct h2stream *h2streams_find(const struct h2streams *t, uint32_t id);
/* A new stream, whose exchange is `x`, or a new one if that is NULL. NULL: no memory. */
struct h2stream *h2streams_add(struct conn *c, struct h2streams *t, uint32_t id, struct exchange *x);
/* The stream, if it is among the latest that are over; or NULL. */
const struct h2closed *h2streams_closed(const struct h2streams *t, uint32_t id);
/*
 * Emits the exchange and forgets the stream. `by`: the side of the flow that ended it early, or -1. One that was reset ended so,
 * whatever is said here.
 */
void h2streams_end(struct conn *c, struct h2streams *t, struct h2stream *s, enum ended how, int by);
/* Ends all; frees the table. */
void h2streams_release(struct conn *c, struct h2streams *t, enum ended how, int by);

/* What was taken for the client's is the server's: of a pair by role, or of a stream. */
#define SWAP_ROLES(pair)                      \
	do {                                  \
		__auto_type first = (pair)[0]; \
		(pair)[0] = (pair)[1];        \
		(pair)[1] = first;            \
	} while (0)
void h2stream_turn_round(struct h2stream *s);

/* A field of a header section or trailers (RFC 9113 section 8.3); name.p == NULL: it is unknown. */
void h2stream_field(struct conn *c, struct exchange *x, struct draft *d, struct slice name, struct slice value);

#endif
