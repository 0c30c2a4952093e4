/* SPDX-License-Identifier: MIT */
/*
 * What a pcap file is made of (nanoseconds), in the byte order of this machine, each written whole. Those that write return 0 or
 * the negative errno of the spill.
 */
#ifndef PERISCO_OUTPUT_PCAPRECORD_H
#define PERISCO_OUTPUT_PCAPRECORD_H

#include "output/spill.h"
#include "record.h"

/* The file's header: all its packets have this link type. */
int pcaprecord_header(struct spill *s, uint16_t link);

/* Is the packet of this link type, or can it be made so? */
bool pcaprecord_fits(const struct packet *pkt, uint16_t link);

/* A packet that fits: a bare IP packet in a file of Ethernet or of Linux' cooked capture gets a header. */
int pcaprecord_packet(struct spill *s, uint16_t link, const struct packet *pkt);

#endif
