/* SPDX-License-Identifier: MIT */
/* The one link type of a pcap file: which it is, and what becomes of packets of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "../pcapwrite_rig.h"
#include "capture/file.h"

static char said[1024];

static void say(const char *line)
{
	snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", line);
}

/* A packet of this link type, or a datagram put together from fragments of such ones, which is bare IP. */
static int put_link(struct pcapwrite *w, uint16_t link)
{
	static const uint8_t ip[100] = {0x45};
	const struct packet p = {.ts_ns = 1, .wire_len = 100, .link = link, .data = slice_of(ip, sizeof ip)};

	return pcapwrite_packet(w, NULL, &p);
}

struct links {
	uint16_t link;
	size_t n;
};

static int take_link(void *ctx, const struct packet *p)
{
	struct links *l = ctx;

	l->link = p->link;
	l->n++;
	return 0;
}

/* The file's link type, and how many packets it has. It is removed. */
static struct links read_links(const char *path)
{
	struct source *s = file_open(&path, 1, error, sizeof error);
	struct links ret = {.n = 0};

	assert_non_null(s);
	while (s->ops->poll(s, 0, take_link, &ret) > 0)
		;
	s->ops->close(s);
	unlink(path);
	return ret;
}

/* A datagram comes first in a file, whose link type is that of its fragments all the same. */
static void datagram_first(void **state)
{
	static const uint16_t links[] = {LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2, LINKTYPE_RAW,
					 LINKTYPE_DLT_RAW, LINKTYPE_DLT_RAW_OPENBSD, LINKTYPE_IPV4};

	(void)state;
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		struct pcapwrite *w = open_file("x", (struct rotation){.size = 200});
		char name[8];

		pcapwrite_link(w, links[i]);
		pcapwrite_link(w, LINKTYPE_PPP);
		for (size_t n = 0; n < 2; n++) { /* two packets in each file */
			assert_int_equal(put_link(w, LINKTYPE_RAW), 0);
			assert_int_equal(put_link(w, links[i]), 0);
		}
		assert_int_equal(pcapwrite_close(w), 0);
		for (size_t n = 0; n < 2; n++) {
			struct links l;

			snprintf(name, sizeof name, n ? "x%zu" : "x", n);
			l = read_links(name);
			assert_int_equal(l.n, 2);
			assert_int_equal(l.link, links[i]);
		}
	}
}

/* What was said of it is not so: the first packet knows better. */
static void wrong_link(void **state)
{
	struct pcapwrite *w = open_file("x", (struct rotation){0});
	struct links l;

	(void)state;
	pcapwrite_link(w, LINKTYPE_PPP);
	assert_int_equal(put_link(w, LINKTYPE_LINUX_SLL), 0);
	pcapwrite_link(w, LINKTYPE_PPP);
	assert_int_equal(put_link(w, LINKTYPE_PPP), -EINVAL);
	assert_string_equal(pcapwrite_error(w), "a packet of link type 9 does not fit into 'x', whose link type is 113;"
						" name a file that ends in .pcapng");
	assert_int_equal(pcapwrite_close(w), 0);
	l = read_links("x");
	assert_int_equal(l.link, LINKTYPE_LINUX_SLL);
	assert_int_equal(l.n, 1);
}

/* Others are written behind those that do not fit, which are counted, and told once and at the end. */
static void misfits(void **state)
{
	const struct pcapwrite_config config = {.path = "x", .say = say};
	struct pcapwrite *w = pcapwrite_open(&config, error, sizeof error);

	(void)state;
	said[0] = '\0';
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(put_link(w, i % 3 == 2 ? LINKTYPE_LINUX_SLL : LINKTYPE_ETHERNET), i % 3 == 2 ? -EINVAL : 0);
		assert_int_equal(pcapwrite_suspend(w), i % 3 == 2);
		assert_string_equal(pcapwrite_error(w), "");
		assert_false(pcapwrite_is_suspended(w));
	}
	assert_int_equal(pcapwrite_flush(w), 0);
	assert_int_equal(pcapwrite_written(w), 7);
	assert_int_equal(pcapwrite_missed(w), 3);
	assert_int_equal(pcapwrite_close(w), -EINVAL);
	assert_string_equal(said, "packets are dropped: a packet of link type 113 does not fit into 'x', whose link type is 1;"
				  " name a file that ends in .pcapng\n"
				  "x: 3 dropped, which do not fit into it\n");
	assert_int_equal(read_links("x").n, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagram_first),
		cmocka_unit_test(wrong_link),
		cmocka_unit_test(misfits),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
