/* SPDX-License-Identifier: MIT */
/* Names that hosts are called: which are believed, and how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../asked.h"
#include "output/hostnames.h"

static const char *learned(struct hostnames *h, const struct asked *a)
{
	const struct hostname *e = hostnames_learn(h, &a->r);

	return e ? e->name : "";
}

static void names_believed(void **state)
{
	static const struct {
		const char *host, *name;
	} cases[] = {
		{"shop", "shop"}, {"Shop.Example.COM", "shop.example.com"},
		{"shop.ns.svc.cluster.local:8080", "shop.ns.svc.cluster.local"},
		{"a_b-c.d", "a_b-c.d"}, {"dot.", "dot"}, {"1.2.3.4a", "1.2.3.4a"}, {"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"", ""}, {".", ""}, {"..", ""}, {"10.0.0.2", ""}, {"10.0.0.2:80", ""}, {"[::1]", ""}, {"[::1]:80", ""}, {"2130706433", ""},
		{"a..b", ""}, {".a", ""}, {"-a", ""}, {"a-", ""}, {"a-.b", ""}, {"a b", ""}, {"a\tb", ""}, {"a/b", ""}, {"a\x01", ""},
		{"\xc3\xa4.de", ""}, {"user@host", ""}, {"localhost", ""}, {"LocalHost:8080", ""}, {"x.localhost", ""},
		{"notlocalhost", "notlocalhost"}, {"host.1", ""},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""},
	};
	static struct hostnames h;
	struct asked *a;
	char longest[300] = "";

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		h = (struct hostnames){0};
		assert_string_equal(learned(&h, ask(cases[i].host, 2)), cases[i].name);
		assert_string_equal(learned(&h, ask(cases[i].host, 2)), ""); /* known by now */
	}
	for (size_t i = 0; i < 253; i += 2)
		strcat(longest, i < 252 ? "a." : "a");
	assert_string_equal(learned(&h, ask(longest, 2)), longest);
	strcat(longest, "b");
	longest[252] = 'b';
	assert_string_equal(learned(&h, ask(longest, 2)), "");
	h = (struct hostnames){0};
	a = ask("x", 2);
	a->r.exchange.response.status = 404;
	assert_string_equal(learned(&h, a), "");
	a->r.exchange.response = (struct message){0};
	assert_string_equal(learned(&h, a), "");
	a = ask("x", 2);
	a->r.exchange.request.target = SLICE("http://elsewhere/");
	assert_string_equal(learned(&h, a), "");
	a->r.exchange.request.target = SLICE("x:443");
	a->r.exchange.request.method = SLICE("CONNECT");
	assert_string_equal(learned(&h, a), "");
	a = ask("x", 2);
	a->r.ends.tunnel = TUNNEL_VXLAN;
	assert_string_equal(learned(&h, a), "");
	a->r.ends.tunnel = TUNNEL_NONE;
	a->r.kind = RECORD_FLOW;
	assert_string_equal(learned(&h, a), "");
	a->r.kind = RECORD_EXCHANGE;
	assert_string_equal(learned(&h, a), "x");
}

static void names_bounded(void **state)
{
	static struct hostnames h;
	unsigned n = 0;
	char name[16];

	(void)state;
	for (unsigned last = 0; last < 256; last++)
		for (unsigned i = 0; i < 6; i++) {
			bool learns = i < HOSTNAMES_EACH && n < HOSTNAMES_MAX;

			snprintf(name, sizeof name, "n%u", i);
			assert_string_equal(learned(&h, ask(name, (uint8_t)last)), learns ? name : "");
			n += learns;
		}
	assert_int_equal(h.n, HOSTNAMES_MAX);
	h = (struct hostnames){0};
	for (unsigned i = 0; i < HOSTNAMES_MAX + 9; i++) {
		struct asked *a = ask("x", 1);

		a->r.ends.key.addr[1][14] = (uint8_t)(i >> 8);
		a->r.ends.key.addr[1][15] = (uint8_t)i;
		assert_string_equal(learned(&h, a), i < HOSTNAMES_MAX ? "x" : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_believed),
		cmocka_unit_test(names_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
