/* SPDX-License-Identifier: MIT */
#include "cli/parse.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "cli/opt.h"

#define OPTS_MAX 64
#define LONG     256 /* getopt_long gives LONG + index for a long option, the letter for a short one */

/* One parse. `given` says which options the command line has, so that the environment keeps off them. */
struct parse {
	struct config *config;
	char *const *env;
	bool given[OPTS_MAX];
	char *error;
	size_t error_n;
};

static int complain(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->error, p->error_n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Sets one option; what is wrong with its value is said of `called`, the name the user knows it by. */
static int apply(struct parse *p, const struct opt *o, const char *called, const char *value)
{
	char why[256] = "";
	int err = o->set(p->config, o, value, why, sizeof why);

	return err == -EINVAL ? complain(p, "%s: %s", called, why) : err;
}

static void getopt_tables(char *shorts, struct option *longs)
{
	*shorts++ = ':'; /* a missing value is told from an unknown option */
	for (size_t i = 0; i < opts_n; i++) {
		const struct opt *o = &opts[i];

		*longs++ = (struct option){o->name, o->arg ? required_argument : no_argument, NULL, LONG + (int)i};
		if (o->letter)
			*shorts++ = o->letter;
		if (o->letter && o->arg)
			*shorts++ = ':';
	}
	*shorts = '\0';
	*longs = (struct option){0};
}

/* The option that getopt's return value, or its optopt, stands for; NULL when it is none of ours. */
static const struct opt *opt_of(int value)
{
	if (value >= LONG)
		return &opts[value - LONG];
	for (size_t i = 0; i < opts_n && value; i++)
		if (opts[i].letter == value)
			return &opts[i];
	return NULL;
}

static int wrong_option(struct parse *p, int got, char *const *argv)
{
	const struct opt *o = opt_of(optopt);
	const char *command = command_of(p->config->command)->name;

	if (o && got == ':')
		return complain(p, "option '--%s' needs a value: %s", o->name, o->arg);
	if (o)
		return complain(p, "option '--%s' takes no value", o->name);
	if (optopt)
		return complain(p, "unknown option '-%c'; see 'perisco help %s'", optopt, command);
	return complain(p, "unknown option '%s'; see 'perisco help %s'", argv[optind - 1], command);
}

static int parse_options(struct parse *p, int argc, char **argv)
{
	struct option longs[OPTS_MAX + 1];
	char shorts[2 * OPTS_MAX + 2], called[OPT_ENV_MAX];
	unsigned command = p->config->command;
	int got, err = 0;

	getopt_tables(shorts, longs);
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	while (!err && p->config->ask == ASK_RUN && (got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct opt *o = got == ':' || got == '?' ? NULL : opt_of(got);

		if (!o)
			return wrong_option(p, got, argv);
		if (!(o->commands & command))
			return complain(p, "option '--%s' is none of '%s'; see 'perisco help %s'", o->name, command_of(command)->name,
					command_of(command)->name);
		p->given[o - opts] = true;
		snprintf(called, sizeof called, "--%s", o->name);
		err = apply(p, o, called, optarg);
	}
	return err;
}

static const char *variable(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return "";
}

static int apply_words(struct parse *p, const struct opt *o, const char *called, const char *value)
{
	char *copy = strdup(value), *save = NULL;
	int err = copy ? 0 : -ENOMEM;

	for (char *word = copy ? strtok_r(copy, " ", &save) : NULL; word && !err; word = strtok_r(NULL, " ", &save))
		err = apply(p, o, called, word);
	free(copy);
	return err;
}

static int parse_environment(struct parse *p)
{
	char name[OPT_ENV_MAX];
	int err = 0;

	for (size_t i = 0; i < opts_n && !err; i++) {
		const struct opt *o = &opts[i];
		const char *value = *opt_env(o, name) ? variable(p->env, name) : "";

		if (*value && !p->given[i] && (o->commands & p->config->command))
			err = o->words ? apply_words(p, o, name, value) : apply(p, o, name, value);
	}
	return err;
}

static bool has_filter(const struct parse *p)
{
	for (size_t i = 0; i < opts_n; i++)
		if (p->given[i] && strcmp(opts[i].name, "filter") == 0)
			return true;
	return false;
}

/* The trailing words of `watch` are a filter, as with tcpdump. */
static int filter_words(struct parse *p, char *const *words)
{
	size_t n = 1;
	char *end;

	if (has_filter(p))
		return complain(p, "'%s': a filter is given by '--filter' already; use one of the two", words[0]);
	for (char *const *w = words; *w; w++)
		n += strlen(*w) + 1;
	free(p->config->filter);
	end = p->config->filter = malloc(n);
	if (!end)
		return -ENOMEM;
	for (; *words; words++)
		end += sprintf(end, "%s%s", end > p->config->filter ? " " : "", *words);
	return 0;
}

static int parse_arguments(struct parse *p, char *const *args)
{
	int err = 0;

	if (p->config->command == COMMAND_WATCH)
		return *args ? filter_words(p, args) : 0;
	if (!*args)
		return complain(p, "replay of what? Name a capture file; '-' is standard input");
	for (; *args && !err; args++)
		err = words_add(&p->config->files, *args, strlen(*args));
	return err;
}

/* Does this output write to standard output? "null" writes nowhere. */
static bool to_stdout(const char *output)
{
	const char *path = strchr(output, ':');

	return strcmp(output, "null") != 0 && (!path || !path[1] || strcmp(path, ":-") == 0);
}

/* Colours are for terminals that have them, and for who did not ask for none (https://no-color.org); git(1) does the same. */
static bool wants_color(const struct parse *p)
{
	const char *term = variable(p->env, "TERM");

	return !*variable(p->env, "NO_COLOR") && *term && strcmp(term, "dumb") != 0;
}

/* Is that a file of packets as it is, not compressed? */
static int settle_write(struct parse *p)
{
	const struct slice path = slice_str(p->config->write ? p->config->write : "");
	bool zst = slice_ends(path, SLICE(".zst"));

	if (!zst && !slice_ends(path, SLICE(".gz")))
		return 0;
	return complain(p, "--write: '%s': packets are not compressed; write pcapng to '-', and that through %s", p->config->write,
			zst ? "zstd" : "gzip");
}

/* Do the options that share packets out into files make sense? */
static int settle_rotation(struct parse *p)
{
	const struct config *c = p->config;
	const struct rotation *r = &c->rotation;
	const char *name = r->size ? "size" : r->seconds ? "time" : "count";

	if (!r->size && !r->seconds && !r->files)
		return 0;
	if (!c->write)
		return complain(p, "--file-%s is for packets: name a file by '--write'", name);
	if (strcmp(c->write, "-") == 0)
		return complain(p, "--file-%s: standard output is but one file; name another by '--write'", name);
	if (!r->size && !r->seconds)
		return complain(p, "--file-count says how many files, but not when one ends: see '--file-size' and '--file-time'");
	return 0;
}

/* What options mean together: the default output, and one owner of standard output. */
static int settle(struct parse *p)
{
	struct config *c = p->config;
	bool packets = c->write && strcmp(c->write, "-") == 0;

	if (c->color == COLOR_AUTO && !wants_color(p))
		c->color = COLOR_NEVER;
	if (c->cpu_budget_ns && (c->write || c->snaplen || c->vantage == VANTAGE_BOTH))
		return complain(p, "--cpu-budget cannot be kept with %s, for which every packet is wanted",
				c->write ? "--write" : c->snaplen ? "--snaplen" : "--vantage both");
	if (settle_write(p) < 0 || settle_rotation(p) < 0)
		return -EINVAL;
	if (c->outputs.n == 0)
		return words_add(&c->outputs, packets ? "null" : "text", 4);
	for (size_t i = 0; i < c->outputs.n && packets; i++)
		if (to_stdout(c->outputs.v[i]))
			return complain(p, "--output: '%s' and the packets of '--write -' cannot both go to standard output",
					c->outputs.v[i]);
	return 0;
}

static int parse_help(struct parse *p, const char *topic)
{
	const struct command_info *info = topic ? command_find(topic) : NULL;

	p->config->ask = ASK_HELP;
	if (info)
		p->config->command = info->command;
	else if (topic && strcmp(topic, "environment") == 0)
		p->config->ask = ASK_ENVIRONMENT;
	else if (topic && strcmp(topic, "metrics") == 0)
		p->config->ask = ASK_METRICS;
	else if (topic && strcmp(topic, "help") != 0)
		return complain(p, "no help on '%s'; there is 'perisco help [watch|replay|environment|metrics]'", topic);
	return 0;
}

int cli_parse(struct config *c, int argc, char **argv, char *const *env, char *error, size_t n)
{
	struct parse p = {.config = c, .env = env, .error = error, .error_n = n};
	const char *first = argc > 1 ? argv[1] : NULL;
	const struct command_info *info = first ? command_find(first) : NULL;
	int err;

	if (!first)
		return c->ask = ASK_USAGE, 0;
	if (strcmp(first, "help") == 0 || strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
		return parse_help(&p, argv[2]);
	if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0)
		return c->ask = ASK_VERSION, 0;
	if (!info && first[0] == '-')
		return complain(&p, "'%s': a command goes first, 'watch' or 'replay'; see 'perisco help'", first);
	if (!info)
		return complain(&p, "'%s' is no command; there are 'watch', 'replay' and 'help'", first);
	c->command = info->command;
	err = parse_options(&p, argc - 1, argv + 1);
	if (err || c->ask != ASK_RUN)
		return err;
	err = parse_environment(&p);
	err = err ? err : parse_arguments(&p, argv + 1 + optind);
	return err ? err : settle(&p);
}

static bool is_opt(const char *name)
{
	char env[OPT_ENV_MAX];

	for (size_t i = 0; i < opts_n; i++)
		if (strcmp(opt_env(&opts[i], env), name) == 0)
			return true;
	return false;
}

const char *cli_stray(char *const *env, size_t *at, char name[CLI_STRAY_MAX])
{
	/* The last is the name that container images give to what they carry. */
	static const char *const others[] = {"PERISCO_SERVICE_*", "PERISCO_PORT", "PERISCO_PORT_*", "PERISCO_METRICS_SERVICE_*",
					     "PERISCO_METRICS_PORT", "PERISCO_METRICS_PORT_*", "PERISCO_VERSION"};

	for (const char *var; (var = env[*at]);) {
		bool known;

		++*at;
		snprintf(name, CLI_STRAY_MAX, "%.*s", (int)strcspn(var, "="), var);
		known = strncmp(name, OPT_ENV_PREFIX, strlen(OPT_ENV_PREFIX)) != 0 || is_opt(name);
		for (size_t i = 0; i < sizeof others / sizeof *others && !known; i++)
			known = fnmatch(others[i], name, 0) == 0;
		if (!known)
			return name;
	}
	return NULL;
}
