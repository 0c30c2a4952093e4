/* SPDX-License-Identifier: MIT */
/*
 * The walk through one packet, layer by layer, private to this room. A layer is a function that reads its own header
 * off the front and says which layer is next; the driver (decode.c) calls one after the other, WALK_STEPS_MAX at most,
 * so that no packet can nest for ever. A new layer is one line in LAYERS and one function.
 */
#ifndef PERISCO_PACKET_WALK_H
#define PERISCO_PACKET_WALK_H

#include "base/cursor.h"
#include "packet/decode.h"
#include "packet/frag.h"

#define WALK_STEPS_MAX 64 /* headers in a packet, IPv6 extension headers included */

#define LAYERS(X)                                                                                                     \
	/* link.c, wlan.c: what a capture begins with */                                                              \
	X(LINK, link)                                                                                                 \
	X(LOOPBACK, loopback)                                                                                         \
	X(SLL, sll)                                                                                                   \
	X(SLL2, sll2)                                                                                                 \
	X(CHDLC, chdlc)                                                                                               \
	X(FRELAY, frelay)                                                                                             \
	X(TOKEN_RING, token_ring)                                                                                     \
	X(ARCNET, arcnet)                                                                                             \
	X(NFLOG, nflog)                                                                                               \
	X(NETLINK, netlink)                                                                                           \
	X(ERF, erf)                                                                                                   \
	X(WLAN, wlan)                                                                                                 \
	/* ether.c: Ethernet, and what stands between it and IP */                                                    \
	X(ETHERNET, ethernet)                                                                                         \
	X(LLC, llc)                                                                                                   \
	X(VLAN, vlan)                                                                                                 \
	X(VNTAG, vntag)                                                                                               \
	X(CMD, cmd)                                                                                                   \
	X(HSR, hsr)                                                                                                   \
	X(MACSEC, macsec)                                                                                             \
	X(PBB, pbb)                                                                                                   \
	X(TRILL, trill)                                                                                               \
	X(FABRICPATH, fabricpath)                                                                                     \
	X(MPLS, mpls)                                                                                                 \
	X(NSH, nsh)                                                                                                   \
	X(PPPOE, pppoe)                                                                                               \
	X(PPP, ppp)                                                                                                   \
	/* ip.c */                                                                                                    \
	X(IP, ip)                                                                                                     \
	X(IP_OPTIONS, ip_options)                                                                                     \
	X(IP_ROUTING, ip_routing)                                                                                     \
	X(IP_FRAGMENT, ip_fragment)                                                                                   \
	X(IP_AUTH, ip_auth)                                                                                           \
	X(TCP, tcp)                                                                                                   \
	/* tunnel.c: over IP */                                                                                       \
	X(IPIP, ipip)                                                                                                 \
	X(ETHERNET_TUNNEL, ethernet_tunnel)                                                                           \
	X(MPLS_TUNNEL, mpls_tunnel)                                                                                   \
	X(ETHERIP, etherip)                                                                                           \
	X(GRE, gre)                                                                                                   \
	X(ERSPAN1, erspan1)                                                                                           \
	X(ERSPAN2, erspan2)                                                                                           \
	X(ERSPAN3, erspan3)                                                                                           \
	X(WCCP, wccp)                                                                                                 \
	/* udp.c: over UDP */                                                                                         \
	X(UDP, udp)                                                                                                   \
	X(VXLAN, vxlan)                                                                                               \
	X(VXLAN_GPE, vxlan_gpe)                                                                                       \
	X(GENEVE, geneve)                                                                                             \
	X(GTPU, gtpu)                                                                                                 \
	X(GTPU0, gtpu0)                                                                                               \
	X(TEREDO, teredo)                                                                                             \
	X(L2TP, l2tp)                                                                                                 \
	X(GUE, gue)                                                                                                   \
	X(LISP, lisp)                                                                                                 \
	X(AYIYA, ayiya)                                                                                               \
	X(TZSP, tzsp)                                                                                                 \
	X(CAPWAP, capwap)

enum layer {
	/* The walk is over: the values of enum decoded. */
	LAYER_SEGMENT = DECODED_TCP,
	LAYER_NOT_TCP = DECODED_NOT_TCP,
	LAYER_HELD = DECODED_FRAGMENT,
	LAYER_MALFORMED = DECODED_MALFORMED,
	LAYER_UNKNOWN_LINK = DECODED_LINK,
#define X(NAME, name) LAYER_##NAME,
	LAYERS(X)
#undef X
};

struct decoder {
	struct pool *pool;
	struct stats *stats;
	uint64_t due;            /* packet time from which there is something to tidy up */
	struct frag_table frags;
	struct frag_whole whole; /* the datagram that the last segment came from */
};

/*
 * Where the walk is. What is left of this layer are the bytes of `c`, captured, and then `cut` more that were only on
 * the wire. Each length field on the way trims the two, so that they never exceed what any header said.
 */
struct walk {
	struct cursor c;
	size_t cut;
	struct decoder *d;
	const struct packet *pkt;
	struct segment *seg;         /* filled in by the last step */
	const uint8_t *ip;           /* the innermost IP header */
	const uint8_t *src, *dst;    /* the innermost addresses */
	uint32_t tunnel_id;
	uint16_t link;               /* LINKTYPE_* that is next */
	uint16_t vlan;               /* outermost VLAN id + 1 */
	uint8_t version;             /* 4 or 6, of `ip` */
	uint8_t tunnel;              /* enum tunnel, the innermost one */
	bool reassembled;
};

/* Each takes its header and returns the next layer, or how the walk ended. */
#define X(NAME, name) enum layer walk_##name(struct walk *w);
LAYERS(X)
#undef X

/* What an EtherType (or the length that stands in its place) says to be next: trims in the latter case. */
enum layer walk_ethertype(struct walk *w, uint16_t type);

/* What an IP protocol number says to be next. Needs w->version. */
enum layer walk_protocol(const struct walk *w, uint8_t protocol);

/* The tunnel that well-known UDP ports stand for, or LAYER_NOT_TCP. */
enum layer udp_tunnel(uint16_t sport, uint16_t dport);

static inline uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* This layer has `n` more bytes, its header says: what is behind them is padding, or belongs to an outer layer. */
static inline void walk_trim(struct walk *w, size_t n)
{
	size_t left = cursor_left(&w->c);

	if (n <= left) {
		w->c.end = w->c.p + n;
		w->cut = 0;
	} else if (n - left < w->cut) {
		w->cut = n - left;
	}
}

/* Passes `n` bytes over; LAYER_MALFORMED when there are fewer. */
static inline enum layer walk_skip(struct walk *w, size_t n, enum layer next)
{
	return cursor_take(&w->c, n) ? next : LAYER_MALFORMED;
}

/* Enters a tunnel; an id of 0 is none. */
static inline enum layer walk_enter(struct walk *w, enum tunnel tunnel, uint32_t id, enum layer next)
{
	w->tunnel = tunnel;
	w->tunnel_id = id;
	return next;
}

#endif
