/* SPDX-License-Identifier: MIT */
/* The TCP header (RFC 9293 section 3.1), private to this room. What is inline is so because every packet comes here. */
#ifndef PERISCO_PACKET_TCP_H
#define PERISCO_PACKET_TCP_H

#include <endian.h>

#include "packet/walk.h"

#define TCP_HEADER     20u
#define TCP_FIXED_PART 16u /* up to and with the window */

/* The TSval of a timestamp option, 0 when there is none (RFC 7323 section 3.2). */
uint32_t tcp_tsval_find(struct slice options);

/* The same; two NOPs in front of the option are its usual place. */
static inline uint32_t tcp_tsval(struct slice options)
{
	if (options.n >= 12 && be32(options.p) == 0x0101080a)
		return be32(options.p + 4);
	return options.n ? tcp_tsval_find(options) : 0;
}

/* All but the key and the side. */
static inline enum decoded tcp_header(struct segment *seg, struct slice tcp, size_t cut)
{
	const uint8_t *h = tcp.p;
	size_t n, there;

	if (tcp.n < TCP_FIXED_PART)
		return DECODED_MALFORMED;
	n = (size_t)(h[12] >> 4) * 4;
	if (n < TCP_HEADER || n > tcp.n + cut)
		return DECODED_MALFORMED;
	there = n < tcp.n ? n : tcp.n;
	seg->seq = be32(h + 4);
	seg->ack = be32(h + 8);
	seg->flags = h[13];
	seg->window = be16(h + 14);
	seg->payload = slice_of(h + there, tcp.n - there);
	seg->cut = (uint32_t)(cut - (n - there));
	seg->tsval = tcp_tsval(slice_from(slice_of(h, there), TCP_HEADER));
	return DECODED_TCP;
}

/* A key is written in words because it is hashed and compared in words: that would have to wait for smaller stores. */
static inline void key_set4(struct flow_key *k, unsigned end, uint32_t addr)
{
	uint64_t mapped = htobe64(UINT64_C(0xffff) << 32 | addr);

	memset(k->addr[end], 0, 8);
	memcpy(k->addr[end] + 8, &mapped, 8);
}

/* The ports of end 0 and end 1. */
static inline void key_set_ports(struct flow_key *k, uint16_t port0, uint16_t port1, uint32_t version)
{
	uint64_t word;

	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		word = port0 | (uint64_t)port1 << 16 | (uint64_t)version << 32;
	else
		word = (uint64_t)port0 << 48 | (uint64_t)port1 << 32 | version;
	memcpy(k->port, &word, sizeof(word));
}
_Static_assert(offsetof(struct flow_key, version) == offsetof(struct flow_key, port) + 4, "one word");

/*
 * Reads the header at `tcp` into *seg: all but ts_ns, vlan, tunnel, tunnel_id and reassembled. `cut` more bytes
 * followed on the wire. A header that the snapshot length cut behind the window gives its fixed fields, and all the
 * payload as cut. Addresses are 4 or 16 bytes. Returns DECODED_TCP or DECODED_MALFORMED.
 */
static inline enum decoded tcp_over_ip4(struct segment *seg, const uint8_t *src, const uint8_t *dst, struct slice tcp,
					size_t cut)
{
	uint64_t from, to, low, high;

	if (tcp.n < TCP_FIXED_PART)
		return DECODED_MALFORMED;
	from = (uint64_t)be32(src) << 16 | be16(tcp.p);
	to = (uint64_t)be32(dst) << 16 | be16(tcp.p + 2);
	low = from > to ? to : from;
	high = from > to ? from : to;
	seg->side = from > to;
	key_set4(&seg->key, 0, (uint32_t)(low >> 16));
	key_set4(&seg->key, 1, (uint32_t)(high >> 16));
	key_set_ports(&seg->key, (uint16_t)low, (uint16_t)high, 4);
	return tcp_header(seg, tcp, cut);
}
enum decoded tcp_over_ip6(struct segment *seg, const uint8_t *src, const uint8_t *dst, struct slice tcp, size_t cut);

#endif
