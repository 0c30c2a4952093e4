/* SPDX-License-Identifier: MIT */
/*
 * Names of servers' addresses, as their clients called them. Nobody proves that such a name is right: one is believed when the
 * server answered to it, and not with an error; if it has the form of a host's name; if it was said to this server, and not to a
 * proxy on the way; and not inside a tunnel, where an address may be another one's. The first few of an address are kept, and
 * the first one stays the one that counts.
 */
#ifndef PERISCO_OUTPUT_HOSTNAMES_H
#define PERISCO_OUTPUT_HOSTNAMES_H

#include "record.h"

#define HOSTNAME_SIZE  254u /* with the NUL (RFC 1035 section 2.3.4) */
#define HOSTNAMES_MAX  1024u
#define HOSTNAMES_EACH 4u   /* of one address */

struct hostname {
	uint8_t addr[16];  /* as in struct flow_key */
	uint8_t version;
	char name[HOSTNAME_SIZE];
	uint16_t next;     /* in its bucket: place + 1 */
	uint16_t first;    /* place of the first one of the address, which may be this one */
};

struct hostnames {
	uint16_t bucket[256];
	uint32_t n;        /* entries are in the order in which they became known */
	struct hostname entry[HOSTNAMES_MAX];
};

/* What the exchange teaches, if that is new; it stays where it is. NULL when there is nothing, or no room. */
const struct hostname *hostnames_learn(struct hostnames *h, const struct record *exchange);

#endif
