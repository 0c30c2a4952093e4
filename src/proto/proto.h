/* SPDX-License-Identifier: MIT */
/*
 * What a decoder is, and what it may ask of the connection it decodes. A decoder gets the bytes of both sides in order, in
 * chunks, and says how many it took; it hands on records. It owns its state from open to close and nothing else.
 */
#ifndef PERISCO_PROTO_PROTO_H
#define PERISCO_PROTO_PROTO_H

#include "base/pool.h"
#include "base/stats.h"
#include "chunk.h"

struct conn;

/* What a decoder's environment gives it; one for all connections of an engine. */
struct conn_env {
	struct pool *pool;
	struct stats *stats;
	uint32_t body_keep;           /* first bytes of each body to keep */
	uint64_t stream_interval_ns;  /* an exchange that goes on says so each time this has passed; 0: never */
	void *ctx;
	/* Makes room in the pool at the cost of other connections than `c`; false when there is nothing to give. */
	bool (*reclaim)(void *ctx, struct conn *c);
	/* Completes the record with who and where, and hands it on. */
	void (*emit)(void *ctx, struct conn *c, struct record *r);
	/* Bytes of this side before stream offset `until` need not come any more. */
	void (*skip)(void *ctx, struct conn *c, unsigned side, uint64_t until);
	enum detail detail;           /* what may be left out */
	const struct conn *bringing;  /* whose packet is at hand; NULL: nobody asks what it brings, which is ... */
	struct brought *brought;      /* ... this */
};

struct conn {
	struct conn_env *env;
	const struct proto *proto;    /* NULL: not known yet, or never */
	void *state;                  /* the decoder's, state_size bytes */
	const char *verdict;          /* why nobody decodes it (any more): "tls", "websocket", ...; or NULL */
	bool done;                    /* nobody listens any more */
	bool again;                   /* the decoder is done, and something else begins: ... */
	bool midstream;               /* its begin was not seen */
	bool gapped;                  /* bytes were missing before there was a decoder */
	int8_t client;                /* the side that is the client, or -1 */
	uint8_t guess;                /* the side that is the client if nothing tells: the one with the higher port */
	uint8_t how;                  /* enum ended: why the connection is being closed; ENDED_WELL as long as it is not */
	int8_t by;                    /* the side that did it, or, while it is open, that sent the first FIN; -1: not known, none */
	const struct proto *next;     /* ... this; NULL: to be found out */
	void *handed;                 /* what the decoder hands to the next one, which owns it then; or NULL */
	uint64_t begin[2];            /* offset of the first byte of what is spoken now */
	uint32_t exchanges;           /* emitted */
	uint32_t numbered;            /* and begun */
};

enum verdict { VERDICT_NO, VERDICT_MORE, VERDICT_YES };

struct proto {
	const char *name;
	size_t state_size;            /* zeroed before open */
	/*
	 * Could `data`, found at the start of a packet's payload, begin a message of this protocol? MORE asks for more bytes.
	 * With YES, *from_client says who sends such bytes: 1 the client, 0 the server, -1 (as it is) not to be told. `first`:
	 * they are the very first of a connection. `cut`: no more will come, make do with what there is.
	 */
	enum verdict (*probe)(const struct conn *c, struct slice data, bool first, bool cut, int *from_client);
	void (*open)(struct conn *c);
	/* Bytes of one side. Returns how many were taken; the rest comes again when there is more. At most 64 KiB may be left. */
	size_t (*data)(struct conn *c, unsigned side, const struct chunk *ch);
	/* Bytes are missing. ch->data is what data() had left before them, and will not come again. */
	void (*gap)(struct conn *c, unsigned side, const struct chunk *ch);
	/* This side sends no more. ch->data as with gap. */
	void (*end)(struct conn *c, unsigned side, const struct chunk *ch);
	/* Nothing will come any more, for the reason in c->how: emits what is open, frees all but the state itself. */
	void (*close)(struct conn *c);
};

/* All decoders, in the order in which they are asked; NULL ends the list. */
extern const struct proto *const protos[];

/* Memory for the decoder, not zeroed; other connections give way if need be. NULL when there is none. */
void *conn_alloc(struct conn *c, size_t n);
void conn_free(struct conn *c, void *p, size_t n);

/* Hands on a record. The decoder fills in `exchange` and ts_ns; kind and ends are filled in here. */
void conn_emit(struct conn *c, struct record *r);

/*
 * The decoder only counts what this side sends before stream offset `until`: it may come as a gap with CAUSE_ELIDED. Told for
 * each body once, it costs as much as a system call.
 */
void conn_skip(struct conn *c, unsigned side, uint64_t until);

/* The decoder wants no more bytes of either side; `why` names what follows. What is open was emitted before. */
void conn_done(struct conn *c, const char *why);

/*
 * The decoder is done, and what follows is another protocol: `next`, which is handed `thing`, or one that is to be found out
 * (RFC 9110 sections 7.8 and 9.3.6).
 */
void conn_again(struct conn *c, const struct proto *next, void *thing);

/* 0 when `side` is the client, 1 when it is the server. */
static inline unsigned conn_role(const struct conn *c, unsigned side)
{
	return side == (unsigned)c->client ? 0 : 1;
}

/* Why an exchange that is open ends when its connection, or the side that would go on with it, does. */
static inline enum ended conn_how(const struct conn *c)
{
	return c->how ? (enum ended)c->how : ENDED_CLOSED;
}

#endif
