/* SPDX-License-Identifier: MIT */
/* Putting packets together and taking them apart, for the tools: link layers, IP, TCP, checksums. */
#ifndef PERISCO_TOOLS_CRAFT_H
#define PERISCO_TOOLS_CRAFT_H

#include "packet/packet.h"

enum { IP4_HEADER = 20, IP6_HEADER = 40, IP6_FRAGMENT = 8, TCP_HEADER = 20, CRAFT_MAX = 128 + 65535 };

/* A packet in the making; `ip` and `tcp` are where these headers begin. */
struct craft {
	uint8_t bytes[CRAFT_MAX];
	size_t n, ip, tcp;
	uint8_t version; /* 4 or 6 */
};

/* Numbers in network byte order. */
void craft_put16(uint8_t *p, uint32_t v);
void craft_put32(uint8_t *p, uint32_t v);
uint32_t craft_get16(const uint8_t *p);
uint32_t craft_get32(const uint8_t *p);

/* Room for `n` bytes at the end, zeroed. */
uint8_t *craft_add(struct craft *c, size_t n);

/*
 * The header of a link type; c->version says what it carries, `tags` are VLAN ids, the outer one first, 0 is none. Hardware
 * addresses are made of the IP addresses. False for a link type that is not made here.
 */
bool craft_link(struct craft *c, uint16_t link, const uint8_t src[16], const uint8_t dst[16], const uint16_t tags[2]);

/* The IP header, without lengths and checksum. */
void craft_ip(struct craft *c, const uint8_t src[16], const uint8_t dst[16], uint16_t id);

/* Sets the lengths and checksums of IP and TCP; the segment goes to the end of the bytes. */
void craft_finish(struct craft *c);

/* The checksum of the IPv4 header alone. */
void craft_finish_ip4(uint8_t *ip, size_t n);

/* Copies the packet and finds its headers: a link layer made here, IP without fragments or extensions, TCP. Else false. */
bool craft_from(struct craft *c, const struct packet *pkt);

#endif
