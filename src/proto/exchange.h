/* SPDX-License-Identifier: MIT */
/*
 * An exchange in the making: what the decoders of all HTTP versions fill in, until it is whole or will never be. One block
 * holds it and room for an ordinary request, another one, from its first byte on, an ordinary response: so what waits for its
 * answer is small, and the room of answers, of which few are in the making, stays in the cache. Larger heads move to blocks of
 * their own, up to HEAD_MAX. What does not fit is counted and said.
 */
#ifndef PERISCO_PROTO_EXCHANGE_H
#define PERISCO_PROTO_EXCHANGE_H

#include "proto/grpc.h"

#define HEAD_MAX ((uint32_t)64 << 10)  /* bytes of text of one message: start line, fields, trailers */
#define FIELDS_MAX 1024u
#define TEXT_FIRST 512u
#define FIELDS_FIRST 18u

/*
 * A message in the making. Its text is what its head was on the wire; fields, method and the like are places in it. It is
 * kept small, because on a busy connection many wait: a record is made of it when it is emitted.
 */
struct room;
struct draft {
	uint64_t first_ns, last_ns, body_bytes, wire_bytes; /* see struct message */
	struct room *room;            /* NULL as long as there is nothing to keep */
	uint8_t *text, *body;
	struct field *fields;
	uint32_t text_n, text_size;
	uint32_t fields_n, fields_size;
	uint32_t headers_n;           /* fields before the trailers, once those have begun */
	uint32_t checked_n;           /* fields that are known to be whole and tidy */
	uint32_t body_n, body_size;
	struct field start;           /* method and target, or (as value) reason */
	struct field authority;       /* scheme (as name) and authority of HTTP/2 */
	uint32_t unknown_fields;
	uint16_t status;
	uint8_t protocol;             /* enum http_version */
	uint8_t interims, missings;
	bool seen, complete;          /* see struct message */
	bool in_trailers;
	bool done;                    /* nothing will be added */
	bool cut;                     /* the limit was reached: of fields, or ... */
	bool text_cut;                /* ... of text */
	bool untidy : 1;              /* fields have white space at their ends */
	bool body_left_out : 1;       /* its content was not kept or looked into, or not all of it: see enum detail */
	struct interim interim[INTERIM_MAX]; /* not zeroed, as what follows */
	struct missing missing[MISSING_MAX];
};

enum http_version { HTTP_UNKNOWN, HTTP_09, HTTP_10, HTTP_11, HTTP_20 };

struct exchange {
	struct exchange *next;        /* the next request on the connection */
	uint64_t request_off;         /* where the request begins in the client's stream */
	uint64_t expected_off;        /* how far the client had received the server's stream when it sent it */
	bool contiguous : 1;          /* nothing is missing between it and the request before it */
	bool unsure : 1;              /* whether a response is its own can not be told */
	bool was_reset : 1, pushed : 1; /* see struct exchange_record */
	uint8_t turned;               /* enum turned */
	int8_t reset_by;              /* side of the flow */
	uint32_t number;              /* see struct exchange_record */
	uint32_t stream_id, reset_code;
	struct grpc *grpc;            /* of a call whose messages are counted, or NULL */
	uint64_t reset_ns;            /* when it was, if it was */
	uint64_t said_ns;             /* when a progress record was last written, or would have been */
	struct draft request, response;
	uint64_t scratch[2][12];      /* what the decoder keeps beside each message */
	struct room {
		struct field fields[FIELDS_FIRST];
		uint8_t text[TEXT_FIRST];
	} room;                       /* of the request, as a rule */
};

_Static_assert(sizeof(struct exchange) <= 1536 && sizeof(struct room) <= 1024, "it takes blocks of 1536 and 1024 bytes");

/* An empty exchange, the next one of its connection; or NULL. */
struct exchange *exchange_new(struct conn *c);
/* The same, but that it is none of the connection's: only room to draft in. */
struct exchange *exchange_scratch(struct conn *c);
/* Gives everything back. NULL is allowed. */
void exchange_free(struct conn *c, struct exchange *x);
/* Emits the record and frees the exchange. `by`: the side (of the flow) that ended it early, or -1. */
void exchange_emit(struct conn *c, struct exchange *x, enum ended how, int by);

/*
 * Content of a side (0 request, 1 response): counted, its first bytes kept if that was asked for, and read if it is that of a
 * gRPC call.
 */
void exchange_content(struct conn *c, struct exchange *x, unsigned side, struct slice data);

/* Would more content of a side only be counted? Then it need not be there: see conn_skip. */
bool exchange_counts(const struct conn *c, struct exchange *x, unsigned side);

/* So many bytes of content were left out for that, up to now. */
void exchange_elided(struct conn *c, struct exchange *x, unsigned side, uint64_t n, uint64_t now_ns);

/* More of it was seen: a progress record, when it is time for one. */
void exchange_progress(struct conn *c, struct exchange *x, uint64_t now_ns);

/* Bytes of it came: says so of the packet at hand, if somebody asks. NULL is allowed. */
void exchange_note(const struct conn *c, const struct exchange *x);
static inline bool exchange_asked(const struct conn *c)
{
	return __builtin_expect(c->env->bringing == c, false);
}
static inline void exchange_touch(const struct conn *c, const struct exchange *x)
{
	if (exchange_asked(c))
		exchange_note(c, x);
}

/* A place in the text, as far as it was kept. */
static inline struct slice draft_place(const struct draft *d, uint32_t at, uint32_t n)
{
	return slice_first(slice_from(slice_of(d->text, d->text_n), at), n);
}

/* The method of a request; empty when it is not known. Valid until the draft changes. */
static inline struct slice draft_method(const struct draft *d)
{
	return draft_place(d, d->start.name, d->start.name_len);
}

static inline struct draft *exchange_side(struct exchange *x, unsigned side)
{
	return side ? &x->response : &x->request;
}

/* It is about to be filled in, and may not have been touched for long: asks the cache for it. */
static inline void draft_prefetch(const struct draft *d)
{
	for (size_t at = 0; at < offsetof(struct draft, interim); at += 64)
		__builtin_prefetch((const char *)d + at, 1);
}

/* Bytes of the message were seen at this time; packets of the other side may have been seen before. */
static inline void draft_seen(struct draft *d, uint64_t now_ns)
{
	if (d->last_ns < now_ns)
		d->last_ns = now_ns;
}

/* Appends to the text. What goes beyond the limit is counted as missing. */
void draft_text_widen(struct conn *c, struct draft *d, const void *p, size_t n);
static inline void draft_text(struct conn *c, struct draft *d, const void *p, size_t n)
{
	if (n > d->text_size - d->text_n) {
		draft_text_widen(c, d, p, n);
		return;
	}
	slice_copy(slice_of(p, n), d->text + d->text_n);
	d->text_n += (uint32_t)n;
}

/* Makes room for more fields; false when there are too many. */
bool draft_widen(struct conn *c, struct draft *d);

/* A new field, for the caller to fill in, or NULL when there are too many. Its places must lie in the text in the end. */
static inline struct field *draft_field(struct conn *c, struct draft *d)
{
	if (d->fields_n == d->fields_size && !draft_widen(c, d))
		return NULL;
	return &d->fields[d->fields_n++];
}

static inline bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * No more fields will come: those whose line was not seen or kept to its end go, and if untidy, white space behind values
 * (RFC 9110 section 5.5). Twice does no harm; exchange_emit does it for all.
 */
void draft_fields_check(struct draft *d);
static inline void draft_fields_end(struct draft *d)
{
	if (d->checked_n != d->fields_n)
		draft_fields_check(d);
}

/* An interim response came before it (RFC 9110 section 15.2). */
void draft_interim(struct draft *d, uint64_t ts_ns, unsigned status);

/* What was read as its head does not count: the head is to come. */
void draft_begin_anew(struct draft *d);

/* Fields from here on are trailers. */
void draft_trailers(struct draft *d);

/* So many bytes of this part were not seen. */
void draft_missing(struct draft *d, enum part part, enum cause cause, uint64_t bytes);

/* The value of the first header field with this name; p == NULL when there is none. Valid until the draft changes. */
struct slice draft_header(const struct draft *d, struct slice name);

#endif
