/* SPDX-License-Identifier: MIT */
/* The pcap format (draft-ietf-opsawg-pcap): a file header, then packets, all of one link type. */
#ifndef PERISCO_CAPTURE_PCAPFILE_H
#define PERISCO_CAPTURE_PCAPFILE_H

#include "capture/parsed.h"

enum { PCAPFILE_PACKET_HEADER = 16 }; /* of all variants but one */

/* All zeroes is a reader before the file header. */
struct pcapfile {
	bool swapped;    /* written by a machine of the other byte order */
	bool usual;      /* read, and what pcapfile_usual is for */
	uint32_t unit;   /* nanoseconds in a unit of the second part of a time stamp */
	uint32_t header; /* bytes before each packet; 0: the file header was not read yet */
	uint8_t lengths; /* the order of its two lengths */
	uint16_t link;   /* LINKTYPE_* */
	const char *why; /* set with PARSED_BROKEN; static */
};

/* Do the file's first four bytes say pcap? */
bool pcapfile_is(const uint8_t magic[4]);

/* Reads the file header (PARSED_OTHER), then packet after packet into *ret, which borrows from `in`. */
enum parsed pcapfile_next(struct pcapfile *f, struct slice in, struct packet *ret, size_t *n);

/*
 * The same for nearly every packet there is: of a file with this machine's byte order and no oddities, and all there. Returns
 * the bytes to be used up; 0 when pcapfile_next is to be asked.
 */
static inline size_t pcapfile_usual(const struct pcapfile *f, struct slice in, struct packet *ret)
{
	uint32_t sec, part, captured, wire;

	if (!f->usual || in.n < PCAPFILE_PACKET_HEADER)
		return 0;
	memcpy(&captured, in.p + 8, sizeof captured);
	if (captured > in.n - PCAPFILE_PACKET_HEADER || captured > RECORD_MAX - PCAPFILE_PACKET_HEADER)
		return 0;
	memcpy(&sec, in.p, sizeof sec);
	memcpy(&part, in.p + 4, sizeof part);
	memcpy(&wire, in.p + 12, sizeof wire);
	ret->ts_ns = sec * UINT64_C(1000000000) + part * (uint64_t)f->unit;
	ret->wire_len = wire > captured ? wire : captured;
	ret->link = f->link;
	ret->dir = DIRECTION_UNKNOWN;
	ret->iface = NULL;
	ret->data = slice_of(in.p + PCAPFILE_PACKET_HEADER, captured);
	__builtin_prefetch(in.p + PCAPFILE_PACKET_HEADER + captured + 8);
	return PCAPFILE_PACKET_HEADER + captured;
}

#endif
