/* SPDX-License-Identifier: MIT */
/* The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, packets from several interfaces, counts of losses. */
#ifndef PERISCO_CAPTURE_PCAPNG_H
#define PERISCO_CAPTURE_PCAPNG_H

#include "capture/parsed.h"
#include "capture/source.h"

struct pcapng_iface;

#define PCAPNG_LOSSES 16

/* A loss that was noticed and not reported yet. */
struct pcapng_loss {
	struct loss loss;
	char ifname[sizeof((struct iface *)0)->name];
};

/* All zeroes is a reader before its first block. */
struct pcapng {
	bool swapped, in_section;
	struct pcapng_iface *ifaces; /* of the section; owned */
	size_t n_ifaces, room;
	uint64_t last_ns;                         /* of the last packet: the time of what has none of its own */
	struct pcapng_loss losses[PCAPNG_LOSSES]; /* when all are in use the last takes the rest */
	size_t n_losses;
	const char *why; /* set with PARSED_BROKEN; static */
};

/* Frees what it owns; the losses stay. */
void pcapng_release(struct pcapng *ng);

/* Do the file's first four bytes say pcapng? */
bool pcapng_is(const uint8_t magic[4]);

/* Reads the next block. A packet goes to *ret; it borrows from `in`, and its iface from `ng` until the next call. */
enum parsed pcapng_next(struct pcapng *ng, struct slice in, struct packet *ret, size_t *n);

#endif
