/* SPDX-License-Identifier: MIT */
/*
 * An exchange in the making: what the decoders of all HTTP versions fill in, until it is whole or will never be. Text and
 * fields lie in blocks of the pool that grow up to HEAD_MAX; what does not fit is counted and said.
 */
#ifndef PERISCO_PROTO_EXCHANGE_H
#define PERISCO_PROTO_EXCHANGE_H

#include "proto/proto.h"

#define HEAD_MAX ((uint32_t)64 << 10)  /* bytes of text of one message: start line, fields, trailers */
#define FIELDS_MAX 1024u

struct draft {
	struct message m;             /* but for the slices into text, which are set when it is emitted */
	uint8_t *text;
	struct field *fields;
	uint32_t text_n, text_size;
	uint32_t fields_n, fields_size;
	uint32_t headers_n;           /* fields before the trailers */
	uint32_t a_len, b_len;        /* method and target, or reason: the first bytes of text */
	uint8_t *body;
	uint32_t body_n, body_size;
	uint8_t protocol;             /* enum http_version */
	bool in_trailers;
	bool open;                    /* fields[fields_n] is in the making */
	bool done;                    /* nothing will be added */
	bool cut;                     /* the limit was reached */
};

enum http_version { HTTP_UNKNOWN, HTTP_09, HTTP_10, HTTP_11, HTTP_20 };

struct exchange {
	struct exchange *next;        /* the next request on the connection */
	struct draft request, response;
	uint64_t request_off;         /* where the request begins in the client's stream */
	uint64_t expected_off;        /* how far the client had received the server's stream when it sent it */
	bool contiguous;              /* nothing is missing between it and the request before it */
	uint8_t turned;               /* enum turned */
};

/* An empty exchange, or NULL. */
struct exchange *exchange_new(struct conn *c);
/* Gives everything back. NULL is allowed. */
void exchange_free(struct conn *c, struct exchange *x);
/* Emits the record and frees the exchange. `by`: the side (of the flow) that ended it early, or -1. */
void exchange_emit(struct conn *c, struct exchange *x, enum ended how, int by);

/* Start line (RFC 9112 sections 3 and 4). Bytes are copied. */
void draft_request(struct conn *c, struct draft *d, struct slice method, struct slice target, enum http_version v);
void draft_response(struct conn *c, struct draft *d, uint16_t status, struct slice reason, enum http_version v);

/*
 * Field lines (RFC 9110 section 5), piece by piece: name bytes, value bytes, end. After draft_trailers the fields are
 * trailers.
 */
void draft_name(struct conn *c, struct draft *d, const void *p, size_t n);
void draft_value(struct conn *c, struct draft *d, const void *p, size_t n);
void draft_field_end(struct draft *d);
void draft_trailers(struct draft *d);

/* Where the fields stand; going back there forgets what came after. A draft of NULL is allowed. */
struct draft_mark {
	uint32_t text_n, fields_n, headers_n;
	struct field field;           /* the one in the making, if `open` */
	bool open;
};
void draft_mark(const struct draft *d, struct draft_mark *ret);
void draft_rewind(struct draft *d, const struct draft_mark *mark);

/* Content: counted, and its first bytes kept if that was asked for. */
void draft_body(struct conn *c, struct draft *d, const void *p, size_t n);

/* So many bytes of this part were not seen. */
void draft_missing(struct draft *d, enum part part, enum cause cause, uint64_t bytes);

/* The value of the first header field with this name; p == NULL when there is none. Valid until the draft changes. */
struct slice draft_header(const struct draft *d, struct slice name);

#endif
