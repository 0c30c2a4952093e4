/* SPDX-License-Identifier: MIT */
/* What is missing in connections: how long it is waited for, what it is called, and what memory allows. */
#include "../flow_rig.h"

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
	r.config = (struct engine_config){.memory = (size_t)4 << 20};
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
	assert_in_range(most, (size_t)2 << 20, ((size_t)4 << 20) + 8 * 4096);
	assert_int_equal(stats()->flows, 20000 + FLOWS);
	assert_int_equal(stats()->flows_evicted, stats()->flows - engine_flows(r.e));
	assert_in_range(engine_flows(r.e), (2 << 20) / 1024, (2 << 20) / 700); /* half of the memory */
	for (unsigned i = 0; i < FLOWS; i++) {
		struct talk *talk = talks[i];

		talk->now = 1002 * S;
		talk_say(talk, SERVER, "HTTP/1.1 200 OK\r\nContent-Le"); /* is kept, ... */
		talk_say(talk, SERVER, "ngth: 2\r\n\r\nok");
		talk_say(talk, CLIENT, REQUEST);
		talk->seq[SERVER] += 20;
		talk_bytes(talk, SERVER, RESPONSE + 20, 20);          /* ... waits, ... */
		talk->seq[SERVER] -= 40;
		talk_bytes(talk, SERVER, RESPONSE, 20);               /* ... and is joined */
		rig_play(&r, talk);
		free(talk);
	}
	assert_int_equal(r.records[RECORD_EXCHANGE], 2 * FLOWS);
	for (const char *line = rig_text(&r); *line; line = strchr(line, '\n') + 1)
		assert_memory_equal(line, "GET / 1.1 -> 200 1.1 2B ", 24);
	assert_int_equal(stats()->lost_memory, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, tear_up, tear_down)
		TEST(hole_acked_segments), TEST(hole_open_segments), TEST(hole_acked_time), TEST(hole_open_time),
		TEST(hole_filled_late), TEST(hole_alone), TEST(hole_too_much), TEST(ring_loss), TEST(ring_loss_of_head),
		TEST(snaplen_cut), TEST(beyond_4_gib), TEST(fin_overtakes), TEST(fin_behind_hole), TEST(other_bytes),
		TEST(syn_flood), TEST(most_waiting_first), TEST(little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
