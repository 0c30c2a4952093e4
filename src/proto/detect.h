/* SPDX-License-Identifier: MIT */
/* What a connection speaks, by its bytes and never by its ports. */
#ifndef PERISCO_PROTO_DETECT_H
#define PERISCO_PROTO_DETECT_H

#include "proto/proto.h"

/*
 * Asks each decoder about bytes that begin a packet's payload; `first`: they are the very first of a side of the connection;
 * `cut`: what follows them is missing.
 * YES: c->proto and c->client are set: who sends requests is the client, whoever connected. NO with c->verdict set: a protocol that is known and not decoded
 * ("tls", "ssh", "http2"), nobody needs more bytes.
 */
enum verdict detect(struct conn *c, unsigned side, struct slice data, bool first, bool cut);

#endif
