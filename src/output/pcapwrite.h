/* SPDX-License-Identifier: MIT */
/*
 * Writes packets as pcap (nanoseconds) or pcapng, buffered. What was flushed is a valid file at any time; when a write fails
 * the file is cut behind its last whole packet, and every later call returns the same errno.
 */
#ifndef PERISCO_OUTPUT_PCAPWRITE_H
#define PERISCO_OUTPUT_PCAPWRITE_H

#include "record.h"

struct pcapwrite;

/* Opens `path` ("-": standard output); pcapng when it ends in ".pcapng" or ".ntar". NULL with a line in `error`. */
struct pcapwrite *pcapwrite_open(const char *path, char *error, size_t n);

/*
 * Writes a packet; `flow_id` goes into a comment of a pcapng file, when it is not 0. A pcap file has the link type of its
 * first packet; a bare IP packet in a file of Ethernet gets a header, any other one is -EINVAL. 0 or a negative errno.
 */
int pcapwrite_packet(struct pcapwrite *w, uint64_t flow_id, const struct packet *pkt);

/* The packet's interface as a copy that lives as long as the writer; what is not known is 0 and "". NULL: out of memory. */
const struct iface *pcapwrite_iface(struct pcapwrite *w, const struct packet *pkt);

/* Says in a pcapng file that the interface lost more packets, up to here. `ifname` may be NULL. */
int pcapwrite_loss(struct pcapwrite *w, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname);

/* Hands what is buffered to the operating system. */
int pcapwrite_flush(struct pcapwrite *w);

/* What failed last, one line; "" when nothing did. */
const char *pcapwrite_error(const struct pcapwrite *w);

/* Writes the last statistics, flushes and closes. Returns 0 or the first negative errno. NULL is allowed. */
int pcapwrite_close(struct pcapwrite *w);

#endif
