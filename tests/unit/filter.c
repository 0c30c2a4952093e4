/* SPDX-License-Identifier: MIT */
/* Filter expressions: on each link type, with directions, and what is said of wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "capture/filter.h"
#include "packet/linktype.h"

/* TCP from 10.0.0.1:1000 to 10.0.0.2:80, without options or payload. */
static const uint8_t tcp4[] = {
	0x45, 0,    0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10,   0,    0,    1,    10, 0, 0, 2,
	0x03, 0xe8, 0, 80, 0, 0, 0, 1, 0,  0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0,  0, 0, 0,
};
static const uint8_t ethernet[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
static const uint8_t tagged[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 5, 8, 0};
static const uint8_t sll[] = {0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0};
static const uint8_t null[] = {2, 0, 0, 0};

struct header {
	uint16_t link;
	const uint8_t *p;
	size_t n;
};
static const struct header ETHERNET = {LINKTYPE_ETHERNET, ethernet, sizeof ethernet};
static const struct header TAGGED = {LINKTYPE_ETHERNET, tagged, sizeof tagged};
static const struct header SLL = {LINKTYPE_LINUX_SLL, sll, sizeof sll};
static const struct header LOOPBACK = {LINKTYPE_NULL, null, sizeof null};
static const struct header RAW = {LINKTYPE_RAW, null, 0};
static const struct header RAW_BSD = {LINKTYPE_DLT_RAW_OPENBSD, null, 0};
static const struct header STRANGE = {4711, null, 0};

/* The packet behind this header, in a block of its own that ends after `n` bytes of it; 0: after all. */
static bool matches(struct filter *f, const struct header *h, enum direction dir, size_t n)
{
	size_t all = h->n + sizeof tcp4;
	uint8_t bytes[128], *exact;
	struct packet pkt;
	bool ret;

	memcpy(bytes, h->p, h->n);
	memcpy(bytes + h->n, tcp4, sizeof tcp4);
	n = n ? n : all;
	exact = memcpy(malloc(n), bytes, n);
	pkt = (struct packet){.wire_len = (uint32_t)all, .link = h->link, .dir = (uint8_t)dir, .data = {exact, n}};
	ret = filter_match(f, &pkt);
	free(exact);
	return ret;
}

static struct filter *compiled(const char *expression)
{
	char error[256] = "";
	struct filter *f = filter_new(expression, error, sizeof error);

	assert_string_equal(error, "");
	assert_non_null(f);
	return f;
}

static bool once(const char *expression, const struct header *h, enum direction dir)
{
	struct filter *f = compiled(expression);
	bool ret = matches(f, h, dir, 0);

	filter_free(f);
	return ret;
}

/* One filter, all link types in turn, and again. */
static void link_types(void **state)
{
	const struct header *headers[] = {&ETHERNET, &SLL, &LOOPBACK, &RAW, &RAW_BSD};
	struct filter *yes = compiled("tcp port 80"), *no = compiled("tcp port 81 or udp"), *all = compiled("");

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		assert_true(matches(yes, headers[i % 5], DIRECTION_UNKNOWN, 0));
		assert_false(matches(no, headers[i % 5], DIRECTION_UNKNOWN, 0));
		assert_true(matches(all, headers[i % 5], DIRECTION_UNKNOWN, 0));
	}
	assert_false(matches(yes, &TAGGED, DIRECTION_UNKNOWN, 0));
	assert_false(matches(yes, &STRANGE, DIRECTION_UNKNOWN, 0));
	filter_free(yes);
	filter_free(no);
	filter_free(all);
	assert_true(once("vlan 5 and tcp port 80", &TAGGED, DIRECTION_UNKNOWN));
	assert_false(once("vlan 6", &TAGGED, DIRECTION_UNKNOWN));
}

/* What can be said of one link type only is false for others. */
static void foreign_words(void **state)
{
	(void)state;
	assert_true(once("ether src 2:0:0:0:0:1", &ETHERNET, DIRECTION_UNKNOWN));
	assert_false(once("ether src 2:0:0:0:0:1", &RAW, DIRECTION_UNKNOWN));
	assert_false(once("not ether src 2:0:0:0:0:1", &RAW, DIRECTION_UNKNOWN));
	assert_false(once("wlan type data", &ETHERNET, DIRECTION_UNKNOWN));
}

static void directions(void **state)
{
	static const struct {
		const char *expression;
		bool in, out, unknown;
	} cases[] = {
		{"inbound", true, false, false},
		{"outbound", false, true, false},
		{"inbound and port 80", true, false, false},
		{"outbound or port 80", true, true, false},
		{"not inbound", false, true, false},
		{"port 80", true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(once(cases[i].expression, &ETHERNET, DIRECTION_IN), cases[i].in);
		assert_int_equal(once(cases[i].expression, &ETHERNET, DIRECTION_OUT), cases[i].out);
		if (i != 3) /* libpcap may look at either first */
			assert_int_equal(once(cases[i].expression, &ETHERNET, DIRECTION_UNKNOWN), cases[i].unknown);
	}
	assert_true(once("outbound", &SLL, DIRECTION_UNKNOWN)); /* such a header tells */
}

/* Lengths are those on the wire; what was not captured matches nothing. */
static void cut_packets(void **state)
{
	struct filter *port = compiled("tcp port 80"), *length = compiled("len = 54");

	(void)state;
	for (size_t n = 1; n <= 54; n++) {
		assert_int_equal(matches(port, &ETHERNET, DIRECTION_UNKNOWN, n), n >= 38);
		assert_true(matches(length, &ETHERNET, DIRECTION_UNKNOWN, n));
	}
	filter_free(port);
	filter_free(length);
}

static void complaints(void **state)
{
	char error[256];

	(void)state;
	assert_null(filter_new("tcp prot 80", error, sizeof error));
	assert_non_null(strstr(error, "filter 'tcp prot 80': "));
	assert_non_null(strstr(error, "syntax error"));
	assert_null(filter_new("net 10.0.0.0/33", error, sizeof error));
	assert_non_null(strstr(error, "mask length must be <= 32"));
	filter_free(NULL);
}

/* Where payload may be left out, and where the verdict would not be the same then. */
static void plain(void **state)
{
	static const char *const yes[] = {"tcp port 80", "host 10.0.0.1 and tcp portrange 1-5", "net 10.0.0.0/8 and not port 22",
					  "ip6 and port 80", "src host fd00::1", "inbound and port 80", "not arp", "ip proto 6"};
	static const char *const no[] = {"greater 100", "len < 60", "tcp[13] & 2 != 0", "tcp[4:4] > 5", "ip[2:2] > 100",
					 "ip6[4:2] > 100", "vlan 5 and port 80", "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420"};
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof *yes + sizeof no / sizeof *no; i++) {
		bool is_plain = i < sizeof yes / sizeof *yes;
		const char *expression = is_plain ? yes[i] : no[i - sizeof yes / sizeof *yes];
		struct filter *f = filter_new(expression, error, sizeof error);

		assert_non_null(f);
		if (filter_is_plain(f) != is_plain)
			fail_msg("%s", expression);
		filter_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_types),  cmocka_unit_test(foreign_words), cmocka_unit_test(directions),
		cmocka_unit_test(cut_packets), cmocka_unit_test(complaints),
		cmocka_unit_test(plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
