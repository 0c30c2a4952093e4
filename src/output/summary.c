/* SPDX-License-Identifier: MIT */
#include "output/summary.h"

#include <inttypes.h>
#include <stddef.h>

#include "output/names.h"

/* "1 packet", "2 packets". */
static void add_count(FILE *out, uint64_t n, const char *one)
{
	fprintf(out, "%" PRIu64 " %s%s", n, one, n == 1 ? "" : "s");
}

static void add_exchanges(FILE *out, const struct summary *s)
{
	add_count(out, s->stats.exchanges, "exchange");
	if (s->shown != s->stats.exchanges)
		fprintf(out, ", %" PRIu64 " shown", s->shown);
	if (s->stats.unanswered)
		fprintf(out, ", %" PRIu64 " unanswered", s->stats.unanswered);
	if (s->stats.orphans)
		fprintf(out, ", %" PRIu64 " without a request", s->stats.orphans);
}

static void add_packets(FILE *out, const struct summary *s)
{
	add_count(out, s->stats.packets + s->filtered, "packet");
	if (s->filtered)
		fprintf(out, ", %" PRIu64 " refused by the filter", s->filtered);
	if (s->filtered_early)
		fprintf(out, " (%" PRIu64 " in the kernel)", s->filtered_early);
	fprintf(out, ", ");
	add_count(out, s->stats.flows, "connection");
	if (s->live) {
		fprintf(out, ", ");
		add_count(out, s->interfaces, "interface");
	}
	if (s->unattached)
		fprintf(out, ", %" PRIu64 " could not be attached to", s->unattached);
}

/* What is not looked at, and why. */
static void add_ignored(FILE *out, const struct summary *s)
{
	for (unsigned i = 0; i < s->ignoreds; i++)
		fprintf(out, "%s%" PRIu64 " %s", i ? ", " : "not decoded: ", s->ignored[i].ever, s->ignored[i].why);
	if (s->ignoreds)
		fprintf(out, "\n");
}

/* What the capture did not hand over, because nobody missed it. */
static void add_left_out(FILE *out, const struct summary *s)
{
	const struct {
		uint64_t n;
		const char *one, *of;
	} left[] = {
		{s->elided_bytes, "payload byte", "that nobody decodes"},
		{s->elided, "packet", "of such payload or its acknowledgements"},
		{s->copies, "packet", "that another interface showed"},
	};
	const char *before = "left out: ";

	for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
		if (!left[i].n)
			continue;
		fputs(before, out);
		add_count(out, left[i].n, left[i].one);
		fprintf(out, " %s", left[i].of);
		before = ", ";
	}
	if (*before == ',')
		fprintf(out, "\n");
}

static void add_budget(FILE *out, const struct summary *s)
{
	const struct summary_budget *b = &s->budget;
	const char *before = ": ";
	uint64_t all_ns = 1;

	for (unsigned i = 0; i < DETAILS; i++)
		all_ns += b->in_ns[i];
	fprintf(out, "cpu: %.1f%% of a core, of %.1f%%", (double)b->cpu_ns * 100 / (double)all_ns, (double)b->limit_ns / 1e7);
	for (unsigned i = 0; i < DETAILS; i++) {
		if (!b->in_ns[i])
			continue;
		fprintf(out, "%s%.0fs %s", before, (double)b->in_ns[i] / 1e9, name_of_detail(i));
		before = ", ";
	}
	if (s->stats.flows_counted) {
		fputs(before, out);
		add_count(out, s->stats.flows_counted, "connection");
		fprintf(out, " only counted for some time");
	}
	fprintf(out, "\n");
}

/* What never came to us as packets, then what the streams lack for it, by cause. */
static void add_lost(FILE *out, const struct summary *s)
{
	const struct {
		uint64_t n;
		const char *of;
	} lost[] = {
		{s->ring_lost, "packets in the ring"},
		{s->unread_lost, "packets that the kernel could not read"},
		{s->oversize_lost, "packets that are too large"},
		{s->lost_bytes, "bytes of their payload"},
		{s->file_lost, "packets by whoever wrote the file"},
		{s->stats.lost_ring, "stream bytes in the ring"},
		{s->stats.lost_network, "stream bytes never captured"},
		{s->stats.lost_snaplen, "stream bytes cut by the snapshot length"},
		{s->stats.lost_memory, "stream bytes for want of memory"},
	};
	const char *before = "lost: ";

	for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
		if (lost[i].n) {
			fprintf(out, "%s%" PRIu64 " %s", before, lost[i].n, lost[i].of);
			before = ", ";
		}
	}
	if (*before == 'l')
		fprintf(out, "0 lost");
}

static void add_lost_by_cpu(FILE *out, const struct summary *s)
{
	const char *before = "lost by cpu: ";

	for (unsigned i = 0; s->lost_by_cpu && i < s->cpus; i++) {
		if (s->lost_by_cpu[i]) {
			fprintf(out, "%scpu %u %" PRIu64, before, i, s->lost_by_cpu[i]);
			before = ", ";
		}
	}
	if (*before == ',')
		fprintf(out, "\n");
}

static const struct counter {
	const char *help;
	size_t at;
} counters[] = {
#define X(name, unit, help) {help, offsetof(struct stats, name)},
	PERISCO_STATS(X)
#undef X
};

/* Is the counter worth a line although nobody asked? */
static bool is_odd(size_t at)
{
	static const size_t odd[] = {
		offsetof(struct stats, unknown_link),    offsetof(struct stats, malformed),
		offsetof(struct stats, fragments_lost),  offsetof(struct stats, overlap_differs),
		offsetof(struct stats, flows_evicted),   offsetof(struct stats, garbage),
		offsetof(struct stats, head_errors),     offsetof(struct stats, heads_cut),
		offsetof(struct stats, frame_errors),
	};

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		if (odd[i] == at)
			return true;
	return false;
}

static void add_counters(FILE *out, const struct stats *stats, bool all)
{
	for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
		uint64_t n = *(const uint64_t *)((const char *)stats + counters[i].at);

		if (n && (all || is_odd(counters[i].at)))
			fprintf(out, "%10" PRIu64 "  %s\n", n, counters[i].help);
	}
}

static void add_tap(FILE *out, const struct summary *s)
{
	fprintf(out, "'%s': ", s->write);
	add_count(out, s->tap.written, "packet");
	if (s->tap.failed)
		fprintf(out, ", since it could not be written to the end");
	if (s->tap.unwritten)
		fprintf(out, ", %" PRIu64 " did not get there", s->tap.unwritten);
	if (s->tap.let_go)
		fprintf(out, ", %" PRIu64 " undecided ones let go for want of memory", s->tap.let_go);
	fprintf(out, "\n");
}

void summary_print(const struct summary *s, bool verbose, FILE *out)
{
	add_exchanges(out, s);
	fprintf(out, "\n");
	add_packets(out, s);
	fprintf(out, "\n");
	add_left_out(out, s);
	add_lost(out, s);
	fprintf(out, "\n");
	if (s->budget.limit_ns)
		add_budget(out, s);
	if (verbose)
		add_lost_by_cpu(out, s);
	if (verbose)
		add_ignored(out, s);
	if (s->write)
		add_tap(out, s);
	add_counters(out, &s->stats, verbose);
}

void summary_progress(const struct summary *s, FILE *out)
{
	add_exchanges(out, s);
	fprintf(out, "; ");
	add_packets(out, s);
	for (unsigned i = 0; i < s->ignoreds; i++)
		if (s->ignored[i].now)
			fprintf(out, "; not decoded: %" PRIu64 " %s", s->ignored[i].now, s->ignored[i].why);
	if (s->budget.detail)
		fprintf(out, "; only %s, to stay within the CPU budget", name_of_detail(s->budget.detail));
	if (s->dropped)
		fprintf(out, "; %" PRIu64 " records dropped or refused on their way", s->dropped);
	fprintf(out, "; ");
	add_lost(out, s);
	fprintf(out, "\n");
}
