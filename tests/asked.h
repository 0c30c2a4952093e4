/* SPDX-License-Identifier: MIT */
/* An exchange in which a client calls a server by a name. */
#ifndef PERISCO_TESTS_ASKED_H
#define PERISCO_TESTS_ASKED_H

#include <stdio.h>

#include "record.h"

struct asked {
	struct record r;
	struct field host;
	char text[400];
};

/* GET / of 10.0.0.2 (or, of another `last`, 10.0.0.`last`), called so, and answered well. */
static struct asked *ask(const char *host, uint8_t last)
{
	static struct asked a;
	uint8_t *addr = a.r.ends.key.addr[1];

	a = (struct asked){.r = {.kind = RECORD_EXCHANGE, .ends = {.key = {.version = 4}}}};
	memcpy(addr, (uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last}, 16);
	a.host = (struct field){0, 4, 4, (uint32_t)snprintf(a.text, sizeof a.text, "Host%s", host) - 4};
	a.r.exchange.request = (struct message){.seen = true, .method = SLICE_INIT("GET"), .target = SLICE_INIT("/"),
						.headers = {(const uint8_t *)a.text, &a.host, 1}};
	a.r.exchange.response = (struct message){.seen = true, .status = 200};
	return &a;
}

#endif
