/* SPDX-License-Identifier: MIT */
/*
 * Exchanges, counted by who was asked for what and how it went: a bounded number of label sets, and one for each status that takes
 * what is beyond it. So nothing is missing in the sum, and an error is one even there. The sets of a server lie in one of a few
 * stripes, each with its own lock and its own bound: whoever makes up names for one server leaves most of the room to the others.
 * A set that was silent for an hour makes room for a new one, as the addresses of pods come and go.
 */
#ifndef PERISCO_METRICS_TRAFFIC_H
#define PERISCO_METRICS_TRAFFIC_H

#include "metrics/labels.h"

#define TRAFFIC_STRIPES  4u
#define TRAFFIC_SETS     256u /* of a stripe */
#define TRAFFIC_IDLE_NS  (UINT64_C(3600) * 1000000000)
#define TRAFFIC_OUTCOMES (ENDED_BUDGET + 1u)

/* Upper bounds of the histogram's buckets, in nanoseconds and as the page has them: those of OpenTelemetry, and some below. */
#define TRAFFIC_BUCKETS(X)                                                                                         \
	X(500000, "0.0005") X(1000000, "0.001") X(2500000, "0.0025") X(5000000, "0.005") X(10000000, "0.01")       \
	X(25000000, "0.025") X(50000000, "0.05") X(100000000, "0.1") X(250000000, "0.25") X(500000000, "0.5")      \
	X(1000000000, "1") X(2500000000, "2.5") X(5000000000, "5") X(10000000000, "10")

enum {
#define X(ns, text) TRAFFIC_BUCKET_##ns,
	TRAFFIC_BUCKETS(X)
#undef X
	TRAFFIC_BUCKETS_N /* what is above all of them is one more */
};

/* Of one label set. What has no known time is in `requests` alone. */
struct numbers {
	uint64_t requests;
	uint64_t bucket[TRAFFIC_BUCKETS_N + 1]; /* by duration; not cumulated */
	uint64_t duration_ns, latency_ns;       /* sums */
};

struct traffic_set {
	struct labels labels;
	struct numbers n;
};

/* All of it, as it is at some moment. */
struct traffic_view {
	struct traffic_set *sets;
	size_t n_sets;
	struct numbers other[LABELS_KINDS][LABELS_STATUSES]; /* beyond the bound */
	uint64_t n_of[LABELS_KINDS];                         /* sets */
	uint64_t forgotten[LABELS_KINDS];                    /* exchanges of sets that made room */
	uint64_t ended[TRAFFIC_OUTCOMES];                    /* by enum ended */
};

struct traffic;

/* `seed` decides where sets lie, so that nobody foresees it. NULL when out of memory. */
struct traffic *traffic_new(uint64_t seed);
void traffic_free(struct traffic *t);

/* Counts an exchange that is over; other records are passed over. Any thread. */
void traffic_record(struct traffic *t, const struct record *r);

/* What was counted; each stripe is locked for some microseconds. False when out of memory. Any thread. */
bool traffic_view(struct traffic *t, struct traffic_view *ret);
void traffic_view_release(struct traffic_view *v);

#endif
