/* SPDX-License-Identifier: MIT */
/* HTTP/1 as it is met: what breaks the grammar or the limits, and what is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../ways.h"

/* --- sloppy --------------------------------------------------------------------------------------------------------- */

static void line_feeds(void **state)
{
	(void)state;
	client("\r\n\nGET /1 HTTP/1.1\nHost: h\n\n");
	server("HTTP/1.1 200 OK\nContent-Length: 2\n\nok\r\n");
	client("\r\nPOST /2 HTTP/1.1\r\nContent-Length: 1\r\n\r\nx\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 0\n\n");
	talk_close(all);
	expect("GET /1 1.1 -> 200 1.1 2B 1000/1000us\n"
	       "POST /2 1.1 1B -> 200 1.1 1000/1000us\n");
}

static void folded(void **state)
{
	(void)state;
	client("GET / HTTP/1.1\r\nX-Long: one\r\n two\r\n\tthree\r\nHost: h\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nX:\r\n folded\r\nContent-Length: 0\r\n\r\n");
	talk_close(all);
	expect("GET / 1.1 -> 200 1.1 1000/1000us\n");
	expect_part("field(X-Long=one\\0d\\0a two\\0d\\0a\\09three) field(Host=h)");
	expect_part("field(X=folded) field(Content-Length=0)");
}

/* What no grammar allows and some server sends: shown, and the message goes on. */
static void broken_fields(void **state)
{
	(void)state;
	client("GET / HTTP/1.1\r\nno colon here\r\nHost : h\r\n: no name\r\nB\x01" "ad: v\r\nGood: v\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nBad name: v\r\nX: a\x01z\r\nContent-Length: 2\r\n\r\nok");
	client("GET /next HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	talk_close(all);
	expect_part("field(Host =h) field(=no name) field(B\\01ad=v) field(Good=v)");
	expect_part("field(Bad name=v) field(X=a\\01z) field(Content-Length=2)");
	expect("GET / 1.1 missing(head grammar 13) -> 200 1.1 2B 1000/1000us\n"
	       "GET /next 1.1 -> 200 1.1 1000/1000us\n");
}

static void sloppy_start_lines(void **state)
{
	(void)state;
	client("GET  /two  HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n");
	client("GET /with space HTTP/1.1\r\n\r\n");
	server("HTTP/1.1  404  Not  Found \r\nContent-Length: 0\r\n\r\n");
	client("GET /tab\tHTTP/1.1\r\n\r\n");
	server("HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n");
	talk_close(all);
	expect("GET /two 1.1 -> 200 1.1 1000/1000us\n"
	       "GET /with space 1.1 -> 404 1.1 1000/1000us\n"
	       "GET /tab 1.1 -> 299 1.1 1000/1000us\n");
	expect_part("reason(Not  Found)");
}

static void contradicting_lengths(void **state)
{
	(void)state;
	client("GET /same HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok");
	client("GET /both HTTP/1.1\r\n\r\n"); /* RFC 9112 section 6.3: transfer coding overrides the length */
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	client("GET /next HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	talk_close(all);
	expect("GET /same 1.1 -> 200 1.1 2B 1000/1000us\n"
	       "GET /both 1.1 -> 200 1.1 3B 1000/1000us\n"
	       "GET /next 1.1 -> 200 1.1 1000/1000us\n");
}

static void large_heads(void **state)
{
	static char large[100000];
	char *p = large;
	struct stats stats;
	char *text;

	(void)state;
	p += sprintf(p, "GET /large HTTP/1.1\r\n");
	for (unsigned i = 0; i < 60; i++)
		p += sprintf(p, "X-%02u: %0500u\r\n", i, i);
	sprintf(p, "\r\n");
	client(large);
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	expect("GET /large 1.1 -> 200 1.1 2B 1000/1000us\n");
	text = records(all, true, &stats);
	for (unsigned i = 0; i < 60; i++) {
		char want[600];

		sprintf(want, "field(X-%02u=%0500u)", i, i);
		assert_non_null(strstr(text, want));
	}
	assert_int_equal(stats.heads_cut, 0);
	free(text);
}

/* Beyond 64 KiB a head is cut, and says so; the message goes on. */
static void heads_beyond_the_limit(void **state)
{
	static char text_large[100000], many[60000];
	char *p = text_large;
	struct stats stats;
	char *text;

	(void)state;
	p += sprintf(p, "GET /large HTTP/1.1\r\n");
	for (unsigned i = 0; i < 180; i++)
		p += sprintf(p, "X-%03u: %0500u\r\n", i, i);
	sprintf(p, "\r\n");
	client(text_large);
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	p = many;
	p += sprintf(p, "GET /many HTTP/1.1\r\n");
	for (unsigned i = 0; i < 3000; i++)
		p += sprintf(p, "X%04u: %u\r\n", i, i % 10);
	sprintf(p, "\r\n");
	client(many);
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	client("GET /next HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	talk_close(all);
	text = records(all, true, &stats);
	assert_int_equal(stats.heads_cut, 2);
	assert_int_equal(stats.exchanges, 3);
	assert_non_null(strstr(text, "GET /large 1.1 missing(head memory "));
	assert_non_null(strstr(text, "GET /many 1.1 missing(head memory "));
	assert_non_null(strstr(text, "field(X-125="));
	assert_null(strstr(text, "field(X-131="));
	assert_non_null(strstr(text, "field(X0500=0)"));
	assert_null(strstr(text, "field(X1024=4)"));
	assert_non_null(strstr(text, "GET /next 1.1 1"));
	free(text);
	in_pieces(1400, false, text = records(all, true, &stats), &stats);
	free(text);
}

static void endless_line(void **state)
{
	static char line[200000];
	struct stats stats;
	char *text;

	(void)state;
	client("GET / HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	memset(line, 'x', sizeof(line));
	memcpy(line, "GET /", 5);
	for (unsigned i = 0; i < 5; i++)
		talk_bytes(all, CLIENT, i ? line + 100 : line, 30000);
	client("\r\nGET /found HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	talk_close(all);
	text = records(all, false, &stats);
	assert_non_null(strstr(text, "GET /found 1.1 -> "));
	assert_true(stats.garbage > 140000);
	free(text);
}

/* --- what is missing ------------------------------------------------------------------------------------------------ */

static void one_side_only(void **state)
{
	(void)state;
	all->n = 0;
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n11");
	server("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n22");
	expect_part("- -> 200 1.1 2B");
	expect_part("- -> 404 1.1 2B");
	all->n = 0;
	client("GET /1 HTTP/1.1\r\n\r\n");
	client("GET /2 HTTP/1.1\r\n\r\n");
	expect_part("GET /1 1.1");
	expect_part("GET /2 1.1");
	expect_part(" -> - open");
}

static void no_response(void **state)
{
	(void)state;
	client("GET /a HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	client("GET /b HTTP/1.1\r\n\r\n");
	talk_fin(all, SERVER);
	talk_ack(all, CLIENT);
	expect_pieces("GET /a 1.1 -> 200 1.1 1000/1000us\n"
		      "GET /b 1.1 -> - closed by server\n");
}

static void cut_off(void **state)
{
	(void)state;
	client("GET /a HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123");
	talk_shot(all, SERVER, TCP_RST | TCP_ACK, SLICE(""));
	expect("GET /a 1.1 -> 200 1.1 4B incomplete 1000/1000us reset by server\n");
}

/* A hole in a body of known length costs its bytes and nothing else. */
static void body_with_a_hole(void **state)
{
	struct stats stats;
	char *text;

	(void)state;
	client("GET /a HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n0123456789");
	server("0123456789");
	all->n--; /* it is not captured */
	server("0123456789");
	client("GET /b HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n0123456789");
	server("01234");
	all->n--;
	server("56789\r\n0\r\n\r\n");
	client("POST /c HTTP/1.1\r\nContent-Length: 10\r\n\r\n");
	client("0123456789");
	all->n--;
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	client("GET /d HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	talk_close(all);
	text = records(all, false, &stats);
	assert_string_equal(text, "GET /a 1.1 -> 200 1.1 20B missing(body network 10) 1000/3000us\n"
				  "GET /b 1.1 -> 200 1.1 15B missing(body network 5) 1000/3000us\n"
				  "POST /c 1.1 missing(body network 10) -> 200 1.1 2B 2000/2000us\n"
				  "GET /d 1.1 -> 200 1.1 1000/1000us\n");
	assert_int_equal(stats.lost_network, 25);
	free(text);
}

static void snaplen(void **state)
{
	struct stats stats;
	char *text;

	(void)state;
	client("GET /a HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n012345678901234567890123456789")->cut = 20;
	client("GET /b HTTP/1.1\r\nHost: h\r\n\r\n")->cut = 4;
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")->cut = 10;
	talk_close(all);
	text = records(all, false, &stats);
	assert_string_equal(text, "GET /a 1.1 -> 200 1.1 10B missing(body snaplen 20) 1000/1000us\n"
				  "GET /b 1.1 missing(head snaplen 4) incomplete -> 200 1.1 missing(head snaplen 10) incomplete "
				  "1000/1000us lost\n");
	assert_int_equal(stats.lost_snaplen, 34);
	free(text);
}

static void garbage_between(void **state)
{
	struct stats stats;
	char *text;

	(void)state;
	client("GET /a HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more than was said\r\n");
	client("GET /b HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	client("\x01\x02\x03 nonsense\r\n\xff\r\nGET /c HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	client("GET /d HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	talk_close(all);
	text = records(all, false, &stats);
	assert_string_equal(text, "GET /a 1.1 -> 200 1.1 2B 1000/1000us\n"
				  "GET /b 1.1 -> 200 1.1 2B 1000/1000us\n"
				  "GET /c 1.1 -> 200 1.1 2B 1000/1000us\n"
				  "GET /d 1.1 -> 200 1.1 2B 1000/1000us\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, tear_up, tear_down)
		TEST(line_feeds), TEST(folded), TEST(broken_fields), TEST(sloppy_start_lines), TEST(contradicting_lengths),
		TEST(large_heads), TEST(heads_beyond_the_limit), TEST(endless_line), TEST(one_side_only), TEST(no_response),
		TEST(cut_off), TEST(body_with_a_hole), TEST(snaplen), TEST(garbage_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
