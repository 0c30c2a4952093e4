/* SPDX-License-Identifier: MIT */
/*
 * The rooms of HTTP/2: http2_walk.c finds the frames in one side's bytes, http2_frame.c makes exchanges of what they bring,
 * http2_block.c reads header blocks, http2.c is the connection, with what is missing of it. Private to them.
 */
#ifndef PERISCO_PROTO_HTTP2_H
#define PERISCO_PROTO_HTTP2_H

#include "proto/h2frame.h"
#include "proto/h2stream.h"
#include "proto/hpack.h"

#define H2_RESETS 8u

enum h2_walk {
	H2_WALK_HEADER,  /* in the nine bytes before a frame */
	H2_WALK_PREFACE, /* in the client's first bytes (RFC 9113 section 3.4) */
	H2_WALK_LEAD,    /* in the bytes before its content */
	H2_WALK_CONTENT,
	H2_WALK_PAD,
	H2_WALK_SEARCH,  /* lost: looking for frames */
};

/* One side of the connection. */
struct h2side {
	struct hpack *hpack;          /* NULL: begins with the next header block */
	struct h2stream *data;        /* of the DATA frame at hand; NULL: of none */
	struct draft *block;          /* where the fields of the header block at hand go; NULL: nowhere */
	struct exchange *block_x;     /* its exchange */
	uint64_t frame_ns;            /* when the frame at hand began */
	struct h2frame frame;         /* at hand */
	uint8_t state;                /* enum h2_walk */
	uint8_t lead_n, lead[H2_HEADER]; /* bytes of the frame header, or of what stands before the content */
	uint8_t setting_n, setting[6];
	uint32_t left, pad;           /* content and padding to come */
	uint32_t last_id;             /* by its GOAWAY, it handles no later stream */
	uint32_t max_frame;           /* no frame of this side was or may be larger */
	uint32_t block_frames;        /* the stream whose frames bring the header block at hand: not its own, if it is promised */
	uint32_t blocks, tables;      /* header blocks read, and tables begun for them */
	uint8_t table;                /* enum hpack_table: how the next one begins */
	bool in_block;                /* it goes on in CONTINUATION frames */
	bool block_end_stream, block_broken, block_push;
	bool joined;                  /* its begin was not seen, or it was lost */
};

struct http2 {
	struct h2side side[2];        /* as those of the flow */
	struct h2streams streams;
	uint32_t reset[H2_RESETS];    /* streams that the client has reset, whose responses may still come, oldest first */
	uint8_t resets;
	bool sure;                    /* it is known who the client is */
	uint32_t max_id;              /* the highest stream of the client that was seen */
	uint32_t fresh_from;          /* from here on each was seen to begin; 0: not known */
	unsigned feeding;             /* the side that is read, ... */
	uint64_t now_ns, now_ack;     /* ... and time and acknowledgement of its bytes */
	uint64_t gap_to[2];           /* by role: below this, frames may be missing */
};

/* One of two, as with flow_stream. */
static inline struct h2side *http2_side(struct http2 *h, unsigned side)
{
	return side ? &h->side[1] : &h->side[0];
}

/* Reads a chunk of data; returns how much was taken. */
size_t http2_walk(struct conn *c, unsigned side, const struct chunk *ch);

/* So many bytes are missing. False: they are not all of the content at hand, and nobody knows where we are. */
bool http2_walk_skip(struct conn *c, unsigned side, uint64_t n);

/* Where we are in the side's stream is not known any more. */
void http2_walk_lost(struct h2side *s);

/* --- given by http2_block.c --- */

/* A header block of this side begins, with the frame at hand, in stream `id`. */
void http2_block_begin(struct conn *c, struct http2 *h, struct h2side *s, unsigned role, uint32_t id);
/* More of it; `last`: it is whole now. */
void http2_block_feed(struct conn *c, struct http2 *h, unsigned side, struct slice in, bool last);
/* It is over, whole or not: what it began or ended is so now. */
void http2_block_end(struct conn *c, struct http2 *h, unsigned side);
/* It is broken off against the rules. */
void http2_block_abort(struct conn *c, struct http2 *h, unsigned side);
/* What the table should have been taught is not known: it begins anew. */
void http2_table_lost(struct conn *c, struct h2side *s);

/* --- given by http2_frame.c --- */

/* A frame begins: what stands before its content is in s->lead. False: it makes no sense. */
bool http2_frame(struct conn *c, unsigned side);

/* The frame at hand breaks the rules, and is left out. */
void http2_malformed(struct conn *c, unsigned side);

/* Content of the frame at hand; `last`: all of it is here now. */
void http2_content(struct conn *c, unsigned side, struct slice in, bool last);

/* A frame of DATA, of which all content is here. */
void http2_whole_data(struct conn *c, unsigned side, const struct h2frame *f, struct slice in);

/* A frame of HEADERS, which is here as a whole and a whole header block. */
void http2_whole_headers(struct conn *c, unsigned side, const struct h2frame *f, struct slice in);

/* The frame at hand is over. */
void http2_frame_end(struct conn *c, unsigned side);

/* The stream, a new one if need be (`request`: for its request); NULL when it is over, or there is no memory. */
struct h2stream *http2_stream(struct conn *c, struct http2 *h, uint32_t id, bool request);

/*
 * The client did not want these responses and has reset them; what was under way then has had its time (RFC 9113 section 5.1).
 */
void http2_drop_resets(struct conn *c, struct http2 *h, uint64_t now_ns);

/* All streams are over. */
void http2_finish_all(struct conn *c, struct http2 *h, enum ended how, int by);

/* One side of the stream has said all. The stream may be gone then. */
void http2_side_ended(struct conn *c, struct http2 *h, struct h2stream *st, unsigned role);

/* A frame of the message begins; its content is counted when it comes. */
void http2_touch(const struct http2 *h, const struct h2side *s, struct draft *d);

#endif
