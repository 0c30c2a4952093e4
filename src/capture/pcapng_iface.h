/* SPDX-License-Identifier: MIT */
/* An interface of a pcapng section: its description, and its clock. */
#ifndef PERISCO_CAPTURE_PCAPNG_IFACE_H
#define PERISCO_CAPTURE_PCAPNG_IFACE_H

#include "packet/packet.h"

struct pcapng_iface {
	struct iface iface;
	uint32_t snaplen;                /* 0: no limit */
	uint64_t times, per;             /* ns = units * times / per, where per is not 0 */
	uint8_t shift;                   /* else ns = units * times >> shift */
	int64_t offset;                  /* seconds to be added */
	uint64_t dropped, dropped_bytes; /* lost since the section began, as far as told */
};

/* Without any options: a clock of microseconds, no name; `place` in the section, from 1, is its index. */
void pcapng_iface_init(struct pcapng_iface *i, uint32_t place, uint16_t link, uint32_t snaplen);

/* Takes an option of the description; any that is not known, or makes no sense, changes nothing. */
void pcapng_iface_option(struct pcapng_iface *i, uint16_t code, struct slice value, bool swapped);

/* Units of the clock to nanoseconds since 1970; what is out of range becomes the nearest that is not. */
uint64_t pcapng_iface_ns(const struct pcapng_iface *i, uint64_t units);

/* Is all of it a decimal number? */
bool pcapng_number(struct slice digits, uint64_t *ret);

#endif
