/* SPDX-License-Identifier: MIT */
/* gRPC over HTTP/2 (the protocol document "gRPC over HTTP2"): messages by their length prefix, and what a call was. */
#ifndef PERISCO_PROTO_GRPC_H
#define PERISCO_PROTO_GRPC_H

#include "proto/exchange.h"

/* The messages of one side: one byte of flags, four of length, then so many bytes. */
struct grpc_side {
	uint64_t messages, bytes;     /* begun; of their payload, by their prefixes */
	uint32_t left;                /* of the message at hand */
	uint8_t prefix[5], prefix_n;
	bool compressed;              /* at least one message was */
	bool doubt;                   /* bytes are missing: the counts are too low */
};

void grpc_data(struct grpc_side *g, struct slice data);
/* So many bytes are missing. */
void grpc_gap(struct grpc_side *g, uint64_t n);

/* Fills in r->grpc if the exchange was a call, told by its content type. */
void grpc_fill(struct conn *c, struct exchange *x, const struct grpc_side side[2], struct exchange_record *r);

#endif
