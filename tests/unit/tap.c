/* SPDX-License-Identifier: MIT */
/* Packets to a file: read back as they were, and held until their flow is decided, in bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "../tap_rig.h"
#include "output/hold.h"

enum { FLOWS = 40 };

static void assert_loss(const struct back *b, size_t i, uint64_t ts_ns, const char *cause, uint64_t packets, uint64_t bytes,
			uint32_t ifindex, const char *ifname)
{
	assert_int_equal(b->losses[i].ts_ns, ts_ns);
	assert_string_equal(b->losses[i].cause, cause);
	assert_int_equal(b->losses[i].packets, packets);
	assert_int_equal(b->losses[i].bytes, bytes);
	assert_int_equal(b->losses[i].ifindex, ifindex);
	assert_string_equal(b->lost_name[i], ifname);
}

static void pcapng_round(void **state)
{
	const struct iface one = {.index = 7, .link = LINKTYPE_ETHERNET, .name = "veth1"},
			   two = {.index = 263, .link = LINKTYPE_ETHERNET, .name = "veth1"};
	const struct iface *ifaces[] = {&one, NULL, &two, &one};
	struct tap *t = open_tap(file("x.pcapng"), 0);
	struct packet p;
	struct back *b;

	(void)state;
	assert_non_null(t);
	for (uint32_t i = 0; i < 4; i++) {
		p = packet(i, ifaces[i]);
		assert_int_equal(put(t, i, &p), 0);
	}
	tap_loss(t, 5, &(struct loss_record){"ring", 5, 500, 0}, 7, "veth1");
	p = packet(4, &one);
	p.link = LINKTYPE_RAW;
	assert_int_equal(put(t, 0, &p), 0);
	tap_loss(t, 6, &(struct loss_record){"file", 6, 0, 0}, 99, NULL);
	assert_int_equal(written(t), 5);
	assert_int_equal(tap_close(t), 0);
	b = read_back(file("x.pcapng"));
	assert_int_equal(b->end, 0);
	assert_int_equal(b->n, 5);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(b->v[i], i);
		assert_int_equal(b->dirs[i], i % 3);
		assert_int_equal(b->links[i], LINKTYPE_ETHERNET);
		assert_int_equal(b->ifaces[i].index, ifaces[i] ? ifaces[i]->index : 0);
		assert_string_equal(b->ifaces[i].name, ifaces[i] ? "veth1" : "");
	}
	assert_int_equal(b->links[4], LINKTYPE_RAW);
	assert_int_equal(b->ifaces[4].index, 7);
	assert_int_equal(b->n_losses, 2);
	assert_loss(b, 0, 5, "ring", 5, 500, 7, "veth1");
	assert_loss(b, 1, 6, "file", 6, 0, 99, "");
	free(b);
}

/* A loss stands in the file where it was noticed, so that a live run and its replay tell it at the same place. */
static void pcapng_loss_in_place(void **state)
{
	const struct iface iface = {.index = 3, .link = LINKTYPE_ETHERNET, .name = "lo"};
	int fds[2];
	char path[64];
	struct back b = {.n = 0};
	struct source *s;
	const char *paths[] = {path};
	struct tap *t;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fds[0]);
	s = file_open(paths, 1, error, sizeof error);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fds[1]);
	assert_int_equal(symlink(path, file("pipe.pcapng")), 0);
	t = open_tap(file("pipe.pcapng"), 0);
	assert_non_null(t);
	close(fds[1]);
	for (uint32_t i = 0; i < 4; i++) {
		struct packet p = packet(i, &iface);

		put(t, 0, &p);
		if (i == 1)
			tap_loss(t, 1234, &(struct loss_record){"ring", 10, 100, 0}, 3, "lo");
		if (i == 2)
			tap_loss(t, 5678, &(struct loss_record){"ring", 7, 70, 0}, 3, "lo");
		assert_int_equal(tap_flush(t), 0);
		assert_int_equal(s->ops->poll(s, 0, take_back, &b), 1);
		assert_int_equal(b.n, i + 1);
		s->ops->losses(s, take_loss, &b);
	}
	assert_int_equal(tap_close(t), 0);
	while ((b.end = s->ops->poll(s, 0, take_back, &b)) > 0)
		;
	s->ops->losses(s, take_loss, &b);
	assert_int_equal(b.end, 0);
	assert_int_equal(b.n_losses, 2); /* the counts at the end tell of none twice */
	assert_loss(&b, 0, 1234, "ring", 10, 100, 3, "lo");
	assert_loss(&b, 1, 5678, "ring", 7, 70, 3, "lo");
	assert_int_equal(b.lost_at[0], 2);
	assert_int_equal(b.lost_at[1], 3);
	s->ops->close(s);
	close(fds[0]);
	unlink(file("pipe.pcapng"));
}

static void pcap_round(void **state)
{
	struct tap *t = open_tap(file("x.pcap"), 0);
	struct back *b;
	struct packet p;

	(void)state;
	for (uint32_t i = 0; i < 500; i++) {
		p = packet(i, NULL);
		assert_int_equal(put(t, 0, &p), 0);
	}
	assert_int_equal(tap_close(t), 0);
	b = read_back(file("x.pcap"));
	assert_int_equal(b->end, 0);
	assert_int_equal(b->n, 500);
	assert_int_equal(b->ifaces[0].index, 999);
	free(b);
}

/* One link type; but a datagram put together from fragments gets a header of Ethernet. */
static void pcap_links(void **state)
{
	static const uint8_t ip[40] = {0x45};
	struct tap *t = open_tap(file("x.pcap"), 0);
	struct packet p = packet(1, NULL);
	struct back *b;

	(void)state;
	assert_int_equal(put(t, 0, &p), 0);
	p.link = LINKTYPE_LINUX_SLL;
	assert_int_equal(put(t, 0, &p), -EINVAL);
	assert_non_null(strstr(tap_error(t), "link type 113 does not fit into '/tmp/perisco-test-"));
	p = (struct packet){.ts_ns = 1, .wire_len = 50, .link = LINKTYPE_RAW, .data = slice_of(ip, sizeof ip)};
	assert_int_equal(put(t, 0, &p), 0);
	assert_int_equal(tap_close(t), 0);
	b = read_back(file("x.pcap"));
	assert_int_equal(b->end, 0);
	assert_int_equal(b->n, 2);
	assert_int_equal(b->links[1], LINKTYPE_ETHERNET);
	assert_int_equal(b->v[1], 0x45);
	free(b);
}

static void no_packets(void **state)
{
	const char *names[] = {"x.pcap", "x.pcapng", "x.ntar"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct tap *t = open_tap(file(names[i]), i == 1 ? 1 << 20 : 0);
		struct back *b;

		assert_int_equal(tap_close(t), 0);
		b = read_back(file(names[i]));
		assert_int_equal(b->end, 0);
		assert_int_equal(b->n, 0);
		free(b);
	}
	assert_int_equal(tap_close(NULL), 0);
}

/* --- holding --- */

static void held_until_matched(void **state)
{
	static const uint32_t expect[] = {1, 4, 7, 10, 11, 12};
	struct tap *t = open_tap(file("x.pcapng"), 1 << 20);
	struct packet p;
	struct back *b;

	(void)state;
	for (uint32_t i = 0; i < 12; i++) { /* flows 1, 2 and 3 in turn, and one of no flow */
		p = packet(i, NULL);
		assert_int_equal(put(t, i == 9 ? 0 : 1 + (i + 2) % 3, &p), 0);
	}
	assert_int_equal(tap_counts(t)->held, 11);
	assert_int_equal(written(t), 0);
	assert_int_equal(tap_match(t, 1), 0);
	assert_int_equal(tap_match(t, 1), 0);
	assert_int_equal(tap_counts(t)->written, 0); /* none has gone out yet: a count never goes down */
	assert_int_equal(written(t), 4);
	tap_forget(t, 2);
	tap_forget(t, 77);
	assert_int_equal(tap_counts(t)->forgotten, 4);
	assert_int_equal(tap_counts(t)->held, 3);
	p = packet(11, NULL);
	assert_int_equal(put(t, 1, &p), 0);
	assert_int_equal(tap_match(t, 4), 0); /* matched before its first packet */
	p = packet(12, NULL);
	assert_int_equal(put(t, 4, &p), 0);
	tap_forget(t, 1);
	p = packet(13, NULL);
	assert_int_equal(put(t, 1, &p), 0); /* another flow of this number: undecided */
	assert_int_equal(written(t), 6);
	assert_int_equal(tap_counts(t)->let_go, 0);
	assert_int_equal(tap_close(t), 0);
	b = read_back(file("x.pcapng"));
	assert_int_equal(b->n, 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(b->v[i], expect[i]);
	free(b);
}

/* Memory is full: the flow that holds most loses its oldest packets, the small ones nothing. */
static void largest_loses(void **state)
{
	struct tap *t = open_tap(file("x.pcap"), 256 << 10);
	uint32_t small = 0;
	struct packet p;
	struct back *b;

	(void)state;
	for (uint32_t i = 0; i < PACKETS; i++) {
		bool is_small = i % 100 == 0;

		p = packet(i, NULL);
		small += is_small;
		assert_int_equal(put(t, is_small ? 2 : 1, &p), 0);
	}
	assert_int_equal(tap_counts(t)->held + tap_counts(t)->let_go, PACKETS);
	assert_in_range(tap_counts(t)->held, 100, 256);
	tap_match(t, 2);
	assert_int_equal(written(t), small);
	tap_match(t, 1);
	assert_int_equal(written(t) + tap_counts(t)->let_go, PACKETS);
	assert_int_equal(tap_close(t), 0);
	b = read_back(file("x.pcap"));
	assert_in_range(b->bytes, 200 << 10, 256 << 10);
	for (size_t i = small + 1; i < b->n; i++) /* of the large one the newest are left */
		assert_int_equal(b->v[i], b->v[i - 1] + 1 + (b->v[i - 1] % 100 == 99));
	assert_int_equal(b->v[b->n - 1], PACKETS - 1);
	free(b);
}

static void too_large(void **state)
{
	struct tap *t = open_tap(file("x.pcap"), 16 << 10);
	static uint8_t bytes[64 << 10];
	struct packet p = packet(1, NULL);

	(void)state;
	p.data.n = p.wire_len = 60;
	assert_int_equal(put(t, 1, &p), 0);
	p.data = slice_of(bytes, sizeof bytes);
	p.wire_len = sizeof bytes;
	assert_int_equal(put(t, 1, &p), 0);
	assert_int_equal(tap_counts(t)->let_go, 1);
	assert_int_equal(tap_counts(t)->held, 1);
	p = packet(0, NULL);
	p.data.n = p.wire_len = 0;
	assert_int_equal(put(t, 2, &p), 0); /* nothing captured at all */
	assert_int_equal(tap_match(t, 2), 0);
	assert_int_equal(written(t), 1);
	tap_close(t);
	unlink(file("x.pcap"));
}

/* Decided flows stay known; when they alone fill the memory there is no more. */
static void flows_fill_memory(void **state)
{
	struct tap *t = open_tap(file("x.pcap"), 16 << 10);
	struct packet p = packet(1, NULL);
	uint64_t id = 1;

	(void)state;
	assert_int_equal(put(t, UINT64_MAX, &p), 0);
	while (tap_match(t, id) == 0 && id < 1000)
		id++;
	assert_in_range(id, 100, 999);
	assert_non_null(strstr(tap_error(t), "--memory"));
	assert_int_equal(put(t, 5000, &p), 0);
	assert_int_equal(tap_counts(t)->let_go, 2);
	for (uint64_t i = 1; i < id; i++)
		tap_forget(t, i);
	assert_int_equal(tap_match(t, 5000), 0);
	tap_close(t);
	unlink(file("x.pcap"));
}

/* Of a packet that it is told by. */
static struct brought brought_by(uint64_t flow_id, uint32_t n)
{
	struct brought b = {.flow_id = flow_id, .n = n % (BROUGHT_MAX + 3)};

	for (uint32_t i = 0; i < b.n && i < BROUGHT_MAX; i++)
		b.exchange[i] = n * 31 + i;
	return b;
}

/* Against a plain model: with room enough nothing is missing, else each flow keeps its newest packets, in order. */
static void hold_model(size_t memory, bool complete)
{
	static uint32_t kept[FLOWS][PACKETS];
	struct hold *h = hold_new(memory);
	size_t n[FLOWS] = {0}, taken[FLOWS] = {0}, held = 0;
	uint64_t random = 7, gone = 0;
	struct brought b, expect;
	struct hold_flow *f;
	struct packet p;

	assert_non_null(h);
	for (uint32_t i = 0; i < PACKETS; i++) {
		uint64_t id = 1 + (random = random * UINT64_C(6364136223846793005) + 1) / 65536 % FLOWS;
		unsigned what = (random >> 40) % 16;

		f = hold_add(h, id);
		assert_ptr_equal(hold_find(h, id), f);
		if (what == 0) {
			held -= hold_forget(h, f);
			taken[id - 1] = n[id - 1];
			assert_null(hold_find(h, id));
		} else if (what < 3 && hold_take(h, f, &p, &b)) {
			uint32_t which;

			memcpy(&which, p.data.p, 4);
			held--;
			while (!complete && kept[id - 1][taken[id - 1]] != which)
				assert_true(++taken[id - 1] < n[id - 1]);
			assert_int_equal(kept[id - 1][taken[id - 1]++], which);
			assert_memory_equal(p.data.p, packet(which, NULL).data.p, p.data.n);
			expect = brought_by(id, which);
			assert_memory_equal(&b, &expect, sizeof b);
		} else {
			p = packet(i, NULL);
			b = brought_by(id, i);
			hold_put(h, f, &p, &b);
			kept[id - 1][n[id - 1]++] = i;
			held += 1 - (hold_let_go(h) - gone);
			gone = hold_let_go(h);
		}
		assert_int_equal(hold_count(h), held);
	}
	assert_int_equal(gone == 0, complete);
	hold_free(h);
}

static void hold_against_model(void **state)
{
	(void)state;
	hold_model(16 << 20, true);
	hold_model(64 << 10, false);
	hold_model(20 << 10, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcapng_round),      cmocka_unit_test(pcapng_loss_in_place),
		cmocka_unit_test(pcap_round),        cmocka_unit_test(pcap_links),
		cmocka_unit_test(no_packets),        cmocka_unit_test(held_until_matched),
		cmocka_unit_test(largest_loses),     cmocka_unit_test(too_large),
		cmocka_unit_test(flows_fill_memory), cmocka_unit_test(hold_against_model),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
