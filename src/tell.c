/* SPDX-License-Identifier: MIT */
#include "tell.h"

#include <stdio.h>
#include <string.h>

/* Who we are there is nobody else's business, and options may hold secrets. Two outputs that are the same without them are told apart by their place. */
static void name_output(struct told *t, struct told_output *o, const char *name)
{
	const char *hosts = o->file ? NULL : strstr(name, "://"), *from = hosts ? hosts + 3 : name;
	size_t scheme = (size_t)(from - name), user = strcspn(from, "@/?"), most = sizeof o->name - 8;

	if (hosts && from[user] == '@')
		from += user + 1;
	memcpy(o->name, name, scheme);
	for (size_t i = scheme; i < most && *from && (!hosts || *from != '?'); from++)
		o->name[i++] = *from > ' ' && *from < 0x7f ? *from : '_';
	for (const struct told_output *other = t->output; other < o; other++)
		if (strcmp(other->name, o->name) == 0) {
			snprintf(o->name + strlen(o->name), 6, "#%u", t->outputs + 1);
			return;
		}
}

void tell_outputs(void *outputs, struct told *t)
{
	struct told_output *file;
	const char *name;
	uint64_t missed;

	memset(t->output, 0, sizeof t->output);
	t->outputs = 0;
	while (t->outputs < TOLD_OUTPUTS && outputs_count(outputs, t->outputs, &name, &t->output[t->outputs].counts)) {
		name_output(t, &t->output[t->outputs], name);
		t->outputs++;
	}
	for (size_t i = 0; t->outputs < TOLD_OUTPUTS && outputs_missed(outputs, i, &name, &missed); i++) {
		file = &t->output[t->outputs];
		file->file = true;
		name_output(t, file, name);
		file->missed = missed;
		t->outputs++;
	}
}

static void tell_capture(struct told *t, struct source *source)
{
	const struct counts *c = &t->counts;

	source->ops->counts(source, &t->counts);
	t->cpus = !c->by_cpu ? 0 : c->cpus < TOLD_CPUS ? c->cpus : TOLD_CPUS;
	for (unsigned i = 0; c->by_cpu && i < c->cpus; i++)
		t->dropped[i < TOLD_CPUS ? i : TOLD_CPUS - 1] += c->by_cpu[i];
}

void tell(struct told *t, struct source *source, struct workers *workers, struct outputs *outputs)
{
	if (source->ops->counts)
		tell_capture(t, source);
	tell_outputs(outputs, t);
	t->summary.stats.filtered = t->summary.filtered;
	t->connections = workers_flows(workers);
	t->memory = workers_memory(workers);
	t->ready = !t->counts.waiting;
}

static void summarise_capture(struct summary *s, struct source *source)
{
	struct counts counts;

	source->ops->counts(source, &counts);
	s->interfaces = counts.interfaces;
	s->unattached = counts.failed;
	s->filtered = counts.filtered;
	s->filtered_early = counts.filtered;
	s->ring_lost = counts.dropped - counts.unread - counts.oversize;
	s->unread_lost = counts.unread;
	s->oversize_lost = counts.oversize;
	s->lost_bytes = counts.dropped_bytes;
	s->lost_by_cpu = counts.by_cpu;
	s->cpus = counts.cpus;
	s->copies = counts.copies;
	s->elided = counts.elided;
	s->elided_bytes = counts.elided_bytes;
}

struct summary tell_summary(struct source *source, struct workers *workers, struct outlet *outlet)
{
	struct summary s = {
		.stats = workers_stats(workers),
		.shown = outlet->shown,
		.dropped = outlet_dropped(outlet),
		.live = source->ops->now,
		.write = outlet->tap ? outlet->config->write : NULL,
		.tap = outlet_tap_counts(outlet),
	};

	s.ignoreds = workers_ignored(workers, s.ignored);
	if (s.live)
		summarise_capture(&s, source);
	return s;
}
