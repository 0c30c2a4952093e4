/* SPDX-License-Identifier: MIT */
/* What is left out shows in no record: bodies, chunks, frames, tunnels, what nobody decodes, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../elide_rig.h"

static void length_and_next(void **state)
{
	(void)state;
	say_download(LONG(500000), 500000);
	talk_say(t, CLIENT, GET);
	say_response(LONG(300000), 300000);
	talk_close(t);
	expect_same();
}

static void length_too_long(void **state)
{
	(void)state;
	say_download(LONG(900000), 500000);
	talk_say(t, CLIENT, GET);
	say_response(LONG(400000), 800000);
	talk_close(t);
	expect_same();
}

static void length_too_short(void **state)
{
	(void)state;
	say_download(LONG(300000), 500000);
	talk_close(t);
	expect_same();
}

static void pipelined(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, GET GET);
	talk_say(t, SERVER, LONG(400000));
	say_body(SERVER, 200000);
	talk_say(t, CLIENT, GET);
	say_body(SERVER, 200000);
	talk_say(t, SERVER, SHORT SHORT);
	talk_ack(t, CLIENT);
	talk_close(t);
	expect_same();
}

static void upload(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 500000\r\n\r\n");
	talk_say(t, SERVER, "HTTP/1.1 100 Continue\r\n\r\n");
	say_body(CLIENT, 500000);
	say_response(SHORT, 0);
	talk_say(t, CLIENT, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n");
	say_body(CLIENT, 200000);
	say_response("HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig", 0);
	say_body(CLIENT, 300000);
	talk_ack(t, SERVER);
	talk_say(t, CLIENT, GET);
	say_response(SHORT, 0);
	talk_close(t);
	expect_same();
}

static void chunked(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, GET);
	say_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n80000\r\n", 0x80000);
	say_response("\r\n60000\r\n", 0x60000);
	say_response("\r\n3\r\nabc\r\n50000\r\n", 0x50000);
	say_response("\r\n0\r\na: b\r\n\r\n", 0);
	talk_say(t, CLIENT, GET);
	say_response(SHORT, 0);
	talk_close(t);
	expect_same();
}

static void disorder(void **state)
{
	begin_edge();
	for (unsigned a = 10, n = t->n; a < n; a += 3)
		for (unsigned b = a + 1; b < n - 3 && b < a + 12; b++) {
			anew(state);
			begin_edge();
			swap(a, b);
			whole.untidy = part.untidy = true;
			elides = false;
			expect_same();
		}
}

static void again(void **state)
{
	begin_edge();
	for (unsigned a = 10, n = t->n; a < n - 3; a++)
		for (unsigned b = a + 1; b < n - 3; b += 7) { /* the packet comes again in another one's place */
			anew(state);
			begin_edge();
			if (!t->shots[a].data.n || t->shots[b].data.n)
				continue;
			t->shots[b] = t->shots[a];
			whole.untidy = part.untidy = true;
			expect_same();
		}
}

static void sequence_wraps(void **state)
{
	(void)state;
	t->seq[SERVER] = 0xfffe0000;
	t->seq[CLIENT] = 0xffff8000;
	talk_open(t);
	talk_say(t, CLIENT, GET);
	say_response(LONG(500000), 500000);
	talk_say(t, CLIENT, "PUT / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n");
	say_body(CLIENT, 300000);
	say_response(SHORT, 0);
	talk_close(t);
	expect_same();
}

/* How the connection ends in the middle of what is left out. */
static void ends(void **state)
{
	for (unsigned how = 0; how < 8; how++)
		for (unsigned n = 100000; n <= 300000; n += n < 299990 ? 99999 : 1) {
			anew(state);
			talk_open(t);
			talk_say(t, CLIENT, GET);
			say_response(LONG(300000), n);
			if (how & 1)
				talk_ack(t, CLIENT);
			if (how / 2 == 0)
				talk_close(t);
			if (how / 2 == 1)
				talk_shot(t, CLIENT, TCP_RST | TCP_ACK, SLICE(""));
			if (how / 2 == 2) {
				talk_shot(t, SERVER, TCP_FIN | TCP_ACK, slice_of(bytes, 300000 - n < 9 ? 300000 - n : 9));
				talk_ack(t, CLIENT);
				talk_fin(t, CLIENT);
				talk_ack(t, SERVER);
			}
			expect_same();
		}
}

static void bodies_kept(void **state)
{
	(void)state;
	whole.config.body_keep = part.config.body_keep = 100000;
	talk_open(t);
	talk_say(t, CLIENT, GET);
	say_response(LONG(50000), 50000);
	talk_say(t, CLIENT, GET);
	say_response(LONG(500000), 500000);
	talk_close(t);
	expect_same();
}

static void say_frame(unsigned side, uint8_t type, uint8_t flags, uint32_t stream, const char *p, uint32_t n)
{
	static uint8_t heads[SHOTS_MAX][32];
	uint8_t *head = heads[t->n];

	put_be(put_be(put_be(put_be(head, n, 3), type, 1), flags, 1), stream, 4);
	if (p)
		memcpy(head + 9, p, n);
	talk_bytes(t, side, head, 9 + (p ? n : 0));
	if (!p)
		say_body(side, n);
}

static void http2(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	say_frame(CLIENT, 4, 0, 0, "\0\5\0\xff\xff\xff", 6);
	say_frame(SERVER, 4, 0, 0, "", 0);
	say_frame(CLIENT, 1, 5, 1, "\x82\x84\x86", 3);
	say_frame(CLIENT, 1, 5, 3, "\x82\x84\x86", 3);
	say_frame(SERVER, 1, 4, 1, "\x88", 1);
	say_frame(SERVER, 0, 0, 1, NULL, 300000);
	say_frame(SERVER, 1, 4, 3, "\x88", 1);
	say_frame(SERVER, 0, 1, 3, NULL, 400000);
	say_frame(SERVER, 0, 1, 1, NULL, 100000);
	talk_close(t);
	expect_same();
}

/* What nobody decodes is looked at again. */
static void unknown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	talk_open(t);
	for (unsigned i = 0; i < 40; i++) {
		say_body(CLIENT, 100000);
		say_body(SERVER, 70000);
		t->now += S;
	}
	talk_ack(t, CLIENT);
	talk_ack(t, SERVER);
	for (unsigned i = 0; i < 3; i++) {
		talk_say(t, CLIENT, GET);
		say_response(SHORT, 0);
	}
	talk_close(t);
	lag_max = 0;
	expect_same();
	lag_max = 100;
	whole.untidy = part.untidy = true;
	expect_same();
	memset(bytes, 0, sizeof(bytes));
}

/* What follows an upgrade is only counted, also if something was out of order before. */
static void websocket(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, GET);
	say_response(LONG(20000), 20000);
	swap(t->n - 2, t->n - 5);
	talk_say(t, CLIENT, "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
	talk_say(t, SERVER, "HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
	for (unsigned i = 0; i < 40; i++) {
		say_body(CLIENT, 20000);
		say_body(SERVER, 70000);
		t->now += S;
	}
	talk_close(t);
	expect_same();
}

static void tls(void **state)
{
	(void)state;
	talk_open(t);
	talk_bytes(t, CLIENT, "\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03", 11);
	say_body(CLIENT, 42);
	talk_bytes(t, SERVER, "\x16\x03\x03\x00\x30\x02\x00\x00\x2c\x03\x03", 11);
	for (unsigned i = 0; i < 40; i++) {
		say_body(CLIENT, 20000);
		say_body(SERVER, 70000);
		t->now += S;
	}
	talk_close(t);
	expect_same();
}

/* A body of more than the sequence space, as fast as a veth can: of most of it only a header comes, once a second. */
static void huge(void **state)
{
	uint64_t n = UINT64_C(12) << 30;
	struct shot *s;

	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, GET);
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 12884901888\r\n\r\n");
	both_open();
	for (unsigned i = 0; i < t->n; i++)
		pass(&t->shots[i]);
	t->step = 50 * US; /* 5 GB/s */
	for (; n; n -= s->data.n) {
		t->n = 0;
		s = talk_bytes(t, SERVER, bytes, n < 524288 ? n : 524288);
		pass(s);
		talk_ack(t, CLIENT);
		pass(&t->shots[1]);
	}
	t->n = 0;
	talk_say(t, CLIENT, GET);
	talk_say(t, SERVER, SHORT);
	pass(&t->shots[0]);
	pass(&t->shots[1]);
	both_finish();
	assert_string_equal(part.text, "GET / 1.1 -> 200 1.1 12884901888B\nGET / 1.1 -> 200 1.1 3B\n"
			    "flow http1 - 2 exchanges, open, lost 0 0, lost 0 0, 54B, 12884901977B\n");
	both_close();
}

static void tunnel(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, "CONNECT b:1 HTTP/1.1\r\nHost: b\r\n\r\n");
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\n\r\n");
	for (unsigned i = 0; i < 40; i++) {
		say_body(CLIENT, 20000);
		say_body(SERVER, 70000);
	}
	talk_close(t);
	expect_same();
}

/* A body that goes on is told of from time to time. */
static void progress(void **state)
{
	(void)state;
	whole.config.stream_interval_ns = part.config.stream_interval_ns = 10 * S;
	t->step = 10 * S;
	talk_open(t);
	talk_say(t, CLIENT, GET);
	say_response(LONG(300000), 300000);
	talk_close(t);
	expect_same();
	assert_int_equal(whole.records[RECORD_EXCHANGE], part.records[RECORD_EXCHANGE]);
}

/* A stream is reset in the middle of a frame, which goes on all the same. */
static void http2_reset(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	say_frame(CLIENT, 4, 0, 0, "\0\5\0\xff\xff\xff", 6);
	say_frame(SERVER, 4, 0, 0, "", 0);
	say_frame(CLIENT, 1, 5, 1, "\x82\x84\x86", 3);
	say_frame(SERVER, 1, 4, 1, "\x88", 1);
	say_frame(SERVER, 0, 0, 1, NULL, 300000);
	t->n -= 20;
	t->seq[SERVER] = t->shots[t->n].seq;
	say_frame(CLIENT, 3, 0, 1, "\0\0\0\x08", 4);
	t->step = 300 * MS;
	say_body(SERVER, 9 + 300000 - (t->seq[SERVER] - t->shots[8].seq));
	say_frame(CLIENT, 1, 5, 3, "\x82\x84\x86", 3);
	say_frame(SERVER, 1, 5, 3, "\x88", 1);
	talk_close(t);
	expect_same();
}

/* Nothing but acknowledgements, for hours. */
static void kept_alive(void **state)
{
	(void)state;
	talk_open(t);
	talk_bytes(t, CLIENT, "\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03", 11);
	say_body(CLIENT, 300000);
	talk_bytes(t, SERVER, "\x16\x03\x03\x00\x30\x02\x00\x00\x2c\x03\x03", 11);
	say_body(SERVER, 300000);
	say_body(CLIENT, 300000);
	t->step = 45 * S;
	for (unsigned i = 0; i < 100; i++) {
		talk_ack(t, CLIENT);
		talk_ack(t, SERVER);
	}
	say_body(SERVER, 300000);
	talk_close(t);
	expect_same();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(length_and_next), T(length_too_long), T(length_too_short), T(pipelined),
		T(upload), T(chunked), T(disorder), T(again), T(sequence_wraps), T(ends),
		T(bodies_kept), T(http2), T(unknown), T(websocket), T(tls), T(huge), T(tunnel),
		T(progress), T(http2_reset), T(kept_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
