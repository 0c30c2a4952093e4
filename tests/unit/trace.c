/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "../sample.h"
#include "output/trace.h"

#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN   "00f067aa0ba902b7"
#define SHORT  "a3ce929d0e0e4736"
#define ZEROS  "0000000000000000"
#define PARENT "traceparent: 00-" ID "-" SPAN "-01\r\n"

static struct sample s;

static int tear_down(void **state)
{
	(void)state;
	sample_release(&s);
	return 0;
}

/* What these header lines say: "TRACE SPAN", or "-". */
static void check(const char *lines, const char *want)
{
	struct fields f = sample_fields(&s, lines);
	char got[64] = "-";
	struct trace t;

	if (trace_of(&f, &t))
		snprintf(got, sizeof got, "%.32s %.16s", (char *)t.trace_id, (char *)t.span_id);
	if (strcmp(got, want) != 0)
		fail_msg("'%s' gives '%s'", lines, got);
	sample_release(&s);
}

static void test_parent(void **state)
{
	(void)state;
	check("", "-");
	check("Host: h\r\n", "-");
	check(PARENT, ID " " SPAN);
	check("Host: h\r\nTraceParent: 00-" ID "-" SPAN "-00\r\nA: b\r\n", ID " " SPAN);
	check("traceparent: cc-" ID "-" SPAN "-01\r\n", ID " " SPAN);
	check("traceparent: cc-" ID "-" SPAN "-01-\r\n", ID " " SPAN);
	check("traceparent: cc-" ID "-" SPAN "-01-what-comes\r\n", ID " " SPAN);
}

static void test_wrong_parents(void **state)
{
	static const char *const wrong[] = {
		"", "-", "---", "00", "00-", "00-" ID, "00-" ID "-", "00-" ID "-" SPAN, "00-" ID "-" SPAN "-",
		"00-" ID "-" SPAN "-0", "00-" ID "-" SPAN "-001", "00-" ID "-" SPAN "-01-", "00-" ID "-" SPAN "-01-x",
		"00-" ID "-" SPAN "-0G", "00-" ID "-" SPAN "-0A", "ff-" ID "-" SPAN "-01", "FF-" ID "-" SPAN "-01",
		"0-" ID "-" SPAN "-001", "000-" ID "-" SPAN "-1", "0x-" ID "-" SPAN "-01", "cc-" ID "-" SPAN "-01x",
		"cc-" ID "-" SPAN "-01.x", "00-" ZEROS ZEROS "-" SPAN "-01", "00-" ID "-" ZEROS "-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", "00-" ID "-00F067AA0BA902B7-01",
		"00-" SHORT "-" SPAN "-01", "00-" SHORT "-" SPAN "-01-0000000000000000", "00_" ID "_" SPAN "_01",
		"00-" ID "-" SPAN "-01,00-" ID "-" SPAN "-01", "00-4bf92f3577b34da6-a3ce929d0e0e47-" SPAN "-01",
		"00-\xff" "bf92f3577b34da6a3ce929d0e0e4736-" SPAN "-01",
	};
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(line, sizeof(line), "traceparent: %s\r\n", wrong[i]);
		check(line, "-");
	}
	check(PARENT PARENT, "-");
	check("traceparen: 00-" ID "-" SPAN "-01\r\n", "-");
}

static void test_b3(void **state)
{
	static const char *const wrong[] = {
		"", "0", "1", "d", "-", ID, ID "-", "-" SPAN, ID "-" SPAN "-", ID "-" SPAN "-2", ID "-" SPAN "-01",
		ID "-" SPAN "-1-", ID "-" SPAN "-1-" ZEROS, ID "-" SPAN "-1-1", ID "-" SPAN "-1-" SPAN "-",
		ID "-" SPAN "-1-" SPAN "-1", ID "-" SPAN "-" SPAN, ZEROS ZEROS "-" SPAN "-1", ZEROS "-" SPAN, ID "-" ZEROS,
		ID "-" ID, ID "0-" SPAN, "0" SHORT "-" SPAN, SPAN "-f067aa0ba902b7", ID "--1", ID "--" SPAN,
		"4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN, ID "-" SPAN "-d\t",
	};
	char line[256];

	(void)state;
	check("b3: " ID "-" SPAN "\r\n", ID " " SPAN);
	check("B3: " ID "-" SPAN "-0\r\n", ID " " SPAN);
	check("b3: " ID "-" SPAN "-d\r\n", ID " " SPAN);
	check("b3: " ID "-" SPAN "-1-05e3ac9a4f6e3b90\r\n", ID " " SPAN);
	check("b3: " SHORT "-" SPAN "-1\r\n", ZEROS SHORT " " SPAN);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(line, sizeof(line), "b3: %s\r\n", wrong[i]);
		check(line, "-");
	}
	check("b3: " ID "-" SPAN "\r\nb3: " ID "-" SPAN "\r\n", "-");
}

static void test_two_fields(void **state)
{
	(void)state;
	check("X-B3-TraceId: " ID "\r\nX-B3-SpanId: " SPAN "\r\n", ID " " SPAN);
	check("x-b3-spanid: " SPAN "\r\nx-b3-sampled: 1\r\nx-b3-traceid: " SHORT "\r\n", ZEROS SHORT " " SPAN);
	check("X-B3-TraceId: " ID "\r\n", "-");
	check("X-B3-SpanId: " SPAN "\r\n", "-");
	check("X-B3-TraceId: \r\nX-B3-SpanId: \r\n", "-");
	check("X-B3-TraceId: " ID "\r\nX-B3-SpanId: " ZEROS "\r\n", "-");
	check("X-B3-TraceId: " ID "1\r\nX-B3-SpanId: " SPAN "\r\n", "-");
	check("X-B3-TraceId: " ID "\r\nX-B3-SpanId: " ID "\r\n", "-");
	check("X-B3-TraceId: " ID "\r\nX-B3-TraceId: " ID "\r\nX-B3-SpanId: " SPAN "\r\n", "-");
}

/* The better form wins if it is valid. */
static void test_which(void **state)
{
	const char *b3 = "b3: " SHORT "-1111111111111111\r\n" PARENT, *both = "b3: 0\r\nx-b3-traceid: " ID "\r\nx-b3-spanid: " SPAN "\r\n";

	(void)state;
	check(b3, ID " " SPAN);
	check("b3: " SHORT "-1111111111111111\r\ntraceparent: 00\r\n", ZEROS SHORT " 1111111111111111");
	check(both, ID " " SPAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_teardown(test_##name, tear_down)
		TEST(parent), TEST(wrong_parents), TEST(b3), TEST(two_fields), TEST(which),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
