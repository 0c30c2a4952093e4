/* SPDX-License-Identifier: MIT */
/* The pcap format (draft-ietf-opsawg-pcap): a file header, then packets, all of one link type. */
#ifndef PERISCO_CAPTURE_PCAPFILE_H
#define PERISCO_CAPTURE_PCAPFILE_H

#include "capture/parsed.h"

/* All zeroes is a reader before the file header. */
struct pcapfile {
	bool swapped;    /* written by a machine of the other byte order */
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

#endif
