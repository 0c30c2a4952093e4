/* SPDX-License-Identifier: MIT */
#include "output/hold.h"

#include <stdlib.h>

#include "base/list.h"

enum { BLOCK_SIZE = 1024, BLOCK_ROOM = BLOCK_SIZE - sizeof(void *), RANKS = 32 };

struct block {
	struct block *next;
	uint8_t bytes[BLOCK_ROOM];
};
_Static_assert(sizeof(struct block) == BLOCK_SIZE, "nothing between");

/* Stands before what is known of each packet's exchanges, and its bytes; not aligned. */
struct entry {
	uint64_t ts_ns;
	const struct iface *iface;
	uint32_t captured, wire_len;
	uint32_t exchanges; /* as in struct brought */
	uint16_t link;
	uint8_t dir;
};

/* Its packets are bytes[start..] of the first block, those between, and bytes[..end] of the last. */
struct hold_flow {
	struct hold_flow *next; /* in its bucket, or of those that are free */
	struct list rank;       /* among the flows that hold about as much; blocks > 0 */
	uint64_t id;
	struct block *first, *last; /* NULL: nothing is held */
	uint32_t start, end;
	uint32_t blocks, packets;
	bool decided;
};

struct hold {
	uint8_t *memory;
	size_t blocks, fresh; /* of the memory: blocks in all, and those that were never used yet */
	struct block *free_blocks;
	size_t free; /* blocks that can be had, fresh ones included */
	struct hold_flow *free_flows;
	struct hold_flow **buckets;
	unsigned bits;            /* 2^bits buckets */
	struct list ranks[RANKS]; /* flows by log2 of their blocks */
	uint32_t ranked;          /* a bit for each list that is not empty */
	size_t packets;
	uint64_t let_go;
	uint8_t *scratch; /* one packet in one piece */
	size_t scratch_size;
};

/* --- who holds most --- */

static unsigned rank_of(const struct hold_flow *f)
{
	return 31 - (unsigned)__builtin_clz(f->blocks);
}

static void rank_leave(struct hold *h, struct hold_flow *f)
{
	unsigned rank = rank_of(f);

	list_remove(&f->rank);
	if (list_empty(&h->ranks[rank]))
		h->ranked &= ~(1u << rank);
}

static void rank_enter(struct hold *h, struct hold_flow *f)
{
	unsigned rank = rank_of(f);

	list_append(&h->ranks[rank], &f->rank);
	h->ranked |= 1u << rank;
}

/* The flow has `n` blocks now. */
static void rank_change(struct hold *h, struct hold_flow *f, uint32_t n)
{
	struct hold_flow after = {.blocks = n};

	if (f->blocks && n && rank_of(f) == rank_of(&after)) {
		f->blocks = n;
		return;
	}
	if (f->blocks)
		rank_leave(h, f);
	f->blocks = n;
	if (n)
		rank_enter(h, f);
}

/* --- blocks --- */

/* Call only while h->free > 0. */
static struct block *block_get(struct hold *h)
{
	struct block *b = h->free_blocks;

	h->free--;
	if (b)
		h->free_blocks = b->next;
	else
		b = (struct block *)(h->memory + (h->blocks - h->fresh--) * BLOCK_SIZE);
	b->next = NULL;
	return b;
}

static void block_put(struct hold *h, struct block *b)
{
	b->next = h->free_blocks;
	h->free_blocks = b;
	h->free++;
}

static void log_extend(struct hold *h, struct hold_flow *f)
{
	struct block *b = block_get(h);

	if (f->last)
		f->last->next = b;
	else
		f->first = b;
	if (!f->last)
		f->start = 0;
	f->last = b;
	f->end = 0;
	rank_change(h, f, f->blocks + 1);
}

static void log_shorten(struct hold *h, struct hold_flow *f)
{
	struct block *b = f->first;

	f->first = b->next;
	f->start = 0;
	if (!f->first)
		f->last = NULL;
	block_put(h, b);
	rank_change(h, f, f->blocks - 1);
}

/* Blocks that `n` bytes more would take. */
static size_t log_needs(const struct hold_flow *f, size_t n)
{
	size_t room = f->last ? BLOCK_ROOM - f->end : 0;

	return n > room ? (n - room + BLOCK_ROOM - 1) / BLOCK_ROOM : 0;
}

static void log_write(struct hold *h, struct hold_flow *f, const void *from, size_t n)
{
	const uint8_t *p = from;

	while (n > 0) {
		size_t part;

		if (!f->last || f->end == BLOCK_ROOM)
			log_extend(h, f);
		part = n < BLOCK_ROOM - f->end ? n : BLOCK_ROOM - f->end;
		memcpy(f->last->bytes + f->end, p, part);
		f->end += (uint32_t)part;
		p += part;
		n -= part;
	}
}

/* Takes `n` bytes, which must be there, off the front; `to` may be NULL. */
static void log_read(struct hold *h, struct hold_flow *f, void *to, size_t n)
{
	uint8_t *p = to;

	while (n > 0) {
		size_t there = (f->first == f->last ? f->end : BLOCK_ROOM) - f->start, part = n < there ? n : there;

		if (p) {
			memcpy(p, f->first->bytes + f->start, part);
			p += part;
		}
		f->start += (uint32_t)part;
		n -= part;
		if (part == there)
			log_shorten(h, f);
	}
}

/* Takes the oldest packet's entry; its bytes are next. */
static struct entry log_entry(struct hold *h, struct hold_flow *f)
{
	struct entry e;

	log_read(h, f, &e, sizeof e);
	f->packets--;
	h->packets--;
	return e;
}

static size_t exchanges_size(uint32_t n)
{
	return (n < BROUGHT_MAX ? n : BROUGHT_MAX) * sizeof(uint32_t);
}

/* Drops the oldest packet. */
static void log_drop(struct hold *h, struct hold_flow *f)
{
	struct entry e = log_entry(h, f);

	log_read(h, f, NULL, exchanges_size(e.exchanges) + e.captured);
}

/* Drops a packet to make room. False when none is held. */
static bool let_go(struct hold *h)
{
	struct hold_flow *f;

	if (!h->ranked)
		return false;
	f = container_of(h->ranks[31 - __builtin_clz(h->ranked)].next, struct hold_flow, rank);
	log_drop(h, f);
	h->let_go++;
	return true;
}

/* --- flows --- */

static struct hold_flow **bucket_of(const struct hold *h, uint64_t id)
{
	return &h->buckets[id * UINT64_C(0x9e3779b97f4a7c15) >> (64 - h->bits)];
}

struct hold_flow *hold_find(const struct hold *h, uint64_t flow_id)
{
	struct hold_flow *f = *bucket_of(h, flow_id);

	while (f && f->id != flow_id)
		f = f->next;
	return f;
}

/* A block becomes room for flows, for good. */
static bool flows_extend(struct hold *h)
{
	struct hold_flow *flows;

	while (!h->free)
		if (!let_go(h))
			return false;
	flows = (struct hold_flow *)block_get(h);
	for (size_t i = 0; i < BLOCK_SIZE / sizeof *flows; i++) {
		flows[i].next = h->free_flows;
		h->free_flows = &flows[i];
	}
	return true;
}

struct hold_flow *hold_add(struct hold *h, uint64_t flow_id)
{
	struct hold_flow *f = hold_find(h, flow_id), **bucket = bucket_of(h, flow_id);

	if (f || (!h->free_flows && !flows_extend(h)))
		return f;
	f = h->free_flows;
	h->free_flows = f->next;
	*f = (struct hold_flow){.next = *bucket, .id = flow_id};
	list_init(&f->rank);
	*bucket = f;
	return f;
}

size_t hold_forget(struct hold *h, struct hold_flow *f)
{
	struct hold_flow **at = bucket_of(h, f->id);
	size_t packets = f->packets;

	while (f->packets)
		log_drop(h, f);
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	f->next = h->free_flows;
	h->free_flows = f;
	return packets;
}

void hold_decide(struct hold_flow *f)
{
	f->decided = true;
}

bool hold_is_decided(const struct hold_flow *f)
{
	return f->decided;
}

/* --- packets --- */

static bool scratch_fits(struct hold *h, size_t n)
{
	uint8_t *scratch = n > h->scratch_size ? realloc(h->scratch, n) : h->scratch;

	if (!scratch)
		return n == 0;
	h->scratch = scratch;
	if (n > h->scratch_size)
		h->scratch_size = n;
	return true;
}

void hold_put(struct hold *h, struct hold_flow *f, const struct packet *pkt, const struct brought *brought)
{
	const struct entry e = {
		.ts_ns = pkt->ts_ns,
		.iface = pkt->iface,
		.captured = (uint32_t)pkt->data.n,
		.wire_len = pkt->wire_len,
		.exchanges = brought->n,
		.link = pkt->link,
		.dir = pkt->dir,
	};
	size_t n = sizeof e + exchanges_size(brought->n) + pkt->data.n;
	bool fits = n <= h->blocks * BLOCK_ROOM && scratch_fits(h, pkt->data.n);

	while (fits && log_needs(f, n) > h->free)
		fits = let_go(h);
	if (!fits) {
		h->let_go++;
		return;
	}
	log_write(h, f, &e, sizeof e);
	log_write(h, f, brought->exchange, exchanges_size(brought->n));
	log_write(h, f, pkt->data.p, pkt->data.n);
	f->packets++;
	h->packets++;
}

bool hold_take(struct hold *h, struct hold_flow *f, struct packet *ret, struct brought *brought)
{
	struct entry e;

	if (!f->packets)
		return false;
	e = log_entry(h, f);
	*brought = (struct brought){.flow_id = f->id, .n = e.exchanges};
	log_read(h, f, brought->exchange, exchanges_size(e.exchanges));
	log_read(h, f, h->scratch, e.captured);
	*ret = (struct packet){
		.ts_ns = e.ts_ns,
		.wire_len = e.wire_len,
		.link = e.link,
		.dir = e.dir,
		.iface = e.iface,
		.data = {h->scratch, e.captured},
	};
	return true;
}

size_t hold_count(const struct hold *h)
{
	return h->packets;
}

uint64_t hold_let_go(const struct hold *h)
{
	return h->let_go;
}

/* --- life --- */

struct hold *hold_new(size_t bytes)
{
	struct hold *h = calloc(1, sizeof *h);

	if (!h)
		return NULL;
	h->blocks = h->fresh = h->free = bytes / (BLOCK_SIZE + sizeof *h->buckets);
	for (h->bits = 1; (size_t)2 << h->bits <= h->blocks; h->bits++)
		;
	for (size_t i = 0; i < RANKS; i++)
		list_init(&h->ranks[i]);
	h->memory = malloc(h->blocks * BLOCK_SIZE);
	h->buckets = calloc((size_t)1 << h->bits, sizeof *h->buckets);
	if (h->memory && h->buckets)
		return h;
	hold_free(h);
	return NULL;
}

void hold_free(struct hold *h)
{
	if (!h)
		return;
	free(h->memory);
	free(h->buckets);
	free(h->scratch);
	free(h);
}
