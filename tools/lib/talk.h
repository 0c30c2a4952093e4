/* SPDX-License-Identifier: MIT */
/*
 * Conversations over TCP in the making: who says what becomes the packets of a capture. Nothing here returns an error: what
 * cannot be done ends the program, with the line of the script that asked for it.
 */
#ifndef PERISCO_TOOLS_TALK_H
#define PERISCO_TOOLS_TALK_H

#include "output/pcapwrite.h"
#include "packet/packet.h"

enum { CLIENT = 0, SERVER = 1 };
enum { FIN = TCP_FIN, SYN = TCP_SYN, RST = TCP_RST, PSH = TCP_PSH, ACK = TCP_ACK };
enum { CONNS_MAX = 256, LATE_MAX = 64 };

struct conn {
	char name[32];
	uint8_t addr[2][16];
	uint16_t port[2], tags[2];
	uint8_t version;
	bool mute, fast; /* fast: the SYN is still to come */
	int only;        /* the side that is captured; -1: both */
	uint32_t isn[2], mss, window[2];
	uint64_t at[2];          /* offset in its stream of the next byte a side sends */
	uint64_t acked[2];       /* offset in the other stream up to which a side has acknowledged */
	bool began[2], ended[2]; /* SYN, FIN sent */
	uint16_t id[2];          /* of the next IPv4 packet */
	struct nghttp2_hd_deflater *hpack[2]; /* NULL: no header block yet */
};

/* What befalls the segments of the next message: bit N is segment N, bit 0 all. */
struct fate {
	uint64_t lost, twice, late;
	unsigned late_by;
	uint32_t cut, fragment;
	uint8_t flags;
	bool quiet;
};

struct speech {
	uint8_t *p;
	size_t n, room;
	struct conn *conn; /* NULL: there is none */
	int side;
	bool placed; /* sent at `offset`, not where the stream is */
	int64_t offset;
};

struct late {
	struct packet pkt;
	uint8_t *bytes;
	unsigned after; /* packets that come first; 0: the place is free */
};

struct talk {
	const char *name;
	unsigned line;
	struct pcapwrite *out;
	uint64_t now, step;
	uint16_t link;
	uint32_t snap;
	struct iface iface;
	int near; /* the side whose packets come in through `iface`; -1: not known */
	bool has_iface;
	struct conn conns[CONNS_MAX], *on;
	size_t n_conns;
	struct speech speech;
	struct fate fate;
	struct late late[LATE_MAX];
};

/* Complains on stderr about the line of the script, and exits. */
__attribute__((noreturn, format(printf, 2, 3))) void talk_die(const struct talk *t, const char *fmt, ...);

/* Captures the bytes as a packet sent by `side`; `segment` is its number in the message, 0: of none, so nothing befalls it. */
void talk_capture(struct talk *t, int side, unsigned segment, struct slice bytes);

/* Ends the message and lets out all packets that are late; then the capture can be closed. */
void talk_end(struct talk *t);

/* A segment of `side` at an offset of its stream; one without bytes where the stream is. */
void conn_segment(struct talk *t, struct conn *c, int side, uint8_t flags, int64_t at, struct slice data, unsigned segment);
void conn_empty(struct talk *t, struct conn *c, int side, uint8_t flags);

/* `side` acknowledges all that the other sent. */
void conn_acknowledge(struct talk *t, struct conn *c, int side);

/* The SYN of `side` (of the server: with an ACK), perhaps with data; all that is left of the handshake; FIN. */
void conn_syn(struct talk *t, struct conn *c, int side, struct slice data, unsigned segment);
void conn_handshake(struct talk *t, struct conn *c);
void conn_fin(struct talk *t, struct conn *c, int side);

/* Appends to the message; sends it, if there is one. */
void speech_add(struct talk *t, const void *p, size_t n);
void speech_end(struct talk *t);

#endif
