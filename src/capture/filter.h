/* SPDX-License-Identifier: MIT */
/* pcap-filter(7) expressions: the same expression takes the same packets, live and from a file. */
#ifndef PERISCO_CAPTURE_FILTER_H
#define PERISCO_CAPTURE_FILTER_H

#include "packet/packet.h"

struct filter;

/* Compiles the expression with libpcap. NULL with libpcap's complaint in `error`. */
struct filter *filter_new(const char *expression, char *error, size_t n);
void filter_free(struct filter *f);

/* Does the packet match? Compiled for each link type when it first comes; one that the expression cannot speak of: no. */
bool filter_match(struct filter *f, const struct packet *pkt);

#endif
