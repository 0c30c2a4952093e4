/* SPDX-License-Identifier: MIT */
/* Exchanges to count: made by hand, as small as they can be. */
#ifndef PERISCO_TESTS_METRICS_RIG_H
#define PERISCO_TESTS_METRICS_RIG_H

#include "metrics/traffic.h"

#define MS UINT64_C(1000000)

/* One with 10.0.0.`host`, port 80, which took `duration_ns`; 0: that is not known. */
static inline struct record rig_exchange(unsigned host, const char *method, unsigned status, uint64_t duration_ns)
{
	struct record r = {
		.kind = RECORD_EXCHANGE,
		.ts_ns = 1000000000 * UINT64_C(1700000000),
		.ends.key = {.addr = {{[10] = 255, 255, 10, 0, 0, (uint8_t)host}, {[10] = 255, 255, 10, 9, 9, 9}}, .port = {80, 40000}, .version = 4},
		.ends.client = 1,
	};

	r.exchange.request = (struct message){.seen = true, .method = slice_str(method)};
	r.exchange.response = (struct message){.seen = status, .status = (uint16_t)status};
	r.exchange.grpc.status = -1;
	r.exchange.timed = duration_ns;
	r.exchange.duration_ns = duration_ns;
	r.exchange.latency_ns = duration_ns / 2;
	return r;
}

/* A gRPC call to it. */
static inline struct record rig_call(unsigned host, struct slice service, struct slice method, int status, uint64_t duration_ns)
{
	struct record r = rig_exchange(host, "POST", 200, duration_ns);

	r.exchange.is_grpc = true;
	r.exchange.grpc = (struct grpc_record){.service = service, .method = method, .status = status, .cancelled_by = -1};
	return r;
}

static inline struct traffic_view rig_view(struct traffic *t)
{
	struct traffic_view ret;

	assert_true(traffic_view(t, &ret));
	return ret;
}

/* All that was counted. */
static inline struct numbers rig_sum(const struct traffic_view *v)
{
	struct numbers sum = {0};

	for (size_t i = 0; i < v->n_sets + LABELS_KINDS * LABELS_STATUSES; i++) {
		const struct numbers *n = i < v->n_sets ? &v->sets[i].n : &v->other[0][0] + (i - v->n_sets);

		sum.requests += n->requests;
		sum.duration_ns += n->duration_ns;
		sum.latency_ns += n->latency_ns;
		for (unsigned k = 0; k <= TRAFFIC_BUCKETS_N; k++)
			sum.bucket[k] += n->bucket[k];
	}
	return sum;
}

#endif
