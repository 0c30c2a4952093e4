/* SPDX-License-Identifier: MIT */
/*
 * Packets of flows about which nothing is decided yet, copied into memory that is taken once and never grows. The packets of
 * a flow lie one behind the other in a chain of equal blocks, so that nothing is scattered by age. When all blocks are in use,
 * the flow that holds most (to a power of two) loses its oldest packets.
 */
#ifndef PERISCO_OUTPUT_HOLD_H
#define PERISCO_OUTPUT_HOLD_H

#include "record.h"

struct hold;

/* One flow: its packets, or the word that it is decided and holds none. */
struct hold_flow;

/* `bytes` is the memory of packets and flows; one packet in the making comes on top. NULL when out of memory. */
struct hold *hold_new(size_t bytes);
void hold_free(struct hold *h);

/* The flow, or NULL when it is not known. */
struct hold_flow *hold_find(const struct hold *h, uint64_t flow_id);

/* The flow, from now on known. NULL when the flows alone take all the memory. */
struct hold_flow *hold_add(struct hold *h, uint64_t flow_id);

/* Copies the packet, and what it brought, behind those of its flow. Its iface is borrowed for as long as the packet is held. */
void hold_put(struct hold *h, struct hold_flow *f, const struct packet *pkt, const struct brought *brought);

/* Takes the flow's oldest packet out; *ret borrows until the next call. False when there is none. */
bool hold_take(struct hold *h, struct hold_flow *f, struct packet *ret, struct brought *brought);

/* The flow is decided: a mark for the caller. */
void hold_decide(struct hold_flow *f);
bool hold_is_decided(const struct hold_flow *f);

/* Forgets the flow; returns how many packets of it were held. */
size_t hold_forget(struct hold *h, struct hold_flow *f);

/* Packets held now, and those let go so far because memory was full. */
size_t hold_count(const struct hold *h);
uint64_t hold_let_go(const struct hold *h);

#endif
