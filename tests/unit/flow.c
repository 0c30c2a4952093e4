/* SPDX-License-Identifier: MIT */
/* Connections, as the engine sees them: where they are seen, how they begin and end, what is missing, what memory allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../engine_rig.h"

#define REQUEST "GET / HTTP/1.1\r\n\r\n"                              /* 18 bytes */
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"     /* 40 bytes */
#define PAIR "GET / 1.1 -> 200 1.1 2B 1000/1000us\n"
#define CALM "again 0 disorder 0 lost 0 0 0 0"
#define FLOW_OF_PAIR "flow http1 - 1 exchanges, closed by client, 5 segments 18B " CALM ", 3 segments 40B " CALM "\n"
/* ... at two points: until its owner has shown a direction, any point may. */
#define FLOW_OF_PAIR_AT_BOTH \
	"flow http1 - 1 exchanges, closed by client, 5 segments 18B " CALM ", 4 segments 40B " CALM "\n"

static const struct iface near_client = {.index = 1, .link = LINKTYPE_RAW, .name = "veth-a"};
static const struct iface near_server = {.index = 2, .link = LINKTYPE_RAW, .name = "veth-b"};

static struct rig r;
static struct talk *t;
static struct endpoints ends;         /* of the last exchange */
static char ifname[64];
static struct flow_record flow;       /* the last one */

static void on_record(void *ctx, const struct record *rec)
{
	(void)ctx;
	if (rec->kind == RECORD_FLOW)
		flow = rec->flow;
	if (rec->kind != RECORD_EXCHANGE)
		return;
	ends = rec->ends;
	strcpy(ifname, rec->ends.ifname);
}

static int tear_up(void **state)
{
	(void)state;
	r = (struct rig){.config = {.flow_records = true}, .on_record = on_record};
	memset(&ends, 0, sizeof(ends));
	memset(&flow, 0, sizeof(flow));
	t = talk_new();
	rig_open(&r);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_close(&r);
	free(t);
	return 0;
}

/* What was said since the last time comes to the engine. */
static void play(void)
{
	rig_play(&r, t);
	t->n = 0;
}

static void pair(void)
{
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, RESPONSE);
}

static const struct stats *stats(void)
{
	return engine_stats(r.e);
}

/* These records and no others until now, ... */
static void expect(const char *text)
{
	play();
	assert_string_equal(rig_text(&r), text);
}

/* ... and at the end. */
static void expect_last(const char *text)
{
	play();
	rig_finish(&r);
	assert_string_equal(r.text, text);
	assert_int_equal(engine_flows(r.e), 0);
	assert_int_equal(r.ends, stats()->flows);
}

/* Every payload byte was handed to somebody or is accounted for. */
static void expect_nothing_lost(void)
{
	const struct stats *s = stats();

	assert_int_equal(s->payload, s->delivered + s->ignored + s->retransmitted + s->copies);
	assert_int_equal(s->lost_network + s->lost_ring + s->lost_snaplen + s->lost_memory, 0);
}

/* --- capture points ------------------------------------------------------------------------------------------------- */

/* The shots from `from` on, as seen at both ends of the way. */
static void play_at_both(void)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct shot s = t->shots[i];
		bool back = s.side == SERVER; /* what the server says passes its own veth first */

		for (unsigned k = 0; k < 2; k++, s.ts_ns += 10 * US) {
			s.iface = back == !k ? &near_server : &near_client;
			s.dir = !k ? DIRECTION_IN : DIRECTION_OUT;
			shot_play(r.e, &s, r.ip6);
		}
	}
	t->n = 0;
}

static void play_at(const struct iface *iface)
{
	for (unsigned i = 0; i < t->n; i++) {
		t->shots[i].iface = iface;
		t->shots[i].dir = (t->shots[i].side == CLIENT) == (iface == &near_client) ? DIRECTION_IN : DIRECTION_OUT;
	}
	play();
}

static void one_point(void **state)
{
	(void)state;
	talk_open(t);
	pair();
	play_at(&near_client);
	assert_string_equal(ifname, "veth-a");
	assert_int_equal(ends.ifindex, 1);
	assert_int_equal(ends.vantage, VANTAGE_CLIENT);
	t->port[CLIENT]++;
	talk_open(t);
	pair();
	play_at(&near_server);
	assert_string_equal(ifname, "veth-b");
	assert_int_equal(ends.vantage, VANTAGE_SERVER);
	t->port[CLIENT]++;
	talk_open(t);
	pair();
	play();
	assert_string_equal(ifname, "");
	assert_int_equal(ends.vantage, VANTAGE_UNKNOWN);
}

static void two_points(void **state)
{
	(void)state;
	talk_open(t);
	pair();
	talk_close(t);
	play_at_both();
	expect_last("GET / 1.1 -> 200 1.1 2B 1010/1010us\n" FLOW_OF_PAIR_AT_BOTH);
	assert_string_equal(ifname, "veth-a");
	assert_int_equal(ends.ifindex, 1);
	assert_int_equal(ends.vantage, VANTAGE_BOTH);
	assert_false(ends.translated);
	assert_int_equal(stats()->flows, 1);
	assert_int_equal(stats()->copies, 58);
	expect_nothing_lost();
}

/* The owner of a connection shows only one direction of it: the other one comes from elsewhere. */
static void one_point_a_direction(void **state)
{
	(void)state;
	talk_open(t);
	pair();
	talk_close(t);
	for (unsigned i = 0; i < t->n; i++)
		t->shots[i].iface = t->shots[i].side == CLIENT ? &near_client : &near_server;
	expect_last(PAIR FLOW_OF_PAIR);
	assert_int_equal(stats()->copies, 0);
}

/* After 64 segments with news that the owner did not show it is thought to be gone. */
static void owner_falls_silent(void **state)
{
	static char body[1000];

	(void)state;
	memset(body, 'x', sizeof(body));
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	for (unsigned i = 0; i < 10; i++)
		talk_bytes(t, SERVER, body, sizeof(body));
	play_at_both();
	for (unsigned i = 0; i < 64; i++)
		talk_bytes(t, SERVER, body, sizeof(body));
	play_at(&near_server);
	assert_int_equal(stats()->copies, 18 + 43 + 10000 + 64000);
	for (unsigned i = 0; i < 26; i++)
		talk_bytes(t, SERVER, body, sizeof(body));
	pair();
	talk_close(t);
	play_at(&near_server);
	assert_int_equal(stats()->copies, 18 + 43 + 10000 + 64000);
	expect_last("GET / 1.1 -> 200 1.1 36000B missing(body network 64000) 1010/101000us\n" PAIR
		    "flow http1 - 2 exchanges, closed by client, 6 segments 36B " CALM ", 41 segments 36083B again 0 disorder 27 lost "
		    "64000 0 0 0\n");
	assert_string_equal(ifname, "veth-b");
	assert_int_equal(ends.vantage, VANTAGE_BOTH);
}

/* A service's address before, a pod's behind: sequence numbers tell that it is one connection. */
static void translated(void **state)
{
	struct talk *there = talk_new();

	(void)state;
	t->ip[SERVER] = 0x0a600001;
	there->port[SERVER] = 8080;
	there->now += 10 * US;
	for (unsigned i = 0; i < 2; i++) {
		struct talk *view = i ? there : t;

		talk_open(view);
		talk_say(view, CLIENT, REQUEST);
		talk_say(view, SERVER, RESPONSE);
		talk_close(view);
	}
	for (unsigned i = 0; i < t->n; i++) {
		t->shots[i].iface = &near_client;
		there->shots[i].iface = &near_server;
		shot_play(r.e, &t->shots[i], false);
		shot_play(r.e, &there->shots[i], false);
	}
	t->n = 0;
	expect_last(PAIR FLOW_OF_PAIR);
	assert_int_equal(stats()->flows, 2);
	assert_int_equal(stats()->flows_alias, 1);
	assert_int_equal(stats()->copies, 58);
	assert_true(ends.translated);
	assert_int_equal(ends.vantage, VANTAGE_BOTH);
	assert_string_equal(ifname, "veth-a");
	assert_int_equal(ends.key.port[!ends.client], 80);
	assert_int_equal(ends.other.port[!ends.other_client], 8080);
	assert_int_equal(ends.other.port[ends.other_client], 50000);
	assert_memory_equal(ends.other.addr[!ends.other_client] + 12, "\x0a\0\0\2", 4);
	free(there);
}

/* ... also when the order of the two ends is the other way round behind the translation. */
static void translated_crossed(void **state)
{
	struct talk *there = talk_new();

	(void)state;
	there->ip[SERVER] = 0x09000001;
	talk_open(t);
	talk_open(there);
	pair();
	talk_say(there, CLIENT, REQUEST);
	talk_say(there, SERVER, RESPONSE);
	for (unsigned i = 0; i < t->n; i++) {
		t->shots[i].iface = &near_client;
		there->shots[i].iface = &near_server;
		shot_play(r.e, &t->shots[i], false);
		shot_play(r.e, &there->shots[i], false);
	}
	assert_int_equal(r.records[RECORD_EXCHANGE], 1);
	assert_true(ends.translated);
	assert_int_equal(ends.client, 0);
	assert_int_equal(ends.other_client, 1);
	assert_memory_equal(ends.other.addr[0] + 12, "\x09\0\0\1", 4);
	free(there);
}

/* Two connections that begin alike at one point are two. */
static void same_numbers_at_one_point(void **state)
{
	(void)state;
	talk_open(t);
	pair();
	talk_close(t);
	play_at(&near_client);
	t->now = 1000 * S + 20 * MS;
	t->seq[CLIENT] = 0xfffffff0;
	t->seq[SERVER] = 1000;
	t->port[CLIENT]++;
	talk_open(t);
	pair();
	talk_close(t);
	play_at(&near_client);
	expect_last(PAIR PAIR FLOW_OF_PAIR FLOW_OF_PAIR);
	assert_int_equal(stats()->flows_alias, 0);
}

/* ... and so are two at different points, if one begins long after the other. */
static void same_numbers_later(void **state)
{
	(void)state;
	talk_open(t);
	play_at(&near_client);
	t->now += S;
	t->seq[CLIENT] = 0xfffffff0;
	t->seq[SERVER] = 1000;
	t->port[CLIENT]++;
	talk_open(t);
	pair();
	play_at(&near_server);
	expect(PAIR);
	assert_int_equal(stats()->flows_alias, 0);
	assert_false(ends.translated);
}

/* --- begin ---------------------------------------------------------------------------------------------------------- */

static void handshake(void **state)
{
	(void)state;
	talk_open(t);
	pair();
	talk_close(t);
	expect_last(PAIR FLOW_OF_PAIR);
	assert_true(flow.syn_seen);
	assert_int_equal(flow.handshake_ns, 2 * MS);
	assert_int_equal(flow.first_ns, 1000 * S);
	assert_int_equal(flow.last_ns, 1000 * S + 7 * MS);
	assert_int_equal(stats()->flows_midstream, 0);
	expect_nothing_lost();
}

static void syn_ack_missing(void **state)
{
	(void)state;
	talk_open(t);
	pair();
	talk_close(t);
	memmove(&t->shots[1], &t->shots[2], (t->n - 2) * sizeof(t->shots[0]));
	t->n--;
	expect_last(PAIR "flow http1 - 1 exchanges, closed by client, 5 segments 18B " CALM ", 2 segments 40B " CALM "\n");
	assert_true(flow.syn_seen);
	assert_int_equal(flow.handshake_ns, 0);
	expect_nothing_lost();
}

static void midstream(void **state)
{
	(void)state;
	pair();
	talk_close(t);
	expect_last(PAIR "flow http1 - 1 exchanges, closed by client, 3 segments 18B " CALM ", 2 segments 40B " CALM "\n");
	assert_false(flow.syn_seen);
	assert_int_equal(flow.handshake_ns, 0);
	assert_int_equal(stats()->flows_midstream, 1);
}

/* TCP Fast Open (RFC 7413). */
static void data_on_syn(void **state)
{
	(void)state;
	talk_shot(t, CLIENT, TCP_SYN, SLICE(REQUEST));
	talk_shot(t, SERVER, TCP_SYN | TCP_ACK, SLICE(RESPONSE));
	talk_ack(t, CLIENT);
	talk_close(t);
	expect_last(PAIR "flow http1 - 1 exchanges, closed by client, 4 segments 18B " CALM ", 2 segments 40B " CALM "\n");
	assert_int_equal(flow.handshake_ns, 2 * MS);
	expect_nothing_lost();
}

static void syn_again(void **state)
{
	(void)state;
	talk_shot(t, CLIENT, TCP_SYN, SLICE(""));
	t->seq[CLIENT]--;
	t->now += S;
	talk_open(t);
	pair();
	talk_close(t);
	expect_last(PAIR "flow http1 - 1 exchanges, closed by client, 6 segments 18B " CALM ", 3 segments 40B " CALM "\n");
	assert_int_equal(stats()->flows, 1);
	expect_nothing_lost();
}

/* The first data overtakes both SYNs. */
static void syn_overtaken(void **state)
{
	(void)state;
	t->seq[CLIENT]++;
	talk_say(t, CLIENT, REQUEST)->ack++;
	t->seq[CLIENT] -= 19;
	talk_shot(t, CLIENT, TCP_SYN, SLICE(""));
	t->seq[CLIENT] += 18;
	talk_shot(t, SERVER, TCP_SYN | TCP_ACK, SLICE(""));
	talk_say(t, SERVER, RESPONSE);
	talk_close(t);
	expect_last("GET / 1.1 -> 200 1.1 2B 3000/3000us\n"
		    "flow http1 - 1 exchanges, closed by client, 4 segments 18B " CALM ", 3 segments 40B " CALM "\n");
	assert_int_equal(stats()->flows, 1);
}

/* An acknowledgement of what was never sent makes nobody wait. */
static void absurd_acknowledgement(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, RESPONSE)->ack += 1 << 30;
	expect(PAIR);
}

/* --- end ------------------------------------------------------------------------------------------------------------ */

static void reuse_after_close(void **state)
{
	(void)state;
	talk_open(t);
	pair();
	talk_close(t);
	t->seq[CLIENT] += 0x1000000;
	t->seq[SERVER] += 0x2000000;
	talk_open(t);
	pair();
	talk_close(t);
	expect_last(PAIR FLOW_OF_PAIR PAIR FLOW_OF_PAIR);
	assert_int_equal(stats()->flows, 2);
	assert_int_equal(stats()->flows_timeout + stats()->flows_evicted, 0);
	expect_nothing_lost();
}

static void reuse_while_active(void **state)
{
	(void)state;
	talk_open(t);
	pair();
	talk_say(t, CLIENT, REQUEST);
	t->seq[CLIENT] += 0x1000000;
	t->seq[SERVER] += 0x2000000;
	talk_shot(t, CLIENT, TCP_SYN, SLICE(""));
	expect(PAIR "GET / 1.1 -> - replaced\n"
	       "flow http1 - 2 exchanges, replaced, 4 segments 36B " CALM ", 2 segments 40B " CALM "\n");
	talk_shot(t, SERVER, TCP_SYN | TCP_ACK, SLICE(""));
	talk_ack(t, CLIENT);
	pair();
	talk_close(t);
	expect_last(PAIR "GET / 1.1 -> - replaced\n"
		    "flow http1 - 2 exchanges, replaced, 4 segments 36B " CALM ", 2 segments 40B " CALM "\n" PAIR FLOW_OF_PAIR);
	expect_nothing_lost();
}

/* ... of a connection whose SYN was not seen. */
static void reuse_after_midstream(void **state)
{
	static const uint32_t away[] = {0x1000000, 0xff000000};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		talk_say(t, CLIENT, REQUEST);
		t->seq[CLIENT] += away[i];
		talk_open(t);
		play();
		assert_int_equal(stats()->flows, 2 * i + 2);
		t->port[CLIENT]++;
	}
	expect("GET / 1.1 -> - replaced\nflow http1 - 1 exchanges, replaced, 1 segments 18B " CALM ", 0 segments 0B " CALM "\n"
	       "GET / 1.1 -> - replaced\nflow http1 - 1 exchanges, replaced, 1 segments 18B " CALM ", 0 segments 0B " CALM "\n");
}

/* The connection was over, and its ends say new things: the SYN of another one was missed. */
static void reuse_without_syn(void **state)
{
	(void)state;
	talk_open(t);
	pair();
	talk_close(t);
	t->seq[CLIENT] += 0x1000000;
	t->seq[SERVER] += 0x2000000;
	pair();
	talk_close(t);
	expect_last(PAIR FLOW_OF_PAIR PAIR
		    "flow http1 - 1 exchanges, closed by client, 3 segments 18B " CALM ", 2 segments 40B " CALM "\n");
	assert_int_equal(stats()->flows_midstream, 1);
}

/* Both have ended: nobody waits for an answer any more. */
static void closed_at_once(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_fin(t, SERVER);
	expect("GET / 1.1 -> - closed by server\n");
	talk_fin(t, CLIENT);
	talk_ack(t, SERVER);
	expect_last("GET / 1.1 -> - closed by server\n"
		    "flow http1 - 1 exchanges, closed by server, 4 segments 18B " CALM ", 3 segments 0B " CALM "\n");
}

static void reset_by_server(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_shot(t, SERVER, TCP_RST | TCP_ACK, SLICE(""));
	expect("");
	engine_tick(r.e, t->now + S + 20 * MS);
	expect_last("GET / 1.1 -> - reset by server\n"
		    "flow http1 - 1 exchanges, reset by server, 3 segments 18B " CALM ", 2 segments 0B " CALM "\n");
}

/* What a RST has overtaken still counts. */
static void reset_overtakes(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	t->seq[SERVER] += 40;
	talk_shot(t, SERVER, TCP_RST, SLICE(""));
	t->seq[SERVER] -= 40;
	talk_say(t, SERVER, RESPONSE);
	expect_last("GET / 1.1 -> 200 1.1 2B 2000/2000us\n"
		    "flow http1 - 1 exchanges, reset by server, 3 segments 18B " CALM ", 3 segments 40B " CALM "\n");
}

/* A RST that says a sequence number this far from the next one. */
static void reset_at(int64_t where, const char *text)
{
	rig_close(&r);
	rig_open(&r);
	free(t);
	t = talk_new();
	talk_open(t);
	pair();
	t->seq[SERVER] += (uint32_t)where;
	talk_shot(t, SERVER, TCP_RST, SLICE(""));
	t->seq[SERVER] -= (uint32_t)where;
	pair();
	expect_last(text);
}

static void reset_believed(void **state)
{
	static const char believed[] = PAIR PAIR
		"flow http1 - 2 exchanges, reset by server, 4 segments 36B " CALM ", 4 segments 80B " CALM "\n";
	static const char not_believed[] = PAIR PAIR
		"flow http1 - 2 exchanges, open, 4 segments 36B " CALM ", 4 segments 80B " CALM "\n";

	(void)state;
	reset_at(0, believed);
	reset_at(-65536, believed);
	reset_at(-65537, not_believed);
	reset_at(1 << 20, believed);
	reset_at((1 << 20) + 1, not_believed);
	reset_at(0x7fffffff, not_believed);
}

static void reset_of_nothing(void **state)
{
	(void)state;
	talk_shot(t, SERVER, TCP_RST | TCP_ACK, SLICE(""));
	expect_last("");
	assert_int_equal(stats()->flows, 0);
	assert_int_equal(stats()->segments, 1);
}

/* The client has said all, the server takes its time. */
static void half_close(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_fin(t, CLIENT);
	talk_ack(t, SERVER);
	t->now += 3000 * S;
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\n\r\nfrom ");
	talk_ack(t, CLIENT);
	t->now += 3000 * S;
	talk_say(t, SERVER, "afar");
	expect("");
	talk_fin(t, SERVER);
	talk_ack(t, CLIENT);
	expect("GET / 1.1 -> 200 1.1 9B 3000003000/6000005000us\n");
	expect_last("GET / 1.1 -> 200 1.1 9B 3000003000/6000005000us\n"
		    "flow http1 - 1 exchanges, closed by client, 6 segments 18B " CALM ", 5 segments 28B " CALM "\n");
	expect_nothing_lost();
}

/* The flow is there when it was silent for `limit`, and gone shortly after. */
static void lives_for(uint64_t limit)
{
	play();
	engine_tick(r.e, t->now - MS + limit);
	assert_int_equal(engine_flows(r.e), 1);
	engine_tick(r.e, t->now - MS + limit + 11 * MS);
	assert_int_equal(engine_flows(r.e), 0);
}

static void silence_of_embryo(void **state)
{
	(void)state;
	talk_open(t);
	lives_for(60 * S);
	expect_last("flow - empty 0 exchanges, timeout, 2 segments 0B " CALM ", 1 segments 0B " CALM "\n");
	assert_int_equal(stats()->flows_timeout, 1);
}

static void silence_of_active(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_ack(t, SERVER);
	lives_for(3600 * S);
	expect_last("GET / 1.1 -> - timeout\n"
		    "flow http1 - 1 exchanges, timeout, 3 segments 18B " CALM ", 2 segments 0B " CALM "\n");
	assert_int_equal(stats()->flows_timeout, 1);
}

static void silence_of_closing(void **state)
{
	(void)state;
	talk_open(t);
	pair();
	talk_close(t);
	lives_for(1 * S);
	expect_last(PAIR FLOW_OF_PAIR);
	assert_int_equal(stats()->flows_timeout, 0);
}

/* What the other side has not acknowledged may come again. */
static void silence_of_owing(void **state)
{
	(void)state;
	talk_open(t);
	pair();
	talk_fin(t, CLIENT);
	talk_fin(t, SERVER);
	t->shots[t->n - 2].ack -= 40;
	lives_for(60 * S);
	expect_last(PAIR "flow http1 - 1 exchanges, closed by client, 4 segments 18B " CALM ", 3 segments 40B " CALM "\n");
	assert_int_equal(stats()->flows_timeout, 0);
}

/* Any packet of another connection makes time pass too. */
static void silence_by_packets(void **state)
{
	(void)state;
	talk_open(t);
	play();
	t->now += 61 * S;
	t->port[CLIENT]++;
	talk_shot(t, CLIENT, TCP_SYN, SLICE(""));
	expect("flow - empty 0 exchanges, timeout, 2 segments 0B " CALM ", 1 segments 0B " CALM "\n");
}

/* --- what is missing ------------------------------------------------------------------------------------------------ */

static char tens[8000];

/* A response of 8000 bytes of content in segments of ten, of which the second is not captured; not said yet beyond that. */
static void begin_hole(bool acked)
{
	memset(tens, 'x', sizeof(tens));
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n");
	talk_bytes(t, SERVER, tens, 10);
	t->seq[SERVER] += 10;
	t->step = 0;
	talk_bytes(t, SERVER, tens, 10);
	if (acked)
		talk_ack(t, CLIENT);
	play();
	assert_int_equal(stats()->lost_network, 0);
}

/* How many more segments come until the hole is given up? */
static unsigned segments_until_lost(void)
{
	unsigned n = 0;

	while (!stats()->lost_network && n < 1000) {
		talk_bytes(t, SERVER, tens, 10);
		play();
		n++;
	}
	assert_int_equal(stats()->lost_network, 10);
	return n;
}

static void hole_acked_segments(void **state)
{
	(void)state;
	begin_hole(true);
	assert_int_equal(segments_until_lost(), 62); /* 64 with those that showed it */
}

static void hole_open_segments(void **state)
{
	(void)state;
	begin_hole(false);
	for (unsigned i = 0; i < 500; i++)
		talk_bytes(t, SERVER, tens, 10);
	play();
	assert_int_equal(stats()->lost_network, 0);
	talk_ack(t, CLIENT);
	play();
	assert_int_equal(stats()->lost_network, 10);
}

/* Ticks come every 100 ms; after how many of them is the hole given up? */
static unsigned ticks_until_lost(void)
{
	unsigned n = 0;

	while (!stats()->lost_network && n < 1000)
		engine_tick(r.e, t->now += 100 * MS), n++;
	assert_int_equal(stats()->lost_network, 10);
	return n;
}

static void hole_acked_time(void **state)
{
	(void)state;
	begin_hole(true);
	assert_int_equal(ticks_until_lost(), 11);
}

static void hole_open_time(void **state)
{
	(void)state;
	begin_hole(false);
	assert_int_equal(ticks_until_lost(), 30 * 11); /* it waits in rounds of a second and a tick */
}

static void hole_filled_late(void **state)
{
	(void)state;
	begin_hole(false);
	for (unsigned i = 0; i < 290; i++)
		engine_tick(r.e, t->now += 100 * MS);
	t->seq[SERVER] -= 20;
	talk_bytes(t, SERVER, tens, 10);
	t->seq[SERVER] += 10;
	talk_bytes(t, SERVER, tens, 7970);
	expect("GET / 1.1 -> 200 1.1 8000B 1000/29003000us\n");
	expect_last("GET / 1.1 -> 200 1.1 8000B 1000/29003000us\n"
		    "flow http1 - 1 exchanges, open, 3 segments 18B " CALM
		    ", 6 segments 8041B again 0 disorder 1 lost 0 0 0 0\n");
	expect_nothing_lost();
}

/* Nothing is heard from the receiver at all: 3 s, or 128 segments. */
static void hole_alone(void **state)
{
	(void)state;
	memset(tens, 'x', sizeof(tens));
	for (unsigned i = 0; i < 2; i++) {
		t->port[CLIENT]++;
		t->step = 0;
		talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 8000\r\n\r\n");
		t->seq[SERVER] += 10;
		talk_bytes(t, SERVER, tens, 10);
		play();
		assert_int_equal(stats()->lost_network, 0);
		if (!i) {
			assert_int_equal(ticks_until_lost(), 3 * 11);
			rig_close(&r);
			rig_open(&r);
		} else {
			assert_int_equal(segments_until_lost(), 127); /* and one that showed it */
		}
	}
}

/* Nothing is acknowledged, but too much waits behind the hole. */
static void hole_too_much(void **state)
{
	static char much[65000];

	(void)state;
	memset(much, 'x', sizeof(much));
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	t->seq[SERVER] += 10;
	for (unsigned i = 0; i < 230; i++)
		talk_bytes(t, SERVER, much, sizeof(much));
	play();
	assert_int_equal(stats()->lost_network, 0);
	assert_true(engine_memory(r.e) > (size_t)14 << 20);
	for (unsigned i = 0; i < 40; i++)
		talk_bytes(t, SERVER, much, sizeof(much));
	play();
	assert_int_equal(stats()->lost_network, 10);
	assert_int_equal(stats()->delivered, 18 + 46 + 270 * 65000);
}

/* A hole of 10 bytes in a body of 30, acknowledged, at the time `now`. */
static void body_with_hole(void)
{
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n0123456789");
	t->seq[SERVER] += 10;
	talk_say(t, SERVER, "0123456789");
	talk_ack(t, CLIENT);
	play();
	engine_tick(r.e, t->now += S + 20 * MS);
}

static void ring_loss(void **state)
{
	struct loss_record ring = {.cause = "ring", .packets = 5}, file = {.cause = "file", .packets = 2};

	(void)state;
	talk_open(t);
	play();
	engine_loss(r.e, t->now, &file, 3, "veth-c");
	body_with_hole();
	expect("loss file 2\nGET / 1.1 -> 200 1.1 20B missing(body network 10) 1000/2000us\n");
	engine_loss(r.e, t->now, &ring, 3, "veth-c");
	body_with_hole();
	t->now += 3 * S;
	body_with_hole();
	talk_close(t);
	expect_last("loss file 2\nGET / 1.1 -> 200 1.1 20B missing(body network 10) 1000/2000us\n"
		    "loss ring 5\nGET / 1.1 -> 200 1.1 20B missing(body ring 10) 1000/2000us\n"
		    "GET / 1.1 -> 200 1.1 20B missing(body network 10) 1000/2000us\n"
		    "flow http1 - 3 exchanges, closed by client, 10 segments 54B " CALM
		    ", 8 segments 177B again 0 disorder 3 lost 20 10 0 0\n");
	assert_int_equal(stats()->lost_ring, 10);
	assert_int_equal(stats()->lost_network, 20);
}

/* A start that fell into the ring is missing for the same cause. */
static void ring_loss_of_head(void **state)
{
	struct loss_record ring = {.cause = "ring", .packets = 1};

	(void)state;
	talk_open(t);
	play();
	engine_loss(r.e, t->now, &ring, 0, "");
	talk_say(t, CLIENT, "GET /long HT");
	t->seq[CLIENT] += 30;
	talk_ack(t, SERVER);
	talk_say(t, SERVER, RESPONSE);
	talk_close(t);
	expect_last("loss ring 1\nGET /long missing(start ring 30) incomplete -> 200 1.1 2B 2000/2000us\n"
		    "flow http1 - 1 exchanges, closed by client, 5 segments 12B again 0 disorder 0 lost 0 30 0 0, 4 segments 40B " CALM
		    "\n");
}

static void snaplen_cut(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789")->cut = 7;
	pair();
	talk_close(t);
	expect_last("GET / 1.1 -> 200 1.1 3B missing(body snaplen 7) 1000/1000us\n" PAIR
		    "flow http1 - 2 exchanges, closed by client, 6 segments 36B " CALM
		    ", 4 segments 89B again 0 disorder 0 lost 0 0 7 0\n");
	assert_int_equal(stats()->lost_snaplen, 7);
}

/* Sequence numbers wrap twice in one body; of each gibibyte only its last ten bytes are captured. */
static void beyond_4_gib(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 9663676416\r\n\r\n");
	for (unsigned i = 0; i < 9; i++) {
		t->seq[SERVER] += (1u << 30) - 10;
		talk_say(t, SERVER, "0123456789");
		talk_ack(t, CLIENT);
		play();
		t->now += 1100 * MS;
		engine_tick(r.e, t->now);
	}
	pair();
	talk_close(t);
	expect_last("GET / 1.1 -> 200 1.1 90B missing(body network 9663676326) 1000/8818000us\n" PAIR
		    "flow http1 - 2 exchanges, closed by client, 15 segments 36B " CALM
		    ", 13 segments 177B again 0 disorder 9 lost 9663676326 0 0 0\n");
	assert_int_equal(stats()->lost_network, UINT64_C(9663676326));
}

static void fin_overtakes(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\n\r\nfirst");
	t->seq[SERVER] += 7;
	talk_shot(t, SERVER, TCP_FIN | TCP_ACK, SLICE(" third"));
	t->seq[SERVER] -= 14;
	expect("");
	talk_say(t, SERVER, " second");
	t->seq[SERVER] += 7;
	talk_fin(t, CLIENT);
	talk_ack(t, SERVER);
	expect_last("GET / 1.1 -> 200 1.1 18B 1000/3000us\n"
		    "flow http1 - 1 exchanges, closed by server, 4 segments 18B " CALM
		    ", 5 segments 37B again 0 disorder 1 lost 0 0 0 0\n");
	expect_nothing_lost();
}

/* The end is known, what comes before it never comes. */
static void fin_behind_hole(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\n\r\nfirst");
	t->seq[SERVER] += 7;
	talk_fin(t, SERVER);
	talk_fin(t, CLIENT);
	talk_ack(t, SERVER);
	expect("");
	engine_tick(r.e, t->now + S + 20 * MS);
	expect_last("GET / 1.1 -> 200 1.1 5B missing(body network 7) 1000/1000us\n"
		    "flow http1 - 1 exchanges, closed by server, 4 segments 18B " CALM
		    ", 4 segments 24B again 0 disorder 0 lost 7 0 0 0\n");
}

/* Two copies of a segment that waits differ: the first one counts, as it would for most receivers. */
static void other_bytes(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	t->seq[SERVER] += 38;
	talk_say(t, SERVER, "ok");
	t->seq[SERVER] -= 2;
	talk_say(t, SERVER, "no");
	t->seq[SERVER] -= 40;
	talk_say(t, SERVER, RESPONSE);
	r.config.body_keep = 10;
	r.full = true;
	rig_close(&r);
	rig_open(&r);
	play();
	assert_non_null(strstr(rig_text(&r), "body(ok)"));
	assert_int_equal(stats()->overlap_differs, 1);
	assert_int_equal(stats()->retransmitted, 4);
	assert_int_equal(stats()->out_of_order, 1);
	t->seq[SERVER] -= 2;
	talk_say(t, SERVER, "no"); /* what was handed on can not be compared */
	play();
	assert_int_equal(stats()->overlap_differs, 1);
	assert_int_equal(stats()->retransmitted, 6);
}

/* --- memory --------------------------------------------------------------------------------------------------------- */

#define FLOWS 20

/* Connections whose requests are asked live through a flood of others that never become any. */
static void syn_flood(void **state)
{
	struct talk *talks[FLOWS];
	size_t most = 0;

	(void)state;
	rig_close(&r);
	r.config = (struct engine_config){.memory = (size_t)2 << 20};
	rig_open(&r);
	for (unsigned i = 0; i < FLOWS; i++) {
		talks[i] = talk_new();
		talks[i]->port[CLIENT] = (uint16_t)(40000 + i);
		talk_open(talks[i]);
		talk_say(talks[i], CLIENT, REQUEST);
		rig_play(&r, talks[i]);
		talks[i]->n = 0;
	}
	for (unsigned i = 0; i < 20000; i++) {
		struct shot s = {.ts_ns = 1001 * S + i * US, .ip = {0xc0000000 + i * 7919, 0x0a000002}, .port = {1024, 80},
				 .seq = i * 77777, .flags = TCP_SYN, .data = SLICE("")};

		shot_play(r.e, &s, false);
		most = engine_memory(r.e) > most ? engine_memory(r.e) : most;
	}
	assert_in_range(most, (size_t)1 << 20, ((size_t)2 << 20) + 8 * 4096);
	assert_int_equal(stats()->flows, 20000 + FLOWS);
	assert_int_equal(stats()->flows_evicted, stats()->flows - engine_flows(r.e));
	assert_in_range(engine_flows(r.e), 1000, 3000);
	for (unsigned i = 0; i < FLOWS; i++) {
		talks[i]->now = 1002 * S;
		talk_say(talks[i], SERVER, RESPONSE);
		rig_play(&r, talks[i]);
		free(talks[i]);
	}
	assert_int_equal(r.records[RECORD_EXCHANGE], FLOWS);
	for (const char *line = rig_text(&r); *line; line = strchr(line, '\n') + 1)
		assert_memory_equal(line, "GET / 1.1 -> 200 1.1 2B 1997000/1997000us\n", 42);
	assert_int_equal(stats()->exchanges_lost, 0);
}

/* The number behind `what` on this line of text, or 0. */
static unsigned long number(const char *line, size_t n, const char *what)
{
	const char *at = memmem(line, n, what, strlen(what));

	return at ? strtoul(at + strlen(what), NULL, 10) : 0;
}

/* Sixty connections with a hole of 10 bytes and 60000 behind it each, in so much memory. */
static void sixty_holes(size_t memory)
{
	static char body[10000];

	memset(body, 'x', sizeof(body));
	rig_close(&r);
	r.config.memory = memory;
	rig_open(&r);
	for (unsigned i = 0; r.e && i < 60; i++) {
		t->now = 1000 * S + i * MS;
		t->port[CLIENT] = (uint16_t)(1000 + i);
		talk_open(t);
		talk_say(t, CLIENT, REQUEST);
		talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 60010\r\n\r\n");
		t->seq[SERVER] += 10;
		for (unsigned k = 0; k < 6; k++)
			talk_bytes(t, SERVER, body, sizeof(body));
		play();
		assert_true(engine_memory(r.e) <= memory + 8 * 4096);
	}
	rig_finish(&r);
}

/* The connection with most bytes waiting gives way, and stays; nobody else notices. */
static void most_waiting_first(void **state)
{
	static char body[10000];

	(void)state;
	memset(body, 'x', sizeof(body));
	rig_close(&r);
	r.config.memory = (size_t)2 << 20;
	rig_open(&r);
	talk_open(t);
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 600010\r\n\r\n");
	t->seq[SERVER] += 10;
	for (unsigned i = 0; i < 60; i++)
		talk_bytes(t, SERVER, body, sizeof(body));
	play();
	assert_int_equal(stats()->lost_memory, 0);
	for (unsigned i = 0; i < 40 && !stats()->lost_memory; i++) {
		t->port[CLIENT]++;
		talk_open(t);
		talk_say(t, CLIENT, REQUEST);
		talk_say(t, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 50010\r\n\r\n");
		t->seq[SERVER] += 10;
		for (unsigned k = 0; k < 5; k++)
			talk_bytes(t, SERVER, body, sizeof(body));
		play();
	}
	expect("GET / 1.1 -> 200 1.1 600000B missing(body memory 10) 1000/61000us\n");
	assert_int_equal(stats()->flows_evicted, 0);
	assert_int_equal(stats()->lost_memory, 10);
}

/* What was let go is said, by the connection and by each record. */
static void little_memory(void **state)
{
	bool some = false, all = false;

	(void)state;
	for (size_t memory = 4 << 10; memory <= (size_t)16 << 20; memory += memory / 3) {
		uint64_t lost = 0;

		sixty_holes(memory);
		if (!r.e)
			continue;
		assert_int_equal(engine_flows(r.e), 0);
		assert_int_equal(r.records[RECORD_FLOW], stats()->flows);
		assert_true(stats()->flows || stats()->flows_evicted);
		for (const char *line = r.text, *end; (end = strchr(line, '\n')); line = end + 1) {
			size_t n = (size_t)(end - line);

			if (strncmp(line, "flow ", 5) == 0)
				continue;
			lost += number(line, n, "(body memory ");
			if (number(line, n, " -> 200 1.1 ") + number(line, n, "(body memory ") + number(line, n, "(body network ") != 60010)
				fail_msg("with %zu bytes: %.*s", memory, (int)n, line);
		}
		if (r.records[RECORD_EXCHANGE] == 60)
			assert_int_equal(lost, stats()->lost_memory);
		some |= lost > 0;
		all |= !lost && r.records[RECORD_EXCHANGE] == 60 && !stats()->flows_evicted;
	}
	assert_true(some);
	assert_true(all);
}

/* --- IPv6 ----------------------------------------------------------------------------------------------------------- */

static void ip6(void **state)
{
	(void)state;
	r.ip6 = true;
	talk_open(t);
	pair();
	talk_close(t);
	play_at_both();
	expect_last("GET / 1.1 -> 200 1.1 2B 1010/1010us\n" FLOW_OF_PAIR_AT_BOTH);
	assert_int_equal(ends.key.version, 6);
	assert_memory_equal(ends.key.addr[ends.client], "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\x0a\0\0\1", 16);
	assert_int_equal(ends.vantage, VANTAGE_BOTH);
	expect_nothing_lost();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, tear_up, tear_down)
		TEST(one_point), TEST(two_points), TEST(one_point_a_direction), TEST(owner_falls_silent),
		TEST(translated), TEST(translated_crossed), TEST(same_numbers_at_one_point), TEST(same_numbers_later),
		TEST(handshake), TEST(syn_ack_missing), TEST(midstream), TEST(data_on_syn), TEST(syn_again),
		TEST(syn_overtaken), TEST(absurd_acknowledgement), TEST(reuse_after_close), TEST(reuse_while_active),
		TEST(reuse_after_midstream), TEST(reuse_without_syn), TEST(closed_at_once), TEST(reset_by_server),
		TEST(reset_overtakes), TEST(reset_believed), TEST(reset_of_nothing), TEST(half_close),
		TEST(silence_of_embryo), TEST(silence_of_active), TEST(silence_of_closing), TEST(silence_of_owing),
		TEST(silence_by_packets), TEST(hole_acked_segments), TEST(hole_open_segments), TEST(hole_acked_time),
		TEST(hole_open_time), TEST(hole_filled_late), TEST(hole_alone), TEST(hole_too_much), TEST(ring_loss),
		TEST(ring_loss_of_head), TEST(snaplen_cut), TEST(beyond_4_gib), TEST(fin_overtakes),
		TEST(fin_behind_hole), TEST(other_bytes), TEST(syn_flood), TEST(most_waiting_first),
		TEST(little_memory), TEST(ip6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
