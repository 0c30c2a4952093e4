/* SPDX-License-Identifier: MIT */
/*
 * HPACK (RFC 7541) for one direction of a connection, on nghttp2's inflater. Joined in the middle, the dynamic table is
 * filled with placeholders: an index that refers to what was not seen gives an unknown field, never a wrong one, and fields
 * that come later are right, because a table is counted from its newest entry. A table larger than the default size is
 * found out by an index beyond it, which costs one header block.
 */
#ifndef PERISCO_PROTO_HPACK_H
#define PERISCO_PROTO_HPACK_H

#include "proto/proto.h"

struct hpack;

/* `joined`: the begin of the direction was not seen. NULL when there is no memory. `c` must stay where it is. */
struct hpack *hpack_new(struct conn *c, bool joined);
/* NULL is allowed. */
void hpack_free(struct conn *c, struct hpack *h);

/* One field; both slices are valid during the call. name.p == NULL: the field is unknown; value.p == NULL: only its value. */
typedef void (*hpack_fn)(void *ctx, struct slice name, struct slice value);

/*
 * Reads a piece of a header block. `last`: the block ends with it. Returns 0; or -1 when the block is broken: then the
 * inflater has begun anew as if it had joined here, and the rest of the block is to be left out.
 */
int hpack_feed(struct hpack *h, struct slice block, bool last, hpack_fn fn, void *ctx);

#endif
