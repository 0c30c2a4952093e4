/* SPDX-License-Identifier: MIT */
/*
 * gRPC (the protocol documents "gRPC over HTTP2" and "gRPC Web"): messages by their length prefix, and what a call was. A call
 * is told by its content type, whatever version of HTTP carries it.
 */
#ifndef PERISCO_PROTO_GRPC_H
#define PERISCO_PROTO_GRPC_H

#include "proto/proto.h"

struct exchange;

#define GRPC_TRAILERS_MAX 512u

/* The messages of one side: one byte of flags, four of length, then so many bytes. */
struct grpc_side {
	uint64_t messages, bytes;     /* begun; of their payload, by their prefixes */
	uint64_t compressed;          /* messages with the compressed flag */
	uint32_t left;                /* of the message at hand */
	uint8_t prefix[5], prefix_n;
	bool begun;                   /* from its first byte on: the counts can be trusted, unless ... */
	bool doubt;                   /* ... bytes are missing */
	bool text;                    /* gRPC-Web in base64: ... */
	uint8_t sextets;              /* ... so many digits of four are in `bits` */
	uint32_t bits;
};

struct grpc {
	struct grpc_side side[2];     /* by role: 0 client, 1 server */
	bool web;
	uint16_t trailers_n;          /* gRPC-Web: the trailers that end the response's content */
	char trailers[GRPC_TRAILERS_MAX];
};

/*
 * The content type of a side (0 client, 1 server), before its content: if it is that of a call, its messages are counted from here
 * on, in x->grpc. Without memory they are not.
 */
void grpc_type(struct conn *c, struct exchange *x, unsigned side, struct slice type);

/* Content of a call. */
void grpc_content(struct grpc *g, unsigned side, struct slice data);
/* So many bytes of it are missing, or an unknown number (UINT64_MAX). NULL is allowed. */
void grpc_gap(struct grpc *g, unsigned side, uint64_t n);

/*
 * Fills in r->grpc if the exchange was a call; the response's text may move. `now_ns`: the latest time that is known of it.
 */
void grpc_fill(struct conn *c, struct exchange *x, uint64_t now_ns, struct exchange_record *r);

#endif
