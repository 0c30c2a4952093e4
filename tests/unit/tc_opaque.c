/* SPDX-License-Identifier: MIT */
/* What the kernel passes on undecoded is what the decoder can go on with, no more and no less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "opaque.h"
#include "packet/walk.h"

#define CASE(n) case n:

static bool is_opaque_type(uint16_t type)
{
	switch (type) {
		OPAQUE_ETHERTYPES(CASE)
		return true;
	default:
		return false;
	}
}

static bool is_opaque_protocol(uint8_t protocol)
{
	switch (protocol) {
		OPAQUE_PROTOCOLS(CASE)
		return true;
	default:
		return false;
	}
}

static bool is_opaque_port(uint16_t port)
{
	switch (port) {
		OPAQUE_UDP_PORTS(CASE)
		return true;
	default:
		return false;
	}
}

/* Decoded in the kernel: IP, two kinds of VLAN tags; TCP, UDP, four extension headers. */
static bool is_known_type(uint16_t type)
{
	return type == 0x0800 || type == 0x86dd || type == 0x8100 || type == 0x88a8;
}

static bool is_known_protocol(uint8_t protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 0 || protocol == 43 || protocol == 44 || protocol == 60;
}

static void ethertypes(void **state)
{
	struct walk w = {0};

	(void)state;
	for (unsigned type = 0x600; type < 0x10000; type++)
		if (!is_known_type((uint16_t)type) &&
		    is_opaque_type((uint16_t)type) != (walk_ethertype(&w, (uint16_t)type) != LAYER_NOT_TCP))
			fail_msg("type 0x%04x", type);
}

static void protocols(void **state)
{
	struct walk w4 = {.version = 4}, w6 = {.version = 6};

	(void)state;
	for (unsigned protocol = 0; protocol < 256; protocol++) {
		if (is_known_protocol((uint8_t)protocol))
			continue;
		if (is_opaque_protocol((uint8_t)protocol) != (walk_protocol(&w6, (uint8_t)protocol) != LAYER_NOT_TCP))
			fail_msg("protocol %u of IPv6", protocol);
		if (!is_opaque_protocol((uint8_t)protocol) && walk_protocol(&w4, (uint8_t)protocol) != LAYER_NOT_TCP)
			fail_msg("protocol %u of IPv4", protocol);
	}
}

static void ports(void **state)
{
	(void)state;
	for (unsigned port = 0; port < 0x10000; port++) {
		if (is_opaque_port((uint16_t)port) != (udp_tunnel((uint16_t)port, 53) != LAYER_NOT_TCP) ||
		    is_opaque_port((uint16_t)port) != (udp_tunnel(53, (uint16_t)port) != LAYER_NOT_TCP))
			fail_msg("port %u", port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ethertypes),
		cmocka_unit_test(protocols),
		cmocka_unit_test(ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
