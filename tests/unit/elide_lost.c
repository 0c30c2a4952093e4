/* SPDX-License-Identifier: MIT */
/* What is left out shows in no record: seen at several points, joined, forgotten by the kernel, lost on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../elide_rig.h"

/* A connection between the same ends begins when the other one was not over; with and without SYN. */
static void reuse(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, GET);
	lag_max = 7; /* that the old one goes on is told once a second only */
	say_response(LONG(900000), 300000);
	t->now += 2 * S;
	say_body(SERVER, 9000);
	t->seq[CLIENT] += 70000000;
	t->seq[SERVER] += 500000000;
	say_download(LONG(300000), 300000);
	talk_close(t);
	expect_same();
}

/* It begins at once, when userspace has yet to say what it does not want of the one before. */
static void reuse_late(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		talk_open(t);
		talk_say(t, CLIENT, GET);
		say_response(LONG(900000), 200000);
		talk_fin(t, SERVER);
		talk_fin(t, CLIENT);
		talk_ack(t, SERVER);
		t->seq[CLIENT] += 70000;
		t->seq[SERVER] += 500000;
	}
	expect_same();
}

static void evicted(void **state)
{
	begin_edge();
	for (unsigned i = 0, n = t->n; i < n; i++) {
		anew(state);
		begin_edge();
		evict_at = (int)i;
		elides = false;
		expect_same();
	}
}

static void joined(void **state)
{
	for (unsigned skip = 1; skip < 30; skip++) {
		anew(state);
		begin_edge();
		talk_say(t, CLIENT, GET);
		say_response(LONG(400000), 400000);
		t->n -= skip;
		memmove(t->shots, t->shots + skip, t->n * sizeof(t->shots[0]));
		elides = false;
		expect_same();
	}
}

static bool is_one_byte(const struct shot *s)
{
	return s->data.n == 1;
}

/* The last byte is all that is wanted of a body's last segment. It is lost: that is known a second later. */
static void last_byte_lost(void **state)
{
	(void)state;
	talk_open(t);
	talk_say(t, CLIENT, GET);
	say_response(LONG(300000), 300000);
	lost = is_one_byte;
	both_open();
	for (unsigned i = 0; i < t->n; i++)
		pass(&t->shots[i]);
	engine_tick(part.e, t->now + 3 * S);
	engine_tick(part.e, t->now + 6 * S);
	assert_int_equal(engine_stats(part.e)->exchanges, 1);
	both_finish();
	both_close();
}

/* Each packet passes two points, first that of its sender. */
static void two_points(void)
{
	struct talk *seen = talk_new();

	for (unsigned i = 0; i < t->n; i++)
		for (unsigned j = 0; j < 2; j++) {
			seen->shots[seen->n] = t->shots[i];
			seen->shots[seen->n].dir = j ? DIRECTION_OUT : DIRECTION_IN;
			seen->shots[seen->n++].iface = &veth[t->shots[i].side ^ j];
		}
	free(t);
	t = seen;
}

static void two_veths(void **state)
{
	begin_edge();
	two_points();
	expect_same();
	for (unsigned i = 1; i < 12; i++) { /* joined in the middle */
		anew(state);
		begin_edge();
		two_points();
		t->n -= i;
		memmove(t->shots, t->shots + i, t->n * sizeof(t->shots[0]));
		elides = false;
		whole.untidy = part.untidy = true;
		expect_same();
	}
}

/* Nothing is known of a connection any more, and the next packet is seen first where it was not before. */
static void owner_anew(void **state)
{
	begin_edge();
	two_points();
	elides = false;
	whole.untidy = part.untidy = true;
	for (evict_at = 0; evict_at < (int)t->n; evict_at++)
		expect_same();
	(void)state;
}

/* Both ways of a connection are left out when another one begins between the same ends: that keeps its owner. */
static void owner_again(void **state)
{
	(void)state;
	talk_open(t);
	talk_bytes(t, CLIENT, "\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03", 11);
	talk_bytes(t, SERVER, "\x16\x03\x03\x00\x30\x02\x00\x00\x2c\x03\x03", 11);
	for (unsigned i = 0; i < 40; i++) {
		say_body(CLIENT, 20000);
		say_body(SERVER, 70000);
	}
	t->seq[CLIENT] += 70000000;
	t->seq[SERVER] += 500000000;
	talk_open(t);
	talk_say(t, CLIENT, GET);
	two_points();
	both_open();
	for (unsigned i = 0; i < t->n; i++)
		pass(&t->shots[i]);
	for (unsigned i = 0; i < MAPPED; i++)
		assert_true(!mapped[i].used || mapped[i].half.owner == veth[0].index);
	assert_true(counted.elided_bytes > 0);
	both_finish();
	both_close();
}

/* The owner is gone, and its peer's point goes on alone. */
static void owner_gone(void **state)
{
	unsigned n = 0;

	(void)state;
	begin_edge();
	two_points();
	for (unsigned i = 0; i < t->n; i++)
		if (i < 40 || t->shots[i].iface != &veth[0])
			t->shots[n++] = t->shots[i];
	t->n = n;
	both_open();
	for (unsigned i = 0; i < t->n; i++) {
		port_gone[1] = i >= 40;
		pass(&t->shots[i]);
	}
	both_finish();
	assert_string_equal(part.text, "GET / 1.1 -> 200 1.1 400003B\nGET / 1.1 -> 200 1.1 3B\n"
			    "flow http1 - 2 exchanges, closed by client, lost 0 0, lost 0 0, 54B, 400087B\n");
	both_close();
}

/* Requests pass one point and responses the other. */
static void asymmetric(void **state)
{
	(void)state;
	begin_edge();
	for (unsigned i = 0; i < t->n; i++)
		t->shots[i].iface = &veth[t->shots[i].side];
	expect_same();
}

/* The same packets behind address translation, at the server's point. */
static void translate(void)
{
	struct talk *seen = talk_new();

	for (unsigned i = 0; i < t->n; i++)
		for (unsigned j = 0; j < 2; j++) {
			struct shot *s = &seen->shots[seen->n++];
			unsigned at = t->shots[i].side ^ j;

			*s = t->shots[i];
			s->iface = &veth[at];
			if (at)
				s->ip[!s->side] += 1000, s->port[!s->side] = 8080;
		}
	memcpy(t->shots, seen->shots, sizeof(t->shots));
	t->n = seen->n;
	free(seen);
}

static void translated(void **state)
{
	(void)state;
	begin_edge();
	translate();
	expect_same();
	t->iface = &veth[1]; /* and then a connection that is not translated, between the same ends */
	t->ip[SERVER] += 1000;
	t->port[SERVER] = 8080;
	t->seq[CLIENT] += 1000000;
	t->seq[SERVER] += 1000000;
	t->now += 10 * S;
	lag_max = 100;
	begin_edge();
	expect_same();
	assert_int_equal(part.records[RECORD_EXCHANGE], 4);
}

/* One direction is not captured. */
static void one_sided(void **state)
{
	for (unsigned side = 0; side < 2; side++) {
		unsigned n = 0;

		anew(state);
		talk_open(t);
		talk_say(t, CLIENT, "PUT / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n");
		say_body(CLIENT, 300000);
		say_response(LONG(300000), 300000);
		talk_close(t);
		for (unsigned i = 0; i < t->n; i++)
			if (t->shots[i].side == side)
				t->shots[n++] = t->shots[i];
		t->n = n;
		elides = side == CLIENT; /* what a response answers must be known */
		expect_same();
	}
}

static unsigned seed;

static bool at_random(const struct shot *s)
{
	(void)s;
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % 16 == 0;
}

static void check_sizes(void *ctx, const struct record *r)
{
	const struct message *m = &r->exchange.response;
	uint64_t n = m->body_bytes;

	(void)ctx;
	for (unsigned i = 0; r->kind == RECORD_EXCHANGE && i < m->missings; i++)
		n += m->missing[i].part == PART_BODY ? m->missing[i].bytes : 0;
	if (r->kind == RECORD_EXCHANGE && m->complete && m->status)
		assert_int_equal(n, m->status == 200 ? 300000 : 3);
}

/* The ring is full now and then: bodies are as long as they were, and what comes then is not held up. */
static void ring_loss(void **state)
{
	(void)state;
	talk_open(t);
	for (unsigned i = 0; i < 20; i++) {
		talk_say(t, CLIENT, GET);
		say_response(LONG(300000), 300000);
	}
	part.on_record = check_sizes;
	for (seed = 1; seed < 2000000000; seed += 7000001) {
		lost = at_random;
		both_open();
		for (unsigned i = 0; i < t->n; i++)
			pass(&t->shots[i]);
		lost = NULL;
		talk_say(t, CLIENT, GET);
		talk_say(t, SERVER, "HTTP/1.1 201 OK\r\nContent-Length: 3\r\n\r\nyes");
		talk_ack(t, CLIENT);
		for (unsigned i = t->n - 3; i < t->n; i++)
			pass(&t->shots[i]);
		for (unsigned i = 1; i < 20; i++)
			engine_tick(part.e, t->now + i * 2 * S);
		assert_non_null(strstr(rig_text(&part), "-> 201"));
		assert_true(engine_memory(part.e) < (16u << 20));
		both_finish();
		both_close();
		t->n -= 3;
		t->seq[CLIENT] -= sizeof(GET) - 1;
		t->seq[SERVER] -= 41;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reuse), T(reuse_late), T(evicted), T(joined), T(last_byte_lost), T(two_veths), T(owner_anew), T(owner_again),
		T(owner_gone), T(asymmetric), T(translated), T(one_sided), T(ring_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
