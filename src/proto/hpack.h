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

enum hpack_at {
	HPACK_BEGIN,   /* of a block */
	HPACK_BETWEEN, /* two of its fields, or behind the last */
	HPACK_INSIDE,  /* a field */
};

struct hpack {
	nghttp2_hd_inflater *inflater;
	nghttp2_mem mem;              /* takes the inflater's memory from the pool */
	struct conn *conn;
	uint8_t at;                   /* enum hpack_at: where the reader is */
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

static inline void hpack_field(const nghttp2_nv *nv, struct slice *name, struct slice *value)
{
	bool unknown = nv->namelen == 1 && nv->name[0] == HPACK_PLACEHOLDER;

	*name = unknown ? (struct slice){NULL, 0} : slice_of(nv->name, nv->namelen);
	*value = slice_of(nv->value, nv->valuelen);
}

/*
 * Reads on in a piece of a header block, to its next field: 1; or to its end: 0; or -1 when the block is broken, or there is no
 * memory: then the table is out of step, and the inflater of no use any more. `in` moves on behind what was read; `last`: the
 * block ends with it. Name and value are valid until the next call; name->p == NULL: the field is unknown.
 *
 * Most fields are a short index of the table (RFC 7541 section 6.1). Such a one changes nothing, so the table is asked itself:
 * to move the inflater through its states costs many times as much.
 */
int hpack_inflate(struct hpack *h, struct slice *in, bool last, struct slice *name, struct slice *value);
static inline int hpack_next(struct hpack *h, struct slice *in, bool last, struct slice *name, struct slice *value)
{
	const nghttp2_nv *nv = NULL;

	if (h->at != HPACK_INSIDE && in->n && in->p[0] > 0x80 && in->p[0] < 0xff)
		nv = nghttp2_hd_inflate_get_table_entry(h->inflater, in->p[0] & 0x7f);
	if (!nv)
		return hpack_inflate(h, in, last, name, value);
	hpack_field(nv, name, value);
	h->at = HPACK_BETWEEN;
	in->p++;
	in->n--;
	return 1;
}

#endif
