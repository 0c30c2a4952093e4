/* SPDX-License-Identifier: MIT */
/* Which exchanges are wanted: all conditions given must hold; several values of one condition are alternatives. */
#ifndef PERISCO_OUTPUT_SELECT_H
#define PERISCO_OUTPUT_SELECT_H

#include "record.h"

struct select;

/* No condition: everything matches. NULL when out of memory. */
struct select *select_new(void);
void select_free(struct select *s);

/*
 * Adds a condition. Globs know '*' (any run), '?' (any one byte) and '\' (quotes). `what` is one of
 *
 *   "method"       names, comma separated, of the request (one in lower case also means the same in upper case) or of the
 *                  gRPC call
 *   "service"      glob on the service of the gRPC call, package included
 *   "host"         glob on the authority (RFC 9110 section 7.2), without its port unless the glob has one; any case
 *   "path"         glob on the target's path with its query, or without
 *   "status"       "404", "5xx", "500-599" of the final response, "NOT_FOUND", "grpc:5", "grpc:1-16" of the gRPC call;
 *                  comma separated
 *   "min-latency"  "250ms", "1.5s", "80us", "10ns"; bare numbers are milliseconds
 *   "header"       "name" or "name: glob"; a field or trailer of the request or the response; any case
 *   "cidr"         the server's address (also the one behind address translation), IPv4 or IPv6, comma separated
 *
 * Returns 0, -EINVAL or -ENOMEM with a line in `error`.
 */
int select_add(struct select *s, const char *what, const char *value, char *error, size_t n);

/* Is there any condition? */
bool select_any(const struct select *s);

/*
 * Does the record meet all conditions? What is not known does not match. Of a flow record only "cidr" is asked; a loss
 * always matches.
 */
bool select_match(const struct select *s, const struct record *r);

#endif
