/* SPDX-License-Identifier: MIT */
/*
 * The rooms of HTTP/1: http1_parse.c reads one side's messages, http1_head.c their header sections, http1_chunk.c chunked
 * content; http1.c makes exchanges of them. Private to them.
 */
#ifndef PERISCO_PROTO_HTTP1_H
#define PERISCO_PROTO_HTTP1_H

#include <llhttp.h>

#include "proto/exchange.h"
#include "proto/startline.h"

#define HTTP1_LINE_MAX ((size_t)64 << 10) /* of a start line or, in a careful head, a field line */

enum http1_state {
	HTTP1_START,    /* between messages */
	HTTP1_HEAD,     /* in the header section; llhttp has the say */
	HTTP1_LENGTH,   /* in content of known length (RFC 9112 section 6.2) */
	HTTP1_CHUNKED,  /* in chunked content or its trailers (section 7.1); llhttp has the say */
	HTTP1_RECHUNK,  /* in chunked content behind a hole: looking for the next chunk */
	HTTP1_UNTIL_END,/* in content that ends with the connection (section 6.3, 8) */
	HTTP1_SEARCH,   /* lost: looking for a start line */
};

/* One side of the connection. */
struct http1_side {
	struct conn *conn;
	struct exchange *x;     /* of the message in the making; NULL in START and SEARCH */
	struct draft *draft;    /* its request or response; an interim response is drafted in an exchange of its own */
	llhttp_t *parser;       /* of HEAD and CHUNKED; lies in x */
	uint32_t places;        /* from the address of a byte that llhttp reads now to its place in the text, modulo 2^32 */
	uint8_t state, role;    /* role: 0 requests, 1 responses */
	bool field_open, in_value;
	bool in_chunk, last_chunk;
	bool rechunked;         /* chunked content was found again behind a hole */
	bool careful;           /* this head broke the grammar: line by line from here */
	bool trusted;           /* START stands where a message must begin */
	bool gap;               /* there may be messages in what is missing since the last message began */
	bool interim;           /* the message is an interim response (RFC 9110 section 15.2), ... */
	struct exchange *announced; /* ... for this request; NULL when that is not known */
	uint64_t left;          /* in LENGTH: content bytes to come */
};

struct http1 {
	struct http1_side side[2];
	struct exchange *head, **tail;  /* requests without a final response yet, oldest first */
	unsigned queued;
	uint8_t lots;                   /* how often the client was seen to wait for all answers, up to 2 */
	bool pipelined;                 /* the client did not always wait for an answer */
	bool sliding;                   /* ... nor for all answers before it went on */
	bool doubt;                     /* bytes are missing: the oldest request need not be the one answered next */
	uint64_t lot_off;               /* where the answers begin to what the client sent when it had waited */
	uint64_t last_expected;         /* of the last request */
	uint64_t read_to[2];            /* the streams of requests and responses are read up to here */
	uint64_t response_ack;          /* how far the server had received that when it sent its last bytes */
	uint64_t trouble[2];            /* ... and below this, messages may be missing */
};

/* Reads a chunk of data; returns how much was taken. */
size_t http1_feed(struct conn *c, struct http1_side *s, const struct chunk *ch);

/* A start line that was cut off by a gap or the end: what is certain of it begins a message. False: nothing is. */
bool http1_partial(struct conn *c, struct http1_side *s, const struct chunk *ch);

/* Content that was left before a gap or the end, because it might have begun a message: it did not. */
void http1_rest(struct conn *c, struct http1_side *s, const struct chunk *ch);

/* Bytes are missing inside a message. True: but we know where we are. */
bool http1_body_gap(struct conn *c, struct http1_side *s, const struct chunk *ch);

/* The message in the making ends here. `complete`: as it should. */
void http1_end_message(struct conn *c, struct http1_side *s, bool complete);

/* Where we are in the stream is not known any more; a message in the making ends here. */
void http1_lose(struct conn *c, struct http1_side *s);

/* Content of the message in the making, and bytes of it as it was on the wire. */
void http1_content(struct http1_side *s, struct slice data);
void http1_count(struct http1_side *s, const struct chunk *ch, size_t n);

/* --- given by http1_head.c --- */

/* The start line was read; of a response its status. */
void http1_head_begin(struct http1_side *s, unsigned status);

/* More in the state HEAD, from `at` in the chunk's data; returns where it stopped. */
size_t http1_head(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t at);

/* Lets llhttp read; *n becomes what it took. HPE_PAUSED: the head, or the message, is whole. */
int http1_execute(struct http1_side *s, const void *p, size_t *n);

/* The parser is where chunked content begins. */
void http1_chunk_parser(struct http1_side *s);

/* --- given by http1_chunk.c --- */

/* More in the states CHUNKED and RECHUNK, from `at` in the chunk's data; returns where it stopped. */
size_t http1_chunked(struct conn *c, struct http1_side *s, const struct chunk *ch, size_t at);
size_t http1_rechunk(struct http1_side *s, const struct chunk *ch, size_t at);

/* --- given by http1.c --- */

/* A start line was read: sets s->x and s->draft. `at`: where in the chunk's data it begins. False: no memory. */
bool http1_begin(struct conn *c, struct http1_side *s, const struct startline *line, const struct chunk *ch, size_t at);

/* Messages may have been in what is missing here. */
void http1_missed(struct http1 *h, struct http1_side *s, const struct chunk *gap);

/* Was the answer to the oldest request certainly sent before offset `off` of the server's stream? */
bool http1_answered_before(const struct http1 *h, uint64_t off);

/* The client begins to speak HTTP/2 here (RFC 9113 section 3.4). */
void http1_preface(struct conn *c);

/* The message is over: makes of s->x what it is now. */
void http1_done(struct conn *c, struct http1_side *s, bool complete);

#endif
