/* SPDX-License-Identifier: MIT */
/* The interfaces that a packet socket listens at, by their index. */
#ifndef PERISCO_CAPTURE_NICS_H
#define PERISCO_CAPTURE_NICS_H

#include <stdbool.h>
#include <stddef.h>

#include "packet/packet.h"

struct nic {
	struct iface iface; /* what packets point to */
	uint64_t gone_ns;   /* Unix time it was gone, or not wanted: the ring may hold packets from before. 0: there */
	bool loopback;
	bool failed;        /* its packets cannot be decoded */
	bool listed;        /* still there, says the dump under way */
};

struct nics {
	struct nic *v; /* by ascending index */
	size_t n, room;
};

void nics_release(struct nics *s);

/* NULL when there is none. Valid until the next nics_add or nics_reap. */
struct nic *nics_find(const struct nics *s, uint32_t index);

/* The nic of this index, new or back to life: named, listed, nothing else yet. NULL when out of memory. */
struct nic *nics_add(struct nics *s, uint32_t index, const char *name);

void nic_rename(struct nic *nic, const char *name);

/* Forgets those that were gone before `before_ns`. */
void nics_reap(struct nics *s, uint64_t before_ns);

/* The indices of those that are there and can be decoded, ascending, to be freed; NULL when out of memory. */
uint32_t *nics_indices(const struct nics *s, size_t *n);

#endif
