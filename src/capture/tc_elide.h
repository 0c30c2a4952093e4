/* SPDX-License-Identifier: MIT */
/* Tells the programs what is not wanted of a connection: the map `halves` of bpf/want.bpf.h. */
#ifndef PERISCO_CAPTURE_TC_ELIDE_H
#define PERISCO_CAPTURE_TC_ELIDE_H

#include "packet/packet.h"

/* `map` is the descriptor of the map. That it can not be told is no error: what is not known is copied. */
void elide_put(int map, const struct flow_key *key, unsigned side, const struct elision *e);

/*
 * Takes it back, and says how far it went, last_ns being CLOCK_BOOTTIME; ret->seq0 is as it was told. False: the map had
 * forgotten it, or another connection between these ends has begun, which keeps what the map knows of it.
 */
bool elide_take(int map, const struct flow_key *key, unsigned side, struct elision *ret);

#endif
