/* SPDX-License-Identifier: MIT */
/* The page: every metric of the table, as Prometheus' text format and its naming conventions have it, whatever the labels are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "metrics/page.h"

#include "../metrics_rig.h"

static struct traffic *traffic;
static struct told told;
static struct page page;

static int setup(void **state)
{
	(void)state;
	traffic = traffic_new(1);
	told = (struct told){0};
	return traffic ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	traffic_free(traffic);
	page_release(&page);
	return 0;
}

static void count(struct record r)
{
	traffic_record(traffic, &r);
}

/* All of it, as a string. */
static char *write_page(void)
{
	struct traffic_view v = rig_view(traffic);

	page_release(&page);
	page_begin(&page);
	page_traffic(&page, &v);
	page_told(&page, &told);
	page_process(&page);
	assert_true(page_end(&page));
	traffic_view_release(&v);
	*buf_start(&page.buf, 1) = '\0';
	return (char *)page.buf.p;
}

static void expect_line(const char *line)
{
	char *text = write_page(), *at = strstr(text, line);

	if (!at || (at > text && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("the page has no line '%s'", line);
}

static void test_lines(void **state)
{
	(void)state;
	count(rig_exchange(1, "GET", 200, 3 * MS));
	count(rig_exchange(1, "GET", 200, 20000 * MS));
	count(rig_exchange(1, "GET", 200, 0));
	expect_line("# TYPE perisco_http_request_duration_seconds histogram");
#define SET "{server_address=\"10.0.0.1\",server_port=\"80\",method=\"GET\",status_class=\"2xx\""
	expect_line("perisco_http_requests_total" SET "} 3");
	expect_line("perisco_http_request_duration_seconds_bucket" SET ",le=\"0.0025\"} 0");
	expect_line("perisco_http_request_duration_seconds_bucket" SET ",le=\"0.005\"} 1");
	expect_line("perisco_http_request_duration_seconds_bucket" SET ",le=\"10\"} 1");
	expect_line("perisco_http_request_duration_seconds_bucket" SET ",le=\"+Inf\"} 2");
	expect_line("perisco_http_request_duration_seconds_sum" SET "} 20.003000000");
	expect_line("perisco_http_request_duration_seconds_count" SET "} 2");
	expect_line("perisco_http_response_latency_seconds_sum" SET "} 10.001500000");
	expect_line("perisco_http_response_latency_seconds_count" SET "} 2");
#undef SET
	count(rig_call(2, SLICE("a\\b\"c"), SLICE("m"), 5, MS));
	expect_line("perisco_grpc_requests_total{server_address=\"10.0.0.2\",server_port=\"80\",grpc_service=\"a\\\\b\\\"c\","
		    "grpc_method=\"m\",grpc_status=\"NOT_FOUND\"} 1");
	expect_line("perisco_build_info{version=\"" PERISCO_VERSION "\"} 1");
}

static void test_told(void **state)
{
	(void)state;
	told.summary.stats.lost_ring = 7;
	told.summary.file_lost = 9;
	told.counts = (struct counts){.dropped = 10, .unread = 1, .oversize = 2, .ring = 4096};
	told.cpus = 2;
	told.dropped[1] = 10;
	told.outputs = 2;
	told.output[1] = (struct told_output){.name = "/var/log/x", .file = true, .missed = 6};
	told.output[0] = (struct told_output){
		.name = "tcp://x:1", .counts = {.dropped_full = 3, .refused = 4, .dropped_spool = 8, .dropped_exit = 9, .queue_bytes = 5}};
	told.summary.ignored[0] = (struct ignored){"tls", 1, 20};
	told.summary.ignoreds = 1;
	told.summary.budget = (struct summary_budget){.limit_ns = 100000000, .in_ns = {[1] = 1500000000}, .detail = DETAIL_HEADS};
	expect_line("perisco_lost_ring_bytes_total 7");
	expect_line("perisco_capture_dropped_packets_total{cause=\"ring\"} 7");
	expect_line("perisco_capture_dropped_packets_total{cause=\"file\"} 9");
	expect_line("perisco_capture_cpu_dropped_packets_total{cpu=\"1\"} 10");
	expect_line("perisco_output_dropped_records_total{output=\"tcp://x:1\",cause=\"queue\"} 3");
	expect_line("perisco_output_dropped_records_total{output=\"tcp://x:1\",cause=\"refused\"} 4");
	expect_line("perisco_output_dropped_records_total{output=\"tcp://x:1\",cause=\"spool\"} 8");
	expect_line("perisco_output_dropped_records_total{output=\"tcp://x:1\",cause=\"end\"} 9");
	expect_line("perisco_output_dropped_records_total{output=\"/var/log/x\",cause=\"disk\"} 6");
	expect_line("perisco_memory_bytes{owner=\"outputs\"} 5");
	expect_line("perisco_memory_bytes{owner=\"ring\"} 4096");
	expect_line("perisco_ignored_connections_total{reason=\"tls\"} 20");
	expect_line("perisco_detail{level=\"heads\"} 1");
	expect_line("perisco_detail{level=\"whole\"} 0");
	expect_line("perisco_detail_seconds_total{level=\"heads\"} 1.500000000");
	expect_line("perisco_cpu_budget_ratio 0.100000000");
}

static void test_every_metric(void **state)
{
	char *text, head[512], *at;

	(void)state;
	text = write_page();
	for (const struct metric *m = metrics; m < metrics + METRICS; m++) {
		snprintf(head, sizeof head, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, metric_type_name(m->type));
		at = strstr(text, head);
		if (!at || strstr(at + 1, head))
			fail_msg("%s is not there once", m->name);
	}
}

/* --- names --- */

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), k = strlen(with);

	return n >= k && strcmp(s + n - k, with) == 0;
}

static void test_names(void **state)
{
	static const char *const taken[] = {"le", "quantile", "job", "instance", "service", "pod", "namespace", "endpoint", "container"};

	(void)state;
	for (const struct metric *m = metrics; m < metrics + METRICS; m++) {
		assert_int_equal(strspn(m->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(m->name));
		assert_true(strncmp(m->name, "perisco_", 8) == 0 || strncmp(m->name, "process_", 8) == 0);
		assert_int_equal(ends(m->name, "_total"), m->type == METRIC_COUNTER);
		assert_true((m->type != METRIC_HISTOGRAM && m->type != METRIC_SUMMARY) || ends(m->name, "_seconds"));
		assert_null(strpbrk(m->help, "\\\n|"));
		for (unsigned i = 0; m->labels[i]; i++)
			for (size_t k = 0; k < sizeof taken / sizeof *taken; k++)
				assert_string_not_equal(m->labels[i], taken[k]);
		for (const struct metric *other = metrics; other < m; other++)
			assert_string_not_equal(other->name, m->name);
	}
}

/* --- whatever the labels are --- */

/* Behind one label, `{` or `,` before it. */
static const char *pass_label(const char *at)
{
	at += 1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");
	assert_memory_equal(at, "=\"", 2);
	for (at += 2; *at != '"'; at++) {
		assert_true(*at != '\n' && *at != '\0');
		if (*at == '\\')
			assert_non_null(strchr("\\\"n", *++at));
	}
	return at + 1;
}

/* A line that is a sample: its value. */
static double pass_sample(const char *line, const char *end)
{
	const char *at = line + strspn(line, "abcdefghijklmnopqrstuvwxyz_");
	char *behind;
	double ret;

	assert_true(at > line);
	if (*at == '{') {
		do
			at = pass_label(at);
		while (*at == ',');
		assert_int_equal(*at++, '}');
	}
	assert_int_equal(*at, ' ');
	ret = strtod(at + 1, &behind);
	assert_ptr_equal(behind, end);
	return ret;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_unique(char **samples, size_t n)
{
	qsort(samples, n, sizeof *samples, by_text);
	for (size_t i = 0; i < n; i++) {
		if (i)
			assert_string_not_equal(samples[i - 1], samples[i]);
	}
	for (size_t i = 0; i < n; i++)
		free(samples[i]);
	free(samples);
}

/* Each line is one of the format's, no sample is there twice. Returns the sum of those whose line begins so. */
static double check_page(const char *begins)
{
	const char *text = write_page(), *end;
	char **samples = calloc(page.buf.n / 2, sizeof *samples);
	double sum = 0, value;
	size_t n = 0;

	for (const char *line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		if (*line == '#')
			continue;
		value = pass_sample(line, end);
		sum += strncmp(line, begins, strlen(begins)) == 0 ? value : 0;
		samples[n++] = strndup(line, (size_t)((const char *)memrchr(line, ' ', (size_t)(end - line)) - line));
	}
	check_unique(samples, n);
	return sum;
}

/* Names of up to 200 bytes, most of them of the few that mean something. */
static struct slice hostile(uint8_t *buf, unsigned *seed)
{
	static const char worst[] = "\\\"\n{},= \t\x80\xff\xc3\xa9#le";
	size_t n = (size_t)rand_r(seed) % 200 >> rand_r(seed) % 8;

	for (size_t i = 0; i < n; i++)
		buf[i] = (uint8_t)(rand_r(seed) % 3 ? worst[(size_t)rand_r(seed) % (sizeof worst - 1)] : rand_r(seed));
	return slice_of(buf, n);
}

static void test_hostile(void **state)
{
	uint8_t buf[2][200];
	unsigned seed = 1;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct slice a = hostile(buf[0], &seed), b = hostile(buf[1], &seed);
		struct record r = rig_call((unsigned)rand_r(&seed), a, b, rand_r(&seed) % 20 - 1, MS);

		if (i % 2) {
			r = rig_exchange((unsigned)rand_r(&seed), "", (unsigned)rand_r(&seed) % 1000, MS);
			r.exchange.request.method = a;
		}
		r.ends.key.port[0] = (uint16_t)(rand_r(&seed) % 20);
		count(r);
	}
	assert_int_equal(check_page("perisco_http_requests_total{"), 10000);
	assert_int_equal(check_page("perisco_grpc_requests_total{"), 10000);
	assert_int_equal(check_page("perisco_exchanges_ended_total{"), 20000);
	if (getenv("PAGE")) { /* for promtool: tests/run/metrics.sh */
		FILE *out = fopen(getenv("PAGE"), "w");

		assert_non_null(out);
		fwrite(page.buf.p, 1, page.buf.n, out);
		fclose(out);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines), TEST(test_told), TEST(test_every_metric), TEST(test_names), TEST(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
