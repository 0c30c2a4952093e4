/* SPDX-License-Identifier: MIT */
/*
 * A packet socket with its ring (TPACKET_V3: Documentation/networking/packet_mmap.rst of Linux): the kernel fills
 * blocks one after the other and hands each over when it is full, or FRAMES_RETIRE_MS after its first packet; we hand
 * it back when read.
 */
#ifndef PERISCO_CAPTURE_AFPACKET_RING_H
#define PERISCO_CAPTURE_AFPACKET_RING_H

#include <linux/if_packet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct code;

#define FRAMES_RETIRE_MS 10

struct frames {
	int fd; /* -1: none */
	uint8_t *map;
	size_t map_n, block_size;
	unsigned blocks, at;          /* the block that is read, or is to be read next */
	struct tpacket3_hdr *next;    /* in that block; valid with left > 0 */
	unsigned left;                /* packets of the block that were not read */
	bool reading;                 /* the block is ours until all of it was read */
};

/* A packet in the ring: stays until the next call of frames_next. */
struct frame {
	uint64_t ts_ns;
	uint32_t ifindex, wire_len;
	uint16_t protocol; /* EtherType, of what is behind the link header and the tags out of band */
	bool out;
	struct slice l2;   /* with the link header, and a VLAN tag that the kernel kept elsewhere */
	struct slice l3;   /* from the network header on */
};

/*
 * A socket with a ring of about `size` bytes (0: 64 MiB) that captures nothing yet. 0 or a negative errno with a line
 * in `error`: -EPERM without CAP_NET_RAW, -EOPNOTSUPP when the kernel lacks it. Release it in both cases.
 */
int frames_open(struct frames *f, size_t size, char *error, size_t n);
void frames_release(struct frames *f);

/*
 * From now on the program says which packets are captured, of all interfaces. 0 or a negative errno: the one before
 * stays.
 */
int frames_filter(struct frames *f, const struct code *code);

/* Captures from now on. 0 or a negative errno. */
int frames_start(struct frames *f);

/* Readable with poll(2) when this is not 0: the block being read has more packets. */
static inline bool frames_more(const struct frames *f)
{
	return f->left > 0;
}

/* The next packet; false when the kernel has handed over nothing more. */
bool frames_next(struct frames *f, struct frame *ret);

/* Nothing is in the ring, not even in the block that the kernel has not handed over yet. */
bool frames_empty(const struct frames *f);

/* How many packets found no room, since the last call. */
uint64_t frames_lost(struct frames *f);

#endif
