/* SPDX-License-Identifier: MIT */
/*
 * A stream beside a map of its bytes. The input: a sequence number, how much memory there is, then steps of three bytes: what,
 * where (relative to what was offered) and how much. Bytes behind the steps say how much of each offer the decoder takes.
 */
#include <stdlib.h>

#define CHECK(x) ((x) ? (void)0 : abort())

#include "../stream_oracle.h"
#include "base/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PLACES 6000

static size_t take(void *ctx, size_t n)
{
	struct cursor *c = ctx;
	uint8_t how = cursor_u8(c);

	return how < 160 ? n : how < 224 ? n * (how - 160) / 64 : ORACLE_HALT;
}

static void step(struct oracle *o, uint8_t what, int8_t where, uint8_t much)
{
	int64_t at = o->started ? o->offered + where * (what & 8 ? 16 : 1) : PLACES / 4 + where;
	size_t n = (size_t)much << (what >> 4 & 3);

	switch (what & 7) {
	case 0:
		oracle_syn(o, at);
		break;
	case 1:
		oracle_fin(o, at);
		break;
	case 2:
		oracle_acked(o, at + (int64_t)n);
		break;
	case 3:
		oracle_give_up(o, what & 16 ? CAUSE_RING : CAUSE_NETWORK);
		break;
	case 4:
		oracle_insert(o, at, n, (uint32_t)(what >> 6) * much, 0);
		break;
	default:
		oracle_insert(o, at, n, 0, what >> 6);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pool *pools[2];
	struct cursor c = cursor_of(slice_of(data, size)), tail;
	uint32_t base = cursor_u32(&c);
	bool strict = cursor_u8(&c) & 1;
	struct oracle *o;
	size_t steps = cursor_left(&c) / 4;

	for (unsigned i = 0; i < 2 && !pools[i]; i++)
		pools[i] = pool_new(i ? (size_t)64 << 20 : (size_t)256 << 10, NULL, NULL);
	o = oracle_new(base, PLACES, pools[strict], strict);
	tail = cursor_of(slice_from(slice_of(data, size), 5 + 3 * steps));
	o->take = take;
	o->ctx = &tail;
	while (steps-- && !c.failed) {
		uint8_t what = cursor_u8(&c);
		int8_t where = (int8_t)cursor_u8(&c);

		step(o, what, where, cursor_u8(&c));
	}
	oracle_close(o, CAUSE_NETWORK);
	return 0;
}
