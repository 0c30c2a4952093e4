/* SPDX-License-Identifier: MIT */
#include "metrics/table.h"

#include <string.h>

const struct metric metrics[METRICS] = {
#define X(id, type, name, help, ...) {METRIC_##type, name, help, {__VA_ARGS__}},
	PERISCO_METRICS(X)
#undef X
#define X(name, unit, help) {METRIC_COUNTER, "perisco_" #name unit "_total", help, {NULL}},
	PERISCO_STATS(X)
#undef X
};

const char *metric_type_name(enum metric_type type)
{
	static const char *const names[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
		[METRIC_SUMMARY] = "summary",
	};

	return names[type];
}

/* By Prometheus' conventions the name says it. */
static const char *unit_of(const struct metric *m)
{
	return strstr(m->name, "_seconds") ? "seconds" : strstr(m->name, "_bytes") ? "bytes" : "";
}

void metrics_help(FILE *out)
{
	fputs("| metric | type | unit | labels | |\n|---|---|---|---|---|\n", out);
	for (const struct metric *m = metrics; m < metrics + METRICS; m++) {
		fprintf(out, "| %s | %s | %s | ", m->name, metric_type_name(m->type), unit_of(m));
		for (unsigned i = 0; m->labels[i]; i++)
			fprintf(out, "%s%s", i ? ", " : "", m->labels[i]);
		fprintf(out, " | %s |\n", m->help);
	}
}
