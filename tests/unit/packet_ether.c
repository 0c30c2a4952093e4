/* SPDX-License-Identifier: MIT */
/* Tags and labels between Ethernet and IP. */
#include "packet_build.h"

/* What stands behind the two addresses of an Ethernet header, in front of IPv4 (or of Ethernet, which brings IPv4). */
static void each_encapsulation(void **state)
{
	static const struct {
		struct slice bytes;
		uint16_t vlan;
		bool frame;
	} cases[] = {
		{SLICE("\x81\0\xe0\x05\x08\0"), 6, false},
		{SLICE("\x81\0\0\0\x08\0"), 1, false}, /* a priority alone: VLAN 0 */
		{SLICE("\x81\0\x1f\xff\x08\0"), 4096, false},
		{SLICE("\x88\xa8\0\x64\x81\0\0\x05\x08\0"), 101, false}, /* the outermost is told */
		{SLICE("\x91\0\0\x07\x92\0\0\x08\x93\0\0\x09\x81\0\0\x0a\x08\0"), 8, false},
		{SLICE("\x81\0\0\x05\0\x4e" SNAP_IP), 6, false}, /* a length in the type's place */
		{SLICE("\0\x4e" SNAP_IP), 0, false},
		{SLICE("\0\x49\x06\x06\x03"), 0, false}, /* LLC without SNAP */
		{SLICE("\0\x4e\xaa\xaa\x03\0\0\xf8\x08\0"), 0, false},
		{SLICE("\x88\x47\0\x01\x41\x40"), 0, false},
		{SLICE("\x88\x48\0\x01\x40\x40\0\x02\x40\x40\0\x03\x41\x40"), 0, false},
		{SLICE("\x81\0\0\x05\x88\x47\0\x01\x41\x40"), 6, false},
		{SLICE("\x88\x47\0\x01\x41\x40"), 0, true}, /* a pseudowire */
		{SLICE("\x88\x47\0\x01\x41\x40\0\0\0\0"), 0, true}, /* with a control word */
		{SLICE("\x88\x64\x11\0\0\x01\0\x48\0\x21"), 0, false},
		{SLICE("\x81\0\0\x05\x88\x64\x11\0\0\x01\0\x48\0\x21"), 6, false},
		{SLICE("\x88\x0b\0\x21"), 0, false},
		{SLICE("\x89\x4f\x0f\xc2\x01\x01\0\0\x01\xff"), 0, false}, /* 8 bytes, no metadata */
		{SLICE("\x89\x4f\x0f\xc5\x02\x03\0\0\x01\xff" "ABCDEFGHIJKL"), 0, true},
		{SLICE("\x89\x4f\x0f\xc2\x02\x05\0\0\x01\xff\0\x01\x41\x40"), 0, false}, /* MPLS in it */
		{SLICE("\x89\x4f\x0f\xc2\x02\x04\0\0\x01\xff\x0f\xc2\x02\x01\0\0\x01\xff"), 0, false},
		{SLICE("\x88\xe7\0\0\0\x01"), 0, true},
		{SLICE("\x89\x03\0\x01"), 0, true},
		{SLICE("\x22\xf3\0\0\0\x01\0\x02"), 0, true},
		{SLICE("\x22\xf3\0\xc0\0\x01\0\x02" "ABCDEFGHIJKL"), 0, true}, /* with options */
		{SLICE("\x89\x26\0\0\0\0\x08\0"), 0, false},
		{SLICE("\x89\x26\0\0\0\0\x81\0\0\x05\x08\0"), 6, false},
		{SLICE("\x89\x09\x01\x01\0\x01\0\x02\x08\0"), 0, false},
		{SLICE("\x89\x2f\0\x40\0\x01\x08\0"), 0, false},
		{SLICE("\x88\xe5\0\0\0\0\0\x01\x08\0"), 0, false},
		{SLICE("\x88\xe5\x20\0\0\0\0\x01" "ABCDEFGH" "\x08\0"), 0, false},
		{SLICE("\x65\x58"), 0, true},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].frame)
			new_ethernet();
		else
			new_ip4();
		put(cases[i].bytes.p, cases[i].bytes.n);
		PUT(MACS);
		assert_decodes(r, LINKTYPE_ETHERNET);
		assert_int_equal(r->seg.vlan, cases[i].vlan);
		assert_int_equal(r->seg.tunnel, TUNNEL_NONE);
	}
}

/* A length of the link layer bounds the payload as one of IP does, when IP has none. */
static void lengths_are_bounded(void **state)
{
	static const struct {
		struct slice bytes;
		size_t n;
	} cases[] = {
		{SLICE("\0\x4a" SNAP_IP), 4},
		{SLICE("\x88\x64\x11\0\0\x01\0\x42\0\x21"), 6},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		new_ip4();
		memset(front() + 2, 0, 2);
		put(cases[i].bytes.p, cases[i].bytes.n);
		PUT(MACS);
		assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
		assert_int_equal(r->seg.payload.n, sizeof(REQUEST) - 1 - cases[i].n);
		assert_int_equal(r->seg.cut, 0);
		assert_int_equal(rig_decode(r, LINKTYPE_ETHERNET, build.n - cases[i].n - 1), DECODED_TCP);
		assert_int_equal(r->seg.cut, 1);
	}
}

static void sound_without_tcp(void **state)
{
	static const struct slice cases[] = {
		SLICE("\x08\x06"),
		SLICE("\x88\xcc"),
		SLICE("\0\x46\x42\x42\x03"),                 /* spanning tree */
		SLICE("\0\x4e\xaa\xaa\x03\0\0\x0c\x20\0"),   /* Cisco's discovery */
		SLICE("\0\x4e\xaa\xaa\x03\x01\0\0\x08\0"),
		SLICE("\0\x4e\xaa\xaa\x03\0\x01\0\x08\0"),
		SLICE("\0\x4e\xaa\xab\x03\0\0\0\x08\0"),
		SLICE("\0\x4e\xab\xaa\x03\0\0\0\x08\0"),
		SLICE("\0\x49\x06\x07\x03"),
		SLICE("\0\x49\x07\x06\x03"),
		SLICE("\xff\xff"),
		SLICE("\x88\x64\x11\x09\0\x01\0\x48\0\x21"), /* not the session's data */
		SLICE("\x88\x64\x21\0\0\x01\0\x48\0\x21"),   /* another version */
		SLICE("\x88\xe5\x0c\0\0\0\0\x01\x08\0"),     /* encrypted */
		SLICE("\x88\x47\0\x01\x41\x40\x10\0\0\0"),   /* a pseudowire's own control */
		SLICE("\x89\x4f\x0f\xc2\x02\x06\0\0\x01\xff"),
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		new_ip4();
		put(cases[i].p, cases[i].n);
		PUT(MACS);
		assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_NOT_TCP);
	}
	assert_int_equal(r->stats.not_tcp, sizeof(cases) / sizeof(cases[0]));
}

/* A pseudowire's addresses may begin like IP. */
static void pseudowires(void **state)
{
	static const uint8_t first[] = {0x42, 0x06, 0x7e, 0xfe};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(first); i++) {
		new_ethernet();
		front()[0] = first[i];
		PUT("\0\x01\x41\x40");
		put_ethernet(0x8847);
		assert_decodes(r, LINKTYPE_ETHERNET);
	}
}

/* Nothing nests for ever: so many tags are decoded, and not one more. */
static void nesting_is_bounded(void **state)
{
	struct rig *r = *state;
	unsigned tags = 0;

	do {
		new_ip4();
		for (unsigned i = 0; i < tags; i++) {
			put_u16(i ? 0x8100 : 0x0800);
			put_u16(5);
		}
		put_ethernet(tags ? 0x8100 : 0x0800);
	} while (rig_decode_all(r, LINKTYPE_ETHERNET) == DECODED_TCP && ++tags < 1000);
	assert_in_range(tags, 16, 100);
	assert_int_equal(r->stats.malformed, 1);

	build.n = 0;
	for (unsigned i = 0; i < 40000; i++)
		PUT("\0\x01\x40\x40");
	put_ethernet(0x8847);
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(each_encapsulation),
		UNIT(lengths_are_bounded),
		UNIT(sound_without_tcp),
		UNIT(pseudowires),
		UNIT(nesting_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
