/* SPDX-License-Identifier: MIT */
/* What is counted under which labels; that their number is bounded, and the sum right all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdio.h>
#include <cmocka.h>

#include "../metrics_rig.h"

#define HOUR (TRAFFIC_IDLE_NS + 1)

static struct traffic *traffic;

static int setup(void **state)
{
	(void)state;
	traffic = traffic_new(1);
	return traffic ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	traffic_free(traffic);
	return 0;
}

static void count(struct record r)
{
	traffic_record(traffic, &r);
}

/* How many there are in the only set. */
static struct numbers only(void)
{
	struct traffic_view v = rig_view(traffic);
	struct numbers ret;

	assert_int_equal(v.n_sets, 1);
	ret = v.sets[0].n;
	traffic_view_release(&v);
	return ret;
}

static void test_counts(void **state)
{
	struct numbers n;

	(void)state;
	count(rig_exchange(1, "GET", 200, MS / 2));
	count(rig_exchange(1, "GET", 204, MS / 2 + 1));
	count(rig_exchange(1, "GET", 299, 10000 * MS));
	count(rig_exchange(1, "GET", 200, 10000 * MS + 1));
	count(rig_exchange(1, "GET", 200, 0));
	n = only();
	assert_int_equal(n.requests, 5);
	assert_int_equal(n.bucket[0], 1);
	assert_int_equal(n.bucket[1], 1);
	assert_int_equal(n.bucket[TRAFFIC_BUCKETS_N - 1], 1);
	assert_int_equal(n.bucket[TRAFFIC_BUCKETS_N], 1);
	assert_int_equal(n.duration_ns, 20001 * MS + 2);
	assert_int_equal(n.latency_ns, 10000 * MS + MS / 2);
}

static void test_passes_over(void **state)
{
	struct record going_on = rig_exchange(1, "GET", 200, MS), loss = {.kind = RECORD_LOSS}, flow = {.kind = RECORD_FLOW};
	struct traffic_view v;

	(void)state;
	going_on.exchange.progress = true;
	count(going_on);
	count(loss);
	count(flow);
	v = rig_view(traffic);
	assert_int_equal(v.n_sets, 0);
	assert_int_equal(rig_sum(&v).requests, 0);
	traffic_view_release(&v);
}

static void test_outcomes(void **state)
{
	struct record r = rig_exchange(1, "GET", 0, 0);
	struct traffic_view v;

	(void)state;
	for (unsigned i = 0; i < TRAFFIC_OUTCOMES; i++) {
		r.exchange.ended = (uint8_t)i;
		for (unsigned k = 0; k <= i; k++)
			count(r);
	}
	v = rig_view(traffic);
	for (unsigned i = 0; i < TRAFFIC_OUTCOMES; i++)
		assert_int_equal(v.ended[i], i + 1);
	traffic_view_release(&v);
}

/* --- labels --- */

static struct labels labels(struct record r)
{
	struct labels ret;

	labels_of(&r, &ret);
	return ret;
}

static const char *status_of(struct record r)
{
	struct labels l = labels(r);

	return labels_status((enum labels_kind)l.kind, l.status);
}

static void test_methods(void **state)
{
	static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		assert_string_equal(labels_http_method(labels(rig_exchange(1, known[i], 200, 1)).method), known[i]);
	assert_string_equal(labels_http_method(labels(rig_exchange(1, "get", 200, 1)).method), "other");
	assert_string_equal(labels_http_method(labels(rig_exchange(1, "GETS", 200, 1)).method), "other");
	assert_string_equal(labels_http_method(labels(rig_exchange(1, "", 200, 1)).method), "unknown");
}

static void test_statuses(void **state)
{
	static const struct {
		unsigned status;
		const char *class;
	} classes[] = {{101, "1xx"}, {200, "2xx"}, {304, "3xx"}, {404, "4xx"}, {599, "5xx"}, {99, "other"}, {600, "other"}, {999, "other"}};
	struct record r;

	(void)state;
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		assert_string_equal(status_of(rig_exchange(1, "GET", classes[i].status, 1)), classes[i].class);
	r = rig_exchange(1, "GET", 0, 0);
	r.exchange.ended = ENDED_RESET;
	assert_string_equal(status_of(r), "none");
	r.exchange.ended = ENDED_LOST;
	assert_string_equal(status_of(r), "unknown");
	r.exchange.ended = ENDED_WELL;
	r.exchange.response.seen = true;
	assert_string_equal(status_of(r), "unknown");
	assert_string_equal(status_of(rig_call(1, SLICE("s"), SLICE("m"), 5, 1)), "NOT_FOUND");
	assert_string_equal(status_of(rig_call(1, SLICE("s"), SLICE("m"), 16, 1)), "UNAUTHENTICATED");
	assert_string_equal(status_of(rig_call(1, SLICE("s"), SLICE("m"), 17, 1)), "other");
	assert_string_equal(status_of(rig_call(1, SLICE("s"), SLICE("m"), -1, 1)), "none");
	r = rig_call(1, SLICE("s"), SLICE("m"), -1, 1);
	r.exchange.response.missings = 1;
	assert_string_equal(status_of(r), "unknown");
}

static void check_name(struct slice given, const char *expected)
{
	struct labels l = labels(rig_call(1, given, SLICE("m"), 0, 1));

	assert_int_equal(l.service_n, strlen(expected));
	assert_memory_equal(l.service, expected, l.service_n);
	assert_int_equal(l.name_n, 1);
}

static void test_names(void **state)
{
	char longest[LABELS_SERVICE_MAX + 2];

	(void)state;
	memset(longest, 'x', sizeof longest);
	longest[LABELS_SERVICE_MAX] = '\0';
	check_name(SLICE("shop.Orders"), "shop.Orders");
	check_name(SLICE("a\"\\b"), "a\"\\b");
	check_name(slice_str(longest), longest);
	check_name(slice_of(memset(longest, 'x', sizeof longest), sizeof longest), "other");
	check_name(SLICE("caf\xc3\xa9"), "other");
	check_name(SLICE("a\nb"), "other");
	check_name(SLICE(""), "unknown");
}

static void test_servers(void **state)
{
	struct record r = rig_exchange(7, "GET", 200, 1);
	struct labels l = labels(r);

	(void)state;
	assert_int_equal(l.addr[15], 7);
	assert_int_equal(l.port, 80);
	r.ends.translated = true;
	r.ends.other = (struct flow_key){.addr = {{[15] = 1}, {[15] = 2}}, .port = {1000, 8080}, .version = 6};
	l = labels(r);
	assert_int_equal(l.addr[15], 2);
	assert_int_equal(l.port, 8080);
	assert_int_equal(l.version, 6);
}

/* --- bounds --- */

static void test_bound(void **state)
{
	struct traffic_view v;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 40000; i++) {
		snprintf(name, sizeof name, "m%u", i / 4);
		count(rig_call(1, SLICE("s"), slice_str(name), i % 4 ? 0 : 13, MS));
	}
	for (unsigned host = 0; host < 256; host++)
		count(rig_exchange(host, "GET", 200, MS));
	v = rig_view(traffic);
	assert_int_equal(v.n_of[LABELS_GRPC], TRAFFIC_SETS);
	assert_int_equal(v.n_of[LABELS_HTTP], 256);
	assert_int_equal(v.n_sets, TRAFFIC_SETS + 256);
	assert_int_equal(v.other[LABELS_GRPC][13].requests, 10000 - TRAFFIC_SETS / 2);
	assert_int_equal(v.other[LABELS_GRPC][0].requests, 3 * (10000 - TRAFFIC_SETS / 2));
	assert_int_equal(rig_sum(&v).requests, 40256);
	assert_int_equal(rig_sum(&v).duration_ns, 40256 * MS);
	traffic_view_release(&v);
	count(rig_call(2, SLICE("s"), SLICE("m"), 0, MS));
	count(rig_call(3, SLICE("s"), SLICE("m"), 0, MS));
	count(rig_call(4, SLICE("s"), SLICE("m"), 0, MS));
	v = rig_view(traffic);
	assert_true(v.n_of[LABELS_GRPC] > TRAFFIC_SETS);
	traffic_view_release(&v);
}

/* `n` new names at a server, at a time. */
static void count_new(unsigned n, unsigned first, uint64_t after_ns)
{
	char name[32];

	for (unsigned i = first; i < first + n; i++) {
		struct record r;

		snprintf(name, sizeof name, "m%u", i);
		r = rig_call(1, SLICE("s"), slice_str(name), 0, MS);
		r.ts_ns += after_ns;
		count(r);
	}
}

static void check_forgotten(uint64_t forgotten, uint64_t other, uint64_t sum)
{
	struct traffic_view v = rig_view(traffic);

	assert_int_equal(v.n_sets, TRAFFIC_SETS);
	assert_int_equal(v.forgotten[LABELS_GRPC], forgotten);
	assert_int_equal(v.other[LABELS_GRPC][0].requests, other);
	assert_int_equal(rig_sum(&v).requests + forgotten, sum);
	traffic_view_release(&v);
}

/* A call that took hours was not silent. */
static void test_long_calls(void **state)
{
	struct record r = rig_call(1, SLICE("s"), SLICE("long"), 0, MS);

	(void)state;
	r.exchange.response.last_ns = r.ts_ns + 2 * HOUR;
	count(r);
	count_new(TRAFFIC_SETS - 1, 0, 2 * HOUR);
	count_new(1, 1000, 2 * HOUR + HOUR / 2);
	check_forgotten(0, 1, TRAFFIC_SETS + 1);
}

static void test_forgets(void **state)
{
	(void)state;
	count_new(TRAFFIC_SETS, 0, 0);
	count_new(10, 0, HOUR / 2); /* these stay */
	count_new(5, 1000, HOUR - 2);
	check_forgotten(0, 5, TRAFFIC_SETS + 15);
	count_new(TRAFFIC_SETS - 10, 2000, HOUR);
	check_forgotten(TRAFFIC_SETS - 10, 5, 2 * TRAFFIC_SETS + 5);
	count_new(5, 3000, HOUR);
	check_forgotten(TRAFFIC_SETS - 10, 10, 2 * TRAFFIC_SETS + 10);
	count_new(10, 0, HOUR); /* and are found */
	check_forgotten(TRAFFIC_SETS - 10, 10, 2 * TRAFFIC_SETS + 20);
	count_new(TRAFFIC_SETS, 4000, 3 * HOUR);
	check_forgotten(2 * TRAFFIC_SETS + 10, 10, 3 * TRAFFIC_SETS + 20);
}

/* --- threads --- */

#define THREADS 4
#define EACH    20000u

static void *count_much(void *ctx)
{
	unsigned at = *(unsigned *)ctx;
	char name[32];

	for (unsigned i = 0; i < EACH; i++) {
		snprintf(name, sizeof name, "m%u", i % 1000);
		if (i % 2)
			count(rig_call(i % 7, SLICE("s"), slice_str(name), 0, MS));
		else
			count(rig_exchange((i + at) % 256, "GET", 200, MS));
	}
	return NULL;
}

static void test_threads(void **state)
{
	unsigned at[THREADS];
	uint64_t before = 0;
	pthread_t thread[THREADS];
	struct traffic_view v;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		at[i] = i;
		assert_int_equal(pthread_create(&thread[i], NULL, count_much, &at[i]), 0);
	}
	while (before < THREADS * EACH) {
		struct numbers sum;

		v = rig_view(traffic);
		sum = rig_sum(&v);
		assert_true(sum.requests >= before);
		assert_int_equal(sum.bucket[1], sum.requests);
		assert_int_equal(sum.duration_ns, sum.requests * MS);
		before = sum.requests;
		traffic_view_release(&v);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	v = rig_view(traffic);
	assert_int_equal(rig_sum(&v).requests, THREADS * EACH);
	traffic_view_release(&v);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counts),   TEST(test_passes_over), TEST(test_outcomes), TEST(test_methods), TEST(test_statuses),
		TEST(test_names),    TEST(test_servers),     TEST(test_bound),    TEST(test_long_calls),  TEST(test_forgets), TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
