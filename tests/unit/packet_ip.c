/* SPDX-License-Identifier: MIT */
/* IPv4 options, IPv6 extension headers, and the lengths in all of them. */
#include "packet_build.h"

#define OTHER6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x99"

static void ip4_options(void **state)
{
	struct rig *r = *state;

	for (unsigned words = 1; words <= 10; words++) {
		new_request();
		put_ip4(6);
		memmove(front() - words * 4, front(), 20);
		build.n += words * 4;
		memset(front() + 20, 1, words * 4);
		front()[0] = (uint8_t)(0x45 + words);
		front()[3] = (uint8_t)build.n;
		put_ethernet(0x0800);
		assert_decodes(r, LINKTYPE_ETHERNET);
	}
}

/* An AH header of IPv4 and of IPv6 (RFC 4302), its length in words of four bytes minus two. */
static void authentication(void **state)
{
	struct rig *r = *state;

	new_request();
	PUT("\x06\x04\0\0\0\0\0\x01\0\0\0\x01" "ABCDEFGHIJKL");
	put_ip4(51);
	assert_decodes(r, LINKTYPE_RAW);
	new_request();
	PUT("\x06\x04\0\0\0\0\0\x01\0\0\0\x01" "ABCDEFGHIJKL");
	put_ip6(51);
	assert_decodes(r, LINKTYPE_RAW);
	new_ip6(); /* tunnel mode */
	PUT("\x29\x04\0\0\0\0\0\x01\0\0\0\x01" "ABCDEFGHIJKL");
	put_ip4(51);
	assert_decodes(r, LINKTYPE_RAW);
	assert_int_equal(r->seg.tunnel, TUNNEL_IPIP);
}

static void ip6_extension_headers(void **state)
{
	static const struct {
		uint8_t next;
		struct slice bytes; /* the last next header is TCP */
	} cases[] = {
		{0, SLICE("\x06\0\x01\x04\0\0\0\0")},
		{60, SLICE("\x06\x01\x01\x0c\0\0\0\0\0\0\0\0\0\0\0\0")},
		{135, SLICE("\x06\0\0\0\0\0\0\0")},
		{139, SLICE("\x06\0\0\0\0\0\0\0")},
		{140, SLICE("\x06\0\0\0\0\0\0\0")},
		{43, SLICE("\x06\0\0\0\0\0\0\0")},
		{44, SLICE("\x06\0\0\0\x12\x34\x56\x78")}, /* an atomic fragment */
		{0, SLICE("\x2b\0\x01\x04\0\0\0\0" "\x3c\0\0\0\0\0\0\0" "\x2c\0\x01\x04\0\0\0\0" "\x33\0\0\0\0\0\0\x01"
			  "\x3c\x01\0\0\0\0\0\x01\0\0\0\x01" "\x06\0\x01\x04\0\0\0\0")},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		new_request();
		put(cases[i].bytes.p, cases[i].bytes.n);
		put_ip6(cases[i].next);
		assert_decodes(r, LINKTYPE_RAW);
		assert_int_equal(r->seg.reassembled, 0);
	}
}

/* The connection is with the last address of the route, wherever on it the packet was seen. */
static void ip6_routes(void **state)
{
	static const struct slice routes[] = {
		SLICE("\x06\x04\0\x01\0\0\0\0" OTHER6 SERVER6), /* type 0 ends with the last address */
		SLICE("\x06\x02\x02\x01\0\0\0\0" SERVER6),      /* type 2 has one */
		SLICE("\x06\x04\x04\x01\x01\0\0\0" SERVER6 OTHER6), /* segments are in reverse order */
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		new_request();
		put(routes[i].p, routes[i].n);
		put_ip6(43);
		memcpy(front() + 24, OTHER6, 16);
		assert_decodes(r, LINKTYPE_RAW);
		front()[40 + 3] = 0; /* no segments left: the header has it */
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_TCP);
		assert_memory_equal(r->seg.key.addr[1], OTHER6, 16);
	}
	new_request();
	PUT("\x06\0\0\x01\0\0\0\0"); /* a segment is left, and no address */
	put_ip6(43);
	assert_decodes(r, LINKTYPE_RAW);
}

static void ip6_without_tcp(void **state)
{
	static const uint8_t next[] = {59, 50, 58, 132, 253};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(next); i++) {
		new_request();
		put_ip6(next[i]);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_NOT_TCP);
	}
	for (uint8_t extension = 43; extension <= 44; extension++) { /* which mean nothing in IPv4 */
		new_request();
		PUT("\x06\0\0\0\0\0\0\0");
		put_ip4(extension);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_NOT_TCP);
	}
}

static void ip6_lengths(void **state)
{
	struct rig *r = *state;

	new_ip6();
	front()[5] -= 3;
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, sizeof(REQUEST) - 1 - 3);
	new_request();
	PUT("\x06\x20\0\0\0\0\0\0"); /* an extension longer than the packet */
	put_ip6(60);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
	new_request();
	PUT("\x06\0\x01\x04\0\0\0\0");
	put_ip6(0);
	front()[4] = 0, front()[5] = 4; /* a payload that ends within it */
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
}

static void jumbo_options(void **state)
{
	struct rig *r = *state;
	const size_t payload = sizeof(REQUEST) - 1;

	new_request(); /* behind a padding that looks alike, and three short ones; ten bytes less than there are */
	PUT("\x06\x02\x01\x06\xc2\x04\0\0" "\0\x30\0\0\0\xc2\x04\0" "\0\0\x40\x01\x03\0\0\0");
	put_ip6(0);
	memset(front() + 4, 0, 2);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, payload - 10);
	front()[5] = (uint8_t)(build.n - 40 - 3); /* a length that holds it needs no option */
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, payload - 3);

	new_request(); /* in an extension header that is not the first it is another option */
	PUT("\x3c\0\x01\x04\0\0\0\0" "\x06\0\xc2\x04\0\0\0\x30");
	put_ip6(0);
	memset(front() + 4, 0, 2);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, payload);
}

/* A header too short is one whatever it carries. */
static void broken_headers(void **state)
{
	struct rig *r = *state;

	new_request();
	put_ip4(17);
	front()[0] = 0x44;
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
	front()[0] = 0x46;
	front()[2] = 0, front()[3] = 23;
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
	front()[0] = 0x75;
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
	build.n = 0;
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
}

/* The inner header cannot say more than the outer one. */
static void inner_lengths_are_bounded(void **state)
{
	struct rig *r = *state;

	new_ip4();
	put_ip4(4);
	front()[3] -= 4;
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, sizeof(REQUEST) - 1 - 4);
	assert_int_equal(r->seg.cut, 0);
	new_ip4();
	memset(front() + 2, 0, 2);
	put_ip4(4);
	front()[3] -= 4;
	assert_int_equal(rig_decode(r, LINKTYPE_RAW, build.n - 5), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, sizeof(REQUEST) - 1 - 5);
	assert_int_equal(r->seg.cut, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(ip4_options),     UNIT(authentication), UNIT(ip6_extension_headers),     UNIT(ip6_routes),
		UNIT(ip6_without_tcp), UNIT(ip6_lengths),    UNIT(inner_lengths_are_bounded),
		UNIT(jumbo_options),   UNIT(broken_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
