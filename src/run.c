/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "capture/file.h"
#include "capture/filter.h"
#include "capture/live.h"
#include "output/output.h"
#include "output/summary.h"
#include "output/tap.h"
#include "workers/workers.h"

#define POLL_MS       100
#define WATCH_NICE    (-15)
#define PROGRESS_SECS 5

struct run {
	const struct config *config;
	struct source *source;
	struct filter *filter;   /* NULL: every packet */
	struct tap *tap;         /* NULL: no packets are written */
	bool attaching;          /* programs are still to be attached, which was said */
	bool tap_flows;          /* it gets the flows of selected exchanges, else every packet */
	struct outputs *outputs;
	struct workers *workers;
	uint64_t filtered, file_lost;
	_Atomic uint64_t shown;
	_Atomic int output_err;  /* the first failure of an output; nothing is written after it */
	time_t progress;         /* when it is to be told next, CLOCK_MONOTONIC */
	enum exit_code code;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	interrupted = signal;
}

/* The first interrupt asks for a clean end, the second one ends at once. A hangup is one, unless nohup(1) said otherwise. */
static void catch_signals(void)
{
	const struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND}, ignore = {.sa_handler = SIG_IGN};
	struct sigaction hangup;

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* Complains; the first complaint decides the exit status. */
static int fail(struct run *r, enum exit_code code, const char *complaint)
{
	say("%s", complaint);
	if (!r->code)
		r->code = code;
	return -1;
}

/* An output was written, with `err`. That the reader has gone is no failure, only the end. */
static void wrote(struct run *r, int err, const char *complaint)
{
	if (!err || r->output_err)
		return;
	r->output_err = err;
	if (err != -EPIPE)
		fail(r, EXIT_OUTPUT, complaint);
}

static void wrote_records(struct run *r, int err)
{
	wrote(r, err, outputs_error(r->outputs));
}

static void wrote_packets(struct run *r, int err)
{
	wrote(r, err, tap_error(r->tap));
}

static bool is_done(const struct run *r)
{
	return r->output_err || (r->config->count && r->shown >= r->config->count);
}

static bool is_live(const struct run *r)
{
	return r->source->ops->now;
}

static void on_record(void *ctx, const struct record *record)
{
	struct run *r = ctx;

	if (is_done(r) || !select_match(r->config->select, record))
		return;
	r->shown += record->kind == RECORD_EXCHANGE && !record->exchange.progress;
	if (record->kind == RECORD_EXCHANGE && r->tap_flows)
		wrote_packets(r, tap_match(r->tap, record->ends.flow_id));
	wrote_records(r, outputs_write(r->outputs, record));
}

static void on_segment(void *ctx, uint64_t flow_id, const struct packet *pkt)
{
	struct run *r = ctx;

	if (!is_done(r))
		wrote_packets(r, tap_packet(r->tap, flow_id, pkt));
}

static void on_elide(void *ctx, const struct flow_key *key, unsigned side, const struct elision *e)
{
	struct run *r = ctx;

	r->source->ops->elide(r->source, key, side, e);
}

static bool on_elided(void *ctx, const struct flow_key *key, unsigned side, struct elision *ret)
{
	struct run *r = ctx;

	return r->source->ops->elided(r->source, key, side, ret);
}

static void on_flow_end(void *ctx, uint64_t flow_id)
{
	struct run *r = ctx;

	tap_forget(r->tap, flow_id);
}

/* Not inlined: most runs have neither filter nor tap. Does the engine get the packet? */
static __attribute__((noinline)) bool pass(struct run *r, const struct packet *pkt)
{
	if (r->filter && !filter_match(r->filter, pkt)) {
		r->filtered++;
		return false;
	}
	if (r->tap && !r->tap_flows) {
		workers_lock(r->workers);
		wrote_packets(r, tap_packet(r->tap, 0, pkt));
		workers_unlock(r->workers);
	}
	return true;
}

static int on_packet(void *ctx, const struct packet *pkt)
{
	struct run *r = ctx;

	if ((r->filter || r->tap) && !pass(r, pkt))
		return 0;
	workers_packet(r->workers, pkt);
	return is_done(r) ? -ECANCELED : 0;
}

static int on_loss(void *ctx, const struct loss *loss)
{
	const struct loss_record record = {loss->cause, loss->packets, loss->bytes};
	const char *name = loss->ifname ? loss->ifname : "";
	struct run *r = ctx;

	if (!is_live(r))
		r->file_lost += loss->packets;
	if (r->tap) {
		workers_lock(r->workers);
		tap_loss(r->tap, loss->ts_ns, &record, loss->ifindex, name);
		workers_unlock(r->workers);
	}
	workers_loss(r->workers, loss->ts_ns, &record, loss->ifindex, name);
	return 0;
}

static void say_line(void *ctx, const char *line)
{
	(void)ctx;
	say("%s", line);
}

/* Is every packet of every point wanted, so that nothing may be left out? */
static bool takes_all(const struct config *c)
{
	return c->write || c->snaplen || c->vantage == VANTAGE_BOTH;
}

static struct source *open_live(struct run *r, enum exit_code *code, char *error, size_t n)
{
	const struct config *c = r->config;
	const struct live_config live = {
		.patterns = (const char *const *)c->interfaces.v,
		.n_patterns = c->interfaces.n,
		.ring = c->ring,
		.hook = c->hook,
		.whole = takes_all(c),
		.last = c->vantage == VANTAGE_SERVER,
		.snaplen = (uint32_t)c->snaplen,
		.filter = r->filter,
		.verbose = (int)c->verbose,
		.say = say_line,
	};
	int err = 0;
	struct source *source = live_open(&live, &err, error, n);

	switch (err) {
	case -EPERM:
		*code = EXIT_RIGHT;
		break;
	case -EOPNOTSUPP:
	case -EPFNOSUPPORT:
		*code = EXIT_KERNEL;
		break;
	default:
		*code = err == -ENODEV ? EXIT_INPUT : EXIT_OTHER;
	}
	return source;
}

static int open_source(struct run *r)
{
	const struct config *c = r->config;
	enum exit_code code = EXIT_INPUT;
	char error[512] = "";

	if (c->filter) {
		r->filter = filter_new(c->filter, error, sizeof error);
		if (!r->filter)
			return fail(r, EXIT_USAGE, error);
	}
	if (c->command == COMMAND_WATCH)
		r->source = open_live(r, &code, error, sizeof error);
	else
		r->source = file_open((const char *const *)c->files.v, c->files.n, error, sizeof error);
	return r->source ? 0 : fail(r, code, error);
}

/* Refuses to write to one of the files that are read, which would destroy it. */
static int spare_inputs(struct run *r, const char *option, const char *path)
{
	const struct words *files = &r->config->files;
	struct stat out, in;
	char error[512];

	if (stat(path, &out) < 0 || !S_ISREG(out.st_mode))
		return 0;
	snprintf(error, sizeof error, "%s: '%s' is being read; name another file", option, path);
	for (size_t i = 0; i < files->n; i++)
		if (stat(files->v[i], &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
			return fail(r, EXIT_USAGE, error);
	return 0;
}

static int open_records(struct run *r)
{
	const struct words *specs = &r->config->outputs;
	char error[512] = "";
	int err;

	r->outputs = outputs_new(&r->config->view);
	if (!r->outputs)
		return fail(r, EXIT_OTHER, "out of memory");
	for (size_t i = 0; i < specs->n; i++) {
		const char *path = strchr(specs->v[i], ':');

		if (path && spare_inputs(r, "--output", path + 1))
			return -1;
		err = outputs_add(r->outputs, specs->v[i], error, sizeof error);
		if (err)
			return fail(r, err == -EINVAL ? EXIT_USAGE : EXIT_OUTPUT, error);
	}
	return 0;
}

/* `hold` is the memory for packets of flows that are not decided yet; 0: every packet is wanted. */
static int open_packets(struct run *r, size_t hold)
{
	const char *path = r->config->write;
	char error[512] = "";

	if (!path)
		return 0;
	if (spare_inputs(r, "--write", path))
		return -1;
	r->tap_flows = hold > 0;
	r->tap = tap_open(path, hold, error, sizeof error);
	return r->tap ? 0 : fail(r, EXIT_OUTPUT, error);
}

/* On a loaded host the ring must be emptied before the load gets its turn, or it runs over. A nice value that was given stays. */
static void go_first(void)
{
	if (getpriority(PRIO_PROCESS, 0) == 0)
		setpriority(PRIO_PROCESS, 0, WATCH_NICE);
}

static int open_workers(struct run *r, size_t memory)
{
	unsigned n = (unsigned)r->config->workers;
	char error[128];
	int err;

	struct engine_config config = {
		.memory = memory,
		.body_keep = (uint32_t)r->config->body,
		.vantage = r->config->vantage,
		.flow_records = r->config->flows,
		.stream_interval_ns = r->config->stream_interval_ns,
	};
	bool elides = r->source->ops->elide && !takes_all(r->config) && (!r->filter || filter_is_plain(r->filter));
	const struct engine_hooks hooks = {
		.ctx = r,
		.record = on_record,
		.segment = r->tap_flows ? on_segment : NULL,
		.elide = elides ? on_elide : NULL,
		.elided = on_elided,
		.flow_end = r->tap_flows ? on_flow_end : NULL,
	};

	if (getrandom(&config.hash_seed, sizeof config.hash_seed, 0) < 0)
		return fail(r, EXIT_OTHER, "the kernel gives no random numbers");
	if (is_live(r))
		go_first();
	err = workers_new(&r->workers, n, &config, &hooks);
	snprintf(error, sizeof error, err == -EINVAL ? "--workers: --memory is too little for %u: each wants %zuM of it" :
		 "cannot start %u workers: out of memory or of threads", n, WORKERS_MEMORY >> 20);
	return err ? fail(r, err == -EINVAL ? EXIT_USAGE : EXIT_OTHER, error) : 0;
}

static int open_all(struct run *r)
{
	const struct config *c = r->config;
	size_t hold = c->write && select_any(c->select) ? c->memory / 4 : 0;

	return open_source(r) || open_records(r) || open_packets(r, hold) || open_workers(r, c->memory - hold) ? -1 : 0;
}

static struct summary summarise(struct run *r)
{
	struct summary s = {
		.stats = workers_stats(r->workers),
		.filtered = r->filtered,
		.shown = r->shown,
		.file_lost = r->file_lost,
		.live = is_live(r),
		.write = r->tap ? r->config->write : NULL,
	};
	struct counts counts;

	s.ignoreds = workers_ignored(r->workers, s.ignored);
	if (r->tap)
		s.tap = *tap_counts(r->tap);
	if (s.live) {
		r->source->ops->counts(r->source, &counts);
		s.interfaces = counts.interfaces;
		s.unattached = counts.failed;
		s.filtered += counts.filtered;
		s.filtered_early = counts.filtered;
		s.ring_lost = counts.dropped;
		s.ring_lost_bytes = counts.dropped_bytes;
		s.copies = counts.copies;
		s.elided = counts.elided;
		s.elided_bytes = counts.elided_bytes;
	}
	return s;
}

static void tell_progress(struct run *r)
{
	struct summary s;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec < r->progress)
		return;
	if (r->progress) {
		workers_lock(r->workers);
		s = summarise(r);
		workers_unlock(r->workers);
		fputs("perisco: ", stderr);
		summary_progress(&s, stderr);
	}
	r->progress = now.tv_sec + PROGRESS_SECS;
}

static void flush(struct run *r)
{
	workers_lock(r->workers);
	wrote_records(r, outputs_flush(r->outputs));
	if (r->tap)
		wrote_packets(r, tap_flush(r->tap));
	workers_unlock(r->workers);
}

static void tell_losses(struct run *r)
{
	const struct source_ops *ops = r->source->ops;

	if (ops->losses)
		ops->losses(r->source, on_loss, r);
}

static void say_watching(struct run *r)
{
	struct counts counts;

	r->source->ops->counts(r->source, &counts);
	r->attaching = counts.waiting;
	if (r->config->write && !r->config->snaplen)
		say("writing every packet whole: payload that no decoder wants is copied too");
	if (counts.interfaces || counts.waiting)
		say("watching %" PRIu64 " interface%s%s", counts.interfaces, counts.interfaces == 1 ? "" : "s",
		    counts.waiting ? ", more are being attached to" : "");
	else
		say("watching; no interface matches yet, new ones are taken as they appear");
}

/* Attaching to many interfaces, or beside others who do, takes its time: packets are missed until it is done. */
static void say_attached(struct run *r)
{
	struct counts counts;

	r->source->ops->counts(r->source, &counts);
	if (counts.waiting)
		return;
	r->attaching = false;
	say("watching all %" PRIu64 " interfaces", counts.interfaces);
}

/* Between two polls: nothing is at hand just now. */
static void rest(struct run *r)
{
	tell_losses(r);
	if (is_live(r))
		workers_tick(r->workers, r->source->ops->now(r->source));
	workers_push(r->workers);
	flush(r);
	if (r->attaching)
		say_attached(r);
	if (r->config->verbose)
		tell_progress(r);
}

/* Takes packets until there are no more, or somebody had enough. Returns 0 or the source's negative errno. */
static int pump(struct run *r)
{
	const struct source_ops *ops = r->source->ops;
	int rc = 1;

	while (rc > 0 && !interrupted && !is_done(r)) {
		rc = ops->poll(r->source, POLL_MS, on_packet, r);
		rest(r);
	}
	if (ops->stop && rc > 0 && !is_done(r)) {
		ops->stop(r->source);
		while (rc > 0 && !is_done(r))
			rc = ops->poll(r->source, POLL_MS, on_packet, r);
	}
	return rc < 0 && !interrupted && !is_done(r) ? rc : 0;
}

static void close_outputs(struct run *r)
{
	char error[128];
	int err = tap_close(r->tap), other = outputs_close(r->outputs);

	r->tap = NULL;
	r->outputs = NULL;
	err = err ? err : other;
	snprintf(error, sizeof error, "an output could not be completed: %s", strerror(-err));
	wrote(r, err, error);
}

static void finish(struct run *r, int err)
{
	const char *why = r->source->error;
	struct summary s;

	tell_losses(r);
	workers_finish(r->workers);
	flush(r);
	if (err)
		fail(r, err == -EBADMSG ? EXIT_BROKEN : is_live(r) ? EXIT_OTHER : EXIT_INPUT, *why ? why : strerror(-err));
	s = summarise(r);
	close_outputs(r);
	if (!r->config->quiet && r->output_err != -EPIPE)
		summary_print(&s, r->config->verbose, stderr);
}

enum exit_code run(const struct config *config)
{
	struct run r = {.config = config};

	catch_signals();
	if (open_all(&r) == 0) {
		if (is_live(&r) && !config->quiet)
			say_watching(&r);
		finish(&r, pump(&r));
	}
	workers_free(r.workers);
	tap_close(r.tap);
	outputs_close(r.outputs);
	filter_free(r.filter);
	if (r.source)
		r.source->ops->close(r.source);
	return r.code;
}
