/* SPDX-License-Identifier: MIT */
/*
 * The whole engine. Segments of one connection, one after the other: side and TCP flags (1 byte), how far the sequence number
 * and the acknowledgement are from the next ones (2 and 2), what was cut (1), tenths of a second since the one before (1),
 * length (2), payload. Records must be sound, memory stay below its ceiling, and everything be given back.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "engine/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) ((x) ? (void)0 : abort())
#define MEMORY ((size_t)8 << 20)

static void check_fields(const struct fields *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		CHECK(field_name(f, i).n + field_value(f, i).n <= (size_t)1 << 17 && memchr(field_value(f, i).p, 0, 0) == NULL);
}

static void on_record(void *ctx, const struct record *r)
{
	const struct exchange_record *x = &r->exchange;

	(void)ctx;
	if (r->kind != RECORD_EXCHANGE)
		return;
	CHECK(x->request.seen || x->response.seen);
	CHECK(x->response.status <= 999 && x->request.missings <= MISSING_MAX && x->response.missings <= MISSING_MAX);
	CHECK(!x->timed || x->duration_ns >= x->latency_ns);
	check_fields(&x->request.headers);
	check_fields(&x->response.headers);
	check_fields(&x->response.trailers);
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8), p[3] = (uint8_t)v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct engine_config config = {.memory = MEMORY, .body_keep = 64, .flow_records = true};
	const struct engine_hooks hooks = {.record = on_record};
	struct engine *e = engine_new(&config, &hooks);
	struct cursor c = cursor_of(slice_of(data, size));
	uint32_t next[2] = {0xfffffff0, 1000};
	uint64_t now = 1000000000;

	CHECK(e);
	while (cursor_left(&c) >= 9) {
		uint8_t op = cursor_u8(&c), side = op >> 7;
		uint32_t seq = next[side] + (uint32_t)(int16_t)cursor_u16(&c), ack = next[!side] + (uint32_t)(int16_t)cursor_u16(&c);
		uint32_t cut = cursor_u8(&c), step = cursor_u8(&c), n = cursor_u16(&c) % 4096;
		uint8_t *p;

		n = n > cursor_left(&c) ? (uint32_t)cursor_left(&c) : n;
		p = calloc(1, 40 + n);
		p[0] = 0x45, p[2] = (uint8_t)((40 + n + cut) >> 8), p[3] = (uint8_t)(40 + n + cut), p[8] = 64, p[9] = 6;
		p[12] = p[16] = 10, p[15] = side, p[19] = !side, p[21] = side, p[23] = !side;
		put32(p + 24, seq), put32(p + 28, ack);
		p[32] = 0x50, p[33] = op & 0x3f, p[34] = 0xff;
		memcpy(p + 40, cursor_take(&c, n), n);
		next[side] = seq + n + cut + !!(op & TCP_SYN) + !!(op & TCP_FIN);
		engine_packet(e, &(struct packet){.ts_ns = now += step * UINT64_C(100000000), .wire_len = 40 + n + cut, .link = 101,
						  .data = {p, 40 + n}});
		free(p);
		CHECK(engine_memory(e) <= MEMORY + ((size_t)1 << 20));
	}
	engine_finish(e);
	CHECK(engine_flows(e) == 0);
	engine_free(e);
	return 0;
}
