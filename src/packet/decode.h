/* SPDX-License-Identifier: MIT */
/* From a captured packet to a TCP segment: link layers, tags, tunnels, IP with extension headers and fragments, TCP. */
#ifndef PERISCO_PACKET_DECODE_H
#define PERISCO_PACKET_DECODE_H

#include "base/pool.h"
#include "base/stats.h"
#include "packet/packet.h"

struct decoder;

enum decoded {
	DECODED_TCP,       /* a segment was found */
	DECODED_NOT_TCP,   /* sound, but no TCP in it */
	DECODED_FRAGMENT,  /* part of a datagram that is not complete yet; held */
	DECODED_MALFORMED, /* headers broken, or cut by the snapshot length */
	DECODED_LINK,      /* a link type that is not known */
};

/*
 * Blocks for fragments come from `pool`, counters go to `stats`: not_tcp, unknown_link, malformed, fragments,
 * fragments_lost. Both are borrowed. NULL when out of memory.
 */
struct decoder *decoder_new(struct pool *pool, struct stats *stats);
void decoder_free(struct decoder *d);

/* Gives up what is incomplete, counted as fragments_lost: there will be no more packets. */
void decoder_flush(struct decoder *d);

/*
 * Finds the innermost TCP segment of a packet. Never reads beyond the captured bytes; lengths come from the IP header
 * (Ethernet pads), except where it says 0 (GSO, BIG TCP): then from wire_len. Checksums are not looked at: local
 * traffic is captured before they are filled in. *ret is valid only for DECODED_TCP.
 *
 * What an ICMP error quotes is no segment. Where one packet has several inside of it (an A-MSDU of 802.11, a batch of
 * netlink messages) the first counts. A tunnel over UDP is known by its port. IP fragments are put together within
 * bounds (frag.h), apart by interface, direction, VLAN and tunnel.
 */
enum decoded packet_decode(struct decoder *d, const struct packet *pkt, struct segment *ret);

/*
 * The packet that held the last segment. When the segment came in IP fragments this is a packet of LINKTYPE_RAW with
 * the whole datagram (its IP header without options), valid until the next packet_decode; else it is `pkt` itself.
 */
struct packet decoder_datagram(const struct decoder *d, const struct packet *pkt);

#endif
