/* SPDX-License-Identifier: MIT */
/*
 * Blocks of a pcapng file, in the byte order of this machine, each written whole. All return 0 or the negative errno of the
 * spill.
 */
#ifndef PERISCO_OUTPUT_NGBLOCK_H
#define PERISCO_OUTPUT_NGBLOCK_H

#include "output/spill.h"
#include "record.h"

/* The section that all other blocks belong to: the file's first block. */
int ngblock_section(struct spill *s);

/* Describes an interface; they are counted from 0 on, in the order in which they are described. */
int ngblock_interface(struct spill *s, const struct iface *iface);

/* What an interface saw in this section, up to the last of these times. */
struct ngblock_seen {
	uint64_t first_ns, last_ns; /* of packets, if there are any */
	uint64_t packets;
	struct loss_record lost;    /* with the last cause */
};
int ngblock_statistics(struct spill *s, uint32_t interface, const struct ngblock_seen *seen);

/* A packet, with a comment for its connection and one for each exchange of it that the packet belongs to. */
int ngblock_packet(struct spill *s, uint32_t interface, const struct packet *pkt, const struct brought *brought);

/* An address has this name. `addr` is as in struct flow_key, of IP version 4 or 6; `name` is of at most 253 bytes. */
int ngblock_name(struct spill *s, unsigned version, const uint8_t addr[16], const char *name);

/* The bytes that takes. */
size_t ngblock_name_size(unsigned version, const char *name);

#endif
