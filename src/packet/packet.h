/* SPDX-License-Identifier: MIT */
/* A captured packet, and the TCP segment found in it. */
#ifndef PERISCO_PACKET_PACKET_H
#define PERISCO_PACKET_PACKET_H

#include "base/slice.h"

/* Where packets are captured. Lives as long as the packet that names it is being handled. */
struct iface {
	uint32_t index; /* the kernel's ifindex, or the interface id of a capture file; 0 is unknown */
	uint16_t link;  /* LINKTYPE_* of its packets, as in capture files */
	char name[64];  /* "" is unknown */
};

/* The way a packet passed its capture point, seen from the host (a pod's packet comes IN through its host-side veth). */
enum direction { DIRECTION_UNKNOWN, DIRECTION_IN, DIRECTION_OUT };

struct packet {
	uint64_t ts_ns;            /* nanoseconds since 1970 */
	uint32_t wire_len;         /* bytes on the wire; >= data.n */
	uint16_t link;             /* LINKTYPE_* */
	uint8_t dir;               /* enum direction */
	bool chosen;               /* the capture has decided that of the points that show this connection, this one counts */
	bool counted;              /* the capture only counts this connection now: most of its packets do not come */
	const struct iface *iface; /* NULL: unknown */
	struct slice data;         /* the bytes captured, link-layer header first; borrowed */
};

/* The two ends of a connection in canonical order: end 0 is the lower (address, port). IPv4 is v4-mapped (RFC 4291 2.5.5.2). */
struct flow_key {
	uint8_t addr[2][16];
	uint16_t port[2]; /* host byte order */
	uint32_t version; /* 4 or 6 */
};
_Static_assert(sizeof(struct flow_key) == 40, "compared and hashed as five words");

/* Payload of one direction that nobody wants, so that it need not be captured. Offsets are those of its stream. */
struct elision {
	int64_t until;    /* nothing before it is wanted */
	int64_t top;      /* behind the highest byte that passed */
	uint64_t last_ns; /* when a packet was last left out; 0: none was */
	uint32_t seq0;    /* the sequence number of offset 0 */
	uint32_t begin;   /* the sequence number behind the SYN; 0: that was not seen */
	uint32_t ifindex; /* the interface that owns the connection, if it shows this direction; else 0 */
};
#define ELIDE_ALL (INT64_MAX / 2)

enum tcp_flag { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_PSH = 0x08, TCP_ACK = 0x10, TCP_URG = 0x20 };

enum tunnel { TUNNEL_NONE, TUNNEL_IPIP, TUNNEL_GRE, TUNNEL_ERSPAN, TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_GTPU, TUNNEL_TEREDO,
	      TUNNEL_OTHER };

struct segment {
	struct flow_key key;
	uint64_t ts_ns;
	uint32_t seq, ack;     /* ack is valid with TCP_ACK */
	uint32_t cut;          /* payload bytes on the wire behind `payload` that were not captured */
	uint32_t tsval;        /* TCP timestamp option (RFC 7323), 0 when absent */
	uint16_t window;       /* as sent, not scaled */
	uint8_t side;          /* the sender: 0 or 1, an index of `key` */
	uint8_t flags;         /* enum tcp_flag */
	uint16_t vlan;         /* outermost VLAN id + 1; 0: no tag */
	uint8_t tunnel;        /* enum tunnel, the innermost one */
	uint8_t reassembled;   /* the datagram came in IP fragments: see decoder_datagram */
	uint32_t tunnel_id;    /* VNI, TEID, key; 0: none */
	struct slice payload;  /* borrowed from the packet, or from the decoder's datagram until the next call */
};

#endif
