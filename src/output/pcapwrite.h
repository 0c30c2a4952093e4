/* SPDX-License-Identifier: MIT */
/*
 * Writes packets as pcap (nanoseconds) or pcapng, buffered, into one file or one after the other. What was flushed is a valid
 * file at any time; when a write fails the file is cut behind its last whole packet, and every later call returns the same errno
 * until pcapwrite_suspend.
 */
#ifndef PERISCO_OUTPUT_PCAPWRITE_H
#define PERISCO_OUTPUT_PCAPWRITE_H

#include "output/rotation.h"
#include "record.h"

struct pcapwrite;

struct pcapwrite_config {
	/* pcapng when it ends in ".pcapng" or ".ntar", or is "-": standard output; else pcap. See rotation_name. */
	const char *path;
	/* Its limits, and when the first file begins. */
	struct rotation rotation;
	/* May a file be written? Else with a line in `error`. May be NULL. */
	bool (*may)(const void *ctx, const char *path, char *error, size_t n);
	const void *ctx;
	/* A line for people, of what is suspended. */
	void (*say)(const char *line);
};

/* The config is copied, with its path. NULL with a line in `error`. */
struct pcapwrite *pcapwrite_open(const struct pcapwrite_config *config, char *error, size_t n);

/* Is it pcapng, with room for more than packets? */
bool pcapwrite_is_ng(const struct pcapwrite *w);

/* A packet of this time comes next: begins the next file, if it is time. -ECANCELED: as many were written as were asked for. */
int pcapwrite_turn(struct pcapwrite *w, uint64_t ts_ns);

/* The capture has packets of this link type, which pcap files get if it is not known yet: a datagram from fragments has lost it. */
void pcapwrite_link(struct pcapwrite *w, uint16_t link);

/*
 * Writes a packet; what it brought goes into comments of a pcapng file; NULL when that is not known. A pcap file has the link
 * type that is known, as of the file before it, unless its first packet does not fit; then it has the packet's. A bare IP packet
 * fits into Ethernet and Linux' cooked capture with a header; what does not fit is -EINVAL. 0 or a negative errno, as
 * pcapwrite_turn; then the packet is counted as missed, but with -ECANCELED.
 */
int pcapwrite_packet(struct pcapwrite *w, const struct brought *brought, const struct packet *pkt);

/* The packet's interface as a copy that lives as long as the writer; what is not known is 0 and "". NULL: out of memory. */
const struct iface *pcapwrite_iface(struct pcapwrite *w, const struct packet *pkt);

/* Says in a pcapng file that the interface lost more packets, up to here. `ifname` may be NULL. */
int pcapwrite_loss(struct pcapwrite *w, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname);

/*
 * Says in a pcapng file, and each that follows, what the exchange teaches of names: see hostnames.h. Of those learned in files
 * before, a file with a limit of size has only the first ones, up to a quarter of it.
 */
int pcapwrite_name(struct pcapwrite *w, const struct record *exchange);

/* Hands what is buffered to the operating system. */
int pcapwrite_flush(struct pcapwrite *w);

/*
 * After a failure: from now on it is tried again each second, and calls return -EAGAIN until that succeeds, or what failed again;
 * then this comes again. It is told now and then, and at the end what was missed; a pcapng file tells that as a loss. Only a packet
 * that does not fit is missed alone, and calls go on at once. False when there is no way to go on: only a file on disk has one, and
 * only when it cannot be opened or written.
 */
bool pcapwrite_suspend(struct pcapwrite *w);
bool pcapwrite_is_suspended(const struct pcapwrite *w);

/* Packets that the operating system took, and those that are missing: what waits to be written is neither. */
uint64_t pcapwrite_written(const struct pcapwrite *w);
uint64_t pcapwrite_missed(const struct pcapwrite *w);

/* Somebody moved the file at hand away, or not: then completes it and begins it anew. Can that be? If suspended it is tried soon. */
int pcapwrite_reopen(struct pcapwrite *w);
bool pcapwrite_can_reopen(const struct pcapwrite *w);

/* What failed last, one line; "" when nothing did. */
const char *pcapwrite_error(const struct pcapwrite *w);

/* Writes the last statistics, flushes and closes the file: all packets have their fate, and pcapwrite_close tells how that went. */
void pcapwrite_end(struct pcapwrite *w);

/* The same if it was not done, and tells what was missed. Returns 0 or the first negative errno. NULL is allowed. */
int pcapwrite_close(struct pcapwrite *w);

#endif
