/* SPDX-License-Identifier: MIT */
/* The network interfaces of this namespace: those there are, and by rtnetlink what comes, changes and goes. */
#ifndef PERISCO_CAPTURE_LINK_H
#define PERISCO_CAPTURE_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct nlmsghdr;
struct links;

struct link {
	uint32_t index;
	uint16_t type;  /* ARPHRD_* */
	uint32_t flags; /* IFF_* */
	char name[IF_NAMESIZE];
	char kind[16];  /* "veth", "bridge", ...; "" for physical ones and lo */
};

enum link_event {
	LINK_THERE, /* exists; new, changed or told again */
	LINK_GONE,  /* deleted, or moved to another namespace; only `index` is sure */
	LINK_ALL,   /* all that exist follow, each as LINK_THERE; link is NULL */
	LINK_DONE,  /* they did: what was not among them is gone; link is NULL */
};
typedef void (*link_fn)(void *ctx, enum link_event event, const struct link *link);

/* Listens from now on. 0 or a negative errno; *ret is NULL then. */
int links_open(struct links **ret, link_fn fn, void *ctx);
void links_close(struct links *l);

/* Readable when there is something for links_read. */
int links_fd(const struct links *l);

/*
 * Reports all links, between LINK_ALL and LINK_DONE. While links come and go faster than they can be listed there is no
 * LINK_DONE, and a later links_read tries again. 0 or a negative errno.
 */
int links_dump(struct links *l);

/*
 * Reports what happened. When the kernel had to drop messages, all links are dumped. 0, also when there is nothing to
 * read, or a negative errno.
 */
int links_read(struct links *l);

/* Reads RTM_NEWLINK and RTM_DELLINK. False: another message, or one about a port of a bridge and not about a link. */
bool link_parse(const struct nlmsghdr *h, enum link_event *ret_event, struct link *ret);

#endif
