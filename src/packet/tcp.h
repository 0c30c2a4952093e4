/* SPDX-License-Identifier: MIT */
/* The TCP header (RFC 9293 section 3.1), private to this room. */
#ifndef PERISCO_PACKET_TCP_H
#define PERISCO_PACKET_TCP_H

#include "packet/decode.h"

/*
 * Reads the header at `tcp` into *seg: all but ts_ns, vlan, tunnel, tunnel_id and reassembled. `cut` more bytes
 * followed on the wire. A header that the snapshot length cut behind the window gives its fixed fields, and all the
 * payload as cut. Addresses are 4 or 16 bytes. Returns DECODED_TCP or DECODED_MALFORMED.
 */
enum decoded tcp_over_ip4(struct segment *seg, const uint8_t *src, const uint8_t *dst, struct slice tcp, size_t cut);
enum decoded tcp_over_ip6(struct segment *seg, const uint8_t *src, const uint8_t *dst, struct slice tcp, size_t cut);

#endif
