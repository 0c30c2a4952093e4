/* SPDX-License-Identifier: MIT */
/* pcap-filter(7) expressions: the same expression takes the same packets, live and from a file. */
#ifndef PERISCO_CAPTURE_FILTER_H
#define PERISCO_CAPTURE_FILTER_H

#include "packet/packet.h"

struct filter;
struct sock_filter; /* of linux/filter.h: an instruction of classic BPF */
struct bpf_program; /* of libpcap */

/*
 * Compiles the expression with libpcap, which may ask DNS for names in it. NULL with the expression and libpcap's complaint
 * in `error`, when it can be said of no link type at all.
 */
struct filter *filter_new(const char *expression, char *error, size_t n);
void filter_free(struct filter *f);

/*
 * Does the verdict depend on no more than addresses, protocols, ports and the direction? Then it is the same when payload of a
 * packet is left out. False also when out of memory.
 */
bool filter_is_plain(struct filter *f);

/*
 * Does the packet match? Compiled for each link type when it first comes; one that the expression cannot speak of: no.
 * "inbound" and "outbound" go by the packet's direction; a packet whose direction is not known is neither.
 */
bool filter_match(struct filter *f, const struct packet *pkt);

/*
 * What is run for packets of this link type and direction: *n instructions, for the caller to free. If the expression
 * cannot speak of the link type, one that takes nothing. NULL when out of memory.
 */
struct sock_filter *filter_code(struct filter *f, uint16_t link, enum direction dir, size_t *n);

/*
 * The program for a link type (LINKTYPE_*), for the kernel to run; NULL when nothing of the expression can be said of it, or
 * out of memory. It asks the kernel for the direction, as the kernel knows it. Belongs to the filter.
 */
const struct bpf_program *filter_program(struct filter *f, uint16_t link);

#endif
