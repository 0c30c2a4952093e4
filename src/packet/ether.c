/* SPDX-License-Identifier: MIT */
/* Ethernet, and what stands between it and IP. */
#include "packet/walk.h"

#define ETHERTYPE_LEAST 0x0600 /* smaller values are the length of an LLC frame (IEEE 802.3) */

static enum layer ethertype_layer(uint16_t type)
{
	switch (type) {
	case 0x0800:
	case 0x86dd:
		return LAYER_IP;
	case 0x8100: /* 802.1Q */
	case 0x88a8: /* 802.1ad */
	case 0x9100: /* and what was there before it */
	case 0x9200:
	case 0x9300:
		return LAYER_VLAN;
	case 0x8847:
	case 0x8848:
		return LAYER_MPLS;
	case 0x8864:
		return LAYER_PPPOE;
	case 0x880b:
		return LAYER_PPP;
	case 0x894f:
		return LAYER_NSH;
	case 0x88e7:
		return LAYER_PBB;
	case 0x8903:
		return LAYER_FABRICPATH;
	case 0x8909:
		return LAYER_CMD;
	case 0x8926:
		return LAYER_VNTAG;
	case 0x892f:
		return LAYER_HSR;
	case 0x88e5:
		return LAYER_MACSEC;
	case 0x22f3:
		return LAYER_TRILL;
	case 0x6558:
		return LAYER_ETHERNET;
	default:
		return LAYER_NOT_TCP;
	}
}

enum layer walk_ethertype(struct walk *w, uint16_t type)
{
	if (type >= ETHERTYPE_LEAST)
		return ethertype_layer(type);
	walk_trim(w, type);
	return LAYER_LLC;
}

/* A tag: `n` bytes, and then the EtherType of what it tags. */
static enum layer walk_tag(struct walk *w, size_t n)
{
	const uint8_t *h = cursor_take(&w->c, n + 2);

	return h ? walk_ethertype(w, be16(h + n)) : LAYER_MALFORMED;
}

enum layer walk_ethernet(struct walk *w)
{
	return walk_tag(w, 12);
}

/* IEEE 802.2, with SNAP (RFC 1042) or without. */
enum layer walk_llc(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 3);

	if (!h)
		return LAYER_MALFORMED;
	if (h[0] == 0x06 && h[1] == 0x06)
		return LAYER_IP;
	if (h[0] != 0xaa || h[1] != 0xaa)
		return LAYER_NOT_TCP;
	h = cursor_take(&w->c, 5);
	if (!h)
		return LAYER_MALFORMED;
	/* the OUI says EtherType: encapsulated Ethernet, or a bridge tunnel (802.1H) */
	if (h[0] || h[1] || (h[2] && h[2] != 0xf8))
		return LAYER_NOT_TCP;
	return ethertype_layer(be16(h + 3));
}

enum layer walk_vlan(struct walk *w)
{
	if (w->vlan == 0 && cursor_left(&w->c) >= 2)
		w->vlan = (be16(w->c.p) & 0x0fff) + 1;
	return walk_tag(w, 2);
}

/* VN-Tag (Cisco, pre-standard 802.1BR). */
enum layer walk_vntag(struct walk *w)
{
	return walk_tag(w, 4);
}

/* Cisco metadata: version, length, option, security group tag. */
enum layer walk_cmd(struct walk *w)
{
	return walk_tag(w, 6);
}

/* High-availability Seamless Redundancy (IEC 62439-3): path, size, sequence number. */
enum layer walk_hsr(struct walk *w)
{
	return walk_tag(w, 4);
}

/* IEEE 802.1AE; only what is authenticated and not encrypted can be read. */
enum layer walk_macsec(struct walk *w)
{
	uint8_t tci = cursor_left(&w->c) ? w->c.p[0] : 0;

	return tci & 0x0c ? LAYER_NOT_TCP : walk_tag(w, tci & 0x20 ? 14 : 6);
}

/* Provider backbone bridges (802.1ah): the instance tag stands in front of the customer's whole frame. */
enum layer walk_pbb(struct walk *w)
{
	return walk_skip(w, 4, LAYER_ETHERNET);
}

/* RFC 6325 section 3; the length of the options is in units of four bytes. */
enum layer walk_trill(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 6);

	return h ? walk_skip(w, (be16(h) >> 6 & 0x1f) * 4u, LAYER_ETHERNET) : LAYER_MALFORMED;
}

enum layer walk_fabricpath(struct walk *w)
{
	return walk_skip(w, 2, LAYER_ETHERNET);
}

/* Is there an Ethernet header `at` bytes ahead, as far as its type can tell? */
static bool ethernet_ahead(const struct walk *w, size_t at)
{
	return cursor_left(&w->c) >= at + 14 && ethertype_layer(be16(w->c.p + at + 12)) != LAYER_NOT_TCP;
}

/*
 * RFC 3032: what follows the bottom label is not said. It is IP when it looks like IP, else a pseudowire's Ethernet
 * (RFC 4448) with or without the control word.
 */
enum layer walk_mpls(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 4);
	uint8_t version;

	if (!h || cursor_left(&w->c) < 1)
		return LAYER_MALFORMED;
	if (!(h[2] & 1))
		return LAYER_MPLS;
	version = w->c.p[0] >> 4;
	if ((version == 4 && (w->c.p[0] & 0x0f) >= 5) || version == 6)
		return LAYER_IP;
	if (version == 0 && ethernet_ahead(w, 4))
		return walk_skip(w, 4, LAYER_ETHERNET);
	if (ethernet_ahead(w, 0))
		return LAYER_ETHERNET;
	return w->cut && cursor_left(&w->c) < 4 + 14 ? LAYER_MALFORMED : LAYER_NOT_TCP;
}

/* RFC 8300 section 2.2; the length is in units of four bytes and includes the header. */
enum layer walk_nsh(struct walk *w)
{
	const uint8_t *h = w->c.p;
	size_t n;

	if (cursor_left(&w->c) < 8)
		return LAYER_MALFORMED;
	n = (h[1] & 0x3f) * 4u;
	if (n < 8)
		return LAYER_MALFORMED;
	switch (h[3]) {
	case 1:
	case 2:
		return walk_skip(w, n, LAYER_IP);
	case 3:
		return walk_skip(w, n, LAYER_ETHERNET);
	case 4:
		return walk_skip(w, n, LAYER_NSH);
	case 5:
		return walk_skip(w, n, LAYER_MPLS);
	default:
		return LAYER_NOT_TCP;
	}
}

/* RFC 2516 section 4: version and type 1, code 0 is the session's data. */
enum layer walk_pppoe(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 6);

	if (!h)
		return LAYER_MALFORMED;
	if (h[0] != 0x11 || h[1] != 0)
		return LAYER_NOT_TCP;
	walk_trim(w, be16(h + 4));
	return LAYER_PPP;
}

/* Multilink (RFC 1990): flags and sequence number, then a protocol again if this is the first part and the last. */
static enum layer ppp_multilink(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 4);

	if (!h)
		return LAYER_MALFORMED;
	return (h[0] & 0xc0) == 0xc0 ? LAYER_PPP : LAYER_NOT_TCP;
}

/*
 * RFC 1661 section 2, behind address and control (RFC 1662) or without; the protocol may be one byte, then it is odd.
 * On serial lines Cisco's HDLC is found in its place.
 */
enum layer walk_ppp(struct walk *w)
{
	const uint8_t *h = w->c.p;
	uint32_t protocol;

	if (cursor_left(&w->c) < 2)
		return LAYER_MALFORMED;
	if ((h[0] == 0x0f || h[0] == 0x8f) && h[1] == 0)
		return LAYER_CHDLC;
	if (h[0] == 0xff && h[1] == 0x03)
		cursor_take(&w->c, 2);
	protocol = cursor_u8(&w->c);
	if (!(protocol & 1))
		protocol = protocol << 8 | cursor_u8(&w->c);
	if (w->c.failed)
		return LAYER_MALFORMED;
	switch (protocol) {
	case 0x0021:
	case 0x0057:
		return LAYER_IP;
	case 0x003d:
		return ppp_multilink(w);
	case 0x0281:
	case 0x0283:
		return LAYER_MPLS;
	default:
		return LAYER_NOT_TCP;
	}
}
