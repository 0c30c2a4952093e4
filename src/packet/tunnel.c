/* SPDX-License-Identifier: MIT */
/* Tunnels right over IP. */
#include "packet/walk.h"

#define GRE_CHECKSUM 0x8000
#define GRE_ROUTING  0x4000
#define GRE_KEY      0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_ACK      0x0080 /* version 1 only */
#define GRE_VERSION  0x0007
#define GRE_EOIP     0x6400 /* a protocol type */

/* IPv4 and IPv6 in IPv4 and IPv6 (RFC 2003, RFC 4213, RFC 2473). */
enum layer walk_ipip(struct walk *w)
{
	return walk_enter(w, TUNNEL_IPIP, 0, LAYER_IP);
}

/* Ethernet in segment routing over IPv6 (RFC 8986 section 4.9). */
enum layer walk_ethernet_tunnel(struct walk *w)
{
	return walk_enter(w, TUNNEL_OTHER, 0, LAYER_ETHERNET);
}

/* RFC 4023, and over UDP RFC 7510. */
enum layer walk_mpls_tunnel(struct walk *w)
{
	return walk_enter(w, TUNNEL_OTHER, 0, LAYER_MPLS);
}

/* RFC 3378: version 3, twelve zeros, a frame. */
enum layer walk_etherip(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 2);

	if (!h)
		return LAYER_MALFORMED;
	return be16(h) == 0x3000 ? walk_enter(w, TUNNEL_OTHER, 0, LAYER_ETHERNET) : LAYER_NOT_TCP;
}

/*
 * Version 1 of PPTP (RFC 2637 section 4.1): the key is the payload's length and the call, and without a sequence number
 * there is no payload. MikroTik's EoIP looks alike, its tunnel id is little-endian.
 */
static enum layer gre_version1(struct walk *w, uint16_t flags, uint16_t type, const uint8_t *key)
{
	if (!key || (type != GRE_EOIP && !(flags & GRE_SEQUENCE)))
		return LAYER_NOT_TCP;
	walk_trim(w, be16(key));
	if (type == GRE_EOIP)
		return walk_enter(w, TUNNEL_GRE, (uint32_t)(key[3] << 8 | key[2]), LAYER_ETHERNET);
	return walk_enter(w, TUNNEL_GRE, be16(key + 2), LAYER_PPP);
}

static enum layer gre_payload(struct walk *w, uint16_t flags, uint16_t type)
{
	switch (type) {
	case 0x88be: /* type I has no header and no sequence number */
		return flags & GRE_SEQUENCE ? LAYER_ERSPAN2 : LAYER_ERSPAN1;
	case 0x22eb:
		return LAYER_ERSPAN3;
	case 0x883e:
		return LAYER_WCCP;
	default:
		if (type >= 0x8200 && type <= 0x83ff) /* Aruba: 802.11 frames */
			return LAYER_WLAN;
		return type < 0x0600 ? LAYER_NOT_TCP : walk_ethertype(w, type);
	}
}

/* RFC 2784 and RFC 2890. Source routing (RFC 1701) is not known to be in use. */
enum layer walk_gre(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 4), *key = NULL;
	uint16_t flags, type;

	if (!h)
		return LAYER_MALFORMED;
	flags = be16(h), type = be16(h + 2);
	if (flags & GRE_ROUTING || (flags & GRE_VERSION) > 1)
		return LAYER_NOT_TCP;
	if (flags & GRE_CHECKSUM)
		cursor_take(&w->c, 4);
	if (flags & GRE_KEY)
		key = cursor_take(&w->c, 4);
	if (flags & GRE_SEQUENCE)
		cursor_take(&w->c, 4);
	if ((flags & GRE_VERSION) && (flags & GRE_ACK))
		cursor_take(&w->c, 4);
	if (w->c.failed)
		return LAYER_MALFORMED;
	if (flags & GRE_VERSION)
		return gre_version1(w, flags, type, key);
	return walk_enter(w, TUNNEL_GRE, key ? be32(key) : 0, gre_payload(w, flags, type));
}

/* ERSPAN, draft-foschiano-erspan: a mirrored frame behind nothing, 8 or 12 bytes. The id is that of the session. */
enum layer walk_erspan1(struct walk *w)
{
	return walk_enter(w, TUNNEL_ERSPAN, 0, LAYER_ETHERNET);
}

enum layer walk_erspan2(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 8);

	return h ? walk_enter(w, TUNNEL_ERSPAN, be16(h + 2) & 0x03ff, LAYER_ETHERNET) : LAYER_MALFORMED;
}

enum layer walk_erspan3(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 12);

	if (!h || ((h[11] & 1) && !cursor_take(&w->c, 8))) /* the platform's part */
		return LAYER_MALFORMED;
	return walk_enter(w, TUNNEL_ERSPAN, be16(h + 2) & 0x03ff, (h[10] & 0x7c) == 0x08 ? LAYER_IP : LAYER_ETHERNET);
}

/* Redirected packets; version 2 puts four bytes in front, which do not look like IP. */
enum layer walk_wccp(struct walk *w)
{
	bool redirect = cursor_left(&w->c) && w->c.p[0] >> 4 != 4 && w->c.p[0] >> 4 != 6;

	return walk_skip(w, redirect ? 4 : 0, LAYER_IP);
}
