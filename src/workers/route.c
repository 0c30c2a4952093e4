/* SPDX-License-Identifier: MIT */
#include "workers/route.h"

#include <stdlib.h>

#include "packet/key.h"

#define SECOND    UINT64_C(1000000000)
#define SET       4u    /* places for a connection: a cache line */
#define SETS_MIN  ((size_t)256)
#define CALM_S    2u    /* after such a silence a SYN is no straggler */
#define BORN      1024u /* a power of two, at least as many as an engine's */
#define TWIN_NS   (1 * SECOND)

struct known {
	uint32_t tag;    /* of its ends; 0: the place is free */
	uint32_t seen_s; /* when the last segment came */
	uint32_t isn;    /* of the last SYN, if there was one */
	uint16_t worker;
	bool has_isn;
};
_Static_assert(sizeof(struct known) == 16, "SET of them are a cache line");

/* A segment that a connection began with. */
struct born {
	uint64_t ts_ns;
	uint32_t seq, ack, tsval, n;
	uint16_t window, worker;
	uint8_t flags;
};

struct route {
	struct known (*sets)[SET];
	size_t mask;
	unsigned workers;
	struct key_seed seed;
	struct born born[BORN];
};

struct route *route_new(unsigned workers, size_t memory, uint64_t seed)
{
	struct route *r = calloc(1, sizeof(*r));
	size_t sets = SETS_MIN;

	if (!r)
		return NULL;
	while (sets * 2 * sizeof(*r->sets) <= memory)
		sets *= 2;
	r->sets = aligned_alloc(sizeof(*r->sets), sets * sizeof(*r->sets));
	if (!r->sets) {
		free(r);
		return NULL;
	}
	memset(r->sets, 0, sets * sizeof(*r->sets));
	r->mask = sets - 1;
	r->workers = workers;
	r->seed = key_seed(seed);
	return r;
}

void route_free(struct route *r)
{
	if (r)
		free(r->sets);
	free(r);
}

/* Where a connection goes that nothing else is known of. */
static uint16_t home(const struct route *r, uint32_t tag)
{
	return (uint16_t)((uint64_t)tag * r->workers >> 32);
}

static struct known *find(struct known *set, uint32_t tag)
{
	for (unsigned i = 0; i < SET; i++)
		if (set[i].tag == tag)
			return &set[i];
	return NULL;
}

/* The place to forget: a free one, else the longest silent, but rather of those that are found at home. */
static struct known *dullest(const struct route *r, struct known *set, uint32_t now_s)
{
	struct known *best = &set[0];
	uint64_t most = 0;

	for (unsigned i = 0; i < SET; i++) {
		struct known *k = &set[i];
		uint64_t dull = (uint64_t)(now_s - k->seen_s) + 1;

		if (!k->tag)
			return k;
		if (k->worker == home(r, k->tag))
			dull += UINT64_C(1) << 32;
		if (dull > most) {
			best = k;
			most = dull;
		}
	}
	return best;
}

static bool is_twin(const struct born *b, const struct segment *seg)
{
	return b->seq == seg->seq && b->ack == seg->ack && b->tsval == seg->tsval && b->flags == seg->flags &&
	       b->window == seg->window && b->n == seg->payload.n + seg->cut && seg->ts_ns - b->ts_ns <= TWIN_NS;
}

/* A connection begins: it goes to the worker of its twin, else to `worker`. */
static uint16_t begin(struct route *r, const struct segment *seg, uint16_t worker)
{
	/* a refinement of the engine's: what is found there is found here */
	struct born *b = &r->born[(seg->seq * 0x9e3779b1u ^ seg->ack * 0x85ebca6bu) >> 22];

	if (is_twin(b, seg))
		return b->worker;
	*b = (struct born){.ts_ns = seg->ts_ns, .seq = seg->seq, .ack = seg->ack, .tsval = seg->tsval, .window = seg->window,
			   .n = (uint32_t)seg->payload.n + seg->cut, .flags = seg->flags, .worker = worker};
	return worker;
}
_Static_assert(BORN == 1 << (32 - 22), "as many as the hash has values");

static bool is_syn(const struct segment *seg)
{
	return (seg->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* Not inlined, as is all that a connection needs once. */
static __attribute__((noinline)) uint16_t greet(struct route *r, struct known *set, const struct segment *seg, uint32_t tag,
						uint32_t now_s)
{
	struct known *k = dullest(r, set, now_s);

	if (seg->flags & TCP_RST && !seg->payload.n && !seg->cut)
		return home(r, tag);
	*k = (struct known){.tag = tag, .seen_s = now_s, .worker = begin(r, seg, home(r, tag))};
	if (is_syn(seg)) {
		k->has_isn = true;
		k->isn = seg->seq;
	}
	return k->worker;
}

/* A SYN between ends that are known: is it another connection's? */
static __attribute__((noinline)) void greet_again(struct route *r, struct known *k, const struct segment *seg, uint32_t silence_s)
{
	bool another = k->has_isn ? k->isn != seg->seq : silence_s >= CALM_S;

	if (another)
		k->worker = begin(r, seg, k->worker);
	k->has_isn = true;
	k->isn = seg->seq;
}

unsigned route_find(struct route *r, const struct segment *seg, uint64_t now_ns, unsigned *ret_left)
{
	uint64_t hash = key_hash(&seg->key, &r->seed);
	uint32_t tag = (uint32_t)(hash >> 32) | 1, now_s = (uint32_t)(now_ns / SECOND), silence_s;
	struct known *set = r->sets[hash & r->mask], *k = find(set, tag);

	if (!k)
		return *ret_left = greet(r, set, seg, tag, now_s);
	silence_s = now_s - k->seen_s;
	k->seen_s = now_s;
	*ret_left = k->worker;
	if (is_syn(seg))
		greet_again(r, k, seg, silence_s);
	return k->worker;
}
