/* SPDX-License-Identifier: MIT */
/* What a capture begins with: see https://www.tcpdump.org/linktypes.html for each of them. */
#include "packet/linktype.h"
#include "packet/walk.h"

/* Passes `n` bytes over, behind which stands an EtherType. */
static enum layer ethertype_behind(struct walk *w, size_t n)
{
	const uint8_t *h = cursor_take(&w->c, n + 2);

	return h ? walk_ethertype(w, be16(h + n)) : LAYER_MALFORMED;
}

/* Reads a value in the byte order of the host that captured, which libpcap turns into ours. */
static uint16_t host16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t host32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* A header that says its own length, and which link type follows: per-packet information and macOS's pktap. */
static enum layer link_behind(struct walk *w, size_t n, uint32_t link)
{
	w->link = (uint16_t)link;
	return link > UINT16_MAX ? LAYER_UNKNOWN_LINK : walk_skip(w, n, LAYER_LINK);
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static enum layer link_ppi(struct walk *w)
{
	const uint8_t *h = w->c.p;

	return cursor_left(&w->c) < 8 ? LAYER_MALFORMED : link_behind(w, (size_t)(h[3] << 8 | h[2]), le32(h + 4));
}

static enum layer link_pktap(struct walk *w)
{
	const uint8_t *h = w->c.p;

	return cursor_left(&w->c) < 12 ? LAYER_MALFORMED : link_behind(w, le32(h), le32(h + 8));
}

static enum layer link_radiotap(struct walk *w)
{
	const uint8_t *h = w->c.p;

	return cursor_left(&w->c) < 8 ? LAYER_MALFORMED : walk_skip(w, (size_t)(h[3] << 8 | h[2]), LAYER_WLAN);
}

/* The header of the Prism II drivers is 144 bytes, unless it is of the later kind that says its length. */
static enum layer link_prism(struct walk *w)
{
	const uint8_t *h = w->c.p;

	if (cursor_left(&w->c) < 8)
		return LAYER_MALFORMED;
	return walk_skip(w, be32(h) >> 8 == 0x802110 ? be32(h + 4) : 144, LAYER_WLAN);
}

static enum layer link_pflog(struct walk *w)
{
	return cursor_left(&w->c) < 1 ? LAYER_MALFORMED : walk_skip(w, (w->c.p[0] + 3u) & ~3u, LAYER_IP);
}

enum layer walk_link(struct walk *w)
{
	switch (w->link) {
	case LINKTYPE_ETHERNET:
		return LAYER_ETHERNET;
	case LINKTYPE_LINUX_SLL:
		return LAYER_SLL;
	case LINKTYPE_LINUX_SLL2:
		return LAYER_SLL2;
	case LINKTYPE_NULL:
	case LINKTYPE_LOOP:
		return LAYER_LOOPBACK;
	case LINKTYPE_RAW:
	case LINKTYPE_DLT_RAW:
	case LINKTYPE_DLT_RAW_OPENBSD:
	case LINKTYPE_IPV4:
	case LINKTYPE_IPV6:
	case LINKTYPE_ATM_CLIP:
		return LAYER_IP;
	case LINKTYPE_PPP:
	case LINKTYPE_PPP_HDLC:
		return LAYER_PPP;
	case LINKTYPE_PPP_PPPD:
	case LINKTYPE_PPP_WITH_DIR:
		return walk_skip(w, 1, LAYER_PPP);
	case LINKTYPE_PPP_ETHER:
		return LAYER_PPPOE;
	case LINKTYPE_C_HDLC:
		return LAYER_CHDLC;
	case LINKTYPE_C_HDLC_WITH_DIR:
		return walk_skip(w, 1, LAYER_CHDLC);
	case LINKTYPE_FRELAY:
		return LAYER_FRELAY;
	case LINKTYPE_FRELAY_WITH_DIR:
		return walk_skip(w, 1, LAYER_FRELAY);
	case LINKTYPE_MPLS:
		return LAYER_MPLS;
	case LINKTYPE_ATM_RFC1483:
		return LAYER_LLC;
	case LINKTYPE_FDDI:
		return walk_skip(w, 13, LAYER_LLC);
	case LINKTYPE_IP_OVER_FC:
		return walk_skip(w, 16, LAYER_LLC);
	case LINKTYPE_IEEE802_5:
		return LAYER_TOKEN_RING;
	case LINKTYPE_ARCNET_BSD:
	case LINKTYPE_ARCNET_LINUX:
		return LAYER_ARCNET;
	case LINKTYPE_APPLE_IP_OVER_IEEE1394:
		return ethertype_behind(w, 16);
	case LINKTYPE_ENC:
		return walk_skip(w, 12, LAYER_IP);
	case LINKTYPE_PFLOG:
		return link_pflog(w);
	case LINKTYPE_NETANALYZER:
		return walk_skip(w, 4, LAYER_ETHERNET);
	case LINKTYPE_ERF:
		return LAYER_ERF;
	case LINKTYPE_IEEE802_11:
		return LAYER_WLAN;
	case LINKTYPE_RADIOTAP:
		return link_radiotap(w);
	case LINKTYPE_PRISM:
	case LINKTYPE_AVS:
		return link_prism(w);
	case LINKTYPE_PPI:
		return link_ppi(w);
	case LINKTYPE_PKTAP:
	case LINKTYPE_DLT_PKTAP:
		return link_pktap(w);
	case LINKTYPE_NFLOG:
		return LAYER_NFLOG;
	case LINKTYPE_NETLINK:
		return LAYER_NETLINK;
	default:
		return LAYER_UNKNOWN_LINK;
	}
}

/* An address family in either byte order; that of IPv6 is another one on each system. */
enum layer walk_loopback(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 4);
	uint32_t family;

	if (!h)
		return LAYER_MALFORMED;
	family = be32(h);
	switch (family > UINT16_MAX ? __builtin_bswap32(family) : family) {
	case 2:
	case 10: /* Linux */
	case 23: /* Windows */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* macOS */
		return LAYER_IP;
	default:
		return LAYER_NOT_TCP;
	}
}

/* The protocol of a Linux cooked header: values that are no EtherType are ETH_P_* of their own. */
static enum layer sll_protocol(struct walk *w, uint16_t protocol)
{
	if (protocol == 4)
		return LAYER_LLC;
	return protocol < 0x600 ? LAYER_NOT_TCP : walk_ethertype(w, protocol);
}

enum layer walk_sll(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 16);

	return h ? sll_protocol(w, be16(h + 14)) : LAYER_MALFORMED;
}

enum layer walk_sll2(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 20);

	return h ? sll_protocol(w, be16(h)) : LAYER_MALFORMED;
}

/* Cisco HDLC: address (0x0f unicast, 0x8f broadcast), a zero, an EtherType. */
enum layer walk_chdlc(struct walk *w)
{
	return ethertype_behind(w, 2);
}

/* Frame Relay (RFC 2427): an address of two or four bytes, then UI and an NLPID; or, after Cisco, an EtherType. */
enum layer walk_frelay(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 4);

	if (h && !(h[1] & 1)) {
		if (!cursor_take(&w->c, 2))
			return LAYER_MALFORMED;
		h += 2;
	}
	if (!h)
		return LAYER_MALFORMED;
	if (h[2] != 0x03)
		return walk_ethertype(w, be16(h + 2));
	switch (h[3]) {
	case 0xcc:
	case 0x8e:
		return LAYER_IP;
	case 0xcf:
		return LAYER_PPP;
	case 0x80: /* SNAP, an OUI of zero */
		return ethertype_behind(w, 3);
	case 0x00: /* a pad in front of SNAP's NLPID */
		return ethertype_behind(w, 4);
	default:
		return LAYER_NOT_TCP;
	}
}

/* IEEE 802.5: a source address with the top bit set is followed by routing information that says its length. */
enum layer walk_token_ring(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 14);

	if (!h)
		return LAYER_MALFORMED;
	if (!(h[8] & 0x80))
		return LAYER_LLC;
	return cursor_left(&w->c) < 1 ? LAYER_MALFORMED : walk_skip(w, w->c.p[0] & 0x1f, LAYER_LLC);
}

/*
 * ARCNET: source, destination, on Linux a two byte offset, protocol. The protocols of RFC 1201 then have a split flag
 * and a sequence number; a flag of 0xff says that they come again, after the protocol.
 */
enum layer walk_arcnet(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, w->link == LINKTYPE_ARCNET_LINUX ? 5 : 3);
	uint8_t protocol;

	if (!h)
		return LAYER_MALFORMED;
	protocol = w->c.p[-1];
	if (protocol == 240)
		return LAYER_IP;
	if (protocol != 212 && protocol != 196)
		return LAYER_NOT_TCP;
	h = cursor_take(&w->c, 3);
	if (h && h[0] == 0xff && (h = cursor_take(&w->c, 4)))
		h++;
	if (!h)
		return LAYER_MALFORMED;
	return h[0] == 0 ? LAYER_IP : LAYER_NOT_TCP;
}

/* Endace's record header, extension headers of 8 bytes, then for Ethernet 2 bytes of padding. */
enum layer walk_erf(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 16);
	uint8_t type = h ? h[8] : 0;

	for (bool more = type & 0x80; more; more = h[0] & 0x80)
		if (!(h = cursor_take(&w->c, 8)))
			break;
	if (!h)
		return LAYER_MALFORMED;
	switch (type & 0x7f) {
	case 2:
	case 11:
	case 16:
		return walk_skip(w, 2, LAYER_ETHERNET);
	case 22:
	case 23:
		return LAYER_IP;
	default:
		return LAYER_NOT_TCP;
	}
}

/* Netlink attributes up to the packet itself, which is of type `wanted`; NFLOG tells the EtherType in one of type 1. */
static enum layer netlink_attributes(struct walk *w, uint16_t wanted)
{
	uint16_t protocol = 0;

	while (cursor_left(&w->c) >= 4) {
		const uint8_t *h = cursor_take(&w->c, 4), *value = w->c.p;
		size_t n = host16(h), type = host16(h + 2) & 0x7fff, pad = -n & 3;

		if (n >= 4 && type == wanted) {
			walk_trim(w, n - 4);
			return protocol ? walk_ethertype(w, protocol) : LAYER_IP;
		}
		if (n < 4 || !cursor_take(&w->c, n - 4))
			return LAYER_MALFORMED;
		cursor_take(&w->c, pad < cursor_left(&w->c) ? pad : cursor_left(&w->c));
		if (type == 1 && wanted == 9 && n >= 6)
			protocol = be16(value);
	}
	return w->cut ? LAYER_MALFORMED : LAYER_NOT_TCP;
}

enum layer walk_nflog(struct walk *w)
{
	return cursor_take(&w->c, 4) ? netlink_attributes(w, 9) : LAYER_MALFORMED;
}

/* What nlmon(4) sees of NFLOG and NFQUEUE: cooked header, struct nlmsghdr, struct nfgenmsg, attributes. */
enum layer walk_netlink(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 16 + 16);
	uint32_t n;

	if (!h)
		return LAYER_MALFORMED;
	n = host32(h + 16);
	if (be16(h + 14) != 12 || n < 20)
		return LAYER_NOT_TCP;
	walk_trim(w, n - 16);
	if (!cursor_take(&w->c, 4))
		return LAYER_MALFORMED;
	switch (host16(h + 20)) {
	case 4 << 8: /* NFNL_SUBSYS_ULOG, NFULNL_MSG_PACKET: attribute NFULA_PAYLOAD */
		return netlink_attributes(w, 9);
	case 3 << 8: /* NFNL_SUBSYS_QUEUE, NFQNL_MSG_PACKET: attribute NFQA_PAYLOAD */
		return netlink_attributes(w, 10);
	default:
		return LAYER_NOT_TCP;
	}
}
