/* SPDX-License-Identifier: MIT */
/* Every allocation fails once, and every ceiling is tried: nothing crashes, nothing is kept, what is lost is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/engine.h"

#define CONNECTIONS 400u
#define SLAB ((size_t)256 << 10)

struct heap {
	unsigned calls, fail_at; /* 0: never */
};

struct world {
	struct engine *engine;
	uint64_t now;
	unsigned exchanges;
};

static void *heap_get(void *ctx, size_t align, size_t n)
{
	struct heap *h = ctx;

	return ++h->calls == h->fail_at ? NULL : aligned_alloc(align, n);
}

static void on_record(void *ctx, const struct record *r)
{
	struct world *w = ctx;

	w->exchanges += r->kind == RECORD_EXCHANGE && r->exchange.request.seen && r->exchange.response.status == 200;
}

static void send(struct world *w, unsigned port, unsigned side, uint32_t seq, uint32_t ack, const char *text)
{
	size_t n = strlen(text), all = 40 + n;
	uint8_t *p = calloc(1, all);

	p[0] = 0x45, p[2] = (uint8_t)(all >> 8), p[3] = (uint8_t)all, p[9] = 6;
	p[12] = p[16] = 10, p[15] = (uint8_t)side, p[19] = !side;
	p[side ? 22 : 20] = (uint8_t)(port >> 8), p[side ? 23 : 21] = (uint8_t)port, p[side ? 21 : 23] = 80;
	for (unsigned i = 0; i < 4; i++)
		p[24 + i] = (uint8_t)(seq >> (24 - 8 * i)), p[28 + i] = (uint8_t)(ack >> (24 - 8 * i));
	p[32] = 0x50, p[33] = 0x18;
	memcpy(p + 40, text, n);
	engine_packet(w->engine, &(struct packet){.ts_ns = w->now += 1000, .wire_len = (uint32_t)all, .link = 101, .data = {p, all}});
	free(p);
}

/* All connections are open at once, each with a request that comes in disorder. */
static const struct stats *talk(struct world *w)
{
	static const char tail[] = "Host: x\r\n\r\n", head[] = "GET / HTTP/1.1\r\n", reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

	for (unsigned i = 0; i < CONNECTIONS; i++) {
		send(w, 1024 + i, 1, 1, 1, "");
		send(w, 1024 + i, 0, 1 + sizeof(head) - 1, 1, tail);
	}
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		send(w, 1024 + i, 0, 1, 1, head);
		send(w, 1024 + i, 1, 1, sizeof(head) + sizeof(tail) - 1, reply);
	}
	engine_finish(w->engine);
	return engine_stats(w->engine);
}

/* Runs the conversation; returns the exchanges that were found, or CONNECTIONS if there was no engine at all. */
static unsigned run(size_t memory, struct heap *heap)
{
	const struct engine_config config = {.memory = memory, .heap = heap_get, .heap_ctx = heap};
	struct world w = {.now = 1};
	const struct engine_hooks hooks = {.ctx = &w, .record = on_record};
	const struct stats *stats;

	w.engine = engine_new(&config, &hooks);
	if (!w.engine)
		return CONNECTIONS;
	stats = talk(&w);
	if (w.exchanges < CONNECTIONS)
		assert_true(stats->flows_evicted + stats->lost_memory + stats->exchanges_lost > 0);
	assert_int_equal(engine_flows(w.engine), 0);
	engine_free(w.engine);
	return w.exchanges;
}

static void test_enough(void **state)
{
	struct heap heap = {0};

	(void)state;
	assert_int_equal(run(0, &heap), CONNECTIONS);
	assert_true(heap.calls > 3);
}

static void test_each_once(void **state)
{
	struct heap heap = {0};
	unsigned calls;

	(void)state;
	run(0, &heap);
	calls = heap.calls;
	for (unsigned k = 1; k <= calls; k++) {
		heap = (struct heap){.fail_at = k};
		run(0, &heap);
	}
}

static void test_ceilings(void **state)
{
	unsigned least = CONNECTIONS;

	(void)state;
	for (size_t slabs = 1; slabs <= 24; slabs++) {
		struct heap heap = {0};
		unsigned found = run(slabs * SLAB, &heap);

		assert_true(heap.calls <= slabs);
		least = found < least ? found : least;
	}
	assert_true(least < CONNECTIONS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enough),
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_ceilings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
