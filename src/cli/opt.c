/* SPDX-License-Identifier: MIT */
#include "cli/opt.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"
#include "metrics/address.h"
#include "output/duration.h"

static void *field(struct config *c, const struct opt *o)
{
	return (char *)c + o->at;
}

static int set_flag(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	bool *flag = field(c, o);

	if (!value)
		*flag = true;
	else if (!value_bool(value, flag)) {
		snprintf(error, n, "'%s' is neither yes nor no", value);
		return -EINVAL;
	}
	return 0;
}

static int set_verbose(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	bool on;

	(void)o;
	if (!value)
		c->verbose++;
	else if (value_bool(value, &on))
		c->verbose = on;
	else if (!value_number(value, &c->verbose)) {
		snprintf(error, n, "'%s' is no number", value);
		return -EINVAL;
	}
	return 0;
}

static int set_text(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	char **text = field(c, o), *copy;

	if (!*value) {
		snprintf(error, n, "is empty");
		return -EINVAL;
	}
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static int set_address(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	struct address address;

	if (address_parse(&address, value))
		return set_text(c, o, value, error, n);
	snprintf(error, n, "'%s' is no address: write 9090, 0.0.0.0:9090 or [::1]:9090", value);
	return -EINVAL;
}

/* Each value stands for itself, or several in one are separated by commas. */
static int add_words(struct words *w, const char *value, const char *between, char *error, size_t n)
{
	size_t len;
	int err;

	do {
		len = strcspn(value, between);
		if (len == 0) {
			snprintf(error, n, "a name is empty");
			return -EINVAL;
		}
		err = words_add(w, value, len);
		if (err)
			return err;
		value += len;
	} while (*value++);
	return 0;
}

static int set_word(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	return add_words(field(c, o), value, "", error, n);
}

static int set_list(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	return add_words(field(c, o), value, ",", error, n);
}

static int set_count(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	if (value_number(value, field(c, o)) && c->count > 0)
		return 0;
	snprintf(error, n, "'%s' is no number from 1 up", value);
	return -EINVAL;
}

static int set_size(struct config *c, const struct opt *o, const char *value, uint64_t min, uint64_t max, char *error, size_t n)
{
	uint64_t *size = field(c, o);

	if (!value_size(value, size)) {
		snprintf(error, n, "'%s' is no size: write bytes, or a number with k, M or G", value);
		return -EINVAL;
	}
	if (*size < min || *size > max) {
		snprintf(error, n, "%s is out of range: from %" PRIu64 "k to %" PRIu64 "M", value, min >> 10, max >> 20);
		return -EINVAL;
	}
	return 0;
}

static int set_body(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	return set_size(c, o, value, 0, 1 << 20, error, n);
}

static int set_memory(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	return set_size(c, o, value, 1 << 20, UINT64_C(1) << 40, error, n);
}

static int set_spool_size(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	return set_size(c, o, value, 1 << 20, UINT64_C(1) << 50, error, n);
}

/* As with tcpdump: millions of bytes, or with k, M or G what those are elsewhere. */
static int set_file_size(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	uint64_t *size = &c->rotation.size;
	bool plain = value_number(value, size);

	(void)o;
	if ((plain || value_size(value, size)) && *size && *size <= (plain ? UINT64_MAX / 1000000 : UINT64_MAX)) {
		*size *= plain ? 1000000 : 1;
		return 0;
	}
	snprintf(error, n, "'%s' is no size: write millions of bytes, or a number with k, M or G", value);
	return -EINVAL;
}

static int set_file_time(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	uint64_t *seconds = &c->rotation.seconds;

	(void)o;
	if ((value_number(value, seconds) || value_seconds(value, seconds)) && *seconds && *seconds <= INT32_MAX)
		return 0;
	snprintf(error, n, "'%s' is no time: write seconds, or a number with m, h or d", value);
	return -EINVAL;
}

static int set_file_count(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	(void)o;
	if (value_number(value, &c->rotation.files) && c->rotation.files >= 1 && c->rotation.files <= FILES_MAX)
		return 0;
	snprintf(error, n, "'%s' is no number from 1 to %d", value, FILES_MAX);
	return -EINVAL;
}

static int set_workers(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	(void)o;
	if (value_number(value, &c->workers) && c->workers >= 1 && c->workers <= WORKERS_MAX)
		return 0;
	snprintf(error, n, "'%s' is no number from 1 to %d", value, WORKERS_MAX);
	return -EINVAL;
}

static int set_ring(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	int err = set_size(c, o, value, 64 << 10, 1 << 30, error, n);

	if (!err && (c->ring & (c->ring - 1))) {
		snprintf(error, n, "%s is no power of two: try %dM", value, 2 << (63 - __builtin_clzll(c->ring >> 20 | 1)));
		return -EINVAL;
	}
	return err;
}

static int set_share(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	uint64_t *ns = field(c, o);

	if (!value_percent(value, ns)) {
		snprintf(error, n, "'%s' is no share of a core: write 10%% or 150%%", value);
		return -EINVAL;
	}
	*ns *= 10000; /* a thousandth of a percent of a second */
	return 0;
}

/* 0, or a millisecond and more. */
static int set_interval(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	uint64_t *ns = field(c, o);

	if (duration_parse(value, ns) && (*ns == 0 || *ns >= 1000000))
		return 0;
	snprintf(error, n, "'%s' is no time from 1ms up: write 30s or 500ms", value);
	return -EINVAL;
}

static int set_hook(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	static const struct {
		const char *name;
		enum live_hook hook;
	} names[] = {{"auto", HOOK_AUTO}, {"tcx", HOOK_TCX}, {"tc", HOOK_TC}, {"clsact", HOOK_TC}, {"xdp", HOOK_XDP},
		     {"packet", HOOK_PACKET}};

	(void)o;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(value, names[i].name) == 0) {
			c->hook = names[i].hook;
			return 0;
		}
	}
	snprintf(error, n, "'%s' is none of auto, tcx, tc, xdp, packet", value);
	return -EINVAL;
}

static int set_color(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	static const char *const names[] = {[COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never"};

	(void)o;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(value, names[i]) == 0) {
			c->color = (enum color)i;
			return 0;
		}
	}
	snprintf(error, n, "'%s' is none of auto, always, never", value);
	return -EINVAL;
}

static int set_vantage(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	static const char *const names[] = {[VANTAGE_UNKNOWN] = "first", [VANTAGE_CLIENT] = "client",
					    [VANTAGE_SERVER] = "server", [VANTAGE_BOTH] = "both"};

	(void)o;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(value, names[i]) == 0) {
			c->vantage = (enum vantage)i;
			return 0;
		}
	}
	snprintf(error, n, "'%s' is none of first, client, server, both", value);
	return -EINVAL;
}

static int set_snaplen(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	if (value_size(value, field(c, o)) && c->snaplen <= SNAPLEN_MAX)
		return 0;
	snprintf(error, n, "'%s' is no number of bytes up to %d", value, SNAPLEN_MAX);
	return -EINVAL;
}

static int set_select(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	return select_add(c->select, o->name, value, error, n);
}

static int set_headers(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	int err = view_headers(&c->view, value);

	(void)o;
	if (err == -EINVAL)
		snprintf(error, n, "'%s' is neither 'all' nor 'none' nor a list of names", value);
	return err;
}

static int set_help(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	(void)o, (void)value, (void)error, (void)n;
	c->ask = ASK_HELP;
	return 0;
}

static int set_version(struct config *c, const struct opt *o, const char *value, char *error, size_t n)
{
	(void)o, (void)value, (void)error, (void)n;
	c->ask = ASK_VERSION;
	return 0;
}

#define WATCH    COMMAND_WATCH
#define REPLAY   COMMAND_REPLAY
#define BOTH     (WATCH | REPLAY)
#define AT(what) offsetof(struct config, what)

const struct opt opts[] = {
	{"interface", 'i', "NAME,...", WATCH, OPT_INPUT, set_list, AT(interfaces), true,
	 "devices, globs too ('veth*'); default: all veths"},
	{"filter", 'f', "EXPR", BOTH, OPT_INPUT, set_text, AT(filter), false,
	 "only packets that match this pcap-filter(7)"},
	{"hook", 0, "HOOK", WATCH, OPT_INPUT, set_hook, 0, false, "auto: the first of tcx, tc, packet; or xdp"},
	{"vantage", 0, "POINT", BOTH, OPT_INPUT, set_vantage, 0, false,
	 "whose copy counts: first, client, server, both"},
	{"snaplen", 's', "SIZE", WATCH, OPT_INPUT, set_snaplen, AT(snaplen), false, "only the first bytes of each packet; default: all"},

	{"method", 0, "NAME,...", BOTH, OPT_SELECT, set_select, 0, true, "the method, of HTTP or of gRPC: GET,SayHello"},
	{"service", 0, "GLOB", BOTH, OPT_SELECT, set_select, 0, true, "the gRPC service: 'shop.*'"},
	{"host", 0, "GLOB", BOTH, OPT_SELECT, set_select, 0, true, "the host asked for: '*.example.com'"},
	{"path", 0, "GLOB", BOTH, OPT_SELECT, set_select, 0, true, "the path and query: '/api/*'"},
	{"status", 0, "CODE,...", BOTH, OPT_SELECT, set_select, 0, true, "404, 5xx, 500-503; of gRPC: NOT_FOUND, grpc:1-16"},
	{"min-latency", 0, "TIME", BOTH, OPT_SELECT, set_select, 0, false, "answered after at least 250ms, 1.5s, 80us"},
	{"header", 0, "NAME[: GLOB]", BOTH, OPT_SELECT, set_select, 0, false, "a field, either way: 'content-type: text/*'"},
	{"cidr", 0, "NET,...", BOTH, OPT_SELECT, set_select, 0, true, "the server's address: 10.1.0.0/16, fd00::/8"},
	{"count", 'n', "COUNT", BOTH, OPT_SELECT, set_count, AT(count), false, "stop after so many exchanges"},

	{"output", 'o', "FORMAT[:PLACE]", BOTH, OPT_SHOW, set_word, AT(outputs), true, "form and place of the records; default: text"},
	{"color", 0, "WHEN", BOTH, OPT_SHOW, set_color, 0, false, "of text: always, never, or auto, on terminals"},
	{"headers", 0, "WHICH", BOTH, OPT_SHOW, set_headers, 0, false, "all, none, or a list of names; default: all"},
	{"show-secrets", 0, NULL, BOTH, OPT_SHOW, set_flag, AT(view.show_secrets), false, "do not blot out credentials and cookies"},
	{"body", 0, "SIZE", BOTH, OPT_SHOW, set_body, AT(body), false, "keep the first bytes of each body; default: 0"},
	{"flows", 0, NULL, BOTH, OPT_SHOW, set_flag, AT(flows), false, "a record for each connection too"},
	{"stream-interval", 0, "TIME", BOTH, OPT_SHOW, set_interval, AT(stream_interval_ns), false,
	 "a record of what goes on, so often; default: none"},
	{"write", 'w', "FILE", BOTH, OPT_SHOW, set_text, AT(write), false, "the packets, as pcap or, by its name, pcapng"},
	{"file-size", 'C', "SIZE", BOTH, OPT_SHOW, set_file_size, 0, false, "of these, a new file each so many million bytes"},
	{"file-time", 'G', "SECONDS", BOTH, OPT_SHOW, set_file_time, 0, false, "or after so long; strftime(3) in its name"},
	{"file-count", 'W', "COUNT", BOTH, OPT_SHOW, set_file_count, 0, false, "keep so many by size, or stop after them"},

	{"spool", 0, "DIR", BOTH, OPT_SEND, set_text, AT(spool), false, "records wait there for hosts that are away"},
	{"spool-size", 0, "SIZE", BOTH, OPT_SEND, set_spool_size, AT(spool_max), false, "the most for each of them; default: 1G"},
	{"strict", 0, NULL, BOTH, OPT_SEND, set_flag, AT(strict), false, "do not start while one of them is away"},
	{"property", 'X', "KEY=VALUE", BOTH, OPT_SEND, set_word, AT(properties), true, "of librdkafka: acks=1"},
	{"metrics", 0, "[HOST:]PORT", BOTH, OPT_SEND, set_address, AT(metrics), false,
	 "serve a page for Prometheus; HOST: 127.0.0.1"},

	{"memory", 0, "SIZE", BOTH, OPT_LIMITS, set_memory, AT(memory), false, "the most to use; default: 256M"},
	{"cpu-budget", 0, "SHARE", WATCH, OPT_LIMITS, set_share, AT(cpu_budget_ns), false,
	 "CPU time, as 10% of a core; default: no limit"},
	{"ring", 0, "SIZE", WATCH, OPT_LIMITS, set_ring, AT(ring), false, "the buffer from the kernel; default: 64M"},
	{"workers", 0, "COUNT", BOTH, OPT_LIMITS, set_workers, 0, false, "threads that put exchanges together; default: 1"},

	{"verbose", 'v', NULL, BOTH, OPT_TALK, set_verbose, 0, false, "say what happens; given twice, say more"},
	{"quiet", 'q', NULL, BOTH, OPT_TALK, set_flag, AT(quiet), false, "no summary at the end"},
	{"help", 'h', NULL, BOTH, OPT_TALK, set_help, 0, false, "show this help"},
	{"version", 'V', NULL, BOTH, OPT_TALK, set_version, 0, false, "show the version"},
};
const size_t opts_n = sizeof opts / sizeof *opts;

const struct command_info commands[] = {
	{"watch", WATCH, "[options] [filter]",
	 "Watches every veth of this host, new ones as they appear, and shows each HTTP\n"
	 "exchange that passes. Needs root."},
	{"replay", REPLAY, "[options] FILE...",
	 "Reads capture files (pcap or pcapng; '-' is standard input) as one time line\n"
	 "and shows each HTTP exchange in them."},
};
const size_t commands_n = sizeof commands / sizeof *commands;

const struct command_info *command_find(const char *name)
{
	for (size_t i = 0; i < commands_n; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const struct command_info *command_of(unsigned command)
{
	const struct command_info *info = commands;

	while (info->command != command)
		info++;
	return info;
}

const char *opt_env(const struct opt *o, char buf[OPT_ENV_MAX])
{
	char *p = buf;

	*p = '\0';
	if (o->set == set_help || o->set == set_version)
		return buf;
	p = stpcpy(p, OPT_ENV_PREFIX);
	for (const char *s = o->name; *s; s++)
		*p++ = *s == '-' ? '_' : (char)toupper((unsigned char)*s);
	*p = '\0';
	return buf;
}
