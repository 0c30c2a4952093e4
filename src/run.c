/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "capture/filter.h"
#include "degrade.h"
#include "inlet.h"
#include "outlet.h"
#include "output/summary.h"
#include "signals.h"
#include "tell.h"
#include "workers/workers.h"

#define POLL_MS       100
#define WATCH_NICE    (-15)
#define PROGRESS_SECS 5

struct run {
	const struct config *config;
	struct source *source;
	struct filter *filter;   /* NULL: every packet */
	bool attaching;          /* programs are still to be attached, which was said */
	struct metrics *metrics; /* NULL: nobody wants any */
	struct outlet outlet;
	struct desk *desk;       /* this thread's, then those of the workers' threads */
	unsigned desks;
	struct workers *workers;
	struct degrade degrade;
	uint64_t filtered, file_lost;
	time_t progress;         /* when it is to be told next, CLOCK_MONOTONIC */
	enum exit_code code;
};

/* Where a thread of a run writes its records. */
struct desk {
	struct run *run;
	struct outputs *outputs;
};

/* Complains; the first complaint decides the exit status. */
static int fail(struct run *r, enum exit_code code, const char *complaint)
{
	say("%s", complaint);
	if (!r->code)
		r->code = code;
	return -1;
}

static bool is_done(const struct run *r)
{
	return outlet_is_done(&r->outlet);
}

static bool is_live(const struct run *r)
{
	return r->source->ops->now;
}

static void on_record(void *ctx, const struct record *record)
{
	struct desk *d = ctx;

	outlet_record(&d->run->outlet, d->outputs, record);
}

static void on_segment(void *ctx, const struct packet *pkt, const struct brought *brought)
{
	struct desk *d = ctx;

	outlet_segment(&d->run->outlet, pkt, brought);
}

static void on_flow_end(void *ctx, uint64_t flow_id)
{
	struct desk *d = ctx;

	outlet_flow_end(&d->run->outlet, flow_id);
}

static void on_elide(void *ctx, const struct flow_key *key, unsigned side, const struct elision *e)
{
	struct source *s = ((struct desk *)ctx)->run->source;

	s->ops->elide(s, key, side, e);
}

static bool on_elided(void *ctx, const struct flow_key *key, unsigned side, struct elision *ret)
{
	struct source *s = ((struct desk *)ctx)->run->source;

	return s->ops->elided(s, key, side, ret);
}

static void on_rest(void *ctx)
{
	struct desk *d = ctx;

	outlet_flush(&d->run->outlet, d->outputs);
}

/* Not inlined, nor is the next one: most runs have neither filter nor tap. Does the engine get the packet? */
static __attribute__((noinline)) bool pass(struct run *r, const struct packet *pkt)
{
	if (r->filter && !filter_match(r->filter, pkt)) {
		r->filtered++;
		return false;
	}
	return outlet_turn(&r->outlet, pkt);
}

static __attribute__((noinline)) void tap(struct run *r, const struct packet *pkt)
{
	outlet_packet(&r->outlet, pkt);
}

static int on_packet(void *ctx, const struct packet *pkt)
{
	struct run *r = ctx;

	if ((r->filter || r->outlet.tap) && !pass(r, pkt))
		return is_done(r) ? -ECANCELED : 0;
	workers_packet(r->workers, pkt);
	if (r->outlet.tap)
		tap(r, pkt);
	return is_done(r) ? -ECANCELED : 0;
}

static int on_loss(void *ctx, const struct loss *loss)
{
	const struct loss_record record = {loss->cause, loss->packets, loss->bytes, loss->cpu};
	const char *name = loss->ifname ? loss->ifname : "";
	struct run *r = ctx;

	if (!is_live(r))
		r->file_lost += loss->packets;
	outlet_loss(&r->outlet, loss->ts_ns, &record, loss->ifindex, name);
	workers_loss(r->workers, loss->ts_ns, &record, loss->ifindex, name);
	return 0;
}

static int open_source(struct run *r)
{
	char error[512] = "";
	enum exit_code code = inlet_open(&r->source, &r->filter, r->config, error, sizeof error);

	return code ? fail(r, code, error) : 0;
}

/* First of all: whoever asks for a page learns that we are not ready yet. */
static int open_metrics(struct run *r)
{
	const struct config *c = r->config;
	char error[512] = "", name[ADDRESS_MAX];
	struct address address;

	if (!c->metrics)
		return 0;
	address_parse(&address, c->metrics);
	if (metrics_open(&r->metrics, &address, name, error, sizeof error) < 0)
		return fail(r, EXIT_OUTPUT, error);
	if (!c->quiet)
		say("metrics: http://%s/metrics", name);
	return 0;
}

static int open_outlet(struct run *r, size_t hold)
{
	char error[512] = "";
	enum exit_code code = outlet_open(&r->outlet, r->config, r->metrics, hold, error, sizeof error);

	return code ? fail(r, code, error) : 0;
}

/* Without threads there is this one alone. */
static int open_desks(struct run *r)
{
	unsigned n = r->config->workers > 1 ? (unsigned)r->config->workers + 1 : 1;

	r->desk = calloc(n, sizeof(*r->desk));
	for (; r->desk && r->desks < n; r->desks++) {
		struct outputs *outputs = r->desks ? outputs_share(r->outlet.outputs) : r->outlet.outputs;

		if (!outputs)
			break;
		r->desk[r->desks] = (struct desk){r, outputs};
	}
	return r->desks == n ? 0 : fail(r, EXIT_OTHER, "out of memory");
}

/* All but this thread's, which are the outlet's. */
static void close_desks(struct run *r)
{
	for (unsigned i = 1; i < r->desks; i++)
		outputs_close(r->desk[i].outputs);
	free(r->desk);
	r->desk = NULL;
	r->desks = 0;
}

/* On a loaded host the ring must be emptied before the load gets its turn, or it runs over. A nice value that was given stays. */
static void go_first(void)
{
	if (getpriority(PRIO_PROCESS, 0) == 0)
		setpriority(PRIO_PROCESS, 0, WATCH_NICE);
}

/* May the kernel leave out what is not wanted of a connection? */
static bool may_elide(const struct run *r)
{
	return r->source->ops->elide && !inlet_takes_all(r->config) && (!r->filter || filter_is_plain(r->filter));
}

static int open_workers(struct run *r, size_t memory)
{
	unsigned n = (unsigned)r->config->workers;
	void *ctx[1 + WORKERS_MAX];
	char error[128];
	int err;
	struct engine_config config = {
		.memory = memory,
		.body_keep = (uint32_t)r->config->body,
		.vantage = r->config->vantage,
		.flow_records = r->config->flows,
		.stream_interval_ns = r->config->stream_interval_ns,
	};
	const struct engine_hooks hooks = {
		.record = on_record,
		.segment = outlet_wants_segments(&r->outlet) ? on_segment : NULL,
		.elide = may_elide(r) ? on_elide : NULL,
		.elided = on_elided,
		.flow_end = r->outlet.tap_flows ? on_flow_end : NULL,
	};

	if (getrandom(&config.hash_seed, sizeof config.hash_seed, 0) < 0)
		return fail(r, EXIT_OTHER, "the kernel gives no random numbers");
	if (is_live(r))
		go_first();
	for (unsigned i = 0; i < r->desks; i++)
		ctx[i] = &r->desk[i];
	err = workers_new(&r->workers, n, &config, &hooks, ctx, on_rest);
	snprintf(error, sizeof error, err == -EINVAL ? "--workers: --memory is too little for %u: each wants %zuM of it" :
		 "cannot start %u workers: out of memory or of threads", n, WORKERS_MEMORY >> 20);
	return err ? fail(r, err == -EINVAL ? EXIT_USAGE : EXIT_OTHER, error) : 0;
}

static int open_all(struct run *r)
{
	const struct config *c = r->config;
	size_t hold = c->write && select_any(c->select) ? c->memory / 4 : 0;

	if (open_metrics(r) || open_source(r) || open_outlet(r, hold))
		return -1;
	return open_desks(r) || open_workers(r, c->memory - hold) ? -1 : 0;
}

static struct summary summarise(struct run *r)
{
	struct summary s = tell_summary(r->source, r->workers, &r->outlet);

	s.filtered += r->filtered;
	s.file_lost = r->file_lost;
	s.budget = r->degrade.told;
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
		s = summarise(r);
		fputs("perisco: ", stderr);
		summary_progress(&s, stderr);
	}
	r->progress = now.tv_sec + PROGRESS_SECS;
}

static void tell_metrics(struct run *r)
{
	struct told *t = metrics_turn(r->metrics);

	if (!t)
		return;
	t->summary = summarise(r);
	t->memory_limit = r->config->memory;
	tell(t, r->source, r->workers, r->outlet.outputs);
	metrics_tell(r->metrics);
}

static void flush(struct run *r)
{
	on_rest(&r->desk[0]);
	outlet_flush_packets(&r->outlet);
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

static void keep_budget(struct run *r)
{
	struct record record = {.kind = RECORD_BUDGET};

	if (!degrade_step(&r->degrade, r->source, &record.budget))
		return;
	record.ts_ns = r->source->ops->now(r->source);
	workers_detail(r->workers, record.budget.detail);
	on_record(&r->desk[0], &record);
}

/* Between two polls: nothing is at hand just now. */
static void rest(struct run *r)
{
	tell_losses(r);
	keep_budget(r);
	if (is_live(r))
		workers_tick(r->workers, r->source->ops->now(r->source));
	workers_push(r->workers);
	flush(r);
	if (r->attaching)
		say_attached(r);
	if (r->config->verbose)
		tell_progress(r);
	if (r->metrics)
		tell_metrics(r);
}

/* Takes packets until there are no more, or somebody had enough. Returns 0 or the source's negative errno. */
static int pump(struct run *r)
{
	const struct source_ops *ops = r->source->ops;
	int rc = 1;

	while (rc > 0 && !signals_end() && !is_done(r)) {
		rc = ops->poll(r->source, POLL_MS, on_packet, r);
		if (signals_moved())
			outlet_reopen(&r->outlet);
		rest(r);
	}
	if (ops->stop && rc > 0 && !is_done(r)) {
		ops->stop(r->source);
		while (rc > 0 && !is_done(r))
			rc = ops->poll(r->source, POLL_MS, on_packet, r);
	}
	return rc < 0 && !signals_end() && !is_done(r) ? rc : 0;
}

/* When no thread has records any more, and all records have their fate. */
static void close_metrics(struct run *r)
{
	metrics_close(r->metrics);
	r->metrics = NULL;
}

static void finish(struct run *r, int err)
{
	const char *why = r->source->error;
	struct summary s;

	tell_losses(r);
	workers_finish(r->workers);
	degrade_end(&r->degrade, r->source);
	flush(r);
	outlet_end_packets(&r->outlet);
	if (err)
		fail(r, err == -EBADMSG ? EXIT_BROKEN : is_live(r) ? EXIT_OTHER : EXIT_INPUT, *why ? why : strerror(-err));
	s = summarise(r);
	close_desks(r);
	outlet_flush(&r->outlet, r->outlet.outputs); /* of whose readers desks may have learned that they have gone */
	if (!r->config->quiet && r->outlet.err != -EPIPE)
		summary_print(&s, r->config->verbose, stderr);
	if (r->metrics) { /* there is a page as long as hosts are waited for */
		metrics_end(r->metrics, tell_outputs, r->outlet.outputs);
		tell_metrics(r);
	}
	outlet_end(&r->outlet);
	close_metrics(r);
	outlet_close(&r->outlet);
}

enum exit_code run(const struct config *config)
{
	struct run r = {.config = config};

	signals_catch();
	if (open_all(&r) == 0) {
		if (outlet_can_reopen(&r.outlet) && !isatty(STDERR_FILENO)) /* of a terminal a hangup is the end */
			signals_take_hangup();
		degrade_init(&r.degrade, r.source, config->cpu_budget_ns, may_elide(&r));
		if (is_live(&r) && !config->quiet)
			say_watching(&r);
		finish(&r, pump(&r));
	}
	workers_free(r.workers);
	close_desks(&r);
	close_metrics(&r);
	outlet_close(&r.outlet);
	filter_free(r.filter);
	if (r.source)
		r.source->ops->close(r.source);
	return r.code || !r.outlet.complained ? r.code : EXIT_OUTPUT;
}
