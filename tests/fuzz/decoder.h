/* SPDX-License-Identifier: MIT */
/*
 * A decoder alone. The input: what the connection is (1 byte), then steps: what comes (1), how far its acknowledgement
 * is from the other side's next byte (1), length (2), bytes. What the decoder leaves comes again with what follows it. Each
 * input runs whole, byte by byte, and without what the decoder says it need not see: where nothing is missing and all makes
 * sense, the records must be the same.
 */
#ifndef PERISCO_TESTS_FUZZ_DECODER_H
#define PERISCO_TESTS_FUZZ_DECODER_H

#include "../engine_rig.h"
#include "base/cursor.h"
#include "proto/exchange.h"
#include "proto/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) ((x) ? (void)0 : abort())

struct run {
	const struct proto *proto;
	struct rig rig;
	struct stats stats;
	struct conn_env env;
	struct conn conn;
	struct { uint64_t next, taken, unwanted, kept_ts_ns, kept_ack; struct slice kept; bool ended; } side[2];
	uint64_t now, wire[3];                /* wire: bytes of all requests, responses, and what is in progress */
	bool split, elides, plain;            /* plain: the same must come out whatever the pieces are */
};

static void skip(void *ctx, struct conn *c, unsigned side, uint64_t until)
{
	struct run *r = ctx;

	CHECK(until && c == &r->conn);
	r->side[side].unwanted = until;
}

static void on_message(struct run *r, const struct message *m, unsigned role)
{
	r->wire[role] += m->wire_bytes;
	for (unsigned i = 0; i < m->missings; i++)
		r->plain &= m->missing[i].cause != CAUSE_GRAMMAR;
	CHECK(m->seen || (!m->wire_bytes && !m->complete && !m->headers.n && !m->status));
	CHECK(m->status <= 999 && m->missings <= MISSING_MAX && m->body_bytes <= m->wire_bytes && m->last_ns >= m->first_ns);
	for (uint32_t i = 0; i < m->headers.n + m->trailers.n; i++) /* one array */
		CHECK(field_name(&m->headers, i).n + field_value(&m->headers, i).n <= (size_t)64 << 10);
}

static void emit(void *ctx, struct conn *c, struct record *rec)
{
	const struct exchange_record *x = &rec->exchange;
	struct run *r = ctx;

	on_message(r, &x->request, x->progress ? 2 : 0), on_message(r, &x->response, x->progress ? 2 : 1);
	CHECK(x->request.seen || x->response.seen);
	CHECK(x->progress || (++r->rig.ends == c->exchanges && c->exchanges == r->stats.exchanges));
	CHECK(!x->timed || x->duration_ns >= x->latency_ns);
	CHECK(!x->request.complete || !x->response.complete || x->ended == ENDED_WELL || x->was_reset);
	if (r->plain && !x->progress)
		print_exchange(&r->rig, x);
}

static bool reclaim(void *ctx, struct conn *c)
{
	return !ctx || !c;
}

/* One chunk, in a block of its exact size that begins with what was left. */
static void offer(struct run *r, unsigned side, struct chunk ch, struct slice in)
{
	__auto_type s = &r->side[side];
	size_t kept = s->kept.n, n = kept + in.n, took = n;
	uint8_t *block = realloc((void *)s->kept.p, n ? n : 1);
	int from_client;
	bool data = ch.kind == CHUNK_DATA, gone = s->ended || r->conn.done || r->conn.again;

	memcpy(block + kept, in.n ? in.p : block, in.n);
	ch.off = s->next - (data ? kept : 0), ch.data = slice_of(block, n), ch.n = data ? n : ch.n, ch.ts_ns = r->now;
	ch.kept = kept, ch.kept_ts_ns = s->kept_ts_ns, ch.kept_ack = s->kept_ack;
	r->proto->probe(&r->conn, ch.data, !ch.off, !data, &from_client);
	if (!gone && data)
		took = r->proto->data(&r->conn, side, &ch);
	else if (!gone)
		(ch.kind == CHUNK_GAP ? r->proto->gap : r->proto->end)(&r->conn, side, &ch);
	CHECK(took <= n && n - took <= (size_t)64 << 10);
	if (took >= kept)
		s->kept_ts_ns = ch.ts_ns, s->kept_ack = ch.ack;
	s->kept = slice_of(took < n ? memcpy(malloc(n - took), block + took, n - took) : NULL, n - took);
	s->taken += took, s->next += data ? in.n : ch.n, s->ended |= ch.kind == CHUNK_END;
	free(block);
}

/* Data, but for what need not come. */
static void offer_wanted(struct run *r, unsigned side, struct chunk ch, struct slice in)
{
	__auto_type s = &r->side[side];
	struct chunk gap = {.kind = CHUNK_GAP, .cause = CAUSE_ELIDED, .n = in.n, .ack = OFFSET_UNKNOWN};

	if (r->elides && s->next < s->unwanted) {
		gap.n = s->unwanted - s->next < in.n ? s->unwanted - s->next : in.n;
		in = slice_from(in, gap.n);
		s->taken += gap.n;
		offer(r, side, gap, slice_of(NULL, 0));
	}
	if (in.n)
		offer(r, side, ch, in);
}

/* Data comes once or 64 times, and in pieces if that is wanted. */
static void step(struct run *r, struct cursor *c)
{
	uint8_t what = cursor_u8(c), side = what & 1, times = what & 2 ? 64 : 1;
	uint64_t other = r->side[!side].next, ack = other + (uint64_t)(int8_t)cursor_u8(c);
	size_t n = cursor_u16(c), part;
	struct chunk ch = {.kind = what & 12 ? CHUNK_DATA : what & 16 ? CHUNK_END : CHUNK_GAP, .cause = (what >> 5) % 5,
			   .n = n * times + 1, .ack = what >> 5 == 7 ? OFFSET_UNKNOWN : ack > other ? 0 : ack};
	struct slice in = slice_first(cursor_rest(c), ch.kind == CHUNK_DATA ? n : 0);

	cursor_take(c, in.n);
	r->now += 5000;
	r->plain &= ch.kind != CHUNK_GAP;
	part = !r->split ? in.n : times > 1 ? in.n / 3 + 1 : 1;
	for (; times; times--)
		for (size_t at = 0; at < in.n; at += part)
			offer_wanted(r, side, ch, slice_first(slice_from(in, at), part));
	if (ch.kind != CHUNK_DATA)
		offer(r, side, ch, in);
}

static void run(struct run *r, const struct proto *proto, struct pool *pool, struct slice data, bool split, bool elides)
{
	struct cursor c = cursor_of(data);
	uint8_t how = cursor_u8(&c);

	*r = (struct run){.proto = proto, .env = {pool, &r->stats, how & 16 ? 100 : 0, how & 16 ? 100000 : 0, r, reclaim, emit, skip}, .split = split, .elides = elides, .plain = !(how & 14)};
	r->rig.out = open_memstream(&r->rig.text, &r->rig.text_n);
	r->conn = (struct conn){.env = &r->env, .client = how & 1, .midstream = how & 2, .gapped = how & 4, .by = -1};
	r->conn.state = calloc(1, r->proto->state_size);
	r->proto->open(&r->conn);
	while (cursor_left(&c) > 4)
		step(r, &c);
	r->conn.how = ENDED_CLOSED + (how >> 5) % 7;
	for (unsigned i = 0; i < 2; i++)
		offer(r, i, (struct chunk){.kind = CHUNK_END}, slice_of(NULL, 0));
	r->proto->close(&r->conn);
	free(r->conn.state);
	exchange_free(&r->conn, r->conn.handed);
	CHECK(pool_used(pool) == 0 && r->rig.ends == r->conn.exchanges);
	for (unsigned i = 0; proto == &proto_http1 && i < 2; i++)
		CHECK(r->wire[conn_role(&r->conn, i)] <= r->side[i].taken);
	fclose(r->rig.out);
	r->plain &= !r->stats.garbage && !r->stats.orphans;
}

/* The whole target of one decoder. */
static int fuzz_decoder(const struct proto *proto, const uint8_t *data, size_t size)
{
	static struct pool *pools[2]; /* one with little memory */
	struct run whole, parts, wanted;
	bool little = size && data[0] & 8;

	if (!pools[little])
		pools[little] = pool_new(little ? (size_t)512 << 10 : (size_t)64 << 20, NULL, NULL);
	run(&whole, proto, pools[little], slice_of(data, size), false, false);
	run(&parts, proto, pools[little], slice_of(data, size), true, false);
	run(&wanted, proto, pools[little], slice_of(data, size), true, true);
	CHECK(!whole.plain || !parts.plain || strcmp(whole.rig.text, parts.rig.text) == 0);
	CHECK(!whole.plain || !wanted.plain || strcmp(whole.rig.text, wanted.rig.text) == 0);
	free(whole.rig.text);
	free(wanted.rig.text);
	free(parts.rig.text);
	return 0;
}

#endif
