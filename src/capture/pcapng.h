/* SPDX-License-Identifier: MIT */
/* The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, packets from several interfaces, counts of losses. */
#ifndef PERISCO_CAPTURE_PCAPNG_H
#define PERISCO_CAPTURE_PCAPNG_H

#include "capture/parsed.h"
#include "capture/source.h"

/* Block types, options and the like, for the reader and for whoever writes such files. */
enum pcapng_block {
	PCAPNG_SECTION = 0x0a0d0d0a,
	PCAPNG_INTERFACE = 1,
	PCAPNG_OLD_PACKET = 2,
	PCAPNG_SIMPLE_PACKET = 3,
	PCAPNG_STATISTICS = 5,
	PCAPNG_PACKET = 6,
};
enum pcapng_option {
	PCAPNG_END = 0,
	PCAPNG_SHB_APPLICATION = 4,
	PCAPNG_IF_NAME = 2,
	PCAPNG_IF_DESCRIPTION = 3,
	PCAPNG_IF_TSRESOL = 9,
	PCAPNG_IF_TSOFFSET = 14,
	PCAPNG_EPB_FLAGS = 2,
	PCAPNG_EPB_DROPCOUNT = 4,
	PCAPNG_ISB_IFRECV = 4,
	PCAPNG_ISB_IFDROP = 5,
	PCAPNG_ISB_OSDROP = 7,
};
#define PCAPNG_BYTE_ORDER 0x1a2b3c4du

/*
 * The kernel's index of an interface has no option of its own. Files written by perisco say it in the description,
 * "ifindex=12"; any other description leaves the interface with the index that is its place in the section, from 1.
 */
#define PCAPNG_IFINDEX "ifindex="

struct pcapng_iface;

#define PCAPNG_LOSSES 16

/* All zeroes is a reader before its first block. */
struct pcapng {
	bool swapped, in_section;
	struct pcapng_iface *ifaces; /* of the section; owned */
	size_t n_ifaces, room;
	uint64_t last_ns;            /* of the last packet: the time of what has none of its own */
	struct loss losses[PCAPNG_LOSSES]; /* noticed, not reported yet; when all are in use the last takes the rest */
	size_t n_losses;
	const char *why;             /* set with PARSED_BROKEN; static */
};

/* Frees what it owns; the losses stay. */
void pcapng_release(struct pcapng *ng);

/* Do the file's first four bytes say pcapng? */
bool pcapng_is(const uint8_t magic[4]);

/* Reads the next block. A packet goes to *ret; it borrows from `in`, and its iface from `ng` until the next call. */
enum parsed pcapng_next(struct pcapng *ng, struct slice in, struct packet *ret, size_t *n);

#endif
