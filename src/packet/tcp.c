/* SPDX-License-Identifier: MIT */
#include "packet/tcp.h"

#include <endian.h>

#include "packet/walk.h"

#define TCP_HEADER      20u
#define TCP_FIXED_PART  16u /* up to and with the window */
#define OPTION_END       0
#define OPTION_NOP       1
#define OPTION_TIMESTAMP 8

/* The TSval of a timestamp option, 0 when there is none (RFC 7323 section 3.2). */
static uint32_t tcp_tsval(const uint8_t *p, const uint8_t *end)
{
	static const uint8_t usual[4] = {OPTION_NOP, OPTION_NOP, OPTION_TIMESTAMP, 10};

	if (end - p >= 12 && memcmp(p, usual, sizeof(usual)) == 0)
		return be32(p + 4);
	while (end - p >= 6 && *p != OPTION_END) {
		if (*p == OPTION_NOP) {
			p++;
			continue;
		}
		if (p[0] == OPTION_TIMESTAMP && p[1] == 10)
			return be32(p + 2);
		if (p[1] < 2 || p[1] > end - p)
			break;
		p += p[1];
	}
	return 0;
}

static inline enum decoded tcp_header(struct segment *seg, struct slice tcp, size_t cut)
{
	const uint8_t *h = tcp.p;
	size_t n, whole = tcp.n + cut;

	if (tcp.n < TCP_FIXED_PART)
		return DECODED_MALFORMED;
	n = (size_t)(h[12] >> 4) * 4;
	if (n < TCP_HEADER || n > whole)
		return DECODED_MALFORMED;
	seg->seq = be32(h + 4);
	seg->ack = be32(h + 8);
	seg->flags = h[13];
	seg->window = be16(h + 14);
	seg->tsval = n > TCP_HEADER && tcp.n > TCP_HEADER ? tcp_tsval(h + TCP_HEADER, h + (n < tcp.n ? n : tcp.n)) : 0;
	seg->payload = slice_from(tcp, n);
	seg->cut = (uint32_t)(whole - n - seg->payload.n);
	return DECODED_TCP;
}

/* A key is written in words because it is hashed and compared in words: that would have to wait for smaller stores. */
static inline void key_set4(struct flow_key *k, unsigned end, const uint8_t *addr)
{
	uint64_t mapped = htobe64(UINT64_C(0xffff) << 32 | be32(addr));

	memset(k->addr[end], 0, 8);
	memcpy(k->addr[end] + 8, &mapped, 8);
}

static inline void key_set_ports(struct flow_key *k, unsigned side, uint16_t sport, uint16_t dport, uint32_t version)
{
	uint64_t port0 = side ? dport : sport, port1 = side ? sport : dport, word;

	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		word = port0 | port1 << 16 | (uint64_t)version << 32;
	else
		word = port0 << 48 | port1 << 32 | version;
	memcpy(k->port, &word, sizeof(word));
}
_Static_assert(offsetof(struct flow_key, version) == offsetof(struct flow_key, port) + 4, "one word");

enum decoded tcp_over_ip4(struct segment *seg, const uint8_t *src, const uint8_t *dst, struct slice tcp, size_t cut)
{
	enum decoded decoded = tcp_header(seg, tcp, cut);
	uint16_t sport, dport;

	if (decoded != DECODED_TCP)
		return decoded;
	sport = be16(tcp.p), dport = be16(tcp.p + 2);
	seg->side = ((uint64_t)be32(src) << 16 | sport) > ((uint64_t)be32(dst) << 16 | dport);
	key_set4(&seg->key, seg->side, src);
	key_set4(&seg->key, seg->side ^ 1, dst);
	key_set_ports(&seg->key, seg->side, sport, dport, 4);
	return DECODED_TCP;
}

enum decoded tcp_over_ip6(struct segment *seg, const uint8_t *src, const uint8_t *dst, struct slice tcp, size_t cut)
{
	enum decoded decoded = tcp_header(seg, tcp, cut);
	struct flow_key *k = &seg->key;
	uint16_t sport, dport;
	int order;

	if (decoded != DECODED_TCP)
		return decoded;
	sport = be16(tcp.p), dport = be16(tcp.p + 2);
	order = memcmp(src, dst, sizeof(k->addr[0]));
	seg->side = order > 0 || (order == 0 && sport > dport);
	memcpy(k->addr[seg->side], src, sizeof(k->addr[0]));
	memcpy(k->addr[seg->side ^ 1], dst, sizeof(k->addr[0]));
	key_set_ports(k, seg->side, sport, dport, 6);
	return DECODED_TCP;
}

enum layer walk_tcp(struct walk *w)
{
	struct segment *seg = w->seg;
	struct slice tcp = cursor_rest(&w->c);
	enum decoded decoded = w->version == 6 ? tcp_over_ip6(seg, w->src, w->dst, tcp, w->cut)
					       : tcp_over_ip4(seg, w->src, w->dst, tcp, w->cut);

	if (decoded != DECODED_TCP)
		return LAYER_MALFORMED;
	seg->ts_ns = w->pkt->ts_ns;
	seg->vlan = w->vlan;
	seg->tunnel = w->tunnel;
	seg->tunnel_id = w->tunnel_id;
	seg->reassembled = w->reassembled;
	return LAYER_SEGMENT;
}
