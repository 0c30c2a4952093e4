/* SPDX-License-Identifier: MIT */
/* What -o may be given, taken apart. */
#include "sink/spec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The parts of a spec as "format|scheme|user|password|hosts|path|key=value|...". */
static void parts(const char *text, const char *want)
{
	char error[256], got[512];
	struct spec s;
	size_t n;

	assert_int_equal(spec_parse(&s, text, error, sizeof(error)), 0);
	n = (size_t)sprintf(got, "%s|%s|%s|%s|%s|%s", s.format, s.scheme ? s.scheme : "-", s.user ? s.user : "-",
			    s.password ? s.password : "-", s.hosts ? s.hosts : "-", s.path ? s.path : "-");
	for (size_t i = 0; i < s.n_options; i++)
		n += (size_t)sprintf(got + n, "|%s=%s", s.options[i].key, s.options[i].value);
	assert_string_equal(got, want);
	spec_release(&s);
}

static void test_files(void **state)
{
	(void)state;
	parts("json", "json|-|-|-|-|-");
	parts("json:", "json|-|-|-|-|-");
	parts("text:-", "text|-|-|-|-|-");
	parts("json:/var/log/a%20b.json", "json|-|-|-|-|/var/log/a%20b.json");
	parts("json:what?.json", "json|-|-|-|-|what?.json");
	parts("json:/x.zst?size=10M&keep=3", "json|-|-|-|-|/x.zst|size=10M|keep=3");
	parts("json:C:/x", "json|-|-|-|-|C:/x");
	parts("nonsense", "nonsense|-|-|-|-|-");
	parts("json?status=5xx", "json|-|-|-|-|-|status=5xx");
	parts("/var/log/x", "/var/log/x|-|-|-|-|-"); /* which is no format */
}

static void test_urls(void **state)
{
	(void)state;
	parts("kafka://a:9092,b:9092/topic", "json|kafka|-|-|a:9092,b:9092|topic");
	parts("json:kafka://a/t", "json|kafka|-|-|a|t");
	parts("elasticsearch://me:p%40ss:w@[::1]:9200/index?gzip=no", "json|elasticsearch|me|p@ss:w|[::1]:9200|index|gzip=no");
	parts("elasticsearch+https://h", "json|elasticsearch+https|-|-|h|-");
	parts("text:tcp://127.0.0.1:5170?path=/a%26b", "text|tcp|-|-|127.0.0.1:5170|-|path=/a&b");
	parts("unix:///run/x.sock", "json|unix|-|-||/run/x.sock");
	parts("kafka://a@b/", "json|kafka|a|-|b|");
}

static void test_options(void **state)
{
	char error[256];
	struct spec s;

	(void)state;
	assert_int_equal(spec_parse(&s, "kafka://a/t?acks=all&x=1&acks=1", error, sizeof(error)), 0);
	assert_string_equal(spec_get(&s, "acks", "0"), "1");
	assert_string_equal(spec_get(&s, "none", "0"), "0");
	assert_string_equal(spec_unknown(&s), "x");
	assert_string_equal(spec_get(&s, "x", NULL), "1");
	assert_null(spec_unknown(&s));
	spec_release(&s);
	assert_int_equal(spec_parse(&s, "kafka://a/t?acks=all&nonsense", error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "KEY=VALUE"));
	spec_release(&s);
}

static void test_passwords_are_not_told(void **state)
{
	char error[256];
	struct spec s;

	(void)state;
	assert_int_equal(spec_parse(&s, "elasticsearch://me:secret@h:9200/x", error, sizeof(error)), 0);
	assert_string_equal(s.text, "elasticsearch://me@h:9200/x");
	assert_string_equal(s.password, "secret");
	spec_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_passwords_are_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
