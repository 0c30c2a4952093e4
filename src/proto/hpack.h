/* SPDX-License-Identifier: MIT */
/*
 * HPACK (RFC 7541) for one direction of a connection, on nghttp2's inflater. Joined in the middle, the dynamic table is
 * filled with placeholders: an index that refers to what was not seen gives an unknown field, never a wrong one, and fields
 * that come later are right, because a table is counted from its newest entry.
 */
#ifndef PERISCO_PROTO_HPACK_H
#define PERISCO_PROTO_HPACK_H

#include <nghttp2/nghttp2.h>

#include "proto/proto.h"

#define HPACK_PLACEHOLDER 0x01 /* the name of a placeholder: no field is called so */

struct hpack {
	nghttp2_hd_inflater *inflater;
	nghttp2_mem mem;              /* takes the inflater's memory from the pool */
	struct conn *conn;
};

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

/*
 * Reads on in a piece of a header block, to its next field: 1; or to its end: 0; or -1 when the block is broken, or there is no
 * memory: then the table is out of step, and the inflater of no use any more. `in` moves on behind what was read; `last`: the
 * block ends with it. Name and value are valid until the next call; name->p == NULL: the field is unknown.
 */
static inline int hpack_next(struct hpack *h, struct slice *in, bool last, struct slice *name, struct slice *value)
{
	nghttp2_nv nv;
	ssize_t n;
	int flags;

	do {
		n = nghttp2_hd_inflate_hd2(h->inflater, &nv, &flags, in->p, in->n, last);
		if (n < 0)
			return -1;
		*in = slice_from(*in, (size_t)n);
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			bool unknown = nv.namelen == 1 && nv.name[0] == HPACK_PLACEHOLDER;

			*name = unknown ? (struct slice){NULL, 0} : slice_of(nv.name, nv.namelen);
			*value = slice_of(nv.value, nv.valuelen);
			return 1;
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL) {
			nghttp2_hd_inflate_end_headers(h->inflater);
			return 0;
		}
	} while (in->n);
	return last ? -1 : 0;
}

#endif
