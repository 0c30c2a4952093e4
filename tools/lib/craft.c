/* SPDX-License-Identifier: MIT */
#include "craft.h"

#include <netinet/in.h>

#include "packet/linktype.h"

enum { ETHERTYPE_4 = 0x0800, ETHERTYPE_6 = 0x86dd, ETHERTYPE_TAG = 0x8100, ETHERTYPE_TAG_OUTER = 0x88a8 };

void craft_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void craft_put32(uint8_t *p, uint32_t v)
{
	craft_put16(p, v >> 16);
	craft_put16(p + 2, v);
}

uint32_t craft_get16(const uint8_t *p)
{
	return (uint32_t)(p[0] << 8 | p[1]);
}

uint32_t craft_get32(const uint8_t *p)
{
	return craft_get16(p) << 16 | craft_get16(p + 2);
}

uint8_t *craft_add(struct craft *c, size_t n)
{
	uint8_t *p = c->bytes + c->n;

	memset(p, 0, n);
	c->n += n;
	return p;
}

/* --- link layers --- */

/* A locally administered address for whoever has this IP address. */
static void put_mac(uint8_t *p, const uint8_t addr[16])
{
	p[0] = 2;
	p[1] = 0;
	memcpy(p + 2, addr + 12, 4);
}

static uint32_t ethertype(const struct craft *c)
{
	return c->version == 4 ? ETHERTYPE_4 : ETHERTYPE_6;
}

static void link_ethernet(struct craft *c, const uint8_t src[16], const uint8_t dst[16], const uint16_t tags[2])
{
	uint8_t *p = craft_add(c, 12);

	put_mac(p, dst);
	put_mac(p + 6, src);
	for (int i = 0; i < 2 && tags[i]; i++) {
		p = craft_add(c, 4);
		craft_put16(p, i == 0 && tags[1] ? ETHERTYPE_TAG_OUTER : ETHERTYPE_TAG);
		craft_put16(p + 2, tags[i]);
	}
	craft_put16(craft_add(c, 2), ethertype(c));
}

static void link_sll(struct craft *c, const uint8_t src[16])
{
	uint8_t *p = craft_add(c, 16);

	craft_put16(p + 2, 1); /* ARPHRD_ETHER */
	craft_put16(p + 4, 6);
	put_mac(p + 6, src);
	craft_put16(p + 14, ethertype(c));
}

static void link_sll2(struct craft *c, const uint8_t src[16])
{
	uint8_t *p = craft_add(c, 20);

	craft_put16(p, ethertype(c));
	craft_put16(p + 8, 1);
	p[11] = 6;
	put_mac(p + 12, src);
}

bool craft_link(struct craft *c, uint16_t link, const uint8_t src[16], const uint8_t dst[16], const uint16_t tags[2])
{
	uint32_t family = c->version == 4 ? 2 : 30; /* AF_INET6 of Darwin, where such captures come from */

	switch (link) {
	case LINKTYPE_RAW:
		return true;
	case LINKTYPE_ETHERNET:
		link_ethernet(c, src, dst, tags);
		return true;
	case LINKTYPE_LINUX_SLL:
		link_sll(c, src);
		return true;
	case LINKTYPE_LINUX_SLL2:
		link_sll2(c, src);
		return true;
	case LINKTYPE_NULL: /* in the byte order of a machine: little-endian, as most are */
		craft_add(c, 4)[0] = (uint8_t)family;
		return true;
	case LINKTYPE_LOOP:
		craft_put32(craft_add(c, 4), family);
		return true;
	case LINKTYPE_PPP:
		craft_put32(craft_add(c, 4), 0xff030000 | (c->version == 4 ? 0x21 : 0x57));
		return true;
	default:
		return false;
	}
}

/* Where the IP header begins behind one of these link layers; SIZE_MAX behind any other. */
static size_t link_size(uint16_t link, struct slice in)
{
	size_t at = 12;

	switch (link) {
	case LINKTYPE_RAW:
		return 0;
	case LINKTYPE_ETHERNET:
		while (in.n >= at + 2 &&
		       (craft_get16(in.p + at) == ETHERTYPE_TAG || craft_get16(in.p + at) == ETHERTYPE_TAG_OUTER))
			at += 4;
		return at + 2;
	case LINKTYPE_LINUX_SLL:
		return 16;
	case LINKTYPE_LINUX_SLL2:
		return 20;
	case LINKTYPE_NULL:
	case LINKTYPE_LOOP:
	case LINKTYPE_PPP:
		return 4;
	default:
		return SIZE_MAX;
	}
}

/* --- IP and TCP --- */

void craft_ip(struct craft *c, const uint8_t src[16], const uint8_t dst[16], uint16_t id)
{
	uint8_t *p;

	c->ip = c->n;
	if (c->version == 4) {
		p = craft_add(c, IP4_HEADER);
		p[0] = 0x45;
		craft_put16(p + 4, id);
		p[6] = 0x40; /* don't fragment */
		p[8] = 64;
		p[9] = IPPROTO_TCP;
		memcpy(p + 12, src + 12, 4);
		memcpy(p + 16, dst + 12, 4);
		return;
	}
	p = craft_add(c, IP6_HEADER);
	p[0] = 0x60;
	p[6] = IPPROTO_TCP;
	p[7] = 64;
	memcpy(p + 8, src, 16);
	memcpy(p + 24, dst, 16);
}

/* The Internet checksum (RFC 1071), not folded yet; for at most 64 KiB. */
static uint32_t sum_of(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (; n > 1; p += 2, n -= 2)
		sum += craft_get16(p);
	return sum + (n ? (uint32_t)p[0] << 8 : 0);
}

static uint32_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum >> 16) + (sum & 0xffff);
	return ~(uint32_t)sum & 0xffff;
}

void craft_finish_ip4(uint8_t *ip, size_t n)
{
	craft_put16(ip + 10, 0);
	craft_put16(ip + 10, fold(sum_of(ip, n)));
}

void craft_finish(struct craft *c)
{
	uint8_t *ip = c->bytes + c->ip, *tcp = c->bytes + c->tcp;
	size_t n = c->n - c->tcp;
	uint64_t pseudo = n + IPPROTO_TCP;

	if (c->version == 4) {
		craft_put16(ip + 2, (uint32_t)(c->n - c->ip));
		craft_finish_ip4(ip, c->tcp - c->ip);
		pseudo += sum_of(ip + 12, 8);
	} else {
		craft_put16(ip + 4, (uint32_t)(c->n - c->ip - IP6_HEADER));
		pseudo += sum_of(ip + 8, 32);
	}
	craft_put16(tcp + 16, 0);
	craft_put16(tcp + 16, fold(pseudo + sum_of(tcp, n)));
}

bool craft_from(struct craft *c, const struct packet *pkt)
{
	size_t at = link_size(pkt->link, pkt->data), header;
	const uint8_t *ip;

	if (at == SIZE_MAX || pkt->data.n > sizeof c->bytes || pkt->data.n < at + IP4_HEADER)
		return false;
	ip = pkt->data.p + at;
	c->version = ip[0] >> 4;
	header = c->version == 4 ? (ip[0] & 15u) * 4u : IP6_HEADER;
	if (header < IP4_HEADER || pkt->data.n < at + header + TCP_HEADER)
		return false;
	if (c->version == 4 ? ip[9] != IPPROTO_TCP || craft_get16(ip + 6) & 0x3fff : c->version != 6 || ip[6] != IPPROTO_TCP)
		return false;
	memcpy(c->bytes, pkt->data.p, pkt->data.n);
	c->n = pkt->data.n;
	c->ip = at;
	c->tcp = at + header;
	return true;
}
