/* SPDX-License-Identifier: MIT */
/* What -o may be given, taken apart. */
#include "sink/spec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
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

static void told_as(const char *text, const char *want)
{
	char error[256] = "";
	struct spec s;

	spec_parse(&s, text, error, sizeof(error));
	assert_string_equal(s.text, want);
	assert_null(strstr(error, "secret"));
	spec_release(&s);
}

static void test_secrets_are_not_told(void **state)
{
	(void)state;
	told_as("kafka://u:secret@h/t?acks=1&sasl.password=secret&x=y", "kafka://u@h/t?acks=1&sasl.password=&x=y");
	told_as("kafka://h/t?ssl.key.password=secret", "kafka://h/t?ssl.key.password=");
	told_as("elasticsearch://u:secret?secret@h/t", "elasticsearch://u@h/t");
	told_as("elasticsearch://u:secret@secret@h/t?a=1", "elasticsearch://u@h/t?a=1");
	told_as("elasticsearch://u:secret@h/t?a=1&nonsense", "elasticsearch://u@h/t?a=1&nonsense");
	told_as("json:a@b:c", "json:a@b:c");
	told_as("Kafka://u:secret@h/t", "Kafka://u@h/t");
	told_as("json:Kafka://u:secret@h/t", "json:Kafka://u@h/t");
}

/* Where the password ends nobody knows: then nothing is told of it, nor taken for an option. */
static void test_torn_passwords_are_not_told(void **state)
{
	static const char *const texts[] = {
		"kafka://u:se/cret@h/t", "kafka://u:se?x=cret@h/t", "kafka://u:se/cr?x=et@h/t", "kafka://u:s@e/cret@h/t?a=1", "kafka://u:12/cret@h/t",
		"kafka://u:12?x=cret@h/t", "kafka://u:p@h?x=cret@h/t", "kafka://:se/cret@h/t", "kafka://u:p@/cret@h", "kafka://u:se?status=cret@h/t",
		"json:tcp://u:se/cret@h:1", "elasticsearch+https://u:se/c?status=ret@h/t",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *slashes = strstr(texts[i], "//");
		char error[256] = "", want[64];
		struct spec s;

		assert_int_equal(spec_parse(&s, texts[i], error, sizeof(error)), -EINVAL);
		sprintf(want, "%.*s//...", (int)(slashes - texts[i]), texts[i]);
		assert_string_equal(s.text, want);
		assert_null(strstr(error, "cret"));
		assert_non_null(strstr(error, want));
		spec_release(&s);
	}
}

/* An '@' that is nobody's end stays. */
static void test_other_ats_are_told(void **state)
{
	(void)state;
	told_as("kafka://a:1,b/t?sasl.username=me@corp", "kafka://a:1,b/t?sasl.username=me@corp");
	told_as("kafka://u:secret@h/t?client.id=a@b", "kafka://u@h/t?client.id=a@b");
	told_as("tcp://h:9?path=/@x:y", "tcp://h:9?path=/@x:y");
	told_as("unix:///run/a:b@c", "unix:///run/a:b@c");
}

static void test_hosts(void **state)
{
	static const struct {
		const char *hosts;
		bool with_port, many, want;
	} cases[] = {
		{"h", false, false, true},       {"h", true, false, false},      {"h:1", true, false, true},
		{"h:65535", true, false, true},  {"h:65536", true, false, false}, {"h:0", false, false, false},
		{"h:", false, false, false},     {"h:x", false, false, false},   {"h:1x", false, false, false},
		{"", false, true, false},        {"a,b:2", false, true, true},   {"a,b", false, false, false},
		{"a,", false, true, false},      {",a", false, true, false},     {"[::1]", false, false, true},
		{"[::1]:9", true, false, true},  {"[]:9", true, false, false},   {"[::1:9", false, false, false},
		{"::1", false, false, false},    {"[::1]9", false, false, false}, {"a b:9", false, false, false},
		{"h:99999999999999", false, false, false}, {"h\n:1", false, false, false}, {":1", true, false, false},
	};
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct spec s = {.text = "x", .hosts = (char *)cases[i].hosts};
		int r = spec_check_hosts(&s, cases[i].with_port, cases[i].many, error, sizeof(error));

		if ((r == 0) != cases[i].want)
			fail_msg("'%s' is %d", cases[i].hosts, r);
	}
}

/* Of any bytes: nothing is read beyond them, and each part is one of them. */
static void test_any_bytes(void **state)
{
	static const char *const words[] = {"://", "kafka", "json:", "@", ":", "/", "?", "a=", "&", "%", "%2", "%41", ",", "[", "]", "unix", "=", "x"};
	unsigned seed = 1;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		char text[64] = "", error[128], *exact;
		struct spec s;
		int r;

		for (unsigned k = (unsigned)rand_r(&seed) % 8; k; k--)
			if (rand_r(&seed) % 4)
				strcat(text, words[(unsigned)rand_r(&seed) % (sizeof(words) / sizeof(words[0]))]);
			else
				text[strlen(text)] = (char)(1 + rand_r(&seed) % 255);
		exact = strdup(text);
		r = spec_parse(&s, exact, error, sizeof(error));
		assert_true(r == 0 || r == -EINVAL);
		if (r == 0) {
			assert_non_null(s.format);
			assert_true(strlen(s.text) <= strlen(text));
			spec_check_hosts(&s, i & 1, i & 2, error, sizeof(error));
			assert_true(!s.password || s.scheme);
		}
		spec_release(&s);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_passwords_are_not_told),
		cmocka_unit_test(test_secrets_are_not_told),
		cmocka_unit_test(test_torn_passwords_are_not_told),
		cmocka_unit_test(test_other_ats_are_told),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
