/* SPDX-License-Identifier: MIT */
/*
 * The same conversation, played to an engine that sees all of it, and to one behind the very code that decides in the kernel, which
 * userspace may tell late. The records must be the same, but for times and for what came more than once. Of cmocka, which is
 * included before.
 */
#ifndef PERISCO_TESTS_ELIDE_RIG_H
#define PERISCO_TESTS_ELIDE_RIG_H

#include <arpa/inet.h>
#include <linux/bpf.h>

#include "engine_rig.h"
#include "event.h"

/* --- the kernel ----------------------------------------------------------------------------------------------------- */

#define SEC(name)
#define __uint(name, value) int (*name)[value]
#define __type(name, value) value *name
#define PORTS 4
#define MAPPED 16

/* As in bpf/capture.bpf.h. */
struct cut {
	uint64_t boot_ns;
	uint32_t payload, end, from, n, seq, ack;
	uint8_t dir, flags, tcp_flags, big;
};
static struct shared shared;

static struct { struct half_key key; struct half half; bool used; } mapped[MAPPED];
static struct { struct half_key key; uint32_t begin; bool used; } begun[MAPPED];
static struct tally tallies;
static bool port_gone[PORTS];

static uint64_t boot_ns;

static inline uint64_t bpf_ktime_get_boot_ns(void)
{
	return boot_ns;
}

static inline void *bpf_map_lookup_elem(void *map, const void *key);
static inline void bpf_map_update_elem(void *map, const void *key, const void *value, uint64_t flags);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "want.bpf.h"
#pragma GCC diagnostic pop

static inline void *bpf_map_lookup_elem(void *map, const void *key)
{
	if (map == &tallies)
		return port_gone[*(const uint32_t *)key % PORTS] ? NULL : map;
	for (unsigned i = 0; i < MAPPED; i++) {
		if (map == &halves && mapped[i].used && memcmp(&mapped[i].key, key, sizeof(mapped[i].key)) == 0)
			return &mapped[i].half;
		if (map == &begins && begun[i].used && memcmp(&begun[i].key, key, sizeof(begun[i].key)) == 0)
			return &begun[i].begin;
	}
	return NULL;
}

/* Makes room for a key. */
static inline void *map_add(void *map, const void *key)
{
	for (unsigned i = 0; i < MAPPED; i++) {
		if (map == &halves && !mapped[i].used) {
			mapped[i].used = true;
			memcpy(&mapped[i].key, key, sizeof(mapped[i].key));
			return &mapped[i].half;
		}
		if (map == &begins && !begun[i].used) {
			begun[i].used = true;
			memcpy(&begun[i].key, key, sizeof(begun[i].key));
			return &begun[i].begin;
		}
	}
	abort();
}

static inline void bpf_map_update_elem(void *map, const void *key, const void *value, uint64_t flags)
{
	void *v = bpf_map_lookup_elem(map, key);

	assert_int_equal(flags, BPF_ANY);
	memcpy(v ? v : map_add(map, key), value, map == &begins ? sizeof(uint32_t) : sizeof(struct half));
}

static inline struct half_key half_key_of(const struct flow_key *key, unsigned side)
{
	struct half_key k = {.sport = htons(key->port[side]), .dport = htons(key->port[!side])};

	memcpy(k.src, key->addr[side], sizeof(k.src));
	memcpy(k.dst, key->addr[!side], sizeof(k.dst));
	return k;
}

static inline struct half_key half_key_shot(const struct shot *s)
{
	struct half_key k = {.sport = htons(s->port[0]), .dport = htons(s->port[1])};

	memset(k.src + 10, 0xff, 2);
	memset(k.dst + 10, 0xff, 2);
	put_be(k.src + 12, s->ip[0], 4);
	put_be(k.dst + 12, s->ip[1], 4);
	return k;
}

/* As in src/capture/tc_elide.c. */
static inline void put(void *ctx, const struct flow_key *key, unsigned side, const struct elision *e)
{
	struct half_key k = half_key_of(key, side);
	struct half h = {.until = e->until, .top = e->top, .seq0 = e->seq0, .begin = e->begin, .owner = e->ifindex,
			 .owner_sees = e->ifindex != 0, .copies = UINT8_MAX};

	(void)ctx;
	bpf_map_update_elem(&halves, &k, &h, BPF_ANY);
}

static inline bool take(void *ctx, const struct flow_key *key, unsigned side, struct elision *ret)
{
	struct half_key k = half_key_of(key, side);
	const struct half *h = bpf_map_lookup_elem(&halves, &k);

	(void)ctx;
	if (!h || (!h->until && h->seq0 != ret->seq0))
		return false;
	*ret = (struct elision){.until = h->until, .top = h->top, .last_ns = h->last_ns, .seq0 = h->seq0};
	for (unsigned i = 0; i < MAPPED; i++)
		mapped[i].used &= &mapped[i].half != h;
	return true;
}

/* --- two engines ---------------------------------------------------------------------------------------------------- */

#define RING 4096

static struct talk *t;
static struct shot ring[RING];
static unsigned ring_head, ring_tail, lag; /* lag: so many events wait for userspace */
static bool (*lost)(const struct shot *s); /* the event finds no room in the ring */
static int evict_at;                       /* the shot before which the kernel forgets all, or -1 */
static unsigned lag_max;
static bool elides;                        /* something must have been left out */
static struct tally counted;
static struct rig whole, part;
static uint8_t bytes[2 << 20];
static const struct iface veth[2] = {{.index = 1, .name = "veth1"}, {.index = 2, .name = "veth2"}};

static inline void userspace(unsigned leave)
{
	while (ring_head - ring_tail > leave) {
		const struct shot *s = &ring[ring_tail++ % RING];

		shot_play(part.e, s, false);
	}
}


/* A packet passes the hook. */
static inline void pass(const struct shot *s)
{
	struct cut c = {.payload = 40, .end = 40 + (uint32_t)s->data.n, .seq = s->seq, .ack = s->ack,
			.tcp_flags = s->flags};
	struct half_key k = half_key_shot(s);
	struct shot out = *s;

	boot_ns = s->ts_ns;
	if (!want(&counted, &k, &c, s->iface->index))
		return;
	if (c.n) {
		out.cut = (uint32_t)s->data.n;
	} else if (c.from) {
		out.seq += c.from - c.payload;
		out.data = slice_from(s->data, c.from - c.payload);
	}
	out.chosen = c.flags & EVENT_CHOSEN;
	out.counted = c.flags & EVENT_COUNTED;
	if (lost && lost(&out))
		return;
	assert_true(ring_head - ring_tail < RING);
	ring[ring_head++ % RING] = out;
	userspace(lag);
}

static inline void both_open(void)
{
	memset(mapped, 0, sizeof(mapped));
	memset(begun, 0, sizeof(begun));
	memset(port_gone, 0, sizeof(port_gone));
	counted = (struct tally){0};
	ring_head = ring_tail = 0;
	part.elide = put;
	part.elided = take;
	rig_open(&whole);
	rig_open(&part);
}

static inline void both_finish(void)
{
	userspace(0);
	rig_finish(&whole);
	rig_finish(&part);
	for (unsigned i = 0; i < MAPPED; i++) /* whatever was told was taken back */
		assert_false(mapped[i].used && mapped[i].half.until);
}

static inline void both_close(void)
{
	rig_close(&whole);
	rig_close(&part);
}

static inline void expect_same(void)
{
	static const unsigned lags[] = {0, 1, 7, 100};

	for (unsigned i = 0; i < sizeof(lags) / sizeof(lags[0]) && lags[i] <= lag_max; i++) {
		lag = lags[i];
		both_open();
		for (unsigned j = 0; j < t->n; j++) {
			if ((int)j == evict_at)
				memset(mapped, 0, sizeof(mapped));
			shot_play(whole.e, &t->shots[j], false);
			pass(&t->shots[j]);
			engine_tick(whole.e, t->shots[j].ts_ns);
			if (!lag)
				engine_tick(part.e, t->shots[j].ts_ns);
		}
		both_finish();
		if (elides && !lag)
			assert_true(counted.elided_bytes > 0);
		if (strcmp(whole.text, part.text) != 0)
			print_message("lag %u\n", lag);
		assert_string_equal(part.text, whole.text);
		both_close();
	}
}

static inline int setup(void **state)
{
	(void)state;
	t = talk_new();
	t->iface = &veth[0];
	lost = NULL;
	lag = 0;
	lag_max = 100;
	evict_at = -1;
	elides = true;
	whole = part = (struct rig){.bare = true, .config = {.flow_records = true}};
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	if (whole.e)
		both_close();
	free(t);
	return 0;
}

/* --- conversations -------------------------------------------------------------------------------------------------- */

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define SEGMENT 9000u

/* `n` bytes in segments, each second one acknowledged. */
static inline void say_body(unsigned side, size_t n)
{
	for (unsigned i = 0; n; i++) {
		size_t part_n = n < SEGMENT ? n : SEGMENT;

		talk_bytes(t, side, bytes, part_n);
		if (i & 1)
			talk_ack(t, !side);
		n -= part_n;
	}
}

static inline void say_response(const char *head, size_t n)
{
	talk_say(t, SERVER, head);
	say_body(SERVER, n);
	talk_ack(t, CLIENT);
}

#define LONG(n) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\n\r\n"
#define SHORT "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"

/* A connection begins with a download under this head, and goes on with another exchange. */
static inline void say_download(const char *head, size_t n)
{
	talk_open(t);
	talk_say(t, CLIENT, GET);
	say_response(head, n);
	talk_say(t, CLIENT, GET);
	say_response(SHORT, 0);
}

static inline void swap(unsigned a, unsigned b)
{
	struct shot s = t->shots[a];

	t->shots[a] = t->shots[b];
	t->shots[b] = s;
	s.ts_ns = t->shots[a].ts_ns;
	t->shots[a].ts_ns = t->shots[b].ts_ns;
	t->shots[b].ts_ns = s.ts_ns;
}

static inline void anew(void **state)
{
	teardown(state);
	setup(state);
}

/* A download whose last segments straddle or lie behind what is wanted, and what follows it: any two are exchanged, any comes twice. */
static inline void begin_edge(void)
{
	say_download(LONG(400003), 400003);
	talk_close(t);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
