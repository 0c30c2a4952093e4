/* SPDX-License-Identifier: MIT */
/*
 * HPACK (RFC 7541) for one direction of a connection, on nghttp2's inflater. Joined in the middle, the dynamic table is
 * filled with placeholders: an index that refers to what was not seen gives an unknown field, never a wrong one, and fields
 * that come later are right, because a table is counted from its newest entry.
 */
#ifndef PERISCO_PROTO_HPACK_H
#define PERISCO_PROTO_HPACK_H

#include "proto/proto.h"

struct hpack;

/* What is known of the table that the encoder has now. */
enum hpack_table {
	HPACK_EMPTY,   /* the begin of the direction */
	HPACK_DEFAULT, /* no more than fits into the default size (RFC 9113 section 6.5.2) */
	HPACK_LARGE,   /* an index was too large for that */
};

/* NULL when there is no memory. `c` must stay where it is. */
struct hpack *hpack_new(struct conn *c, enum hpack_table table);
/* NULL is allowed. */
void hpack_free(struct conn *c, struct hpack *h);

/* One field; both slices are valid during the call. name.p == NULL: the field is unknown; value.p == NULL: only its value. */
typedef void (*hpack_fn)(void *ctx, struct slice name, struct slice value);

/*
 * Reads a piece of a header block. `last`: the block ends with it. Returns 0; or -1 when the block is broken, or there is no
 * memory: then the table is out of step, and the inflater of no use any more.
 */
int hpack_feed(struct hpack *h, struct slice block, bool last, hpack_fn fn, void *ctx);

#endif
