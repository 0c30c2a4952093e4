/* SPDX-License-Identifier: MIT */
/* What the tests of connections have in common: one engine, one conversation, and what is expected of them so far. */
#ifndef PERISCO_TESTS_FLOW_RIG_H
#define PERISCO_TESTS_FLOW_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "engine_rig.h"

#define REQUEST "GET / HTTP/1.1\r\n\r\n"                              /* 18 bytes */
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"     /* 40 bytes */
#define PAIR "GET / 1.1 -> 200 1.1 2B 1000/1000us\n"
#define CALM "again 0 disorder 0 lost 0 0 0 0"

static struct rig r;
static struct talk *t;
static struct endpoints ends;         /* of the last exchange */
static char ifname[64];
static struct flow_record flow;       /* the last one */

static inline void on_record(void *ctx, const struct record *rec)
{
	(void)ctx;
	if (rec->kind == RECORD_FLOW)
		flow = rec->flow;
	if (rec->kind != RECORD_EXCHANGE)
		return;
	ends = rec->ends;
	strcpy(ifname, rec->ends.ifname);
}

static inline int tear_up(void **state)
{
	(void)state;
	r = (struct rig){.config = {.flow_records = true}, .on_record = on_record};
	memset(&ends, 0, sizeof(ends));
	memset(&flow, 0, sizeof(flow));
	t = talk_new();
	rig_open(&r);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	rig_close(&r);
	free(t);
	return 0;
}

/* What was said since the last time comes to the engine. */
static inline void play(void)
{
	rig_play(&r, t);
	t->n = 0;
}

static inline void pair(void)
{
	talk_say(t, CLIENT, REQUEST);
	talk_say(t, SERVER, RESPONSE);
}

static inline const struct stats *stats(void)
{
	return engine_stats(r.e);
}

/* These records and no others until now, ... */
static inline void expect(const char *text)
{
	play();
	assert_string_equal(rig_text(&r), text);
}

/* ... and at the end. */
static inline void expect_last(const char *text)
{
	play();
	rig_finish(&r);
	assert_string_equal(r.text, text);
	assert_int_equal(engine_flows(r.e), 0);
	assert_int_equal(r.ends, stats()->flows - stats()->flows_alias);
}

/* Every payload byte was handed to somebody or is accounted for. */
static inline void expect_nothing_lost(void)
{
	const struct stats *s = stats();

	assert_int_equal(s->payload, s->delivered + s->ignored + s->retransmitted + s->copies);
	assert_int_equal(s->lost_network + s->lost_ring + s->lost_snaplen + s->lost_memory, 0);
}

#endif
