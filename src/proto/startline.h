/* SPDX-License-Identifier: MIT */
/* The first line of an HTTP/1 message (RFC 9112 sections 3 and 4), and how to recognise one among other bytes. */
#ifndef PERISCO_PROTO_STARTLINE_H
#define PERISCO_PROTO_STARTLINE_H

#include "proto/exchange.h"

struct startline {
	bool response;
	enum http_version version;
	struct slice method, target;  /* of a request */
	uint16_t status;              /* of a response, 0 to 999 */
	struct slice reason;
};

/*
 * Reads one line, without its line end. Lenient where servers are: several spaces, spaces in the target, lower-case methods,
 * no reason. `first` also allows HTTP/0.9 ("GET /path"). False: not a start line.
 */
bool startline_parse(struct slice line, bool first, struct startline *ret);

/*
 * Do these bytes begin with a start line, strictly? YES: a whole one with a sound version; MORE: perhaps, the line is not
 * whole; NO. *response tells which kind (with YES and MORE).
 */
enum verdict startline_probe(struct slice data, bool *response);

/* What is known of a line that was cut off: method or status when they are certainly whole. False: nothing. */
bool startline_partial(struct slice data, struct startline *ret);

#endif
