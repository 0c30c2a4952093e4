/* SPDX-License-Identifier: MIT */
/* The option table: every option by flag and by environment, which of them wins, and what is said of wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "cli/help.h"
#include "cli/opt.h"
#include "cli/parse.h"
#include "base/value.h"

static char error[256];

/* Parses a command line of words separated by '|' in an environment of (at most) one variable. */
static int parse(struct config *c, const char *variable, const char *line)
{
	char *env[] = {(char *)variable, NULL}, *argv[16] = {strdup("perisco")}, *words = strdup(line), *save;
	char *copies[16];
	int argc = 1, err;

	for (char *word = strtok_r(words, "|", &save); word; word = strtok_r(NULL, "|", &save))
		argv[argc++] = strdup(word);
	memcpy(copies, argv, sizeof copies);
	error[0] = '\0';
	assert_int_equal(config_init(c), 0);
	err = cli_parse(c, argc, argv, env, error, sizeof error);
	for (int i = 0; i < argc; i++)
		free(copies[i]);
	free(words);
	return err;
}

/* An exchange that the selections below are about. */
static bool selects(const struct config *c)
{
	static const char text[] = "Hostshop.example.comX-Testyes";
	static const struct field v[] = {{0, 4, 4, 16}, {20, 6, 26, 3}};
	struct record r = {
		.kind = RECORD_EXCHANGE,
		.ends.key = {.addr = {{[10] = 255, 255, 10, 1, 2, 3}, {[10] = 255, 255, 10, 9, 9, 9}}, .port = {80, 40000}, .version = 4},
		.ends.client = 1,
		.exchange = {.latency_ns = 300000000, .duration_ns = 300000000, .timed = true},
	};

	r.exchange.request = (struct message){.seen = true, .method = SLICE("GET"), .target = SLICE("/api/x?y=1"), .protocol = SLICE("HTTP/1.1"),
					      .headers = {(const uint8_t *)text, v, 2}};
	r.exchange.is_grpc = true;
	r.exchange.grpc = (struct grpc_record){.service = SLICE("shop.Orders"), .status = -1, .cancelled_by = -1};
	r.exchange.response = (struct message){.seen = true, .status = 503, .protocol = SLICE("HTTP/1.1")};
	return select_any(c->select) && select_match(c->select, &r);
}

#define HOLDS(name, ...)                                 \
	static bool name##_holds(const struct config *c) \
	{                                                \
		return __VA_ARGS__;                      \
	}
HOLDS(interface, c->interfaces.n == 2 && !strcmp(c->interfaces.v[0], "veth*") && !strcmp(c->interfaces.v[1], "lo"))
HOLDS(filter, c->filter && !strcmp(c->filter, "tcp port 80"))
HOLDS(hook, c->hook == HOOK_PACKET)
HOLDS(vantage, c->vantage == VANTAGE_SERVER)
HOLDS(snaplen, c->snaplen == 96)
HOLDS(count, c->count == 12)
HOLDS(output, c->outputs.n == 1 && !strcmp(c->outputs.v[0], "json:/tmp/x"))
HOLDS(color, c->color == COLOR_ALWAYS)
HOLDS(headers, c->view.headers == HEADERS_NONE)
HOLDS(show_secrets, c->view.show_secrets)
HOLDS(body, c->body == 2048)
HOLDS(flows, c->flows)
HOLDS(stream_interval, c->stream_interval_ns == 30000000000)
HOLDS(write, c->write && !strcmp(c->write, "x.pcap"))
HOLDS(file_size, c->rotation.size == 5000000)
HOLDS(file_time, c->rotation.seconds == 600)
HOLDS(file_count, c->rotation.files == 7)
HOLDS(spool, c->spool && !strcmp(c->spool, "/var/spool/x"))
HOLDS(spool_size, c->spool_max == UINT64_C(2) << 30)
HOLDS(strict, c->strict)
HOLDS(property, c->properties.n == 1 && !strcmp(c->properties.v[0], "acks=1"))
HOLDS(metrics, c->metrics && !strcmp(c->metrics, "[::1]:9090"))
HOLDS(memory, c->memory == 64 << 20)
HOLDS(ring, c->ring == 1 << 20)
HOLDS(workers, c->workers == 4)
HOLDS(cpu_budget, c->cpu_budget_ns == 12500000)
HOLDS(verbose, c->verbose == 1)
HOLDS(quiet, c->quiet)
HOLDS(help, c->ask == ASK_HELP)
HOLDS(version, c->ask == ASK_VERSION)

/* A value under which `holds` is true, and one under which it is not (NULL: an option without a value). */
static const struct expect {
	const char *name, *value, *other;
	bool (*holds)(const struct config *c);
} expects[] = {
	{"interface", "veth*,lo", "eth0", interface_holds},
	{"filter", "tcp port 80", "tcp", filter_holds},
	{"hook", "packet", "tcx", hook_holds},
	{"vantage", "server", "both", vantage_holds},
	{"snaplen", "96", "0", snaplen_holds},
	{"method", "POST,GET", "HEAD", selects},
	{"service", "shop.*", "cart.*", selects},
	{"host", "*.example.com", "example.org", selects},
	{"path", "/api/*", "/web/*", selects},
	{"status", "404,5xx", "2xx", selects},
	{"min-latency", "250ms", "1s", selects},
	{"header", "x-test: y*", "x-test: n*", selects},
	{"cidr", "10.1.0.0/16", "10.2.0.0/16", selects},
	{"count", "12", "13", count_holds},
	{"output", "json:/tmp/x", "null", output_holds},
	{"color", "always", "auto", color_holds},
	{"headers", "none", "all", headers_holds},
	{"show-secrets", NULL, NULL, show_secrets_holds},
	{"body", "2k", "0", body_holds},
	{"flows", NULL, NULL, flows_holds},
	{"stream-interval", "30s", "0", stream_interval_holds},
	{"write", "x.pcap", "y.pcap", write_holds},
	{"file-size", "5", "5M", file_size_holds},
	{"file-time", "10m", "10", file_time_holds},
	{"file-count", "7", "8", file_count_holds},
	{"spool", "/var/spool/x", "/y", spool_holds},
	{"spool-size", "2G", "1G", spool_size_holds},
	{"strict", NULL, NULL, strict_holds},
	{"property", "acks=1", "acks=all", property_holds},
	{"metrics", "[::1]:9090", "9090", metrics_holds},
	{"memory", "64M", "1G", memory_holds},
	{"cpu-budget", "1.25%", "0", cpu_budget_holds},
	{"ring", "1MiB", "128k", ring_holds},
	{"workers", "4", "1", workers_holds},
	{"verbose", NULL, NULL, verbose_holds},
	{"quiet", NULL, NULL, quiet_holds},
	{"help", NULL, NULL, help_holds},
	{"version", NULL, NULL, version_holds},
};

static const struct expect *expect_of(const struct opt *o)
{
	for (size_t i = 0; i < sizeof expects / sizeof *expects; i++)
		if (strcmp(expects[i].name, o->name) == 0)
			return &expects[i];
	fail_msg("option --%s has no test", o->name);
	return NULL;
}

static const char *command_line(const struct opt *o)
{
	if (strncmp(o->name, "file-", 5) == 0)
		return strcmp(o->name, "file-time") == 0 ? "replay|x.pcap|-w|y.pcap|-C|1" : "replay|x.pcap|-w|y.pcap|-G|1";
	return o->commands & COMMAND_REPLAY ? "replay|x.pcap" : "watch";
}

static void check_line(const struct expect *e, const char *variable, bool holds, const char *fmt, ...)
{
	struct config c;
	char line[256];
	va_list ap;
	int err;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	err = parse(&c, variable, line);
	if (err || e->holds(&c) != holds)
		fail_msg("%s %s: %d, %s %s", variable ? variable : "", line, err, holds ? "not set" : "set", error);
	config_release(&c);
}

static void test_flags(void **state)
{
	(void)state;
	for (const struct opt *o = opts; o < opts + opts_n; o++) {
		const struct expect *e = expect_of(o);
		const char *line = command_line(o);

		assert_true(!o->arg == !e->value);
		check_line(e, NULL, false, "%s", line);
		check_line(e, NULL, true, "%s|--%s%s%s", line, e->name, e->value ? "|" : "", e->value ? e->value : "");
		if (e->value)
			check_line(e, NULL, true, "%s|--%s=%s", line, e->name, e->value);
		if (o->letter)
			check_line(e, NULL, true, "%s|-%c%s", line, o->letter, e->value ? e->value : "");
	}
}

static void test_environment(void **state)
{
	char name[OPT_ENV_MAX], variable[128];

	(void)state;
	for (const struct opt *o = opts; o < opts + opts_n; o++) {
		const struct expect *e = expect_of(o);

		if (!*opt_env(o, name))
			continue;
		snprintf(variable, sizeof variable, "%s=%s", name, e->value ? e->value : "yes");
		check_line(e, variable, true, "%s", command_line(o));
		if (e->value)
			check_line(e, variable, false, "%s|--%s|%s", command_line(o), e->name, e->other);
		snprintf(variable, sizeof variable, "%s=%s", name, e->value ? e->other : "no");
		check_line(e, variable, false, "%s", command_line(o));
		check_line(e, variable, true, "%s|--%s%s%s", command_line(o), e->name, e->value ? "|" : "", e->value ? e->value : "");
		snprintf(variable, sizeof variable, "%s=", name);
		check_line(e, variable, false, "%s", command_line(o));
	}
}

static void test_environment_names(void **state)
{
	char name[OPT_ENV_MAX];

	(void)state;
	for (const struct opt *o = opts; o < opts + opts_n; o++)
		if (strcmp(o->name, "min-latency") == 0)
			assert_string_equal(opt_env(o, name), "PERISCO_MIN_LATENCY");
		else if (strcmp(o->name, "help") == 0 || strcmp(o->name, "version") == 0)
			assert_string_equal(opt_env(o, name), "");
}

static void test_several_values(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(parse(&c, "PERISCO_OUTPUT=text json:/tmp/x", "replay|x"), 0);
	assert_int_equal(c.outputs.n, 2);
	assert_string_equal(c.outputs.v[1], "json:/tmp/x");
	config_release(&c);
	assert_int_equal(parse(&c, "PERISCO_INTERFACE=gone", "watch|-i|a,b|-i|c*"), 0);
	assert_int_equal(c.interfaces.n, 3);
	assert_string_equal(c.interfaces.v[2], "c*");
	config_release(&c);
	assert_int_equal(parse(&c, "PERISCO_VERBOSE=3", "watch"), 0);
	assert_int_equal(c.verbose, 3);
	config_release(&c);
	assert_int_equal(parse(&c, "PERISCO_VERBOSE=3", "watch|-vv"), 0);
	assert_int_equal(c.verbose, 2);
	config_release(&c);
}

/* A variable of an option that the command does not have is no error: one environment serves both. */
static void test_environment_of_the_other_command(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(parse(&c, "PERISCO_RING=nonsense", "replay|x"), 0);
	config_release(&c);
}

static void test_arguments(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(parse(&c, "PERISCO_FILTER=udp", "watch|tcp|port|-v|80"), 0);
	assert_string_equal(c.filter, "tcp port 80");
	assert_int_equal(c.verbose, 1);
	config_release(&c);
	assert_int_equal(parse(&c, NULL, "replay|a|-n|3|-|--|-n"), 0);
	assert_int_equal(c.files.n, 3);
	assert_string_equal(c.files.v[1], "-");
	assert_string_equal(c.files.v[2], "-n");
	assert_int_equal(c.command, COMMAND_REPLAY);
	config_release(&c);
}

static void test_default_output(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(parse(&c, NULL, "watch"), 0);
	assert_int_equal(c.outputs.n, 1);
	assert_string_equal(c.outputs.v[0], "text");
	config_release(&c);
	assert_int_equal(parse(&c, NULL, "watch|-w|-"), 0);
	assert_string_equal(c.outputs.v[0], "null");
	config_release(&c);
	assert_int_equal(parse(&c, NULL, "watch|-w|-|-o|json:/tmp/x|-o|null"), 0);
	config_release(&c);
}

static void check_ask(const char *line, int ask, unsigned command)
{
	struct config c;

	assert_int_equal(parse(&c, NULL, line), 0);
	assert_int_equal(c.ask, ask);
	assert_int_equal(c.command, command);
	config_release(&c);
}

static void test_asking(void **state)
{
	(void)state;
	check_ask("", ASK_USAGE, 0);
	check_ask("help", ASK_HELP, 0);
	check_ask("-h", ASK_HELP, 0);
	check_ask("--help|watch", ASK_HELP, COMMAND_WATCH);
	check_ask("help|replay", ASK_HELP, COMMAND_REPLAY);
	check_ask("help|environment", ASK_ENVIRONMENT, 0);
	check_ask("replay|--help", ASK_HELP, COMMAND_REPLAY);
	check_ask("--version", ASK_VERSION, 0);
	check_ask("watch|-V", ASK_VERSION, COMMAND_WATCH);
	check_ask("help|metrics", ASK_METRICS, 0);
}

/* Each wrong line is refused with one line that holds these words: on what, and what to do. */
static void test_errors(void **state)
{
	static const struct {
		const char *variable, *line, *says;
	} wrong[] = {
		{NULL, "x.pcap", "'x.pcap' is no command; there are 'watch'"},
		{NULL, "-n|3", "'-n': a command goes first"},
		{NULL, "help|me", "no help on 'me'"},
		{NULL, "replay", "replay of what?"},
		{NULL, "replay|x|--nonsense", "unknown option '--nonsense'; see 'perisco help replay'"},
		{NULL, "replay|x|--nonsense=3", "unknown option '--nonsense=3'"},
		{NULL, "watch|-Z", "unknown option '-Z'; see 'perisco help watch'"},
		{NULL, "watch|-qZv", "unknown option '-Z'"},
		{NULL, "watch|-n", "option '--count' needs a value: COUNT"},
		{NULL, "watch|--output", "option '--output' needs a value: FORMAT[:PLACE]"},
		{NULL, "watch|--flows=yes", "option '--flows' takes no value"},
		{NULL, "replay|x|--ring|1M", "option '--ring' is none of 'replay'"},
		{NULL, "replay|x|-i|lo", "option '--interface' is none of 'replay'"},
		{NULL, "watch|-n|0", "--count: '0' is no number from 1 up"},
		{NULL, "watch|-n|1x", "--count: '1x'"},
		{NULL, "watch|-n|-1", "--count: '-1'"},
		{NULL, "watch|-n|18446744073709551616", "--count: "},
		{NULL, "watch|--memory|much", "--memory: 'much' is no size"},
		{NULL, "watch|--memory|1k", "--memory: 1k is out of range"},
		{NULL, "watch|--memory|17179869184G", "--memory: '17179869184G'"},
		{NULL, "watch|--metrics|x", "--metrics: 'x' is no address: write 9090"},
		{NULL, "watch|--metrics|::1:9090", "--metrics: '::1:9090' is no address"},
		{NULL, "watch|--workers|0", "--workers: '0' is no number from 1 to 64"},
		{NULL, "watch|--workers|65", "--workers: '65' is no number from 1 to 64"},
		{NULL, "watch|--workers|all", "--workers: 'all' is no number"},
		{NULL, "watch|--ring|3M", "--ring: 3M is no power of two: try 4M"},
		{NULL, "watch|--ring|100k", "--ring: 100k is no power of two"},
		{NULL, "watch|--ring|4G", "--ring: 4G is out of range"},
		{NULL, "watch|--body|2M", "--body: 2M is out of range"},
		{NULL, "watch|--stream-interval|often", "--stream-interval: 'often' is no time from 1ms up"},
		{NULL, "watch|--stream-interval|999us", "--stream-interval: '999us' is no time from 1ms up"},
		{NULL, "watch|--cpu-budget|half", "--cpu-budget: 'half' is no share of a core: write 10%"},
		{NULL, "watch|--cpu-budget|10%%", "--cpu-budget: '10%%' is no share"},
		{NULL, "watch|--cpu-budget|10%|-w|x.pcap", "--cpu-budget cannot be kept with --write"},
		{NULL, "watch|--cpu-budget|10%|-s|96", "--cpu-budget cannot be kept with --snaplen"},
		{NULL, "watch|--cpu-budget|10%|--vantage|both", "--cpu-budget cannot be kept with --vantage both"},
		{NULL, "watch|--hook|ebpf", "--hook: 'ebpf' is none of auto, tcx, tc, xdp, packet"},
		{NULL, "watch|-i|a,,b", "--interface: a name is empty"},
		{NULL, "watch|--status|9999", "--status: "},
		{NULL, "watch|--min-latency|soon", "--min-latency: "},
		{NULL, "watch|--cidr|10.0.0.0/99", "--cidr: "},
		{NULL, "watch|-f|tcp|port|80", "'port': a filter is given by '--filter' already"},
		{NULL, "watch|-w|x.pcapng.zst", "--write: 'x.pcapng.zst': packets are not compressed; write pcapng to '-', and that through zstd"},
		{NULL, "watch|-w|.gz", "--write: '.gz': packets are not compressed; write pcapng to '-', and that through gzip"},
		{NULL, "watch|-w|x|-C|0", "--file-size: '0' is no size: write millions of bytes, or a number with k, M or G"},
		{NULL, "watch|-w|x|-C|99999999999999", "--file-size: '99999999999999' is no size"},
		{NULL, "watch|-w|x|-G|0", "--file-time: '0' is no time: write seconds, or a number with m, h or d"},
		{NULL, "watch|-w|x|-G|1|-W|0", "--file-count: '0' is no number from 1 to 1000000"},
		{NULL, "watch|-w|x|-W|2", "--file-count says how many files, but not when one ends"},
		{NULL, "watch|-C|1", "--file-size is for packets: name a file by '--write'"},
		{NULL, "watch|-G|1|-w|-", "--file-time: standard output is but one file"},
		{NULL, "watch|-w|-|-o|text", "--output: 'text' and the packets of '--write -'"},
		{NULL, "watch|-w|-|-o|json:-", "--output: 'json:-' and"},
		{"PERISCO_COUNT=no", "watch", "PERISCO_COUNT: 'no' is no number"},
		{"PERISCO_FLOWS=perhaps", "watch", "PERISCO_FLOWS: 'perhaps' is neither yes nor no"},
		{"PERISCO_VERBOSE=a lot", "watch", "PERISCO_VERBOSE: 'a lot' is no number"},
		{"PERISCO_STATUS=abc", "watch", "PERISCO_STATUS: "},
	};
	struct config c;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		int err = parse(&c, wrong[i].variable, wrong[i].line);

		if (err != -EINVAL || !strstr(error, wrong[i].says) || strchr(error, '\n'))
			fail_msg("%s: %d, '%s'", wrong[i].line, err, error);
		config_release(&c);
	}
}

static void test_strays(void **state)
{
	char *env[] = {"HOME=/", "PERISCO_COUTN=3", "PERISCO_COUNT=3", "PERISCO_SERVICE_HOST=10.0.0.1", "PERISCO_PORT=tcp://10.0.0.1:80",
		       "PERISCO_PORT_80_TCP_ADDR=10.0.0.1", "PERISCO_VERSION=1", "PERISCO_", "PERISCOPE=1", NULL};
	char name[CLI_STRAY_MAX];
	size_t at = 0;

	(void)state;
	assert_string_equal(cli_stray(env, &at, name), "PERISCO_COUTN");
	assert_string_equal(cli_stray(env, &at, name), "PERISCO_");
	assert_null(cli_stray(env, &at, name));
	assert_null(cli_stray(env, &at, name));
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
	} good[] = {{"0", 0}, {"1", 1}, {"4k", 4096}, {"4K", 4096}, {"2M", 2 << 20}, {"1g", 1 << 30}, {"2Mi", 2 << 20}, {"2MiB", 2 << 20},
		    {"2mb", 2 << 20}, {"18446744073709551615", UINT64_MAX}, {"17179869183G", 17179869183 << 30}};
	static const char *const bad[] = {"", "k", "1.5k", "-1", " 1", "1 ", "1kk", "1x", "1\x2b", "0x10", "18446744073709551616",
					  "17179869184G", "1kiBs"};
	uint64_t got;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(value_size(good[i].text, &got));
		assert_int_equal(got, good[i].size);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (value_size(bad[i], &got))
			fail_msg("'%s' was taken for a size", bad[i]);
}

/* The text that a help function prints. */
static char *printed(void (*print)(FILE *out), unsigned command)
{
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (print)
		print(out);
	else
		help_command(command, out);
	fclose(out);
	return text;
}

static void check_columns(char *text)
{
	char *save;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strlen(line) > 80 || line[strlen(line) - 1] == ' ' || strchr(line, '\t'))
			fail_msg("help line does not fit: '%s'", line);
	free(text);
}

static void test_help(void **state)
{
	char *watch = printed(NULL, COMMAND_WATCH), *replay = printed(NULL, COMMAND_REPLAY), name[32];

	(void)state;
	for (const struct opt *o = opts; o < opts + opts_n; o++) {
		snprintf(name, sizeof name, " --%s ", o->name);
		assert_true(!strstr(watch, name) == !(o->commands & COMMAND_WATCH));
		assert_true(!strstr(replay, name) == !(o->commands & COMMAND_REPLAY));
	}
	check_columns(watch);
	check_columns(replay);
	check_columns(printed(NULL, 0));
	check_columns(printed(help_usage, 0));
	check_columns(printed(help_environment, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_environment_names),
		cmocka_unit_test(test_several_values),
		cmocka_unit_test(test_environment_of_the_other_command),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_default_output),
		cmocka_unit_test(test_asking),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_strays),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
