/* SPDX-License-Identifier: MIT */
/*
 * Which worker a segment goes to: all of a connection to one, by a hash of its ends; and of a connection that is seen twice,
 * before and behind address translation, both views to one, because they are one connection's to the engine. Such a pair is known
 * by the segments that they begin with. So connections are remembered; where there is no room for more, the longest silent are
 * forgotten.
 */
#ifndef PERISCO_WORKERS_ROUTE_H
#define PERISCO_WORKERS_ROUTE_H

#include "packet/packet.h"

struct route;

/* `memory` is the most that it takes, in bytes: 16 for each connection, 16 KiB at least. NULL when out of memory. */
struct route *route_new(unsigned workers, size_t memory, uint64_t seed);
void route_free(struct route *r);

/*
 * The worker of a segment, at the time of the capture. *ret_left is the same one, or, when the segment begins a new connection that
 * another worker gets than the one before between these ends, the worker of that one.
 */
unsigned route_find(struct route *r, const struct segment *seg, uint64_t now_ns, unsigned *ret_left);

#endif
