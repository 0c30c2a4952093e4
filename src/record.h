/* SPDX-License-Identifier: MIT */
/*
 * The vocabulary between decoders and sinks: what one exchange was, and what is known about it. Everything in a record is
 * borrowed for the duration of the call that hands it on. Unknown is absent: a time of 0, a status of 0 or an empty slice
 * means "not seen", never a value.
 */
#ifndef PERISCO_RECORD_H
#define PERISCO_RECORD_H

#include "packet/packet.h"

/* One field line (RFC 9110 section 5), as offsets into the text of its message. */
struct field {
	uint32_t name, name_len;
	uint32_t value, value_len;
};

struct fields {
	const uint8_t *text;
	const struct field *v;
	uint32_t n;
};

static inline struct slice field_name(const struct fields *f, uint32_t i)
{
	return slice_of(f->text + f->v[i].name, f->v[i].name_len);
}

static inline struct slice field_value(const struct fields *f, uint32_t i)
{
	return slice_of(f->text + f->v[i].value, f->v[i].value_len);
}

/* The value of the first field called `name`, whatever its case; an empty slice with p == NULL when there is none. */
static inline struct slice fields_get(const struct fields *f, struct slice name)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (slice_ieq(field_name(f, i), name))
			return field_value(f, i);
	return (struct slice){NULL, 0};
}

/* What of a message was not seen, and why. */
enum part { PART_START_LINE, PART_HEADERS, PART_BODY, PART_TRAILERS };
enum cause {
	CAUSE_NETWORK, /* never captured: lost before, or by whoever captured */
	CAUSE_RING,    /* the ring buffer between kernel and us was full */
	CAUSE_SNAPLEN, /* the capture kept only the first bytes of the packet */
	CAUSE_ELIDED,  /* left out by us, because nobody wanted it */
	CAUSE_MEMORY,  /* let go to stay within a limit */
	CAUSE_GRAMMAR, /* seen, but it made no sense */
};

struct missing {
	uint8_t part, cause;
	uint64_t bytes;
};
#define MISSING_MAX 4

/* One interim response (RFC 9110 section 15.2). */
struct interim {
	uint64_t ts_ns;
	uint16_t status;
};
#define INTERIM_MAX 2

struct message {
	bool seen;                     /* its start line, or some of it, was seen */
	uint64_t first_ns, last_ns;    /* capture time of its first and last byte */
	struct slice protocol;         /* "HTTP/1.1" */
	struct slice method, target;   /* of a request, as sent */
	struct slice authority, scheme; /* of an HTTP/2 request: its pseudo-header fields */
	struct slice reason;           /* of a response */
	uint16_t status;               /* of a response; 0: not seen */
	struct fields headers, trailers;
	uint32_t unknown_fields;       /* field lines that HPACK could not know */
	uint64_t body_bytes;           /* content, transfer coding removed (RFC 9112 section 6) and content coding left as it is */
	uint64_t wire_bytes;           /* all of the message, from its start line to its last byte, framing included */
	struct slice body;             /* the first bytes of the content, when they were asked for */
	bool complete;                 /* its end was seen */
	uint8_t interims;              /* of a response: how many came before the final one; may exceed INTERIM_MAX */
	uint8_t missings;
	uint8_t left_out;              /* bits of enum part: seen, but not to be shown whole, to stay within the CPU budget */
	struct interim interim[INTERIM_MAX];
	struct missing missing[MISSING_MAX];
};

/* How an exchange ended when it did not end well. */
enum ended {
	ENDED_WELL,
	ENDED_CLOSED,  /* the connection was closed first */
	ENDED_RESET,   /* RST */
	ENDED_TIMEOUT, /* a silence longer than the limit */
	ENDED_OPEN,    /* still open when perisco stopped */
	ENDED_EVICTED, /* forgotten for want of memory */
	ENDED_REPLACED,/* a new connection took the same addresses and ports */
	ENDED_LOST,    /* what would have completed it fell into a gap */
	ENDED_GOAWAY,  /* HTTP/2: the peer would not handle the stream */
	ENDED_BUDGET,  /* the connection is only counted from here on, to stay within the CPU budget */
};

enum vantage { VANTAGE_UNKNOWN, VANTAGE_CLIENT, VANTAGE_SERVER, VANTAGE_BOTH };

/* What became of a connection after the exchange. */
enum turned { TURNED_NOT, TURNED_TUNNEL, TURNED_WEBSOCKET, TURNED_H2C, TURNED_OTHER };

/* Who talked to whom, where it was seen. */
struct endpoints {
	struct flow_key key;
	uint8_t client;        /* the side of `key` that is the client (the one who connected, or who sent the request) */
	uint8_t vantage;       /* enum vantage */
	uint8_t tunnel;        /* enum tunnel */
	uint16_t vlan;         /* VLAN id + 1; 0: none */
	uint32_t tunnel_id;
	uint32_t ifindex;      /* 0: unknown */
	const char *ifname;    /* "": unknown */
	uint64_t flow_id;      /* stable over live and replay: made of the key, the initial sequence number and the start time */
	bool translated;       /* the same connection was seen under another tuple too (DNAT): `other` is that of its server side */
	struct flow_key other;
	uint8_t other_client;
};

/* A gRPC call, over HTTP/2 or as gRPC-Web. */
enum grpc_kind { GRPC_UNARY, GRPC_CLIENT_STREAMING, GRPC_SERVER_STREAMING, GRPC_BIDI_STREAMING, GRPC_KIND_UNKNOWN };
struct grpc_record {
	struct slice service, method;  /* of the path; empty: not known */
	int status;                    /* of the trailers; -1: not seen */
	struct slice message;          /* grpc-message, percent-decoded */
	uint64_t messages[2], bytes[2];/* of request and response: messages, and bytes in them by their prefixes */
	bool counted[2];               /* the two above are known: nothing of that side is missing */
	uint64_t compressed[2];        /* messages with the compressed flag */
	struct slice encoding[2];      /* grpc-encoding; empty: none, or not known */
	uint8_t kind;                  /* enum grpc_kind: by what was seen */
	bool web;                      /* gRPC-Web */
	int8_t cancelled_by;           /* 0 client, 1 server; -1: was not cancelled */
	bool has_timeout;              /* grpc-timeout was sent: timeout_ns */
	bool timed_out, in_time;       /* it was exceeded, or not; neither: how the call ended was not seen */
	uint64_t timeout_ns;
};

struct exchange_record {
	uint32_t number;       /* among those of its connection, in the order in which they began, from 1 on; 0: not known */
	struct message request, response;
	uint64_t latency_ns;   /* first byte of the final response minus first byte of the request; valid if both were seen */
	uint64_t duration_ns;  /* last byte of the response minus first byte of the request; the same */
	bool timed;            /* the two above are valid */
	uint8_t ended;         /* enum ended */
	int8_t ended_by;       /* side (0 client, 1 server) that closed or reset; -1: not known */
	uint8_t turned;        /* enum turned */
	bool progress;         /* it goes on: a later record with the same flow and stream says more */
	bool pushed;           /* by PUSH_PROMISE */
	uint32_t stream_id;    /* of HTTP/2; 0: none */
	bool was_reset;        /* RST_STREAM or GOAWAY ended it, with reset_code (RFC 9113 section 7), by ended_by */
	uint32_t reset_code;
	bool is_grpc;
	struct grpc_record grpc;
};

/* One connection, when it is over. */
struct flow_record {
	uint64_t first_ns, last_ns;
	struct {
		uint64_t segments, bytes;       /* as captured, each copy counted; bytes is payload on the wire */
		uint64_t retransmitted;         /* payload bytes that were there already */
		uint64_t out_of_order;          /* segments */
		uint64_t lost_network, lost_ring, lost_snaplen, lost_memory; /* stream bytes */
	} side[2];                              /* [0] client, [1] server */
	const char *protocol;                   /* "http1", ...; NULL: none found */
	const char *verdict;                    /* why it was not decoded: "tls", "ssh", "unknown", ...; NULL: it was */
	uint64_t exchanges;
	uint64_t handshake_ns;                  /* SYN to the ACK of the SYN-ACK; 0: not seen */
	bool syn_seen;
	uint8_t ended;                          /* enum ended */
	int8_t ended_by;
};

struct loss_record {
	const char *cause;                      /* "ring", "copy", "size", "file": see struct loss of src/capture/source.h */
	uint64_t packets, bytes;                /* bytes 0: not known */
	uint32_t cpu;                           /* counted from 1; 0: not known */
};

/* Connections that nobody decodes, by the reason: "tls", "ssh", "unknown", ... */
struct ignored {
	const char *why;
	uint64_t now, ever; /* connections: in the table now; of all that were */
};
#define IGNORED_MAX 16

/*
 * How much is made of the traffic, as the CPU budget allows: all; bodies and messages of calls neither kept nor looked into;
 * of heads only the start line; of most connections only counts. Each leaves out what those before it do.
 */
enum detail { DETAIL_WHOLE, DETAIL_HEADS, DETAIL_LINES, DETAIL_COUNTS };
#define DETAILS 4

/* From now on it is more, or less. */
struct budget_record {
	uint8_t detail, before;                 /* enum detail: now, and until now */
	uint16_t one_in;                        /* of so many connections one is decoded; 1: all are */
	uint64_t spent_ns, limit_ns;            /* CPU time a second that was taken, and that may be */
	uint64_t lasted_ns;                     /* since the change before this one, or the start */
};

/* What a packet brought: bytes of a connection, and with them of these exchanges. */
#define BROUGHT_MAX 16
struct brought {
	uint64_t flow_id;                       /* 0: of none that is known */
	uint32_t n;                             /* exchanges; of more than BROUGHT_MAX only the first are here */
	uint32_t exchange[BROUGHT_MAX];         /* see exchange_record.number */
};

enum record_kind { RECORD_EXCHANGE, RECORD_FLOW, RECORD_LOSS, RECORD_BUDGET };

struct record {
	enum record_kind kind;
	uint64_t ts_ns;                         /* first byte of the request (of the response, if there is no request) */
	struct endpoints ends;                  /* of a loss: only ifindex and ifname are set; of a budget nothing */
	union {
		struct exchange_record exchange;
		struct flow_record flow;
		struct loss_record loss;
		struct budget_record budget;
	};
};

#endif
