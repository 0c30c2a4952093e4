/* SPDX-License-Identifier: MIT */
/*
 * Tunnels over UDP, known by their ports. A port can be somebody else's by chance: what does not look like the tunnel's
 * header is no broken packet, but one without TCP.
 */
#include "packet/walk.h"

#define TEREDO_PREFIX 0x20010000u

static enum layer udp_port(uint16_t port)
{
	switch (port) {
	case 4789:
	case 8472: /* Linux, flannel */
		return LAYER_VXLAN;
	case 4790:
		return LAYER_VXLAN_GPE;
	case 6081:
		return LAYER_GENEVE;
	case 2152:
		return LAYER_GTPU;
	case 3386:
		return LAYER_GTPU0;
	case 3544:
		return LAYER_TEREDO;
	case 1701:
		return LAYER_L2TP;
	case 4754: /* RFC 8086 */
		return LAYER_GRE;
	case 6080:
		return LAYER_GUE;
	case 6635: /* RFC 7510 */
		return LAYER_MPLS_TUNNEL;
	case 4341:
		return LAYER_LISP;
	case 5072:
		return LAYER_AYIYA;
	case 37008:
		return LAYER_TZSP;
	case 5247:
		return LAYER_CAPWAP;
	default:
		return LAYER_NOT_TCP;
	}
}

enum layer udp_tunnel(uint16_t sport, uint16_t dport)
{
	enum layer layer = udp_port(dport);

	return layer == LAYER_NOT_TCP ? udp_port(sport) : layer;
}

/* Teredo's clients also talk to each other, on any port: IPv6 that fills the datagram, an address of its prefix. */
static bool is_teredo(const struct walk *w)
{
	const uint8_t *h = w->c.p;
	size_t left = cursor_left(&w->c);

	return left >= 40 && h[0] >> 4 == 6 && be16(h + 4) == left + w->cut - 40 &&
	       (be32(h + 8) == TEREDO_PREFIX || be32(h + 24) == TEREDO_PREFIX);
}

enum layer walk_udp(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 8);
	enum layer layer;

	if (!h)
		return LAYER_MALFORMED;
	if (be16(h + 4) >= 8) /* 0: more than the field holds */
		walk_trim(w, be16(h + 4) - 8u);
	layer = udp_tunnel(be16(h), be16(h + 2));
	if (layer == LAYER_NOT_TCP && is_teredo(w))
		return LAYER_TEREDO;
	return layer;
}

/* IP or nothing that is known. */
static enum layer walk_enter_ip(struct walk *w, enum tunnel tunnel, uint32_t id)
{
	uint8_t version = cursor_left(&w->c) ? w->c.p[0] >> 4 : 0;

	if (cursor_left(&w->c) == 0 && w->cut)
		return LAYER_MALFORMED;
	return version == 4 || version == 6 ? walk_enter(w, tunnel, id, LAYER_IP) : LAYER_NOT_TCP;
}

/* RFC 7348 section 5: without the I flag there is no VNI; what is reserved may be anything. */
enum layer walk_vxlan(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 8);

	if (!h)
		return LAYER_MALFORMED;
	return h[0] & 0x08 ? walk_enter(w, TUNNEL_VXLAN, be32(h + 4) >> 8, LAYER_ETHERNET) : LAYER_NOT_TCP;
}

/* draft-ietf-nvo3-vxlan-gpe section 3: with the P flag the last reserved byte is a protocol. */
enum layer walk_vxlan_gpe(struct walk *w)
{
	static const enum layer next[] = {LAYER_ETHERNET, LAYER_IP, LAYER_IP, LAYER_ETHERNET, LAYER_NSH, LAYER_MPLS};
	const uint8_t *h = cursor_take(&w->c, 8);
	uint8_t protocol;

	if (!h)
		return LAYER_MALFORMED;
	protocol = h[0] & 0x04 ? h[3] : 0;
	if (!(h[0] & 0x08) || protocol >= sizeof(next) / sizeof(next[0]))
		return LAYER_NOT_TCP;
	return walk_enter(w, TUNNEL_VXLAN, be32(h + 4) >> 8, next[protocol]);
}

/* RFC 8926 section 3.4; the options' length is in units of four bytes. */
enum layer walk_geneve(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 8);

	if (!h)
		return LAYER_MALFORMED;
	if (h[0] >> 6 || be16(h + 2) < 0x0600)
		return LAYER_NOT_TCP;
	if (!cursor_take(&w->c, (h[0] & 0x3f) * 4u))
		return LAYER_MALFORMED;
	return walk_enter(w, TUNNEL_GENEVE, be32(h + 4) >> 8, walk_ethertype(w, be16(h + 2)));
}

/* 3GPP TS 29.281 section 5: version 1, GTP and not GTP', a G-PDU; extension headers are chained by their last byte. */
enum layer walk_gtpu(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 8), *optional;
	uint8_t next = 0;

	if (!h)
		return LAYER_MALFORMED;
	if ((h[0] & 0xf0) != 0x30 || h[1] != 0xff)
		return LAYER_NOT_TCP;
	walk_trim(w, be16(h + 2));
	if (h[0] & 0x07) {
		optional = cursor_take(&w->c, 4);
		next = optional && (h[0] & 0x04) ? optional[3] : 0;
	}
	while (next) {
		size_t n = cursor_left(&w->c) ? w->c.p[0] * 4u : 0;

		optional = n ? cursor_take(&w->c, n) : NULL;
		if (!optional)
			return LAYER_MALFORMED;
		next = optional[n - 1];
	}
	return w->c.failed ? LAYER_MALFORMED : walk_enter_ip(w, TUNNEL_GTPU, be32(h + 4));
}

/* Version 0 (3GPP TS 09.60): a header of 20 bytes, which ends in an id of eight of which the last four are told. */
enum layer walk_gtpu0(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 20);

	if (!h)
		return LAYER_MALFORMED;
	if ((h[0] & 0xf0) != 0x10 || h[1] != 0xff)
		return LAYER_NOT_TCP;
	walk_trim(w, be16(h + 2));
	return walk_enter_ip(w, TUNNEL_GTPU, be32(h + 16));
}

/* RFC 4380 section 5.1.1: authentication and origin indications in front of IPv6. */
enum layer walk_teredo(struct walk *w)
{
	const uint8_t *h = w->c.p;

	if (cursor_left(&w->c) >= 4 && be16(h) == 1)
		cursor_take(&w->c, 4u + h[2] + h[3] + 9);
	if (cursor_left(&w->c) >= 2 && be16(w->c.p) == 0)
		cursor_take(&w->c, 8);
	if (w->c.failed || (w->cut && cursor_left(&w->c) < 8))
		return LAYER_MALFORMED;
	return walk_enter_ip(w, TUNNEL_TEREDO, 0);
}

/* RFC 2661 section 3.1: data messages of version 2. The id is tunnel and session. */
enum layer walk_l2tp(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 2), *id;
	uint16_t flags = h ? be16(h) : 0;

	if (!h)
		return LAYER_MALFORMED;
	if ((flags & 0x800f) != 2)
		return LAYER_NOT_TCP;
	if ((flags & 0x4000) && (h = cursor_take(&w->c, 2)))
		walk_trim(w, be16(h) >= 4 ? be16(h) - 4u : 0);
	id = cursor_take(&w->c, 4);
	if (flags & 0x0800)
		cursor_take(&w->c, 4);
	if (flags & 0x0200)
		cursor_take(&w->c, cursor_u16(&w->c));
	return w->c.failed ? LAYER_MALFORMED : walk_enter(w, TUNNEL_OTHER, be32(id), LAYER_PPP);
}

/* draft-ietf-intarea-gue: data messages with an IP protocol number, or IP itself in the header's place. */
enum layer walk_gue(struct walk *w)
{
	const uint8_t *h = w->c.p;
	enum layer next;

	if (cursor_left(&w->c) < 4)
		return LAYER_MALFORMED;
	if (h[0] >> 6 == 1)
		return walk_enter_ip(w, TUNNEL_OTHER, 0);
	if (h[0] >> 5)
		return LAYER_NOT_TCP;
	next = walk_skip(w, 4 + (h[0] & 0x1f) * 4u, walk_protocol(w, h[1]));
	return walk_enter(w, TUNNEL_OTHER, 0, next);
}

/* RFC 9300 section 5. */
enum layer walk_lisp(struct walk *w)
{
	return cursor_take(&w->c, 8) ? walk_enter_ip(w, TUNNEL_OTHER, 0) : LAYER_MALFORMED;
}

/* draft-massar-v6ops-ayiya section 3: identity and signature lengths, opcode 1 forwards an IP protocol. */
enum layer walk_ayiya(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 8);

	if (!h)
		return LAYER_MALFORMED;
	if ((h[2] & 0x0f) != 1)
		return LAYER_NOT_TCP;
	if (!cursor_take(&w->c, ((size_t)1 << (h[0] >> 4)) + (h[1] >> 4) * 4u))
		return LAYER_MALFORMED;
	return walk_enter(w, TUNNEL_OTHER, 0, walk_protocol(w, h[3]));
}

/* TaZmen Sniffer Protocol, version 1: an encapsulated link type, tags up to tag 1. */
enum layer walk_tzsp(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 4);
	uint8_t tag;

	if (!h)
		return LAYER_MALFORMED;
	if (h[0] != 1 || h[1] > 1)
		return LAYER_NOT_TCP;
	while ((tag = cursor_u8(&w->c)) != 1 && !w->c.failed)
		if (tag)
			cursor_take(&w->c, cursor_u8(&w->c));
	if (w->c.failed)
		return LAYER_MALFORMED;
	switch (be16(h + 2)) {
	case 1:
		return walk_enter(w, TUNNEL_OTHER, 0, LAYER_ETHERNET);
	case 18:
		return walk_enter(w, TUNNEL_OTHER, 0, LAYER_WLAN);
	default:
		return LAYER_NOT_TCP;
	}
}

/* RFC 5415 section 4.3: not DTLS, not fragmented, not keep-alive; the header's length is in units of four bytes. */
enum layer walk_capwap(struct walk *w)
{
	const uint8_t *h = w->c.p;

	if (cursor_left(&w->c) < 8)
		return LAYER_MALFORMED;
	if (h[0] != 0 || (h[3] & 0x88))
		return LAYER_NOT_TCP;
	if (h[1] >> 3 < 2 || !cursor_take(&w->c, (h[1] >> 3) * 4u))
		return LAYER_MALFORMED;
	return walk_enter(w, TUNNEL_OTHER, 0, h[2] & 0x01 ? LAYER_WLAN : LAYER_ETHERNET);
}
