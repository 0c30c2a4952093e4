/* SPDX-License-Identifier: MIT */
/* A set of statuses, of HTTP responses and of gRPC calls, as people write it. */
#ifndef PERISCO_OUTPUT_STATUSES_H
#define PERISCO_OUTPUT_STATUSES_H

#include "record.h"

#define STATUSES_END 1000

/* Empty when all zero. A bit for each number. */
struct statuses {
	uint64_t http[(STATUSES_END + 63) / 64], grpc[(STATUSES_END + 63) / 64];
};

/*
 * Adds "404", "5xx", "500-599" (HTTP), "NOT_FOUND", "grpc:NOT_FOUND", "grpc:5" or "grpc:1-16" (gRPC), in any case. Returns 0,
 * or -EINVAL when it is none of these.
 */
int statuses_add(struct statuses *s, struct slice item);

/* Is the response's status in the set, or that of the call? One that was not seen is in no set. */
bool statuses_have(const struct statuses *s, const struct exchange_record *x);

#endif
