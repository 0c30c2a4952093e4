/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../sample.h"
#include "output/glob.h"
#include "output/select.h"

static struct sample s;
static struct select *sel;

static int set_up(void **state)
{
	(void)state;
	sample_exchange(&s);
	sel = select_new();
	return sel ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	sample_release(&s);
	select_free(sel);
	return 0;
}

static void add(const char *what, const char *value)
{
	char error[128] = "";

	assert_int_equal(select_add(sel, what, value, error, sizeof(error)), 0);
	assert_string_equal(error, "");
}

/* Does the sample meet this condition alone? */
static bool meets(const char *what, const char *value)
{
	bool r;

	add(what, value);
	assert_true(select_any(sel));
	r = select_match(sel, &s.r);
	select_free(sel);
	sel = select_new();
	assert_non_null(sel);
	return r;
}

static void test_nothing(void **state)
{
	(void)state;
	assert_false(select_any(sel));
	assert_true(select_match(sel, &s.r));
	s.r.exchange.request.seen = false;
	assert_true(select_match(sel, &s.r));
	select_free(NULL);
}

static void test_method(void **state)
{
	struct slice *method = &s.r.exchange.request.method;

	(void)state;
	assert_true(meets("method", "GET"));
	assert_true(meets("method", "get"));
	assert_true(meets("method", "POST, GET"));
	assert_false(meets("method", "POST"));
	assert_false(meets("method", "GE"));
	*method = sample_text(&s, "get");
	assert_false(meets("method", "GET"));
	assert_true(meets("method", "get"));
	method->n = 0;
	assert_false(meets("method", "GET"));
}

static void test_host(void **state)
{
	struct message *m = &s.r.exchange.request;

	(void)state;
	m->headers = sample_fields(&s, "Host: Api.Example.com:8080\r\n");
	assert_true(meets("host", "api.example.com"));
	assert_true(meets("host", "*.EXAMPLE.*"));
	assert_true(meets("host", "api.example.com:8080"));
	assert_true(meets("host", "*:80*"));
	assert_false(meets("host", "api.example.com:80"));
	assert_false(meets("host", "example.com"));
	m->headers = sample_fields(&s, "Host: [2001:db8::1]:80\r\n");
	assert_true(meets("host", "[2001:db8::1]"));
	assert_true(meets("host", "[2001:*]"));
	assert_true(meets("host", "[2001:*]:80"));
	assert_false(meets("host", "[2001:*]:81"));
	m->target = sample_text(&s, "http://other/");
	assert_true(meets("host", "other"));
	m->target = sample_text(&s, "/");
	m->headers.n = 0;
	assert_false(meets("host", "*"));
}

static void test_path(void **state)
{
	struct message *m = &s.r.exchange.request;

	(void)state;
	m->target = sample_text(&s, "/api/v1/x?a=b");
	assert_true(meets("path", "/api/*"));
	assert_true(meets("path", "/api/v1/x"));
	assert_true(meets("path", "*a=b"));
	assert_false(meets("path", "/API/*"));
	assert_false(meets("path", "/api"));
	m->target = sample_text(&s, "http://h/p?q");
	assert_true(meets("path", "/p"));
	assert_false(meets("path", "http:*"));
	m->target = sample_text(&s, "*");
	assert_true(meets("path", "\\*"));
	m->target = sample_text(&s, "h:443");
	assert_false(meets("path", "*"));
	m->target.n = 0;
	assert_false(meets("path", "*"));
}

static void test_status(void **state)
{
	uint16_t *status = &s.r.exchange.response.status;

	(void)state;
	assert_true(meets("status", "200"));
	assert_true(meets("status", "404, 2xx"));
	assert_true(meets("status", "20X"));
	assert_true(meets("status", "199-200"));
	assert_true(meets("status", "1xx-2xx"));
	assert_false(meets("status", "201-999"));
	assert_false(meets("status", "100-199"));
	*status = 999;
	assert_true(meets("status", "9xx"));
	*status = 1000;
	assert_false(meets("status", "100-999"));
	*status = 0;
	assert_false(meets("status", "100-999"));
}

static void test_min_latency(void **state)
{
	(void)state;
	assert_true(meets("min-latency", "1"));
	assert_true(meets("min-latency", "1.2ms"));
	assert_true(meets("min-latency", "1200000ns"));
	assert_false(meets("min-latency", "1200001ns"));
	assert_false(meets("min-latency", "1201us"));
	assert_true(meets("min-latency", "0.0012s"));
	assert_false(meets("min-latency", "0.0012000010s"));
	assert_true(meets("min-latency", "0"));
	add("min-latency", "1s");
	assert_false(select_match(sel, &s.r));
	add("min-latency", "1ms");
	assert_true(select_match(sel, &s.r));
	s.r.exchange.timed = false;
	assert_false(select_match(sel, &s.r));
}

static void test_header(void **state)
{
	(void)state;
	assert_true(meets("header", "host"));
	assert_true(meets("header", "CONTENT-LENGTH"));
	assert_true(meets("header", "content-length: 4*"));
	assert_true(meets("header", " user-agent :\tT "));
	assert_false(meets("header", "content-length: 5*"));
	assert_false(meets("header", "content-length:"));
	assert_false(meets("header", "accept"));
	s.r.exchange.response.trailers = sample_fields(&s, "Sum: a:b\r\n");
	assert_true(meets("header", "sum: a:b"));
}

static void test_cidr(void **state)
{
	struct endpoints *e = &s.r.ends;

	(void)state;
	assert_true(meets("cidr", "10.0.0.2"));
	assert_false(meets("cidr", "10.0.0.1"));
	assert_true(meets("cidr", "10.0.0.0/30"));
	assert_true(meets("cidr", "10.0.0.3/31"));
	assert_false(meets("cidr", "10.0.0.0/31"));
	assert_false(meets("cidr", "10.0.0.4/30"));
	assert_false(meets("cidr", "10.0.0.3/32"));
	assert_true(meets("cidr", "2001:db8::/32, 0.0.0.0/0"));
	assert_false(meets("cidr", "2001:db8::/32"));
	sample_end(&e->other, 0, "10.0.0.1", 1);
	sample_end(&e->other, 1, "192.168.7.7", 2);
	assert_false(meets("cidr", "192.168.0.0/16"));
	e->translated = true;
	assert_true(meets("cidr", "192.168.0.0/16"));
	sample_end(&e->key, 1, "2001:db8::1", 80);
	assert_true(meets("cidr", "2001:db8::/32"));
	assert_false(meets("cidr", "2001:db9::/32"));
	assert_true(meets("cidr", "::/0"));
	assert_false(meets("cidr", "10.0.0.0/8"));
}

static void test_all_must_hold(void **state)
{
	(void)state;
	add("method", "POST");
	add("method", "GET");
	add("status", "2xx");
	assert_true(select_match(sel, &s.r));
	add("path", "/other");
	assert_false(select_match(sel, &s.r));
	add("path", "/index.html");
	assert_true(select_match(sel, &s.r));
}

static void test_other_records(void **state)
{
	(void)state;
	add("method", "POST");
	s.r.kind = RECORD_FLOW;
	s.r.flow = (struct flow_record){0};
	assert_true(select_match(sel, &s.r));
	add("cidr", "1.2.3.4");
	assert_false(select_match(sel, &s.r));
	add("cidr", "10.0.0.2");
	assert_true(select_match(sel, &s.r));
	s.r.kind = RECORD_LOSS;
	s.r.ends = (struct endpoints){.ifname = ""};
	assert_true(select_match(sel, &s.r));
}

static void test_bad_values(void **state)
{
	static const char *const bad[][2] = {
		{"method", ""},
		{"method", "GET,"},
		{"method", ",GET"},
		{"host", ""},
		{"path", ""},
		{"status", ""},
		{"status", "20"},
		{"status", "2000"},
		{"status", "x00"},
		{"status", "2x0"},
		{"status", "000"},
		{"status", "abc"},
		{"status", "300-200"},
		{"status", "200-"},
		{"status", "-200"},
		{"status", "200,"},
		{"status", "grpc:"},
		{"status", "grpc:-1"},
		{"status", "grpc:1-"},
		{"status", "grpc:2-1"},
		{"status", "grpc:1000"},
		{"status", "grpc:5xx"},
		{"status", "grpc:OKAY"},
		{"status", "grpc"},
		{"status", "http:200"},
		{"status", "NOT FOUND"},
		{"status", "NOT_FOUN"},
		{"status", "5"},
		{"status", "OK-NOT_FOUND"},
		{"service", ""},
		{"min-latency", ""},
		{"min-latency", "ms"},
		{"min-latency", "1m"},
		{"min-latency", "-1"},
		{"min-latency", "1."},
		{"min-latency", ".5"},
		{"min-latency", "1.ms"},
		{"min-latency", "1 ms"},
		{"min-latency", "9999999999"},
		{"header", ""},
		{"header", ":"},
		{"header", " : x"},
		{"cidr", ""},
		{"cidr", "10.0.0"},
		{"cidr", "10.0.0.0/33"},
		{"cidr", "10.0.0.0/"},
		{"cidr", "10.0.0.0/-1"},
		{"cidr", "10.0.0.0/ 1"},
		{"cidr", "10.0.0.0/1x"},
		{"cidr", "::/129"},
		{"cidr", "10.0.0.0/8,"},
		{"cidr", "10.0.0.0/99999999999999999999"},
		{"cidr", "example.com"},
		{"nonsense", "x"},
		{"", "x"},
	};
	char error[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error[0] = 0;
		assert_int_equal(select_add(sel, bad[i][0], bad[i][1], error, sizeof(error)), -EINVAL);
		assert_non_null(strstr(error, bad[i][0]));
	}
	select_add(sel, "status", "2oo", error, sizeof(error));
	assert_string_equal(error, "bad status '2oo': use 404, 5xx, 500-599, NOT_FOUND or grpc:1-16, separated by commas");
}

static void test_service(void **state)
{
	struct grpc_record *g;

	(void)state;
	assert_false(meets("service", "*"));
	g = sample_call(&s);
	assert_true(meets("service", "greet.Greeter"));
	assert_true(meets("service", "*.Greeter"));
	assert_true(meets("service", "*"));
	assert_false(meets("service", "Greeter"));
	assert_false(meets("service", "*.greeter"));
	add("service", "shop.*");
	assert_false(select_match(sel, &s.r));
	add("service", "greet.*");
	assert_true(select_match(sel, &s.r));
	add("method", "SayGoodbye");
	assert_false(select_match(sel, &s.r));
	g->service.n = 0;
	assert_false(meets("service", "*"));
}

static void test_call_method(void **state)
{
	struct grpc_record *g = sample_call(&s);

	(void)state;
	assert_true(meets("method", "SayHello"));
	assert_true(meets("method", "GET,SayHello"));
	assert_true(meets("method", "post"));
	assert_false(meets("method", "sayhello"));
	assert_false(meets("method", "Say*"));
	g->method = sample_text(&s, "SAYHELLO");
	assert_false(meets("method", "SayHello"));
	g->method.n = 0;
	assert_false(meets("method", "SayHello"));
	s.r.exchange.is_grpc = false;
	g->method = sample_text(&s, "SayHello");
	assert_false(meets("method", "SayHello"));
}

static void test_call_status(void **state)
{
	struct grpc_record *g = sample_call(&s);

	(void)state;
	assert_true(meets("status", "200"));
	assert_true(meets("status", "OK"));
	assert_true(meets("status", "grpc:0"));
	assert_false(meets("status", "grpc:1-16"));
	g->status = 5;
	assert_true(meets("status", "200"));
	assert_true(meets("status", "NOT_FOUND"));
	assert_true(meets("status", "not_found"));
	assert_true(meets("status", "GRPC:Not_Found"));
	assert_true(meets("status", "5xx, grpc: 5"));
	assert_true(meets("status", "404, not_found, OK"));
	assert_true(meets("status", "grpc:1-16"));
	assert_true(meets("status", "grpc:CANCELLED - UNAUTHENTICATED"));
	assert_false(meets("status", "OK, 404"));
	assert_false(meets("status", "grpc:6-999"));
	g->status = 999;
	assert_true(meets("status", "grpc:999"));
	g->status = 1000;
	assert_false(meets("status", "grpc:0-999"));
	g->status = -1;
	assert_false(meets("status", "grpc:0-999"));
	assert_true(meets("status", "200"));
	g->status = 5;
	s.r.exchange.response.status = 0;
	assert_true(meets("status", "NOT_FOUND"));
	s.r.exchange.is_grpc = false;
	assert_false(meets("status", "NOT_FOUND, 100-999"));
}

/* Host and path of an HTTP/2 request are pseudo-header fields. */
static void test_http2(void **state)
{
	struct message *m = &s.r.exchange.request;

	(void)state;
	sample_call(&s);
	m->authority = sample_text(&s, "Greeter.example:50051");
	assert_true(meets("host", "greeter.example"));
	assert_true(meets("host", "*:50051"));
	assert_false(meets("host", "10.*"));
	assert_true(meets("path", "/greet.Greeter/*"));
	assert_true(meets("header", "te: trailers"));
	assert_true(meets("header", "grpc-status: 0"));
	m->headers = sample_fields(&s, "host: other\r\n");
	assert_false(meets("host", "other"));
	m->authority.n = 0;
	assert_true(meets("host", "other"));
}

static bool globs(const char *glob, const char *text)
{
	return glob_match(sample_text(&s, glob), sample_text(&s, text), false);
}

static void test_globs(void **state)
{
	(void)state;
	assert_true(globs("", ""));
	assert_true(globs("*", ""));
	assert_true(globs("**", "ab"));
	assert_true(globs("a*b*c", "aXbYbc"));
	assert_false(globs("a*b*c", "aXbYb"));
	assert_true(globs("?", "a"));
	assert_false(globs("?", ""));
	assert_false(globs("", "a"));
	assert_true(globs("[a]", "[a]"));
	assert_true(globs("\\?\\*\\\\", "?*\\"));
	assert_false(globs("\\?", "a"));
	assert_true(globs("a\\", "a\\"));
	assert_true(globs("*/x", "/a/b/x"));
	assert_false(globs("A", "a"));
	assert_true(glob_match(SLICE("A*Z"), SLICE("abz"), true));
	assert_false(globs("*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
		TEST(nothing),     TEST(method), TEST(host), TEST(path),           TEST(status),        TEST(globs),
		TEST(min_latency), TEST(header), TEST(cidr), TEST(all_must_hold), TEST(other_records), TEST(bad_values),
		TEST(service),     TEST(http2),  TEST(call_method),        TEST(call_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
