/* SPDX-License-Identifier: MIT */
#include "metrics/page.h"
#include "output/names.h"

#include <stddef.h>
#include <stdio.h>

static void put_stats(struct page *p, const struct stats *s)
{
#define X(name, unit, help) page_one(p, METRIC_STAT_##name, s->name);
	PERISCO_STATS(X)
#undef X
}

static void put_connections(struct page *p, const struct told *t)
{
	page_one(p, METRIC_CONNECTIONS, t->connections);
	page_family(p, METRIC_IGNORED_NOW);
	for (unsigned i = 0; i < t->summary.ignoreds; i++)
		page_of(p, METRIC_IGNORED_NOW, t->summary.ignored[i].why, t->summary.ignored[i].now);
	page_family(p, METRIC_IGNORED);
	for (unsigned i = 0; i < t->summary.ignoreds; i++)
		page_of(p, METRIC_IGNORED, t->summary.ignored[i].why, t->summary.ignored[i].ever);
}

static void put_memory(struct page *p, const struct told *t)
{
	uint64_t queues = 0;

	for (unsigned i = 0; i < t->outputs; i++)
		queues += t->output[i].counts.queue_bytes;
	page_family(p, METRIC_MEMORY);
	page_of(p, METRIC_MEMORY, "connections", t->memory);
	page_of(p, METRIC_MEMORY, "ring", t->counts.ring);
	page_of(p, METRIC_MEMORY, "outputs", queues);
	page_one(p, METRIC_MEMORY_LIMIT, t->memory_limit);
}

static void put_dropped(struct page *p, const struct told *t)
{
	const struct counts *c = &t->counts;
	char cpu[16];

	page_family(p, METRIC_DROPPED);
	page_of(p, METRIC_DROPPED, "ring", c->dropped - c->unread - c->oversize);
	page_of(p, METRIC_DROPPED, "copy", c->unread);
	page_of(p, METRIC_DROPPED, "size", c->oversize);
	page_of(p, METRIC_DROPPED, "file", t->summary.file_lost);
	page_one(p, METRIC_DROPPED_BYTES, c->dropped_bytes);
	page_family(p, METRIC_DROPPED_CPU);
	for (unsigned i = 0; i < t->cpus; i++) {
		snprintf(cpu, sizeof cpu, "%u", i);
		page_of(p, METRIC_DROPPED_CPU, cpu, t->dropped[i]);
	}
}

static void put_capture(struct page *p, const struct told *t)
{
	const struct counts *c = &t->counts;

	page_one(p, METRIC_INTERFACES, c->interfaces);
	page_one(p, METRIC_UNATTACHED, c->failed);
	page_one(p, METRIC_ATTACHING, c->waiting);
	page_one(p, METRIC_OFFERED, c->packets);
	page_one(p, METRIC_OFFERED_BYTES, c->bytes);
	put_dropped(p, t);
	page_one(p, METRIC_COPIES, c->copies);
	page_one(p, METRIC_COPIES_BYTES, c->copy_bytes);
	page_one(p, METRIC_ELIDED, c->elided);
	page_one(p, METRIC_ELIDED_BYTES, c->elided_bytes);
	page_one(p, METRIC_RING, c->ring);
	page_one(p, METRIC_RING_USED, c->ring_used);
	page_one(p, METRIC_RING_PEAK, c->ring_peak);
}

static void put_packet_file(struct page *p, const struct tap_counts *c)
{
	page_one(p, METRIC_WRITTEN, c->written);
	page_one(p, METRIC_UNWRITTEN, c->unwritten);
	page_one(p, METRIC_HELD, c->held);
	page_one(p, METRIC_LET_GO, c->let_go);
}

static void put_fate(struct page *p, const struct told_output *o, const char *cause, uint64_t n)
{
	const struct slice values[] = {slice_str(o->name), slice_str(cause)};
	struct page_labels l;

	page_count(p, METRIC_OUT_DROPPED, "", page_label(&l, METRIC_OUT_DROPPED, values), n);
}

static void put_output_dropped(struct page *p, const struct told *t)
{
	page_family(p, METRIC_OUT_DROPPED);
	for (const struct told_output *o = t->output; o < t->output + t->outputs; o++) {
		if (o->file) {
			put_fate(p, o, "disk", o->missed);
			continue;
		}
		put_fate(p, o, "refused", o->counts.refused);
		put_fate(p, o, "queue", o->counts.dropped_full);
		put_fate(p, o, "spool", o->counts.dropped_spool);
		put_fate(p, o, "end", o->counts.dropped_exit);
	}
}

static void put_outputs(struct page *p, const struct told *t)
{
	static const struct {
		enum metric_id id;
		size_t at;
	} families[] = {
		{METRIC_OUT_ACCEPTED, offsetof(struct courier_counts, accepted)},
		{METRIC_OUT_DELIVERED, offsetof(struct courier_counts, delivered)},
		{METRIC_OUT_RETRIED, offsetof(struct courier_counts, retried)},
		{METRIC_OUT_RECOVERED, offsetof(struct courier_counts, recovered)},
		{METRIC_OUT_WAITING, offsetof(struct courier_counts, waiting)},
		{METRIC_OUT_SPOOLED, offsetof(struct courier_counts, spooled)},
		{METRIC_OUT_QUEUE_BYTES, offsetof(struct courier_counts, queue_bytes)},
		{METRIC_OUT_SPOOL_BYTES, offsetof(struct courier_counts, spool_bytes)},
	};

	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		page_family(p, families[i].id);
		for (unsigned k = 0; k < t->outputs && !t->output[k].file; k++)
			page_of(p, families[i].id, t->output[k].name,
				*(const uint64_t *)((const char *)&t->output[k].counts + families[i].at));
	}
	put_output_dropped(p, t);
}

static void put_budget(struct page *p, const struct summary_budget *b)
{
	page_family(p, METRIC_DETAIL);
	for (unsigned i = 0; i < DETAILS; i++)
		page_of(p, METRIC_DETAIL, name_of_detail(i), b->detail == (enum detail)i);
	page_family(p, METRIC_DETAIL_SECONDS);
	for (unsigned i = 0; i < DETAILS; i++) {
		const struct slice values[] = {slice_str(name_of_detail(i))};
		struct page_labels l;

		page_seconds(p, METRIC_DETAIL_SECONDS, "", page_label(&l, METRIC_DETAIL_SECONDS, values), b->in_ns[i]);
	}
	page_family(p, METRIC_BUDGET);
	page_seconds(p, METRIC_BUDGET, "", NULL, b->limit_ns);
}

void page_told(struct page *p, const struct told *t)
{
	put_stats(p, &t->summary.stats);
	put_connections(p, t);
	put_memory(p, t);
	put_capture(p, t);
	put_packet_file(p, &t->summary.tap);
	put_outputs(p, t);
	put_budget(p, &t->summary.budget);
}
