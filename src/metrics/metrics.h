/* SPDX-License-Identifier: MIT */
/*
 * --metrics: a page for Prometheus, /metrics, and two for whoever minds the process, /healthz and /readyz. What the page says
 * of exchanges is counted as they come, by the threads that have them; all else the run tells now and then, and whoever
 * asks for the page never makes it wait.
 */
#ifndef PERISCO_METRICS_METRICS_H
#define PERISCO_METRICS_METRICS_H

#include "metrics/address.h"
#include "metrics/told.h"
#include "record.h"

struct metrics;

/* Serves from now on, at the address that goes to `name`. 0, or a negative errno with a line in `error`. */
int metrics_open(struct metrics **ret, const struct address *at, char name[ADDRESS_MAX], char *error, size_t n);

/* An exchange that was selected; other records are passed over. Any thread. */
void metrics_record(struct metrics *m, const struct record *r);

/*
 * The run's loop turned, which is what /healthz asks for; to be called often. When it is time to tell something: what is to be
 * filled in, all zero, and then metrics_tell. Else NULL. One thread alone.
 */
struct told *metrics_turn(struct metrics *m);
void metrics_tell(struct metrics *m);

/*
 * The end begins, which /readyz says, and /healthz waits for no turns: the next one, at once, is the last. What becomes of records
 * meanwhile is told by `more`, to the server's thread whenever a page is made, until metrics_close.
 */
void metrics_end(struct metrics *m, void (*more)(void *ctx, struct told *t), void *ctx);

/* Serves no more. NULL is allowed. */
void metrics_close(struct metrics *m);

#endif
