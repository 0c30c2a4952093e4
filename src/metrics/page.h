/* SPDX-License-Identifier: MIT */
/* Writes the page, in Prometheus' text format 0.0.4. Whatever runs out, the page says so in the end: page_end. */
#ifndef PERISCO_METRICS_PAGE_H
#define PERISCO_METRICS_PAGE_H

#include "metrics/table.h"
#include "metrics/told.h"
#include "metrics/traffic.h"
#include "output/buf.h"

#define PAGE_MAX ((size_t)64 << 20)

struct page {
	struct buf buf;
	uint8_t *w; /* NULL: out of memory */
};

/* The inside of the braces of a sample. */
struct page_labels {
	size_t n;
	uint8_t text[768];
};

void page_begin(struct page *p);

/* False: out of memory. Release it in both cases. */
bool page_end(struct page *p);
void page_release(struct page *p);

/* HELP and TYPE: its samples are to follow. */
void page_family(struct page *p, enum metric_id id);

/* Labels of a metric, their values in the order of the table: all that there are fit. Returns `l`. */
const struct page_labels *page_label(struct page_labels *l, enum metric_id id, const struct slice *values);

/* A sample; `suffix` goes behind the name. `l` may be NULL. Nanoseconds become seconds. */
void page_count(struct page *p, enum metric_id id, const char *suffix, const struct page_labels *l, uint64_t value);
void page_seconds(struct page *p, enum metric_id id, const char *suffix, const struct page_labels *l, uint64_t ns);

/* A bucket of a histogram, up to `le`. */
void page_bucket(struct page *p, enum metric_id id, const struct page_labels *l, const char *le, uint64_t value);

/* A family that is one sample, or one for each value of its only label. */
void page_one(struct page *p, enum metric_id id, uint64_t value);
void page_of(struct page *p, enum metric_id id, const char *label, uint64_t value);

/* All families of the traffic, of what a run tells of itself, of this process. */
void page_traffic(struct page *p, const struct traffic_view *v);
void page_told(struct page *p, const struct told *t);
void page_process(struct page *p);

#endif
