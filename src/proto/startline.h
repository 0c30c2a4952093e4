/* SPDX-License-Identifier: MIT */
/* The first line of an HTTP/1 message (RFC 9112 sections 3 and 4), and how to recognise one among other bytes. */
#ifndef PERISCO_PROTO_STARTLINE_H
#define PERISCO_PROTO_STARTLINE_H

#include "proto/exchange.h"

struct startline {
	bool response;
	enum http_version version;
	struct slice method, target;  /* of a request */
	uint16_t status;              /* of a response; 0: it had none that makes sense */
	struct slice reason;
};

/*
 * Reads one line, without its line end. Lenient where servers are: several spaces, spaces in the target, lower-case methods,
 * no reason. `loose`: it stands where a start line must stand; known methods without a sound version will do, and responses
 * without a sound status. False: not a start line.
 */
bool startline_parse(struct slice line, bool loose, struct startline *ret);

/*
 * Do these bytes begin with a start line, strictly? YES: a whole one with a known method and a sound version or status; MORE:
 * perhaps, the line is not whole; NO. *response tells which kind (with YES and MORE).
 */
enum verdict startline_probe(struct slice data, bool *response);

/* Could these bytes, which have no line end yet, become a start line where one must stand? Any method will do. */
bool startline_begins(struct slice data);

/* What is known of a line that was cut off: method and target, or status, as far as they are certainly whole. False: nothing. */
bool startline_partial(struct slice data, struct startline *ret);

#endif
