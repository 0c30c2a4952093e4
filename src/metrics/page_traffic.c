/* SPDX-License-Identifier: MIT */
#include "metrics/page.h"
#include "output/names.h"
#include "output/print.h"

/* The families of each kind of exchange, which have the same labels. */
static const struct {
	enum metric_id requests, duration, latency;
	const char *protocol;
} families[LABELS_KINDS] = {
	[LABELS_HTTP] = {METRIC_HTTP_REQUESTS, METRIC_HTTP_DURATION, METRIC_HTTP_LATENCY, "http"},
	[LABELS_GRPC] = {METRIC_GRPC_REQUESTS, METRIC_GRPC_DURATION, METRIC_GRPC_LATENCY, "grpc"},
};

static void label_set(struct page_labels *l, const struct labels *of)
{
	const char *status = labels_status((enum labels_kind)of->kind, of->status);
	uint8_t addr[PRINT_IP_MAX], port[PRINT_U64_MAX];
	struct slice http[] = {slice_of(addr, (size_t)(print_ip(addr, of->addr, of->version) - addr)),
			       slice_of(port, (size_t)(print_u64(port, of->port) - port)), slice_str(labels_http_method(of->method)),
			       slice_str(status)};
	struct slice grpc[] = {http[0], http[1], slice_of(of->service, of->service_n), slice_of(of->name, of->name_n), http[3]};

	page_label(l, families[of->kind].requests, of->kind == LABELS_GRPC ? grpc : http);
}

static void label_other(struct page_labels *l, enum labels_kind kind, unsigned status)
{
	const struct slice other = SLICE("other"), last = slice_str(labels_status(kind, status));
	const struct slice http[] = {other, other, other, last}, grpc[] = {other, other, other, other, last};

	page_label(l, families[kind].requests, kind == LABELS_GRPC ? grpc : http);
}

static uint64_t timed(const struct numbers *n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i <= TRAFFIC_BUCKETS_N; i++)
		sum += n->bucket[i];
	return sum;
}

static void put_requests(struct page *p, enum labels_kind kind, const struct page_labels *l, const struct numbers *n)
{
	page_count(p, families[kind].requests, "", l, n->requests);
}

static void put_duration(struct page *p, enum labels_kind kind, const struct page_labels *l, const struct numbers *n)
{
	static const char *const bounds[] = {
#define X(ns, text) text,
		TRAFFIC_BUCKETS(X)
#undef X
		"+Inf"
	};
	enum metric_id id = families[kind].duration;
	uint64_t sum = 0;

	for (unsigned i = 0; i <= TRAFFIC_BUCKETS_N; i++) {
		sum += n->bucket[i];
		page_bucket(p, id, l, bounds[i], sum);
	}
	page_seconds(p, id, "_sum", l, n->duration_ns);
	page_count(p, id, "_count", l, sum);
}

static void put_latency(struct page *p, enum labels_kind kind, const struct page_labels *l, const struct numbers *n)
{
	page_seconds(p, families[kind].latency, "_sum", l, n->latency_ns);
	page_count(p, families[kind].latency, "_count", l, timed(n));
}

typedef void (*put_fn)(struct page *p, enum labels_kind kind, const struct page_labels *l, const struct numbers *n);

/* One family: of all sets, then of those that take what is beyond them. */
static void put_family(struct page *p, const struct traffic_view *v, enum labels_kind kind, enum metric_id id, put_fn put)
{
	struct page_labels l;

	page_family(p, id);
	for (size_t i = 0; i < v->n_sets; i++) {
		if (v->sets[i].labels.kind != kind)
			continue;
		label_set(&l, &v->sets[i].labels);
		put(p, kind, &l, &v->sets[i].n);
	}
	for (unsigned i = 0; i < LABELS_STATUSES; i++) {
		if (!v->other[kind][i].requests)
			continue;
		label_other(&l, kind, i);
		put(p, kind, &l, &v->other[kind][i]);
	}
}

static void put_ended(struct page *p, const struct traffic_view *v)
{
	page_family(p, METRIC_ENDED);
	for (unsigned i = 0; i < TRAFFIC_OUTCOMES; i++)
		page_of(p, METRIC_ENDED, i == ENDED_WELL ? "well" : name_of_ended(i), v->ended[i]);
}

void page_traffic(struct page *p, const struct traffic_view *v)
{
	for (unsigned i = 0; i < LABELS_KINDS; i++) {
		enum labels_kind kind = (enum labels_kind)i;

		put_family(p, v, kind, families[i].requests, put_requests);
		put_family(p, v, kind, families[i].duration, put_duration);
		put_family(p, v, kind, families[i].latency, put_latency);
	}
	put_ended(p, v);
	page_family(p, METRIC_SETS);
	for (unsigned i = 0; i < LABELS_KINDS; i++)
		page_of(p, METRIC_SETS, families[i].protocol, v->n_of[i]);
	page_family(p, METRIC_FORGOTTEN);
	for (unsigned i = 0; i < LABELS_KINDS; i++)
		page_of(p, METRIC_FORGOTTEN, families[i].protocol, v->forgotten[i]);
}
