/* SPDX-License-Identifier: MIT */
#include "packet/decode.h"

#include <stdlib.h>

#include "packet/linktype.h"
#include "packet/tcp.h"
#include "packet/walk.h"

#define ETHERNET_HEADER 14u
#define IP4_HEADER      20u

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

struct decoder *decoder_new(struct pool *pool, struct stats *stats)
{
	struct decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->pool = pool;
	d->stats = stats;
	d->due = UINT64_MAX;
	frag_init(&d->frags, pool, stats);
	return d;
}

void decoder_flush(struct decoder *d)
{
	frag_release(&d->frags, &d->whole);
	frag_clear(&d->frags);
	d->due = UINT64_MAX;
}

void decoder_free(struct decoder *d)
{
	if (!d)
		return;
	decoder_flush(d);
	free(d);
}

struct packet decoder_datagram(const struct decoder *d, const struct packet *pkt)
{
	struct packet ret = *pkt;

	if (d->whole.p) {
		ret.link = LINKTYPE_RAW;
		ret.data = slice_of(d->whole.p, d->whole.n);
		ret.wire_len = (uint32_t)d->whole.wire;
	}
	return ret;
}

static __attribute__((noinline)) void decoder_tidy(struct decoder *d, uint64_t now_ns)
{
	frag_release(&d->frags, &d->whole);
	frag_expire(&d->frags, now_ns);
	d->due = frag_due(&d->frags);
}

/* Ethernet, IPv4 without options, not a fragment, TCP: nearly every packet there is. */
static inline bool is_plain(const struct packet *pkt)
{
	const uint8_t *p = pkt->data.p;

	return pkt->link == LINKTYPE_ETHERNET && pkt->data.n >= ETHERNET_HEADER + IP4_HEADER + TCP_HEADER &&
	       be32(p + 12) >> 8 == 0x080045 &&    /* type, version and length of the header */
	       (be32(p + 20) & 0x3fff00ff) == 0x06; /* fragment bits, time to live, protocol */
}

static inline enum decoded decode_plain(const struct packet *pkt, size_t wire, struct segment *seg)
{
	const uint8_t *ip = pkt->data.p + ETHERNET_HEADER;
	size_t n = pkt->data.n - ETHERNET_HEADER, len = be16(ip + 2);

	wire -= ETHERNET_HEADER;
	if (unlikely(len == 0 || len > wire))
		len = wire;
	if (n > len)
		n = len;
	if (unlikely(n < IP4_HEADER))
		return DECODED_MALFORMED;
	seg->ts_ns = pkt->ts_ns;
	seg->vlan = 0;
	seg->tunnel = TUNNEL_NONE;
	seg->tunnel_id = 0;
	seg->reassembled = false;
	return tcp_over_ip4(seg, ip + 12, ip + 16, slice_of(ip + IP4_HEADER, n - IP4_HEADER), len - n);
}

static enum layer walk_step(struct walk *w, enum layer layer)
{
	switch (layer) {
#define X(NAME, name)                                                                                                 \
	case LAYER_##NAME:                                                                                            \
		return walk_##name(w);
	LAYERS(X)
#undef X
	default:
		return layer;
	}
}

static void decoder_count(struct stats *stats, enum decoded decoded)
{
	switch (decoded) {
	case DECODED_NOT_TCP:
		stats->not_tcp++;
		break;
	case DECODED_MALFORMED:
		stats->malformed++;
		break;
	case DECODED_LINK:
		stats->unknown_link++;
		break;
	case DECODED_TCP:
	case DECODED_FRAGMENT: /* counted where it is held */
		break;
	}
}

/* Not inlined, so that what is plain needs no room for it. */
static __attribute__((noinline)) enum decoded decode_walk(struct decoder *d, const struct packet *pkt, size_t wire,
							   struct segment *seg)
{
	struct walk w = {
		.c = cursor_of(pkt->data),
		.cut = wire - pkt->data.n,
		.d = d,
		.pkt = pkt,
		.seg = seg,
		.link = pkt->link,
	};
	enum layer layer = LAYER_LINK;

	for (unsigned steps = 0; layer > LAYER_UNKNOWN_LINK; steps++)
		layer = steps < WALK_STEPS_MAX ? walk_step(&w, layer) : LAYER_MALFORMED;
	decoder_count(d->stats, (enum decoded)layer);
	return (enum decoded)layer;
}

enum decoded packet_decode(struct decoder *d, const struct packet *pkt, struct segment *ret)
{
	size_t wire = pkt->wire_len > pkt->data.n ? pkt->wire_len : pkt->data.n;

	if (unlikely(pkt->ts_ns >= d->due))
		decoder_tidy(d, pkt->ts_ns);
	if (likely(is_plain(pkt) && decode_plain(pkt, wire, ret) == DECODED_TCP))
		return DECODED_TCP;
	return decode_walk(d, pkt, wire, ret);
}
