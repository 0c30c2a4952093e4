/* SPDX-License-Identifier: MIT */
/* The TC hooks of this host's interfaces as a source: veths by default, new ones as netlink announces them. */
#ifndef PERISCO_CAPTURE_TC_H
#define PERISCO_CAPTURE_TC_H

#include "capture/source.h"

struct tc_config {
	const char *const *patterns; /* names and globs of interfaces; none: every veth */
	size_t n_patterns;
	size_t ring;                 /* bytes of the ring buffer, a power of two; 0: 64 MiB */
	int verbose;                 /* > 0: say on stderr what is attached, and how */
};

/*
 * Loads the programs, attaches them to all interfaces that match, and follows new ones. Returns NULL with a line in `error`
 * and *err set to a negative errno: -EPERM (no right), -EOPNOTSUPP (a kernel that lacks something), -ENODEV (a plain name that
 * does not exist; a glob or the default may match nothing yet).
 */
struct source *tc_open(const struct tc_config *config, int *err, char *error, size_t n);

/* Interfaces attached now (after source_ops.stop: those it detached), and what the hooks saw since the start. */
struct tc_counts {
	uint64_t interfaces;
	uint64_t packets, bytes;           /* TCP packets offered to us */
	uint64_t dropped, dropped_bytes;   /* of these, not delivered: the ring was full; bytes of TCP payload */
};
void tc_counts(struct source *s, struct tc_counts *ret);

#endif
