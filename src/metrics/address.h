/* SPDX-License-Identifier: MIT */
/* Where the page is served: [HOST:]PORT, an IPv6 address in brackets. */
#ifndef PERISCO_METRICS_ADDRESS_H
#define PERISCO_METRICS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_MAX 300

struct address {
	char host[256]; /* "127.0.0.1" where none is given */
	char port[8];
};

/* False: it is none. */
bool address_parse(struct address *ret, const char *text);

/*
 * A socket that listens there, whose address, as it is now, goes to `name`: "127.0.0.1:9090". A negative errno with a line in
 * `error`.
 */
int address_listen(const struct address *a, char name[ADDRESS_MAX], char *error, size_t n);

#endif
