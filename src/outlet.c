/* SPDX-License-Identifier: MIT */
#include "outlet.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "packet/linktype.h"
#include "run.h"
#include "sink/spec.h"

#define PATIENCE_MS   10000 /* a file can wait for a host that is slow */
#define NUMBERS_KNOWN 1000  /* so many packet files are looked for at the start, if there is no end of them */

/* --- what goes wrong ------------------------------------------------------------------------------------------------ */

/* An output was written, with `err`. That the reader has gone is no failure, only the end. */
static void wrote(struct outlet *o, int err, const char *complaint)
{
	int none = 0, gone = -EPIPE;

	if (!err || (!atomic_compare_exchange_strong(&o->err, &none, err) && !atomic_compare_exchange_strong(&o->err, &gone, err)))
		return;
	o->done = true;
	if (err == -EPIPE)
		return;
	say("%s", complaint);
	o->complained = true;
}

static void wrote_records(struct outlet *o, int err)
{
	wrote(o, err, outputs_error(o->outputs));
}

/* As a file of records does, that of packets waits for room on the disk, as long as the run has another use. */
static bool can_wait(struct outlet *o)
{
	return (o->metrics || outputs_work(o->outputs)) && tap_suspend(o->tap);
}

static void wrote_packets(struct outlet *o, int err)
{
	bool more;

	if (err == -ECANCELED)
		o->done = true;
	else if (err && !can_wait(o))
		wrote(o, err, tap_error(o->tap));
	more = o->metrics || !tap_is_suspended(o->tap);
	if (o->outputs_config.more != more)
		o->outputs_config.more = more;
}

bool outlet_is_done(const struct outlet *o)
{
	return o->done;
}

/* --- opening and closing -------------------------------------------------------------------------------------------- */

static bool look_at(const char *input, struct stat *ret)
{
	return (strcmp(input, "-") == 0 ? fstat(STDIN_FILENO, ret) : stat(input, ret)) == 0;
}

/* Refuses to write to one of the files that are read, which would destroy it. */
static bool spares_inputs(const struct config *c, const char *option, const char *path, char *error, size_t n)
{
	const struct words *files = &c->files;
	struct stat out, in;

	if (stat(path, &out) < 0 || !S_ISREG(out.st_mode))
		return true;
	for (size_t i = 0; i < files->n; i++)
		if (look_at(files->v[i], &in) && in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
			snprintf(error, n, "%s: '%s' is being read; name another file", option, path);
			return false;
		}
	return true;
}

static bool output_spares_inputs(const struct config *c, const char *text, char *error, size_t n)
{
	struct spec spec;
	bool ret = spec_parse(&spec, text, error, n) < 0 || spec.scheme || !spec.path ||
		   spares_inputs(c, "--output", spec.path, error, n);

	spec_release(&spec);
	return ret;
}

static void say_line(const char *line)
{
	say("%s", line);
}

static enum exit_code open_records(struct outlet *o, char *error, size_t n)
{
	const struct words *specs = &o->config->outputs;
	int err;

	snprintf(error, n, "out of memory");
	o->outputs_config = (struct outputs_config){
		.view = &o->config->view,
		.color = o->config->color,
		.properties = (const char *const *)o->config->properties.v,
		.n_properties = o->config->properties.n,
		.spool = o->config->spool,
		.spool_max = o->config->spool_max,
		.strict = o->config->strict,
		.patience_ms = o->config->command == COMMAND_WATCH ? 0 : PATIENCE_MS,
		.quiet = o->config->quiet,
		.more = o->config->write || o->metrics,
		.say = say_line,
	};
	o->outputs = outputs_new(&o->outputs_config);
	if (!o->outputs)
		return EXIT_OTHER;
	for (size_t i = 0; i < specs->n; i++) {
		if (!output_spares_inputs(o->config, specs->v[i], error, n))
			return EXIT_USAGE;
		err = outputs_add(o->outputs, specs->v[i], error, n);
		if (err)
			return err == -EINVAL ? EXIT_USAGE : EXIT_OUTPUT;
	}
	return EXIT_FINE;
}

/* Refuses to write packets to what is read, or to what records are, or will be, written to. */
static bool packets_may(const void *ctx, const char *path, char *error, size_t n)
{
	const struct outlet *o = ctx;

	if (strcmp(path, "-") == 0)
		return true;
	if (outputs_take(o->outputs, path)) {
		snprintf(error, n, "two outputs cannot both write to '%s': name another one", path);
		return false;
	}
	return spares_inputs(o->config, "--write", path, error, n);
}

/* The same for all names that are known before there are packets. */
static bool packets_may_begin(const struct outlet *o, struct rotation rotation, char *error, size_t n)
{
	uint64_t known = rotation.files ? rotation.files : NUMBERS_KNOWN;
	char path[PATH_MAX];

	if (rotation.seconds && !rotation.begun)
		return true;
	do {
		if (rotation_name(&rotation, o->config->write, path, sizeof path) && !packets_may(o, path, error, n))
			return false;
	} while (rotation.size && ++rotation.number < known);
	return true;
}

static enum exit_code open_packets(struct outlet *o, size_t hold, char *error, size_t n)
{
	const struct config *c = o->config;
	struct pcapwrite_config config = {.path = c->write, .rotation = c->rotation, .may = packets_may, .ctx = o, .say = say_line};
	struct timespec now;

	if (!c->write)
		return EXIT_FINE;
	if (c->command == COMMAND_WATCH && clock_gettime(CLOCK_REALTIME, &now) == 0)
		config.rotation.begin_ns = (uint64_t)now.tv_sec * 1000000000u;
	config.rotation.begun = c->command == COMMAND_WATCH;
	if (!packets_may_begin(o, config.rotation, error, n))
		return EXIT_USAGE;
	if (c->rotation.seconds && !strchr(c->write, '%'))
		say("'%s' has no time in its name: each file takes the place of the one before", c->write);
	o->tap_flows = hold > 0;
	o->tap = tap_open(&config, hold, error, n);
	if (!o->tap)
		return EXIT_OUTPUT;
	if (c->command == COMMAND_WATCH)
		tap_link(o->tap, LINKTYPE_ETHERNET); /* even if a tunnel's packet comes first */
	o->tap_tells = tap_tells(o->tap) && (o->tap_flows || c->workers == 1);
	return EXIT_FINE;
}

enum exit_code outlet_open(struct outlet *o, const struct config *config, struct metrics *metrics, size_t hold, char *error,
			   size_t n)
{
	enum exit_code code;

	*o = (struct outlet){.config = config, .metrics = metrics};
	pthread_mutex_init(&o->lock, NULL);
	code = open_records(o, error, n);
	return code ? code : open_packets(o, hold, error, n);
}

/* With what `odd` means there. */
static void closed(struct outlet *o, int err, int odd, const char *words)
{
	char error[128];

	snprintf(error, sizeof error, "an output is not complete: %s", err == odd ? words : strerror(-err));
	wrote(o, err, error);
}

static void close_packets(struct outlet *o)
{
	closed(o, tap_close(o->tap), -EINVAL, "packets did not fit into it");
	o->tap = NULL;
}

void outlet_end(struct outlet *o)
{
	close_packets(o);
	outputs_end(o->outputs);
}

void outlet_close(struct outlet *o)
{
	close_packets(o);
	closed(o, outputs_close(o->outputs), -EREMOTEIO, "some of its records never arrive");
	o->outputs = NULL;
}

/* --- records -------------------------------------------------------------------------------------------------------- */

/* One more exchange, if it is not one too many. */
static bool admit(struct outlet *o)
{
	uint64_t count = o->config->count, now = ++o->shown;

	if (!count || now < count)
		return true;
	o->done = true;
	if (now > count)
		o->shown = count;
	return now == count;
}

/* What the exchange says of packets. */
static void tell_packets(struct outlet *o, const struct record *record)
{
	pthread_mutex_lock(&o->lock);
	if (o->tap_tells)
		wrote_packets(o, tap_exchange(o->tap, record));
	if (o->tap_flows)
		wrote_packets(o, tap_match(o->tap, record->ends.flow_id));
	pthread_mutex_unlock(&o->lock);
}

void outlet_record(struct outlet *o, struct outputs *mine, const struct record *record)
{
	if (o->err || (o->config->count && o->shown >= o->config->count) || !select_match(o->config->select, record))
		return;
	if (record->kind == RECORD_EXCHANGE && !record->exchange.progress && !admit(o))
		return;
	if (o->metrics)
		metrics_record(o->metrics, record);
	if (record->kind == RECORD_EXCHANGE && (o->tap_flows || o->tap_tells))
		tell_packets(o, record);
	wrote_records(o, outputs_write(mine, record));
}

void outlet_reopen(struct outlet *o)
{
	if (outlet_is_done(o))
		return;
	wrote_records(o, outputs_reopen(o->outputs));
	if (!o->tap)
		return;
	pthread_mutex_lock(&o->lock);
	wrote_packets(o, tap_reopen(o->tap));
	pthread_mutex_unlock(&o->lock);
}

uint64_t outlet_dropped(const struct outlet *o)
{
	struct courier_counts n;
	const char *name;
	uint64_t ret = 0, missed;

	for (size_t i = 0; outputs_count(o->outputs, i, &name, &n); i++)
		ret += n.refused + n.dropped_full + n.dropped_spool;
	for (size_t i = 0; outputs_missed(o->outputs, i, &name, &missed); i++)
		ret += missed;
	return ret;
}

bool outlet_can_reopen(const struct outlet *o)
{
	return outputs_can_reopen(o->outputs) || (o->tap && tap_can_reopen(o->tap));
}

void outlet_flush(struct outlet *o, struct outputs *mine)
{
	wrote_records(o, outputs_flush(mine));
}

/* --- packets -------------------------------------------------------------------------------------------------------- */

void outlet_segment(struct outlet *o, const struct packet *pkt, const struct brought *brought)
{
	if (!o->tap_flows) {
		o->brought = *brought;
		return;
	}
	if (o->err)
		return;
	pthread_mutex_lock(&o->lock);
	wrote_packets(o, tap_packet(o->tap, brought, pkt));
	pthread_mutex_unlock(&o->lock);
}

void outlet_flow_end(struct outlet *o, uint64_t flow_id)
{
	pthread_mutex_lock(&o->lock);
	tap_forget(o->tap, flow_id);
	pthread_mutex_unlock(&o->lock);
}

/* The tap gets datagrams where the capture had fragments: it is to know what those looked like. */
static void tell_link(struct outlet *o, uint16_t link)
{
	if (o->tap_linked)
		return;
	pthread_mutex_lock(&o->lock);
	tap_link(o->tap, link);
	pthread_mutex_unlock(&o->lock);
	o->tap_linked = true;
}

bool outlet_turn(struct outlet *o, const struct packet *pkt)
{
	if (o->tap && o->tap_flows)
		tell_link(o, pkt->link);
	else if (o->tap)
		wrote_packets(o, tap_turn(o->tap, pkt->ts_ns));
	return !outlet_is_done(o);
}

void outlet_packet(struct outlet *o, const struct packet *pkt)
{
	if (!o->tap || o->tap_flows)
		return;
	wrote_packets(o, tap_packet(o->tap, &o->brought, pkt));
	o->brought.flow_id = 0;
}

bool outlet_wants_segments(const struct outlet *o)
{
	return o->tap_flows || o->tap_tells;
}

void outlet_loss(struct outlet *o, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname)
{
	if (!o->tap)
		return;
	pthread_mutex_lock(&o->lock);
	tap_loss(o->tap, ts_ns, loss, ifindex, ifname);
	pthread_mutex_unlock(&o->lock);
}

void outlet_flush_packets(struct outlet *o)
{
	if (!o->tap)
		return;
	pthread_mutex_lock(&o->lock);
	wrote_packets(o, tap_flush(o->tap));
	pthread_mutex_unlock(&o->lock);
}

void outlet_end_packets(struct outlet *o)
{
	if (o->tap)
		tap_end(o->tap);
}

struct tap_counts outlet_tap_counts(struct outlet *o)
{
	struct tap_counts ret = {0};

	if (!o->tap)
		return ret;
	pthread_mutex_lock(&o->lock);
	ret = *tap_counts(o->tap);
	pthread_mutex_unlock(&o->lock);
	return ret;
}
