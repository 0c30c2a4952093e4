/* SPDX-License-Identifier: MIT */
/* Which exchanges are wanted: all conditions given must hold; several values of one condition are alternatives. */
#ifndef PERISCO_OUTPUT_SELECT_H
#define PERISCO_OUTPUT_SELECT_H

#include "record.h"

struct select;

struct select *select_new(void);
void select_free(struct select *s);

/*
 * Adds a condition. `what` is one of "method" (names, comma separated), "host" (glob), "path" (glob on the target's path
 * and query), "status" ("404", "5xx", "500-599", comma separated), "min-latency" ("250ms", "1.5s", "80us", "10ns"; bare
 * numbers are milliseconds), "header" ("name" or "name: glob"; in the request or the response), "cidr" (the server's
 * address, IPv4 or IPv6, comma separated). Returns 0, -EINVAL or -ENOMEM with a line in `error`.
 */
int select_add(struct select *s, const char *what, const char *value, char *error, size_t n);

/* Is there any condition on exchanges? */
bool select_any(const struct select *s);

/* Does the record meet all conditions? What is not known does not match. Flow records know only "cidr"; a loss always matches. */
bool select_match(const struct select *s, const struct record *r);

#endif
