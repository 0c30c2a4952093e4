/* SPDX-License-Identifier: MIT */
#include "packet/tcp.h"

#define OPTION_END       0
#define OPTION_NOP       1
#define OPTION_TIMESTAMP 8

uint32_t tcp_tsval_find(struct slice options)
{
	const uint8_t *p = options.p, *end = p + options.n;

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
	key_set_ports(k, seg->side ? dport : sport, seg->side ? sport : dport, 6);
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
