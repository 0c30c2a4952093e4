/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../sample.h"
#include "output/target.h"
#include "output/view.h"

static struct sample s;

static int tear_down(void **state)
{
	(void)state;
	sample_release(&s);
	return 0;
}

static bool hides(const char *name)
{
	static const struct view view;

	return view_hides(&view, sample_text(&s, name));
}

static void test_secret_fields(void **state)
{
	static const char *const secrets[] = {
		"Authorization",
		"Proxy-Authorization",
		"X-Authorization",
		"Cookie",
		"Cookie2",
		"Set-Cookie",
		"Set-Cookie2",
		"Api-Key",
		"ApiKey",
		"X-Api-Key",
		"X-Api-Token",
		"X-Auth-Token",
		"X-Auth-Key",
		"X-Access-Token",
		"X-Session-Token",
		"X-Csrf-Token",
		"X-Xsrf-Token",
		"X-Forwarded-Access-Token",
		"X-Client-Secret",
		"X-Amz-Security-Token",
		"X-Amzn-Oidc-Accesstoken",
		"X-Amzn-Oidc-Data",
		"X-Goog-Api-Key",
		"X-Goog-Iap-Jwt-Assertion",
		"X-Ms-Token-Aad-Access-Token",
		"X-Ms-Token-Aad-Id-Token",
		"X-Functions-Key",
		"Ocp-Apim-Subscription-Key",
		"Cf-Access-Jwt-Assertion",
		"Cf-Access-Client-Secret",
		"X-Vault-Token",
		"X-Consul-Token",
		"Private-Token",
		"Job-Token",
		"X-Registry-Auth",
		"X-Shopify-Access-Token",
		"AUTHORIZATION",
		"authorization",
		"set-cookie",
	};
	const struct view open = {.show_secrets = true};

	(void)state;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		assert_true(hides(secrets[i]));
		sample_release(&s);
	}
	assert_false(view_hides(&open, SLICE("Cookie")));
}

static void test_other_fields(void **state)
{
	static const char *const others[] = {
		"",
		"a",
		"Host",
		"Referer",
		"Location",
		"Cookies",
		"Cooki",
		"Xookie",
		"Accept-Encoding",
		"Authorizatiom",
		"Authorizatio\xee",
		"WWW-Authenticate",
		"X-Ms-Token-Aad-Access-Tokem",
		"X-Ms-Token-Aad-Access-Tokens",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(hides(others[i]));
}

static void test_headers(void **state)
{
	struct view v = {.show_secrets = true};

	(void)state;
	assert_true(view_wants(&v, SLICE("anything")));
	assert_int_equal(view_headers(&v, "host,User-Agent"), 0);
	assert_true(view_wants(&v, SLICE("Host")));
	assert_true(view_wants(&v, SLICE("user-agent")));
	assert_false(view_wants(&v, SLICE("user-agen")));
	assert_int_equal(view_headers(&v, "none"), 0);
	assert_false(view_wants(&v, SLICE("Host")));
	assert_int_equal(view_headers(&v, "accept"), 0);
	assert_true(view_wants(&v, SLICE("Accept")));
	assert_false(view_wants(&v, SLICE("Host")));
	assert_true(v.show_secrets);
	view_release(&v);
}

static void test_bad_headers(void **state)
{
	static const char *const bad[] = {"", ",", "host,", ",host", "a,,b"};
	struct view v = {0};

	(void)state;
	assert_int_equal(view_headers(&v, "host"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(view_headers(&v, bad[i]), -EINVAL);
	assert_true(view_wants(&v, SLICE("host")));
	assert_int_equal(view_headers(&v, "all"), 0);
	assert_true(view_wants(&v, SLICE("x")));
	view_release(&v);
}

static void check_target(const char *target, const char *scheme, const char *authority, const char *path)
{
	struct target t = target_parse(sample_text(&s, target));

	assert_true(slice_eq(t.scheme, slice_str(scheme)));
	assert_true(slice_eq(t.authority, slice_str(authority)));
	assert_true(slice_eq(t.path, slice_str(path)));
}

static void test_targets(void **state)
{
	(void)state;
	check_target("", "", "", "");
	check_target("/a?b", "", "", "/a?b");
	check_target("*", "", "", "*");
	check_target("h:443", "", "", "");
	check_target("http://h:1/p?q", "http", "h:1", "/p?q");
	check_target("HTTP+x://u:p@[::1]:1", "HTTP+x", "[::1]:1", "");
	check_target("http://u@x@h/@y", "http", "h", "/@y");
	check_target("http://@h", "http", "h", "");
	check_target("http://h?q", "http", "h", "?q");
	check_target("http://", "http", "", "");
	check_target("http:/", "", "", "");
	check_target("://h/", "", "", "");
	check_target("1http://h/", "", "", "");
}

static void check_authority(const char *method, const char *target, const char *fields, const char *want,
			    const char *host)
{
	struct message m = {
		.method = slice_str(method), .target = slice_str(target), .headers = sample_fields(&s, fields)};
	struct slice authority = request_authority(&m);

	assert_true(slice_eq(authority, slice_str(want)));
	assert_true(slice_eq(authority_host(authority), slice_str(host)));
}

static void test_authority(void **state)
{
	(void)state;
	check_authority("GET", "/", "A: b\r\nhOST: h:80\r\nHost: x\r\n", "h:80", "h");
	check_authority("GET", "/", "A: b\r\n", "", "");
	check_authority("GET", "http://u@a:1/", "Host: h\r\n", "a:1", "a");
	check_authority("CONNECT", "h:443", "Host: x\r\n", "h:443", "h");
	check_authority("OPTIONS", "*", "Host: [::1]:80\r\n", "[::1]:80", "[::1]");
	check_authority("GET", "/", "Host: [::1\r\n", "[::1", "[");
}

static void test_pseudo_authority(void **state)
{
	struct message m = {.method = SLICE("CONNECT"),
			    .target = SLICE("http://t/"),
			    .authority = sample_text(&s, "a:50051"),
			    .headers = sample_fields(&s, "Host: h\r\n")};

	(void)state;
	assert_true(slice_eq(request_authority(&m), SLICE("a:50051")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)
		TEST(secret_fields), TEST(other_fields), TEST(headers),
		TEST(bad_headers),   TEST(targets),      TEST(authority), TEST(pseudo_authority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
