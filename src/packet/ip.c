/* SPDX-License-Identifier: MIT */
/* IPv4 (RFC 791), IPv6 (RFC 8200) with its extension headers, and fragments of both. */
#include "packet/walk.h"

#define IP4_HEADER 20u
#define IP6_HEADER 40u
#define PROTO_UDP  17

enum layer walk_protocol(const struct walk *w, uint8_t protocol)
{
	switch (protocol) {
	case 6:
		return LAYER_TCP;
	case PROTO_UDP:
		return LAYER_UDP;
	case 4:
	case 41:
	case 94:
		return LAYER_IPIP;
	case 47:
		return LAYER_GRE;
	case 51:
		return LAYER_IP_AUTH;
	case 97:
		return LAYER_ETHERIP;
	case 137:
		return LAYER_MPLS_TUNNEL;
	case 143:
		return LAYER_ETHERNET_TUNNEL;
	}
	if (w->version != 6)
		return LAYER_NOT_TCP;
	switch (protocol) {
	case 0:   /* hop by hop */
	case 60:  /* destination */
	case 135: /* mobility */
	case 139: /* host identity */
	case 140: /* shim6 */
		return LAYER_IP_OPTIONS;
	case 43:
		return LAYER_IP_ROUTING;
	case 44:
		return LAYER_IP_FRAGMENT;
	default:
		return LAYER_NOT_TCP;
	}
}

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Makes of a first fragment's IPv4 header, without options, that of the whole. */
static void whole_ip4(struct frag_whole *whole)
{
	uint8_t *h = whole->p;
	uint32_t sum = 0;

	h[0] = 0x45;
	put16(h + 2, whole->wire);
	put16(h + 6, 0);
	put16(h + 10, 0);
	for (size_t i = 0; i < IP4_HEADER; i += 2)
		sum += be16(h + i);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(h + 10, ~(sum + (sum >> 16)) & 0xffff);
}

/* The same for IPv6: extension headers in front of the fragment header are gone, what they said of the way is done. */
static void whole_ip6(struct frag_whole *whole, uint8_t protocol, const uint8_t *dst)
{
	uint8_t *h = whole->p;

	put16(h + 4, whole->wire - IP6_HEADER);
	h[6] = protocol;
	memcpy(h + 24, dst, 16);
}

/* Goes on in the datagram that the last fragment made whole. */
static enum layer walk_whole(struct walk *w, struct frag_whole *whole, uint8_t protocol)
{
	struct decoder *d = w->d;

	if (w->version == 4)
		whole_ip4(whole);
	else
		whole_ip6(whole, protocol, w->dst);
	w->c = cursor_of(slice_of(whole->p + whole->header_n, whole->n - whole->header_n));
	w->cut = whole->wire - whole->n;
	w->ip = whole->p;
	w->src = whole->p + (w->version == 4 ? 12 : 8);
	w->dst = whole->p + (w->version == 4 ? 16 : 24);
	w->reassembled = true;
	frag_release(&d->frags, &d->whole); /* one inside of which this one was */
	d->whole = *whole;
	d->due = 0;
	return walk_protocol(w, protocol);
}

/* What is left of the layer is a fragment: `at` bytes into its datagram, and not the last one if there are `more`. */
static enum layer walk_fragment(struct walk *w, uint32_t id, uint8_t protocol, uint32_t at, bool more)
{
	struct fragment f = {.ts_ns = w->pkt->ts_ns, .header = w->ip, .more = more, .at = at};
	struct frag_key *k = &f.key;
	struct frag_whole whole;
	enum frag_verdict verdict;

	if (walk_protocol(w, protocol) == LAYER_NOT_TCP)
		return LAYER_NOT_TCP;
	f.header_n = w->version == 4 ? IP4_HEADER : IP6_HEADER;
	f.data = cursor_rest(&w->c);
	f.n = (uint32_t)(f.data.n + w->cut);
	if (f.n == 0 || (more && f.n % 8) || at + f.n > (w->version == 4 ? UINT16_MAX - IP4_HEADER : UINT16_MAX))
		return LAYER_MALFORMED;
	if (protocol == PROTO_UDP && at == 0 && f.data.n >= 4)
		f.dull = udp_tunnel(be16(f.data.p), be16(f.data.p + 2)) == LAYER_NOT_TCP;
	memcpy(k->src, w->src, w->version == 4 ? 4 : 16);
	memcpy(k->dst, w->dst, w->version == 4 ? 4 : 16);
	k->id = id;
	k->ifindex = w->pkt->iface ? w->pkt->iface->index : 0;
	k->dir = w->pkt->dir;
	k->vlan = w->vlan;
	k->tunnel = w->tunnel;
	k->tunnel_id = w->tunnel_id;
	k->version = w->version;
	k->protocol = w->version == 4 ? protocol : 0;
	verdict = frag_insert(&w->d->frags, &f, &whole);
	if (verdict == FRAG_WHOLE)
		return walk_whole(w, &whole, protocol);
	if (!w->reassembled)
		w->d->due = frag_due(&w->d->frags);
	return verdict == FRAG_DULL ? LAYER_NOT_TCP : LAYER_HELD;
}

static enum layer walk_ip4(struct walk *w)
{
	const uint8_t *h = w->c.p;
	size_t n, whole;
	uint16_t fragment;

	if (cursor_left(&w->c) < IP4_HEADER)
		return LAYER_MALFORMED;
	n = (h[0] & 0x0f) * 4u;
	whole = be16(h + 2); /* 0: too much for the field (segmentation offload, BIG TCP) */
	if (n < IP4_HEADER || (whole && whole < n) || !cursor_take(&w->c, n))
		return LAYER_MALFORMED;
	if (whole)
		walk_trim(w, whole - n);
	w->version = 4;
	w->ip = h;
	w->src = h + 12;
	w->dst = h + 16;
	fragment = be16(h + 6);
	if (fragment & 0x3fff)
		return walk_fragment(w, be16(h + 4), h[9], (fragment & 0x1fffu) * 8, fragment & 0x2000);
	return walk_protocol(w, h[9]);
}

static enum layer walk_ip6(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, IP6_HEADER);

	if (!h)
		return LAYER_MALFORMED;
	if (be16(h + 4)) /* 0: a jumbogram, or segmentation offload */
		walk_trim(w, be16(h + 4));
	w->version = 6;
	w->ip = h;
	w->src = h + 8;
	w->dst = h + 24;
	return walk_protocol(w, h[6]);
}

enum layer walk_ip(struct walk *w)
{
	switch (cursor_left(&w->c) ? w->c.p[0] >> 4 : 0) {
	case 4:
		return walk_ip4(w);
	case 6:
		return walk_ip6(w);
	default:
		return LAYER_MALFORMED;
	}
}

/* The length that a jumbo payload option tells (RFC 2675 section 2), or 0. */
static uint32_t ip_jumbo(struct slice options)
{
	struct cursor c = cursor_of(options);

	while (!c.failed && cursor_left(&c) >= 2) {
		uint8_t type = cursor_u8(&c), n = type ? cursor_u8(&c) : 0;

		if (type == 0xc2 && n == 4)
			return cursor_u32(&c);
		cursor_take(&c, n);
	}
	return 0;
}

/* An extension header of the common shape; its length is in units of eight bytes beyond the first eight. */
static const uint8_t *ip_extension(struct walk *w, size_t *ret_n)
{
	*ret_n = cursor_left(&w->c) >= 2 ? (w->c.p[1] + 1u) * 8 : 8;
	return cursor_take(&w->c, *ret_n);
}

enum layer walk_ip_options(struct walk *w)
{
	bool first = w->c.p == w->ip + IP6_HEADER;
	const uint8_t *h;
	uint32_t jumbo;
	size_t n;

	h = ip_extension(w, &n);
	if (!h)
		return LAYER_MALFORMED;
	if (first && be16(w->ip + 4) == 0) {
		jumbo = ip_jumbo(slice_of(h + 2, n - 2));
		if (jumbo && jumbo < n)
			return LAYER_MALFORMED;
		if (jumbo)
			walk_trim(w, jumbo - n);
	}
	return walk_protocol(w, h[0]);
}

/*
 * A packet on its way names in here where it will end: the last address in types 0 and 2 (RFC 2460, RFC 6275), the
 * first in type 4, segment routing (RFC 8754).
 */
enum layer walk_ip_routing(struct walk *w)
{
	const uint8_t *h;
	size_t n;

	h = ip_extension(w, &n);
	if (!h)
		return LAYER_MALFORMED;
	if (h[3] && n >= 24) {
		if (h[2] == 0 || h[2] == 2)
			w->dst = h + n - 16;
		else if (h[2] == 4)
			w->dst = h + 8;
	}
	return walk_protocol(w, h[0]);
}

enum layer walk_ip_fragment(struct walk *w)
{
	const uint8_t *h = cursor_take(&w->c, 8);

	if (!h)
		return LAYER_MALFORMED;
	if ((be16(h + 2) & 0xfff9) == 0) /* an atomic fragment is whole (RFC 6946) */
		return walk_protocol(w, h[0]);
	return walk_fragment(w, be32(h + 4), h[0], be16(h + 2) & 0xfff8u, h[3] & 1);
}

/* RFC 4302 section 2.2; the length is in units of four bytes, minus two. */
enum layer walk_ip_auth(struct walk *w)
{
	const uint8_t *h = w->c.p;

	if (cursor_left(&w->c) < 8 || !cursor_take(&w->c, (h[1] + 2u) * 4))
		return LAYER_MALFORMED;
	return walk_protocol(w, h[0]);
}
