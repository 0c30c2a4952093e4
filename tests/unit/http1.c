/* SPDX-License-Identifier: MIT */
/* HTTP/1 as it should be (RFC 9112): all that a sound conversation can have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../ways.h"

static void keep_alive(void **state)
{
	(void)state;
	client("GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Space:  two words \t\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	client("POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
	server("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n");
	talk_close(all);
	expect("GET /a?b=c 1.1 -> 200 1.1 5B 1000/1000us\n"
	       "POST /b 1.1 3B -> 201 1.1 1000/1000us\n");
	expect_part("field(Host=h) field(X-Empty=) field(X-Space=two words)");
	expect_part("reason(OK) body(hello) field(Content-Length=5)");
	expect_part("reason(Created) body() field(content-length=0)");
}

/* Times are those of the packets that bring the first and the last byte. */
static void times(void **state)
{
	(void)state;
	all->now = 2000 * S;
	all->step = 123456;
	client("GET / HTTP/1.1\r\n");
	client("\r\n");
	all->step = 7890;
	server("HTTP/1.1 200 OK\r\nContent-Le");
	talk_ack(all, CLIENT);
	server("ngth: 2\r\n\r\n");
	server("o");
	server("k");
	talk_close(all);
	expect("GET / 1.1 -> 200 1.1 2B 246/278us\n");
	expect_part("GET / 1.1 2000000000000..2000000123456 wire(18)");
	expect_part("200 1.1 2B 2000000246912..2000000278472 wire(40)");
}

static void pipelining(void **state)
{
	(void)state;
	client("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nHEAD /3 HTTP/1.1\r\n\r\nPOST /4 HTTP/1.1\r\nContent-Length: 2\r\n\r\nxyGET "
	       "/5 HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n22HTTP/1.1 200 OK\r\n"
	       "Content-Length: 3\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
	client("GET /6 HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnone\r\n0\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n666666");
	talk_close(all);
	expect("GET /1 1.1 -> 200 1.1 1B 1000/1000us\n"
	       "GET /2 1.1 -> 200 1.1 2B 1000/1000us\n"
	       "HEAD /3 1.1 -> 200 1.1 1000/1000us\n"
	       "POST /4 1.1 2B -> 204 1.1 1000/1000us\n"
	       "GET /5 1.1 -> 404 1.1 4B 3000/3000us\n"
	       "GET /6 1.1 -> 200 1.1 6B 2000/2000us\n");
}

static void chunked(void **state)
{
	(void)state;
	client("PUT /up HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: Digest, X\r\n\r\n"
	       "5;ext;q=\"a;b\"\r\nhello\r\nA;x=1\r\n0123456789\r\n000\r\nDigest: d=1\r\nX: \r\n\r\n");
	server("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\n\r\r\n2\r\n\r\n\r\n0;last\r\n\r\n");
	client("GET / HTTP/1.1\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n");
	server("HTTP/1.1 200 OK\r\ntransfer-encoding:chunked\r\n\r\n0\r\nServer-Timing: db;dur=5\r\n\r\n");
	talk_close(all);
	expect("PUT /up 1.1 15B trailer(Digest=d=1) trailer(X=) -> 200 1.1 3B 1000/1000us\n"
	       "GET / 1.1 -> 200 1.1 trailer(Server-Timing=db;dur=5) 1000/1000us\n");
	expect_part("body(hello0123456789) field(Transfer-Encoding=chunked) field(Trailer=Digest, X)");
	expect_part("body(\\0d\\0d\\0a)");
}

static void until_close(void **state)
{
	(void)state;
	client("GET / HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall that ");
	server("comes");
	talk_fin(all, SERVER);
	talk_fin(all, CLIENT);
	talk_ack(all, SERVER);
	expect("GET / 1.1 -> 200 1.1 14B 1000/2000us\n");
}

/* RFC 9112 section 6.3: transfer coding that does not end with chunked ends with the connection, whatever the length. */
static void not_chunked_at_last(void **state)
{
	(void)state;
	client("GET / HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: gzip\r\n\r\nall that comes");
	talk_close(all);
	expect("GET / 1.1 -> 200 1.1 14B 1000/1000us\n");
}

static void no_content(void **state)
{
	(void)state;
	client("HEAD /h HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	client("HEAD /c HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	client("DELETE /d HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 204 No Content\r\nContent-Length: 10\r\n\r\n");
	client("GET /m HTTP/1.1\r\nIf-None-Match: \"x\"\r\n\r\n");
	server("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nETag: \"x\"\r\n\r\n");
	client("GET /l HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast");
	talk_close(all);
	expect("HEAD /h 1.1 -> 200 1.1 1000/1000us\n"
	       "HEAD /c 1.1 -> 200 1.1 1000/1000us\n"
	       "DELETE /d 1.1 -> 204 1.1 1000/1000us\n"
	       "GET /m 1.1 -> 304 1.1 1000/1000us\n"
	       "GET /l 1.1 -> 200 1.1 4B 1000/1000us\n");
}

static void interim(void **state)
{
	(void)state;
	client("POST /c HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
	server("HTTP/1.1 100 Continue\r\n\r\n");
	client("body");
	server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	client("GET /e HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 102 Processing\r\n\r\n");
	server("HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </t.css>\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	talk_close(all);
	expect("POST /c 1.1 4B -> 200 1.1 interim(100) 3000/3000us\n"
	       "GET /e 1.1 -> 200 1.1 2B interim(102) interim(103) 3000/3000us\n");
	expect_part("interims(1)");
	expect_part("interims(3)");
	expect_part("interim(103 at 1000009000000)");
}

/* A refusal before the body is whole, and a client that sends it none the less. */
static void early_response(void **state)
{
	(void)state;
	client("POST /big HTTP/1.1\r\nContent-Length: 10\r\n\r\n01234");
	server("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
	client("56789");
	client("GET /next HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	talk_close(all);
	expect("POST /big 1.1 10B -> 413 1.1 1000/1000us\n"
	       "GET /next 1.1 -> 200 1.1 1000/1000us\n");
}

static void websocket(void **state)
{
	(void)state;
	client("GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
	server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n");
	client("\x81\x05GET / HTTP/1.1\r\n\r\n");
	server("\x81\x05HTTP/1.1 200 OK\r\n\r\n");
	talk_close(all);
	expect("GET /chat 1.1 -> 101 1.1 1000/1000us turned(websocket)\n");
}

static void h2c(void **state)
{
	(void)state;
	client("GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n\r\n");
	server("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
	talk_bytes(all, SERVER, "\0\0\0\4\0\0\0\0\0" "\0\0\1\1\5\0\0\0\1\x88", 19);
	client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" "\0\0\0\4\0\0\0\0\0");
	talk_close(all);
	expect("GET / 1.1 -> 200 2.0 interim(101) 2000/2000us turned(h2c)\n");
}

static void upgrade_refused(void **state)
{
	(void)state;
	client("GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
	client("GET /next HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.0\r\nContent-Length: 0\r\n\r\n");
	talk_close(all);
	expect("GET /chat 1.1 -> 200 1.1 2B 1000/1000us\n"
	       "GET /next 1.1 -> 426 1.1 1000/1000us\n");
}

/* The tunnel's inside is whatever it is: HTTP again, here. */
static void connect_method(void **state)
{
	(void)state;
	client("CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n");
	server("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\nauth");
	client("CONNECT example.com:80 HTTP/1.1\r\nProxy-Authorization: x\r\n\r\n");
	server("HTTP/1.1 200 Connection established\r\nContent-Length: 7\r\n\r\n"); /* a length that RFC 9110 section 9.3.6 ignores */
	client("GET /inside HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
	talk_close(all);
	expect("CONNECT example.com:80 1.1 -> 407 1.1 4B 1000/1000us\n"
	       "CONNECT example.com:80 1.1 -> 200 1.1 1000/1000us turned(tunnel)\n"
	       "GET /inside 1.1 -> 200 1.1 3B 1000/1000us\n");
}

static void connect_tls(void **state)
{
	(void)state;
	client("CONNECT example.com:443 HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\n\r\n");
	talk_bytes(all, CLIENT, "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00 more", 15);
	talk_bytes(all, SERVER, "\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00 more", 15);
	client("GET /not-here HTTP/1.1\r\n\r\n");
	talk_close(all);
	expect("CONNECT example.com:443 1.1 -> 200 1.1 1000/1000us turned(tunnel)\n");
}

static void http10(void **state)
{
	(void)state;
	client("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	server("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx");
	client("GET /last HTTP/1.0\r\n\r\n");
	server("HTTP/1.0 200 OK\r\n\r\nuntil the end");
	talk_fin(all, SERVER);
	talk_fin(all, CLIENT);
	expect("GET /old 1.0 -> 200 1.0 1B 1000/1000us\n"
	       "GET /last 1.0 -> 200 1.0 13B 1000/1000us\n");
}

static void targets_and_methods(void **state)
{
	static const char *const lines[] = {
		"OPTIONS * HTTP/1.1", "GET http://example.com:8080/x?y#z HTTP/1.1", "PROPFIND /dav HTTP/1.1",
		"M-SEARCH * HTTP/1.1", "BREW /pot-1 HTTP/1.1", "x_odd!#$%&'*+-.^`|~9 /o HTTP/1.1", "get /lower HTTP/1.1",
		"GET /\xc3\xa4\xff HTTP/1.1", "GET /a%20b;c=d,e:f@g!$&'()* HTTP/1.1",
	};
	static char requests[9][100];
	char want[1000] = "";

	(void)state;
	client("GET / HTTP/1.1\r\n\r\n");
	server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	strcat(want, "GET / 1.1 -> 200 1.1 1000/1000us\n");
	for (unsigned i = 0; i < 9; i++) {
		snprintf(requests[i], sizeof(requests[i]), "%s\r\n\r\n", lines[i]);
		client(requests[i]);
		server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
		if (i == 7)
			strcat(want, "GET /\\c3\\a4\\ff");
		else
			snprintf(want + strlen(want), 100, "%.*s", (int)strlen(lines[i]) - 9, lines[i]);
		strcat(want, " 1.1 -> 200 1.1 1000/1000us\n");
	}
	talk_close(all);
	expect(want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, tear_up, tear_down)
		TEST(keep_alive), TEST(times), TEST(pipelining), TEST(chunked), TEST(until_close),
		TEST(not_chunked_at_last), TEST(no_content), TEST(interim), TEST(early_response), TEST(websocket),
		TEST(h2c), TEST(upgrade_refused), TEST(connect_method), TEST(connect_tls), TEST(http10),
		TEST(targets_and_methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
