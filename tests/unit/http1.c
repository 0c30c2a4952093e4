/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1 from packets to records. Each conversation runs whole, byte by byte, split at every place, out of order and with every
 * packet twice: the records must be the same to the letter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../engine_rig.h"

/* --- all ways ------------------------------------------------------------------------------------------------------- */

static struct talk *all;      /* the conversation as it is said */
static struct talk *other;    /* ... and in another way */

static int tear_up(void **state)
{
	(void)state;
	all = talk_new();
	other = talk_new();
	talk_open(all);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(all);
	free(other);
	return 0;
}

/* The records of a conversation, to be freed. */
static char *records(const struct talk *t, bool full, struct stats *stats)
{
	struct rig r = {.full = full, .config = {.body_keep = 20}};
	char *text;

	rig_open(&r);
	rig_play(&r, t);
	rig_finish(&r);
	*stats = *engine_stats(r.e);
	text = r.text;
	r.text = NULL;
	rig_close(&r);
	return text;
}

/* Adds a part of a shot; SYN goes with the first part, FIN with the last. */
static void add_part(struct talk *t, const struct shot *s, size_t from, size_t to)
{
	struct shot *part = &t->shots[t->n++];

	assert_in_range(t->n, 1, SHOTS_MAX);
	*part = *s;
	part->data = slice_of(s->data.p + from, to - from);
	part->seq += (uint32_t)from;
	if (to < s->data.n)
		part->flags &= (uint8_t)~TCP_FIN;
}

static void same_records(const char *way, unsigned i, size_t at, const char *want, const struct stats *stats)
{
	struct stats now;
	char *got = records(other, true, &now);

	if (strcmp(got, want) != 0)
		fail_msg("packet %u %s at %zu:\n%sinstead of\n%s", i, way, at, got, want);
	if (now.garbage != stats->garbage || now.head_errors != stats->head_errors)
		fail_msg("packet %u %s at %zu: counters differ", i, way, at);
	free(got);
	other->n = 0;
}

static void add_shots(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		other->shots[other->n++] = all->shots[i];
}

static void split_everywhere(const char *want, const struct stats *stats)
{
	for (unsigned i = 0; i < all->n; i++)
		for (size_t at = 1; at < all->shots[i].data.n; at += 1 + at / 200) {
			const struct shot *s = &all->shots[i];

			add_shots(0, i);
			add_part(other, s, 0, at);
			add_part(other, s, at, s->data.n);
			add_shots(i + 1, all->n);
			same_records("split", i, at, want, stats);
			add_shots(0, i);
			add_part(other, s, at, s->data.n);
			add_part(other, s, 0, at);
			add_shots(i + 1, all->n);
			if (!(s->flags & (TCP_SYN | TCP_FIN)))
				same_records("split and crossed", i, at, want, stats);
			other->n = 0;
		}
}

static void in_pieces(size_t size, bool backwards, const char *want, const struct stats *stats)
{
	for (unsigned i = 0; i < all->n; i++) {
		const struct shot *s = &all->shots[i];
		size_t parts = (s->data.n + size - 1) / size;

		if (parts < 2 || parts > 1000) {
			add_shots(i, i + 1);
			continue;
		}
		for (size_t k = 0; k < parts; k++) {
			size_t from = size * (backwards ? parts - 1 - k : k);

			add_part(other, s, from, from + size < s->data.n ? from + size : s->data.n);
		}
	}
	same_records(backwards ? "backwards" : "in pieces", 0, size, want, stats);
}

static void out_of_order(const char *want, const struct stats *stats)
{
	for (unsigned i = 3; i + 1 < all->n; i++) {
		add_shots(0, i);
		add_shots(i + 1, i + 2);
		add_shots(i, i + 1);
		add_shots(i + 2, all->n);
		same_records("overtaken", i, 0, want, stats);
	}
}

static void twice(const char *want, const struct stats *stats)
{
	for (unsigned i = 0; i < all->n; i++) {
		add_shots(i, i + 1);
		if (i > 1)
			add_shots(i - 2, i - 1);
		add_shots(i, i + 1);
	}
	same_records("twice", 0, 0, want, stats);
}

/* These records, in whatever pieces the conversation comes. */
static void expect_pieces(const char *brief)
{
	struct stats stats;
	char *text = records(all, false, &stats), *want = records(all, true, &stats);

	assert_string_equal(text, brief);
	split_everywhere(want, &stats);
	in_pieces(1, false, want, &stats);
	in_pieces(7, false, want, &stats);
	in_pieces(3, true, want, &stats);
	twice(want, &stats);
	free(text);
	free(want);
}

/* ... and in whatever order. */
static void expect(const char *brief)
{
	struct stats stats;
	char *want = records(all, true, &stats);

	expect_pieces(brief);
	out_of_order(want, &stats);
	free(want);
}

/* The same, and in full where a test wants all that is in a record. */
static void expect_part(const char *part)
{
	struct stats stats;
	char *text = records(all, true, &stats);

	if (!strstr(text, part))
		fail_msg("'%s' is not in\n%s", part, text);
	free(text);
}

static struct shot *client(const char *text)
{
	return talk_say(all, CLIENT, text);
}

static struct shot *server(const char *text)
{
	return talk_say(all, SERVER, text);
}

/* --- sound ---------------------------------------------------------------------------------------------------------- */

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

/* --- pairing -------------------------------------------------------------------------------------------------------- */

static char said[1 << 20]; /* what is said with numbers in it */
static size_t said_n;
static unsigned paired, wrong, seen_requests;

__attribute__((format(printf, 2, 3))) static struct slice say(unsigned side, const char *fmt, ...)
{
	struct slice s = {(const uint8_t *)said + said_n, 0};
	va_list ap;

	(void)side;
	va_start(ap, fmt);
	s.n = (size_t)vsnprintf(said + said_n, sizeof(said) - said_n, fmt, ap);
	va_end(ap);
	said_n += s.n;
	assert_in_range(said_n, 0, sizeof(said) - 1);
	return s;
}

/* Requests carry their number as target, responses that of their request in a field. */
static void check_pair(void *ctx, const struct record *r)
{
	const struct message *q = &r->exchange.request, *a = &r->exchange.response;
	struct slice id = fields_get(&a->headers, SLICE("X-Id"));

	(void)ctx;
	seen_requests += q->seen;
	if (!q->target.n || !id.n)
		return;
	paired++;
	if (!slice_eq(slice_from(q->target, 1), id)) {
		wrong++;
		fprintf(stderr, "request %.*s, response %.*s\n", (int)q->target.n, q->target.p, (int)id.n, id.p);
	}
}

/* Plays what is not dropped; `drop` has a bit for each packet. */
static unsigned play_pairs(const struct talk *t, const bool *drop)
{
	struct rig r = {.on_record = check_pair};

	paired = wrong = seen_requests = 0;
	rig_open(&r);
	for (unsigned i = 0; i < t->n; i++)
		if (!drop[i])
			shot_play(r.e, &t->shots[i], false);
	rig_close(&r);
	return paired;
}

struct dice {
	uint64_t state;
};

static uint32_t roll(struct dice *d, uint32_t sides)
{
	d->state = d->state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((d->state >> 33) % sides);
}

/* Says it in segments of at most `size` bytes. */
static void in_segments(unsigned side, struct slice s, size_t size, bool acks)
{
	for (; s.n; s = slice_from(s, size)) {
		struct slice part = slice_first(s, size);

		talk_bytes(all, side, part.p, part.n);
		if (acks)
			talk_ack(all, !side);
	}
}

static const char *const methods[] = {"GET", "POST", "HEAD", "DELETE"};

static struct slice request(struct dice *d, unsigned id, unsigned method)
{
	unsigned n = method == 1 ? roll(d, 300) : 0;

	if (method == 1 && roll(d, 2))
		return say(CLIENT, "POST /%u HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%0*u\r\n0\r\n\r\n", id, n + 1,
			   (int)n + 1, 0);
	if (method == 1)
		return say(CLIENT, "POST /%u HTTP/1.1\r\nContent-Length: %u\r\n\r\n%0*u", id, n + 1, (int)n + 1, 0);
	return say(CLIENT, "%s /%u HTTP/1.1\r\nHost: h\r\n\r\n", methods[method], id);
}

static struct slice response(struct dice *d, unsigned id, unsigned method)
{
	unsigned n = 1 + roll(d, 400);

	if (method == 2)
		return say(SERVER, "HTTP/1.1 200 OK\r\nX-Id: %u\r\nContent-Length: %u\r\n\r\n", id, n);
	switch (roll(d, 5)) {
	case 0:
		return say(SERVER, "HTTP/1.1 304 Not Modified\r\nX-Id: %u\r\n\r\n", id);
	case 1:
		return say(SERVER, "HTTP/1.1 200 OK\r\nX-Id: %u\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%0*u\r\n0\r\n\r\n", id, n,
			   (int)n, 0);
	case 2:
		return say(SERVER, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nX-Id: %u\r\nContent-Length: 0\r\n\r\n", id);
	default:
		return say(SERVER, "HTTP/1.1 200 OK\r\nX-Id: %u\r\nContent-Length: %u\r\n\r\n%0*u", id, n, (int)n, 0);
	}
}

/*
 * A conversation in rounds: up to so many requests at once, then their responses. A client pipelines always or never: one that
 * begins to after a while can not be told from one that does not when the first requests of its first pipeline are lost.
 * Returns the number of exchanges.
 */
static unsigned make_pairs(struct dice *d, unsigned rounds, unsigned depth, bool acks)
{
	unsigned id = 100, first;

	all->n = 3;
	all->seq[CLIENT] = all->shots[2].seq;
	all->seq[SERVER] = all->shots[2].ack;
	said_n = 0;
	while (rounds--) {
		unsigned n = depth > 1 ? 2 + roll(d, depth - 1) : 1, method[16];
		size_t size = roll(d, 3) ? 1460 : 40 + roll(d, 200);
		struct slice s = {(const uint8_t *)said + said_n, 0};

		first = id;
		for (unsigned i = 0; i < n; i++)
			s.n += request(d, id++, method[i] = roll(d, 4)).n;
		in_segments(CLIENT, s, size, acks);
		for (unsigned i = 0; i < n; i++) {
			s = response(d, first + i, method[i]);
			in_segments(SERVER, s, roll(d, 2) ? size : 1460, acks);
		}
	}
	talk_close(all);
	return id - 100;
}

/* Each packet dropped in turn, then each two, of conversations with `depth` requests at once. */
static void drop_in_turn(unsigned depth)
{
	static bool drop[SHOTS_MAX];
	unsigned found = 0, possible = 0;

	for (unsigned round = 0; round < 30; round++) {
		struct dice d = {round * 77 + depth};
		unsigned n = make_pairs(&d, 3, depth, round & 1);

		assert_int_equal(play_pairs(all, drop), n);
		assert_int_equal(wrong, 0);
		for (unsigned i = 0; i < all->n; i++)
			for (unsigned k = i; k < all->n && k < i + 12; k++) {
				drop[i] = drop[k] = true;
				found += play_pairs(all, drop);
				possible += n;
				drop[i] = drop[k] = false;
				if (wrong)
					fail_msg("conversation %u, without packets %u and %u: wrong pairs", round, i, k);
			}
	}
	printf("depth %u: %u of %u paired\n", depth, found, possible);
	assert_true(found > possible / 2);
}

static void loss_in_sequence(void **state)
{
	(void)state;
	drop_in_turn(1);
}

static void loss_in_pipelines(void **state)
{
	(void)state;
	drop_in_turn(2);
	drop_in_turn(5);
}

/* More and more loss, on conversations of both kinds, and starts in the middle of those that do not pipeline. */
static void heavy_loss(void **state)
{
	static bool drop[SHOTS_MAX];

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct dice d = {round};
		unsigned depth = 1 + roll(&d, 4) * roll(&d, 2), rate = 1 + roll(&d, 50), start;

		make_pairs(&d, 1 + roll(&d, 8), depth, roll(&d, 2));
		start = roll(&d, 3) || depth > 1 ? 0 : roll(&d, all->n);
		for (unsigned i = 0; i < all->n; i++)
			drop[i] = i < start || (roll(&d, 100) < rate && (i > 2 || depth == 1));
		play_pairs(all, drop);
		if (wrong)
			fail_msg("conversation %u: %u wrong pairs", round, wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, tear_up, tear_down)
		TEST(keep_alive), TEST(times), TEST(pipelining), TEST(chunked), TEST(until_close), TEST(not_chunked_at_last),
		TEST(no_content), TEST(interim), TEST(early_response), TEST(websocket), TEST(h2c), TEST(upgrade_refused),
		TEST(connect_method), TEST(connect_tls), TEST(http10), TEST(targets_and_methods), TEST(line_feeds), TEST(folded),
		TEST(broken_fields), TEST(sloppy_start_lines), TEST(contradicting_lengths), TEST(large_heads),
		TEST(heads_beyond_the_limit), TEST(endless_line), TEST(one_side_only), TEST(no_response), TEST(cut_off),
		TEST(body_with_a_hole), TEST(snaplen), TEST(garbage_between), TEST(loss_in_sequence), TEST(loss_in_pipelines),
		TEST(heavy_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
