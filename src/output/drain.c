/* SPDX-License-Identifier: MIT */
#include "output/drain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/value.h"
#include "output/lapse.h"
#include "output/select.h"
#include "sink/ages.h"
#include "sink/elastic.h"
#include "sink/kafka.h"
#include "sink/sink.h"
#include "sink/socket.h"

#define QUEUE_BYTES ((uint64_t)32 << 20)
#define QUEUE_LEAST ((uint64_t)1 << 20) /* some blocks of records */

struct drain {
	struct sink *file;       /* this one, ... */
	struct courier *courier; /* ... or that one */
	struct select *select;   /* NULL: all are wanted */
	bool failed;             /* the file gets no more, ... */
	struct lapse lapse;      /* ... or for a while */
	uint64_t bit;
	bool quiet;
	void (*say)(const char *line);
	char name[];
};

/* A new transport is a line here. */
static const struct transport {
	const char *scheme;
	int (*open)(struct carrier *ret, struct spec *spec, char *error, size_t n);
} transports[] = {
	{"elasticsearch", elastic_open},
	{"elasticsearch+https", elastic_open},
	{"opensearch", elastic_open},
	{"opensearch+https", elastic_open},
	{"kafka", kafka_open},
	{"tcp", socket_open},
	{"unix", socket_open},
};
#define TRANSPORTS (sizeof(transports) / sizeof(transports[0]))

static const struct transport *transport_of(const struct spec *spec, char *error, size_t n)
{
	char names[256] = "";

	for (size_t i = 0; i < TRANSPORTS; i++) {
		if (strcmp(transports[i].scheme, spec->scheme) == 0)
			return &transports[i];
		strcat(strcat(names, i == 0 ? "" : i + 1 < TRANSPORTS ? ", " : " or "), transports[i].scheme);
	}
	snprintf(error, n, "unknown transport '%s': use %s, or the name of a file", spec->scheme, names);
	return NULL;
}

/* --- options --- */

static const char *const conditions[] = {"method", "service", "host", "path", "status", "min-latency", "header", "cidr"};

static int take_conditions(struct drain *d, struct spec *spec, char *error, size_t n)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		const char *value = spec_get(spec, conditions[i], NULL);
		int r = 0;

		if (!value)
			continue;
		if (!d->select)
			d->select = select_new();
		if (!d->select) {
			snprintf(error, n, "out of memory");
			return -ENOMEM;
		}
		r = select_add(d->select, conditions[i], value, error, n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int refuse_unknown(const struct spec *spec, char *error, size_t n)
{
	const char *unknown = spec_unknown(spec);

	if (!unknown)
		return 0;
	snprintf(error, n, "'%s' has no option '%s'", spec->text, unknown);
	return -EINVAL;
}

/* The directory of its own that a sink has in that of all spools: the same one each time it is asked for the same way. */
static int open_spool(struct spool **ret, const struct spec *spec, const struct outputs_config *config, char *error, size_t n)
{
	uint64_t hash = 14695981039346656037u;
	char path[4096];

	if (mkdir(config->spool, 0700) < 0 && errno != EEXIST) {
		snprintf(error, n, "cannot make the spool '%s': %s", config->spool, strerror(errno));
		return -EIO;
	}
	for (const char *p = spec->text; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 1099511628211u;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s-%016" PRIx64, config->spool, spec->scheme, hash) >= sizeof(path)) {
		snprintf(error, n, "the name of the spool is too long");
		return -ENAMETOOLONG;
	}
	return spool_open(ret, path, config->spool_max, error, n);
}

/* --- opening --- */

static int add_properties(struct spec *spec, const struct outputs_config *config, char *error, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < config->n_properties && r == 0 && strcmp(spec->scheme, "kafka") == 0; i++)
		r = spec_add(spec, config->properties[i], error, n);
	return r;
}

static int take_queue(struct courier_config *ret, struct spec *spec, char *error, size_t n)
{
	const char *queue = spec_get(spec, "queue", NULL);
	uint64_t size = QUEUE_BYTES;

	if (queue && (!value_size(queue, &size) || size < QUEUE_LEAST)) {
		snprintf(error, n, "'%s': queue=%s is no size of 1M or more", spec->text, queue);
		return -EINVAL;
	}
	ret->queue = size;
	return 0;
}

static int open_courier(struct drain *d, struct spec *spec, const struct outputs_config *config, char *error, size_t n)
{
	struct courier_config courier = {
		.name = d->name, .bit = d->bit, .patience_ms = config->patience_ms, .quiet = config->quiet, .say = config->say};
	const struct transport *t = transport_of(spec, error, n);
	struct carrier carrier;
	char why[256];
	int r;

	if (!t)
		return -EINVAL;
	r = take_queue(&courier, spec, error, n);
	r = r ? r : add_properties(spec, config, error, n);
	r = r ? r : t->open(&carrier, spec, error, n);
	if (r < 0)
		return r;
	r = refuse_unknown(spec, error, n);
	if (r == 0 && config->strict && (r = carrier.probe(carrier.self, why, sizeof(why))) < 0) {
		snprintf(error, n, "%s: %s", spec->text, why);
		courier_clean(error);
	}
	if (r == 0 && config->spool)
		r = open_spool(&courier.spool, spec, config, error, n);
	if (r < 0) {
		carrier.close(carrier.self);
		return r;
	}
	d->courier = courier_new(&courier, &carrier);
	if (!d->courier)
		snprintf(error, n, "out of memory");
	return d->courier ? 0 : -ENOMEM;
}

static int open_file(struct drain *d, struct spec *spec, char *error, size_t n)
{
	struct sink_rotation rotation;
	int r = ages_take(&rotation, spec, error, n);

	r = r ? r : refuse_unknown(spec, error, n);
	r = r ? r : sink_open(&d->file, spec->path, &rotation, error, n);
	if (r == 0)
		d->lapse = (struct lapse){.name = sink_name(d->file), .what = "records", .say = d->say};
	return r;
}

int drain_open(struct drain **ret, struct spec *spec, uint64_t bit, const struct outputs_config *config, char *error, size_t n)
{
	struct drain *d = calloc(1, sizeof(*d) + strlen(spec->text) + 1);
	int r;

	*ret = NULL;
	if (!d) {
		snprintf(error, n, "out of memory");
		return -ENOMEM;
	}
	strcpy(d->name, spec->text);
	d->bit = bit;
	d->quiet = config->quiet;
	d->say = config->say;
	r = take_conditions(d, spec, error, n);
	if (r == 0)
		r = spec->scheme ? open_courier(d, spec, config, error, n) : open_file(d, spec, error, n);
	if (r < 0)
		drain_close(d);
	else
		*ret = d;
	return r;
}

bool drain_same(const struct drain *a, const struct drain *b)
{
	return a->file && b->file ? sink_same(a->file, b->file) : !a->file && !b->file && strcmp(a->name, b->name) == 0;
}

const char *drain_clash(const struct drain *d, struct spec *spec)
{
	struct sink_rotation rotation;
	char error[256];

	if (!d->file || spec->scheme || ages_take(&rotation, spec, error, sizeof(error)) < 0)
		return NULL;
	return sink_clash(d->file, spec->path, &rotation);
}

bool drain_takes(const struct drain *d, const char *path)
{
	return d->file && sink_takes(d->file, path);
}

bool drain_is_terminal(const struct drain *d)
{
	return d->file && sink_is_terminal(d->file);
}

unsigned drain_columns(const struct drain *d)
{
	return d->file ? sink_columns(d->file) : 0;
}

bool drain_is_remote(const struct drain *d)
{
	return d->courier;
}

bool drain_wants_marks(const struct drain *d)
{
	return d->courier || d->select;
}

const char *drain_name(const struct drain *d)
{
	return d->file ? sink_name(d->file) : d->name;
}

/* --- records --- */

uint64_t drain_wants(const struct drain *d, const struct record *r)
{
	return !d->select || select_match(d->select, r) ? d->bit : 0;
}

size_t drain_lines(const struct drain *d, const struct lines *l, uint64_t from)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_marks; i++)
		n += (l->marks[i].sinks & d->bit) && l->marks[i].at + l->marks[i].n > from;
	for (uint64_t i = from; i < l->n && !l->n_marks; i++)
		n += l->p[i] == '\n';
	return n;
}

/* Writes a part of the lines. Up to *ret_at all that is wanted is written. */
static int write_part(struct drain *d, const struct lines *l, uint64_t from, uint64_t to, uint64_t *ret_at)
{
	int r = sink_write(d->file, l->p + from, to - from);

	*ret_at = from + sink_kept(d->file);
	return r;
}

static int write_wanted(struct drain *d, const struct lines *l, uint64_t *ret_at)
{
	uint64_t from = 0, to = 0; /* wanted, and not written yet */
	int r = 0;

	if (!d->select)
		return write_part(d, l, 0, l->n, ret_at);
	for (size_t i = 0; i < l->n_marks && r == 0; i++) {
		const struct mark *m = &l->marks[i];

		if (!(m->sinks & d->bit))
			continue;
		if (m->at != to) {
			r = write_part(d, l, from, to, ret_at);
			from = m->at;
		}
		to = m->at + m->n;
	}
	return r ? r : write_part(d, l, from, to, ret_at);
}

int drain_write(struct drain *d, const struct lines *l)
{
	bool waits = lapse_waits(&d->lapse);
	uint64_t at = 0;
	int r = 0;

	if (d->failed || (d->lapse.on && !drain_lines(d, l, 0)))
		return 0;
	if (d->lapse.on && !waits)
		r = sink_retry(d->file);
	if (r == 0 && !waits)
		r = write_wanted(d, l, &at);
	if (r < 0 || waits)
		d->lapse.missed += drain_lines(d, l, at);
	else if (d->lapse.on)
		lapse_end(&d->lapse);
	return r;
}

void drain_suspend(struct drain *d, int err)
{
	lapse_begin(&d->lapse, err);
}

void drain_give_up(struct drain *d)
{
	d->failed = true;
}

bool drain_works(const struct drain *d)
{
	return !d->failed && !d->lapse.on;
}

uint64_t drain_missed(const struct drain *d)
{
	return d->lapse.missed;
}

bool drain_can_reopen(const struct drain *d)
{
	return d->file && !d->failed && sink_can_reopen(d->file);
}

int drain_reopen(struct drain *d)
{
	int r = sink_reopen(d->file);

	d->lapse.retry_ms = 0;
	return d->lapse.on ? 0 : r;
}

void drain_send(struct drain *d, struct parcel *p, size_t n)
{
	if (p)
		courier_put(d->courier, p);
	else
		courier_miss(d->courier, n);
}

void drain_count(const struct drain *d, struct courier_counts *ret)
{
	courier_count(d->courier, ret);
}

/* --- the end --- */

void drain_stop(struct drain *d, bool now)
{
	courier_stop(d->courier, now);
}

void drain_wait(struct drain *d, unsigned ms)
{
	courier_wait(d->courier, ms);
}

void drain_end(struct drain *d)
{
	courier_end(d->courier, 0);
}

/* How many records never arrive. */
static uint64_t dropped_of(const struct courier_counts *n)
{
	return n->refused + n->dropped_full + n->dropped_spool + n->dropped_exit;
}

static void tell_counts(const struct drain *d, const struct courier_counts *n)
{
	const struct {
		uint64_t n;
		const char *what;
	} parts[] = {
		{n->recovered, "found in the spool"},
		{n->retried, "tries again"},
		{n->refused, "refused"},
		{n->dropped_full, "dropped because the queue was full"},
		{n->dropped_spool, "dropped because the spool took no more"},
		{n->dropped_exit, "dropped at the end"},
		{n->spooled, "left in the spool"},
	};
	char line[COURIER_NAME_MAX + 512];
	size_t at;

	if (d->quiet && !dropped_of(n))
		return;
	at = (size_t)snprintf(line, sizeof(line), "%.*s: %" PRIu64 " delivered", COURIER_NAME_MAX, d->name, n->delivered);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && at < sizeof(line); i++)
		if (parts[i].n)
			at += (size_t)snprintf(line + at, sizeof(line) - at, ", %" PRIu64 " %s", parts[i].n, parts[i].what);
	d->say(line);
}

/* Returns as drain_close. */
static int close_courier(struct drain *d)
{
	struct courier_counts counts;

	courier_close(d->courier, 0, &counts);
	tell_counts(d, &counts);
	return dropped_of(&counts) ? -EREMOTEIO : 0;
}

static int close_file(struct drain *d)
{
	int r = lapse_sum(&d->lapse), closed = sink_close(d->file);

	return r ? r : closed;
}

int drain_close(struct drain *d)
{
	int r;

	if (!d)
		return 0;
	r = d->courier ? close_courier(d) : close_file(d);
	select_free(d->select);
	free(d);
	return r;
}
