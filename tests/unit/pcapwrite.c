/* SPDX-License-Identifier: MIT */
/* Packet files: what each block says; one file after the other, and what they are called; and all of it read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "../asked.h"
#include "../file_limit.h"
#include "../pcapwrite_rig.h"
#include "capture/file.h"
#include "output/places.h"
#include "packet/pcapng_blocks.h"

/* --- blocks --------------------------------------------------------------------------------------------------------- */

struct content {
	uint8_t bytes[64 << 10];
	size_t n, at;
};

static struct content read_content(const char *path)
{
	struct content c = {.at = 0};
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	c.n = fread(c.bytes, 1, sizeof c.bytes, f);
	fclose(f);
	unlink(path);
	return c;
}

static uint32_t u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* The next block of this type, from its body on; an empty slice when there is none. */
static struct slice next_block(struct content *c, uint32_t type)
{
	while (c->at < c->n) {
		const uint8_t *p = c->bytes + c->at;
		uint32_t total = u32(p + 4);

		assert_in_range(total, 12, c->n - c->at);
		assert_int_equal(total % 4, 0);
		assert_int_equal(u32(p + total - 4), total);
		c->at += total;
		if (u32(p) == type)
			return slice_of(p + 8, total - 12);
	}
	return (struct slice){NULL, 0};
}

/* All comments of a packet, each behind a space. */
static void comments(struct slice body, char *ret)
{
	size_t at = 20 + (u32(body.p + 12) + 3) / 4 * 4;

	*ret = '\0';
	while (at + 4 <= body.n && body.p[at]) {
		unsigned n = body.p[at + 2] | body.p[at + 3] << 8;

		if (body.p[at] == PCAPNG_COMMENT)
			ret += sprintf(ret, " %.*s", (int)n, body.p + at + 4);
		at += 4 + (n + 3) / 4 * 4;
	}
}

static void comments_of_packets(void **state)
{
	static const struct {
		struct brought brought;
		const char *comments;
	} cases[] = {
		{{0}, ""},
		{{.n = 3}, ""}, /* of no connection */
		{{.flow_id = 0x123}, " flow_id=0000000000000123"},
		{{.flow_id = 1, .n = 1, .exchange = {7}}, " flow_id=0000000000000001 exchange=7"},
		{{.flow_id = UINT64_MAX, .n = 2, .exchange = {UINT32_MAX, 2}},
		 " flow_id=ffffffffffffffff exchange=4294967295 exchange=2"},
		{{.flow_id = 1, .n = 17, .exchange = {11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, UINT32_MAX}},
		 " flow_id=0000000000000001 exchange=11 exchange=12 exchange=13 exchange=14 exchange=15 exchange=16 exchange=17"
		 " exchange=18 exchange=19 exchange=20 exchange=21 exchange=22 exchange=23 exchange=24 exchange=25"
		 " exchange=4294967295 exchange=…"},
	};
	struct pcapwrite *w = open_file("x.pcapng", (struct rotation){0});
	struct packet p = {.ts_ns = 1, .wire_len = 5, .link = LINKTYPE_ETHERNET, .dir = DIRECTION_IN, .iface = &veth,
			   .data = slice_str("abcde")};
	struct content c;
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(pcapwrite_packet(w, &cases[i].brought, &p), 0);
	assert_int_equal(pcapwrite_packet(w, NULL, &p), 0);
	assert_int_equal(pcapwrite_close(w), 0);
	c = read_content("x.pcapng");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		comments(next_block(&c, PCAPNG_PACKET), text);
		assert_string_equal(text, cases[i].comments);
	}
	comments(next_block(&c, PCAPNG_PACKET), text);
	assert_string_equal(text, "");
}

/* The value of a 64-bit option of a statistics block; a time has its upper half first. */
static uint64_t statistic(struct slice body, uint16_t code)
{
	for (size_t at = 12; at + 4 <= body.n && body.p[at]; at += 4 + (body.p[at + 2] + 3u) / 4 * 4)
		if (body.p[at] == code)
			return code < PCAPNG_STATISTICS_IFRECV ? (uint64_t)u32(body.p + at + 4) << 32 | u32(body.p + at + 8)
							       : (uint64_t)u32(body.p + at + 8) << 32 | u32(body.p + at + 4);
	return UINT64_MAX;
}

static void statistics(void **state)
{
	struct pcapwrite *w = open_file("x.pcapng", (struct rotation){0});
	struct content c;
	struct slice s;

	(void)state;
	put(w, 1, 100, 2000);
	put(w, 2, 100, 1000); /* packets of different CPUs may come so */
	pcapwrite_loss(w, 2500, &(struct loss_record){"ring", 5, 500, 0}, 7, "veth7");
	put(w, 3, 100, 3000);
	pcapwrite_close(w);
	c = read_content("x.pcapng");
	s = next_block(&c, PCAPNG_STATISTICS);
	assert_int_equal(statistic(s, PCAPNG_STATISTICS_IFRECV), 7);
	assert_int_equal(statistic(s, PCAPNG_STATISTICS_IFDROP), 5);
	s = next_block(&c, PCAPNG_STATISTICS);
	assert_int_equal(statistic(s, PCAPNG_STATISTICS_START), 1000);
	assert_int_equal(statistic(s, PCAPNG_STATISTICS_END), 3000);
	assert_int_equal(statistic(s, PCAPNG_STATISTICS_IFRECV), 8);
	assert_int_equal(statistic(s, PCAPNG_STATISTICS_IFDROP), 5);
	assert_null(next_block(&c, PCAPNG_STATISTICS).p);
	assert_int_equal(c.at, c.n);
}

/* --- names ---------------------------------------------------------------------------------------------------------- */

/* " ADDRESS=NAME" for each name in the file, in order, and how many packets come before it. */
static void tell_names(const char *path, char *ret)
{
	struct content c = read_content(path);
	struct slice s;

	*ret = '\0';
	while ((s = next_block(&c, PCAPNG_NAMES)).p) {
		size_t addr = s.p[0] == PCAPNG_NAMES_IPV6 ? 16 : 4;

		assert_int_equal(strlen((const char *)s.p + 4 + addr) + 1 + addr, s.p[2] | s.p[3] << 8);
		ret += sprintf(ret, " %u:%u=%s", s.p[0], s.p[4 + addr - 1], s.p + 4 + addr);
	}
}

static void names_in_files(void **state)
{
	struct pcapwrite *w = open_file("a.pcapng", (struct rotation){.size = 1000});
	struct asked *a;
	char text[512];

	(void)state;
	put(w, 0, 900, 1);
	pcapwrite_name(w, &ask("one", 2)->r);
	pcapwrite_name(w, &ask("one", 2)->r);
	pcapwrite_name(w, &ask("two", 2)->r);
	a = ask("six", 3);
	a->r.ends.key.version = 6;
	pcapwrite_name(w, &a->r);
	put(w, 1, 900, 1);
	pcapwrite_name(w, &ask("three", 2)->r);
	pcapwrite_close(w);
	tell_names("a.pcapng", text);
	assert_string_equal(text, " 1:2=one 1:2=two 1:2=one 2:3=six");
	tell_names("a.pcapng1", text);
	assert_string_equal(text, " 2:3=six 1:2=two 1:2=one 1:2=three 1:2=one");
	w = open_file("a.pcap", (struct rotation){0});
	assert_int_equal(pcapwrite_name(w, &ask("one", 2)->r), 0);
	put(w, 1, 900, 1);
	pcapwrite_close(w);
	assert_int_equal(read_content("a.pcap").n, 24 + 900); /* there is no room for names */
}

static void say(const char *line)
{
	(void)line;
}

/* What is learned while the file cannot be written is told when it can be, or at the end. */
static void names_of_a_lapse(void **state)
{
	const struct pcapwrite_config config = {.path = "a.pcapng", .say = say};
	struct pcapwrite *w;
	char text[512];

	(void)state;
	for (int end = 0; end < 2; end++) {
		w = pcapwrite_open(&config, error, sizeof error);
		assert_non_null(w);
		put(w, 0, 900, 1);
		pcapwrite_name(w, &ask("one", 2)->r);
		limit_files(0);
		assert_int_equal(pcapwrite_flush(w), -EFBIG);
		assert_true(pcapwrite_suspend(w));
		pcapwrite_name(w, &ask("two", 3)->r);
		pcapwrite_name(w, &ask("three", 2)->r);
		limit_files(RLIM_INFINITY);
		assert_int_equal(pcapwrite_reopen(w), 0);
		if (!end) {
			assert_int_equal(put(w, 1, 900, 1), 0);
			pcapwrite_name(w, &ask("four", 4)->r);
		}
		assert_int_equal(pcapwrite_close(w), 0);
		tell_names("a.pcapng", text);
		assert_string_equal(text, end ? " 1:2=one 1:3=two 1:2=three 1:2=one" : " 1:2=one 1:3=two 1:2=three 1:2=one 1:4=four");
	}
}

/* Names leave room for packets, however many there are. */
static void many_names(void **state)
{
	struct pcapwrite *w = open_file("a.pcapng", (struct rotation){.size = 8000});
	char path[32], text[64 << 10], name[32];

	(void)state;
	for (uint8_t i = 0; i < 250; i++) {
		snprintf(name, sizeof name, "a-name-of-a-pod-%u", i);
		pcapwrite_name(w, &ask(name, i)->r);
	}
	for (uint32_t i = 0; i < 30; i++)
		put(w, i, 1000, 1);
	pcapwrite_close(w);
	tell_names("a.pcapng", text);
	assert_non_null(strstr(text, " 1:249=a-name-of-a-pod-249"));
	for (unsigned i = 1; i < 6; i++) {
		struct content c;

		snprintf(path, sizeof path, "a.pcapng%u", i);
		c = read_content(path);
		assert_in_range(c.n, 2000, 9600);
		assert_memory_equal(next_block(&c, PCAPNG_NAMES).p + 8, "a-name-of-a-pod-44", 19);
	}
}

/* Interfaces come and go: those that a whole file has not seen are forgotten. */
static void places_forgotten(void **state)
{
	struct places places = {0};
	struct iface other = {.index = 7 + PLACE_BUCKETS, .name = "veth263"};

	(void)state;
	places_find(&places, &veth, LINKTYPE_ETHERNET)->id = 0;
	places_find(&places, &other, LINKTYPE_ETHERNET)->id = 1;
	places_begin(&places, true);
	assert_int_equal(places_find(&places, &veth, LINKTYPE_ETHERNET)->id, -1);
	places_find(&places, &veth, LINKTYPE_ETHERNET)->id = 0;
	places_begin(&places, false);
	assert_non_null(places.bucket[7]->next);
	places_find(&places, &veth, LINKTYPE_ETHERNET)->id = 0;
	places_begin(&places, true);
	assert_int_equal(places.bucket[7]->iface.index, 7);
	assert_null(places.bucket[7]->next);
	places_begin(&places, true);
	assert_null(places.bucket[7]);
	assert_null(places.last);
	places_release(&places);
}

/* --- read back ------------------------------------------------------------------------------------------------------ */

struct expected {
	struct pcapwrite *w;
	struct packet p[600];
	uint64_t lost[4], lost_back[4]; /* packets, by interface */
	size_t n, at;
};

static const struct iface ifaces[4] = {{.index = 1, .link = LINKTYPE_ETHERNET, .name = "one"},
				       {.index = 257, .link = LINKTYPE_RAW, .name = "one"},
				       {.index = 3, .link = LINKTYPE_ETHERNET},
				       {.index = UINT32_MAX, .link = LINKTYPE_LINUX_SLL2,
					.name = "a name of sixty-three bytes, which is the most there is room fo"}};

static int compare(void *ctx, const struct packet *p)
{
	struct expected *e = ctx;
	const struct packet *x = &e->p[e->at++];

	assert_in_range(e->at, 1, e->n);
	assert_int_equal(p->ts_ns, x->ts_ns);
	assert_int_equal(p->wire_len, x->wire_len);
	assert_int_equal(p->link, x->link);
	assert_int_equal(p->dir, x->dir);
	assert_int_equal(p->iface->index, x->iface->index);
	assert_string_equal(p->iface->name, x->iface->name);
	assert_int_equal(p->data.n, x->data.n);
	assert_memory_equal(p->data.p, x->data.p, x->data.n);
	return 0;
}

static int compare_loss(void *ctx, const struct loss *l)
{
	struct expected *e = ctx;

	for (unsigned i = 0; i < 4; i++)
		if (l->ifindex == ifaces[i].index)
			e->lost_back[i] += l->packets;
	return 0;
}

static void read_back(struct expected *e, const char *path)
{
	struct source *s = file_open(&path, 1, error, sizeof error);

	assert_non_null(s);
	while (s->ops->poll(s, 0, compare, e) > 0)
		s->ops->losses(s, compare_loss, e);
	s->ops->losses(s, compare_loss, e);
	s->ops->close(s);
	unlink(path);
}

/* Whatever we write, we read: packets, interfaces, directions and losses, through comments, names and files. */
static void random_round(void **state)
{
	static uint8_t bytes[2000];
	static struct expected e;
	uint64_t random = 1, files = 0;
	char name[32];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	for (unsigned round = 0; round < 40; round++) {
		e = (struct expected){.w = open_file("r.pcapng", (struct rotation){.size = round % 4 ? 20000 : 0})};
		for (unsigned i = 0; i < 600; i++) {
			uint32_t r = (uint32_t)((random = random * UINT64_C(6364136223846793005) + 1442695040888963407) >> 32);
			const struct iface *iface = &ifaces[r >> 4 & 3];

			if (r % 16 == 0) {
				pcapwrite_loss(e.w, 1, &(struct loss_record){r & 64 ? "ring" : "file", r >> 20 & 7, r >> 24, 0},
					       iface->index, iface->name);
				e.lost[r >> 4 & 3] += r >> 20 & 7;
			} else if (r % 16 == 1) {
				snprintf(name, sizeof name, "n%u", r >> 8 & 7);
				pcapwrite_name(e.w, &ask(name, (uint8_t)(r >> 12))->r);
			} else {
				struct brought b = {.flow_id = r >> 6 & 3, .n = r >> 8 & 31, .exchange = {r, r + 1, 3}};

				e.p[e.n] = (struct packet){.ts_ns = (uint64_t)r << 20, .link = iface->link, .dir = (uint8_t)(r % 3),
							   .iface = iface, .data = {bytes + (r >> 13 & 255), r >> 21 & 1023}};
				e.p[e.n].wire_len = (uint32_t)e.p[e.n].data.n + (r & 255);
				assert_int_equal(pcapwrite_packet(e.w, &b, &e.p[e.n++]), 0);
			}
		}
		assert_int_equal(pcapwrite_close(e.w), 0);
		read_back(&e, "r.pcapng");
		for (unsigned i = 1; snprintf(name, sizeof name, "r.pcapng%u", i) && access(name, F_OK) == 0; i++, files++)
			read_back(&e, name);
		assert_int_equal(e.at, e.n);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(e.lost_back[i], e.lost[i]);
	}
	assert_true(files > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comments_of_packets),
		cmocka_unit_test(statistics),
		cmocka_unit_test(names_in_files),
		cmocka_unit_test(names_of_a_lapse),
		cmocka_unit_test(many_names),
		cmocka_unit_test(places_forgotten),
		cmocka_unit_test(random_round),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
