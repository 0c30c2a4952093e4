/* SPDX-License-Identifier: MIT */
/* Connections, as the engine sees them: where they are seen, how they begin and how they end. */
#include "../flow_rig.h"

#define FLOW_OF_PAIR "flow http1 - 1 exchanges, closed by client, 5 segments 18B " CALM ", 3 segments 40B " CALM "\n"
/* ... at two points: until its owner has shown a direction, any point may. */
#define FLOW_OF_PAIR_AT_BOTH \
	"flow http1 - 1 exchanges, closed by client, 5 segments 18B " CALM ", 4 segments 40B " CALM "\n"

static const struct iface near_client = {.index = 1, .link = LINKTYPE_RAW, .name = "veth-a"};
static const struct iface near_server = {.index = 2, .link = LINKTYPE_RAW, .name = "veth-b"};

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
		TEST(silence_by_packets), TEST(ip6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
