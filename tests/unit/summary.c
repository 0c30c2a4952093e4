/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "output/summary.h"

static void check(const struct summary *s, bool verbose, const char *expected)
{
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	summary_print(s, verbose, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void test_nothing(void **state)
{
	const struct summary s = {0};

	(void)state;
	check(&s, false, "0 exchanges\n0 packets, 0 connections\n0 lost\n");
	check(&s, true, "0 exchanges\n0 packets, 0 connections\n0 lost\n");
}

static void test_one_of_each(void **state)
{
	const struct summary s = {.stats = {.packets = 1, .exchanges = 1, .flows = 1}, .shown = 1, .live = true, .interfaces = 1};

	(void)state;
	check(&s, false, "1 exchange\n1 packet, 1 connection, 1 interface\n0 lost\n");
}

static void test_selection(void **state)
{
	const struct summary s = {.stats = {.packets = 90, .exchanges = 7, .unanswered = 2, .orphans = 1, .flows = 3},
				  .filtered = 10,
				  .shown = 4,
				  .write = "x.pcap",
				  .tap = {.written = 12, .let_go = 5}};

	(void)state;
	check(&s, false,
	      "7 exchanges, 4 shown, 2 unanswered, 1 without a request\n"
	      "100 packets, 10 refused by the filter, 3 connections\n"
	      "0 lost\n"
	      "'x.pcap': 12 packets, 5 undecided ones let go for want of memory\n");
}

static void test_filter_in_kernel(void **state)
{
	const struct summary s = {.stats = {.packets = 90}, .filtered = 10, .filtered_early = 8, .live = true};

	(void)state;
	check(&s, false, "0 exchanges\n100 packets, 10 refused by the filter (8 in the kernel), 0 connections, 0 interfaces\n0 lost\n");
}

static void test_losses(void **state)
{
	const struct summary s = {.stats = {.lost_ring = 1, .lost_network = 2, .lost_snaplen = 3, .lost_memory = 4},
				  .live = true,
				  .interfaces = 2,
				  .unattached = 1,
				  .ring_lost = 5,
				  .lost_bytes = 6,
				  .file_lost = 7};

	(void)state;
	check(&s, false,
	      "0 exchanges\n0 packets, 0 connections, 2 interfaces, 1 could not be attached to\n"
	      "lost: 5 packets in the ring, 6 bytes of their payload, 7 packets by whoever wrote the file, "
	      "1 stream bytes in the ring, 2 stream bytes never captured, 3 stream bytes cut by the snapshot length, "
	      "4 stream bytes for want of memory\n");
}

static void test_losses_by_cpu(void **state)
{
	const uint64_t by_cpu[] = {0, 7, 0, 3};
	const struct summary s = {.live = true, .ring_lost = 7, .unread_lost = 2, .oversize_lost = 1, .lost_bytes = 9,
				  .lost_by_cpu = by_cpu, .cpus = 4};

	(void)state;
	check(&s, true,
	      "0 exchanges\n0 packets, 0 connections, 0 interfaces\n"
	      "lost: 7 packets in the ring, 2 packets that the kernel could not read, 1 packets that are too large, "
	      "9 bytes of their payload\nlost by cpu: cpu 1 7, cpu 3 3\n");
}

/* What is out of the ordinary is told unasked; all the rest only with --verbose. */
static void test_oddities(void **state)
{
	const struct summary s = {.stats = {.malformed = 3, .retransmitted = 1460, .frame_errors = 2}};

	(void)state;
	check(&s, false, "0 exchanges\n0 packets, 0 connections\n0 lost\n         3  packets with broken or cut headers\n"
	      "         2  frames of HTTP/2 that broke the rules\n");
	check(&s, true,
	      "0 exchanges\n0 packets, 0 connections\n0 lost\n         3  packets with broken or cut headers\n"
	      "      1460  payload bytes that were there already\n"
	      "         2  frames of HTTP/2 that broke the rules\n");
}

static void test_budget(void **state)
{
	const struct summary s = {.stats = {.flows_counted = 2}, .live = true,
				  .budget = {.limit_ns = 100000000, .cpu_ns = 1200000000, .detail = DETAIL_LINES,
					     .in_ns = {8000000000, 0, 2000000000, 0}}};

	(void)state;
	check(&s, false, "0 exchanges\n0 packets, 0 connections, 0 interfaces\n0 lost\n"
	      "cpu: 12.0% of a core, of 10.0%: 8s whole, 2s lines, 2 connections only counted for some time\n");
}

/* Only what was left out is listed. */
static void test_left_out(void **state)
{
	struct summary s = {.live = true, .elided_bytes = 5000, .elided = 1, .copies = 3};

	(void)state;
#define HEAD "0 exchanges\n0 packets, 0 connections, 0 interfaces\n"
	check(&s, false, HEAD "left out: 5000 payload bytes that nobody decodes, 1 packet of such payload or its acknowledgements, "
	      "3 packets that another interface showed\n0 lost\n");
	s.elided_bytes = s.elided = 0;
	check(&s, false, HEAD "left out: 3 packets that another interface showed\n0 lost\n");
	s.copies = 0;
	check(&s, false, HEAD "0 lost\n");
#undef HEAD
}

static void test_progress(void **state)
{
	const struct summary s = {.stats = {.packets = 2, .exchanges = 1}, .shown = 1};
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	summary_progress(&s, out);
	fclose(out);
	assert_string_equal(text, "1 exchange; 2 packets, 0 connections; 0 lost\n");
	free(text);
}

static void test_progress_with_drops(void **state)
{
	const struct summary s = {.stats = {.packets = 2, .exchanges = 1}, .shown = 1, .dropped = 7};
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	summary_progress(&s, out);
	fclose(out);
	assert_non_null(strstr(text, "; 7 records dropped or refused on their way; 0 lost\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing), cmocka_unit_test(test_one_of_each), cmocka_unit_test(test_selection),
		cmocka_unit_test(test_losses),  cmocka_unit_test(test_oddities),    cmocka_unit_test(test_progress),
		cmocka_unit_test(test_progress_with_drops),
		cmocka_unit_test(test_filter_in_kernel), cmocka_unit_test(test_losses_by_cpu),
		cmocka_unit_test(test_budget), cmocka_unit_test(test_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
