/* SPDX-License-Identifier: MIT */
/* The request in each tunnel, over IPv4 and IPv6, whole and cut at every byte; what is told of the tunnel. */
#include "packet_build.h"

enum inner { BARE, IP4, IP6, FRAME, WLAN_FRAME };

struct tunnel_case {
	struct slice bytes; /* the tunnel's header */
	uint16_t number;    /* IP protocol or UDP port */
	enum inner inner;
	enum tunnel tunnel;
	uint32_t id;
};

static void new_inner(enum inner inner)
{
	switch (inner) {
	case BARE:
		new_request();
		break;
	case IP4:
		new_ip4();
		break;
	case IP6:
		new_ip6();
		break;
	case FRAME:
		new_ethernet();
		break;
	case WLAN_FRAME:
		new_ip4();
		PUT("\x08\x01\0\0" MACS "\x02\0\0\0\0\x03\0\0" SNAP_IP);
		break;
	}
}

static void check_tunnel(struct rig *r, const struct tunnel_case *c)
{
	assert_decodes(r, LINKTYPE_RAW);
	assert_int_equal(r->seg.tunnel, c->tunnel);
	assert_int_equal(r->seg.tunnel_id, c->id);
	assert_int_equal(r->seg.reassembled, 0);
}

static void over_ip(void **state)
{
	static const struct tunnel_case cases[] = {
		{SLICE(""), 4, IP4, TUNNEL_IPIP, 0},
		{SLICE(""), 94, IP4, TUNNEL_IPIP, 0},
		{SLICE(""), 41, IP6, TUNNEL_IPIP, 0},
		{SLICE("\0\0\x08\0"), 47, IP4, TUNNEL_GRE, 0},
		{SLICE("\0\0\x86\xdd"), 47, IP6, TUNNEL_GRE, 0},
		{SLICE("\xb0\0\x08\0" "\x12\x34\0\0" "\0\x01\x02\x03" "\0\0\0\x07"), 47, IP4, TUNNEL_GRE, 0x010203},
		{SLICE("\x20\0\x65\x58\0\x12\x34\x56"), 47, FRAME, TUNNEL_GRE, 0x123456}, /* NVGRE */
		{SLICE("\0\0\x81\0\0\x05\x08\0"), 47, IP4, TUNNEL_GRE, 0},
		{SLICE("\0\0\x88\x47\0\x01\x41\x40"), 47, IP4, TUNNEL_GRE, 0},
		{SLICE("\x30\x81\x88\x0b\0\x4a\0\x09" "\0\0\0\x01" "\0\0\0\x01" "\xff\x03\0\x21"), 47, IP4,
		 TUNNEL_GRE, 9},
		{SLICE("\x30\x01\x88\x0b\0\x47\0\x09" "\0\0\0\x01" "\x21"), 47, IP4, TUNNEL_GRE, 9}, /* PPTP */
		{SLICE("\x20\x01\x64\0\0\x54\x05\x01"), 47, FRAME, TUNNEL_GRE, 0x0105}, /* EoIP */
		{SLICE("\0\0\x88\x3e"), 47, IP4, TUNNEL_GRE, 0},                        /* WCCP */
		{SLICE("\0\0\x88\x3e\0\0\0\0"), 47, IP4, TUNNEL_GRE, 0},
		{SLICE("\0\0\x82\0"), 47, WLAN_FRAME, TUNNEL_GRE, 0},                   /* Aruba */
		{SLICE("\0\0\x88\xbe"), 47, FRAME, TUNNEL_ERSPAN, 0},
		{SLICE("\x10\0\x88\xbe\0\0\0\x01" "\x10\x64\0\x05\0\0\0\0"), 47, FRAME, TUNNEL_ERSPAN, 5},
		{SLICE("\x10\0\x22\xeb\0\0\0\x01" "\x20\x64\0\x05\0\0\0\0\0\0\0\0"), 47, FRAME, TUNNEL_ERSPAN, 5},
		{SLICE("\x10\0\x22\xeb\0\0\0\x01" "\x20\x64\x03\xff\0\0\0\0\0\0\0\x01" "ABCDEFGH"), 47, FRAME,
		 TUNNEL_ERSPAN, 1023},
		{SLICE("\x10\0\x22\xeb\0\0\0\x01" "\x20\x64\0\x05\0\0\0\0\0\0\x08\0"), 47, IP4, TUNNEL_ERSPAN, 5},
		{SLICE("\x30\0"), 97, FRAME, TUNNEL_OTHER, 0},
		{SLICE("\0\x01\x41\x40"), 137, IP4, TUNNEL_OTHER, 0},
		{SLICE(""), 143, FRAME, TUNNEL_OTHER, 0},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const struct tunnel_case *c = &cases[i / 2];

		new_inner(c->inner);
		put(c->bytes.p, c->bytes.n);
		if (i % 2)
			put_ip6((uint8_t)c->number);
		else
			put_ip4((uint8_t)c->number);
		check_tunnel(r, c);
	}
}

static void over_udp(void **state)
{
	static const struct tunnel_case cases[] = {
		{SLICE("\x08\0\0\0\0\0\x2a\0"), 4789, FRAME, TUNNEL_VXLAN, 42},
		{SLICE("\xff\x01\xd1\xf2\xff\xff\xff\x0b"), 4789, FRAME, TUNNEL_VXLAN, 0xffffff},
		{SLICE("\x08\0\0\0\0\0\x2a\0"), 8472, FRAME, TUNNEL_VXLAN, 42},
		{SLICE("\x09\0\0\x01\0\0\x2a\0"), 4790, FRAME, TUNNEL_VXLAN, 42},
		{SLICE("\x0c\0\0\x01\0\0\x2a\0"), 4790, IP4, TUNNEL_VXLAN, 42},
		{SLICE("\x0c\0\0\x02\0\0\x2a\0"), 4790, IP6, TUNNEL_VXLAN, 42},
		{SLICE("\x0c\0\0\x03\0\0\x2a\0"), 4790, FRAME, TUNNEL_VXLAN, 42},
		{SLICE("\x0c\0\0\x04\0\0\x2a\0" "\x0f\xc2\x02\x01\0\0\x01\xff"), 4790, IP4, TUNNEL_VXLAN, 42},
		{SLICE("\0\0\x65\x58\0\0\x2a\0"), 6081, FRAME, TUNNEL_GENEVE, 42},
		{SLICE("\x03\x40\x08\0\0\0\x2a\0" "ABCDEFGHIJKL"), 6081, IP4, TUNNEL_GENEVE, 42},
		{SLICE("\x30\xff\0\x46\0\0\0\x09"), 2152, IP4, TUNNEL_GTPU, 9},
		{SLICE("\x32\xff\0\x4a\0\0\0\x09" "\0\x01\0\x85"), 2152, IP4, TUNNEL_GTPU, 9},
		{SLICE("\x34\xff\0\x56\0\0\0\x09" "\0\0\0\x85" "\x01\x10\x05\x85" "\x02\x85\x85\x85\x85\x85\x85\0"),
		 2152, IP4, TUNNEL_GTPU, 9},
		{SLICE("\x30\xff\0\x5a\0\0\0\x09"), 2152, IP6, TUNNEL_GTPU, 9},
		{SLICE("\x1e\xff\0\x46\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\x09"), 3386, IP4, TUNNEL_GTPU, 9},
		{SLICE(""), 3544, IP6, TUNNEL_TEREDO, 0},
		{SLICE("\0\0\x12\x34\xc0\0\x02\x01"), 3544, IP6, TUNNEL_TEREDO, 0},
		{SLICE("\0\x01\x02\x01" "AB" "C" "NONCE678\0" "\0\0\x12\x34\xc0\0\x02\x01"), 3544, IP6,
		 TUNNEL_TEREDO, 0},
		{SLICE("\0\x02\0\x01\0\x02\xff\x03\0\x21"), 1701, IP4, TUNNEL_OTHER, 0x10002},
		{SLICE("\x4a\x02\0\x5a\0\x01\0\x02" "\0\0\0\0" "\0\x02" "AB" "\xff\x03\0\x21"), 1701, IP4,
		 TUNNEL_OTHER, 0x10002},
		{SLICE("\x20\0\x08\0\0\0\0\x07"), 4754, IP4, TUNNEL_GRE, 7},
		{SLICE(""), 6080, IP4, TUNNEL_OTHER, 0},
		{SLICE("\x01\x06\0\0" "ABCD"), 6080, BARE, TUNNEL_OTHER, 0}, /* TCP itself */
		{SLICE("\0\x01\x41\x40"), 6635, IP4, TUNNEL_OTHER, 0},
		{SLICE("\0\0\0\0\0\0\0\0"), 4341, IP4, TUNNEL_OTHER, 0},
		{SLICE("\0\0\0\0\0\0\0\0"), 4341, IP6, TUNNEL_OTHER, 0},
		{SLICE("\x42\x11\x01\x29\0\0\0\0" "IDENTITYIDENTITY" "SIGN"), 5072, IP6, TUNNEL_IPIP, 0},
		{SLICE("\x01\0\0\x01" "\0\0\x0a\x02" "\x01\x01" "\x01"), 37008, FRAME, TUNNEL_OTHER, 0},
		{SLICE("\x01\x01\0\x12" "\x01"), 37008, WLAN_FRAME, TUNNEL_OTHER, 0},
		{SLICE("\0\x10\0\0\0\0\0\0"), 5247, FRAME, TUNNEL_OTHER, 0},
		{SLICE("\0\x19\x03\0\0\0\0\0" "ABCD"), 5247, WLAN_FRAME, TUNNEL_OTHER, 0},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const struct tunnel_case *c = &cases[i / 2];

		new_inner(c->inner);
		put(c->bytes.p, c->bytes.n);
		put_udp(50000, c->number);
		if (i % 2)
			put_ip6(17);
		else
			put_ip4(17);
		check_tunnel(r, c);
	}
}

/* Clients of Teredo talk to each other from any port. */
static void teredo_by_address(void **state)
{
	struct rig *r = *state;

	for (unsigned at = 8; at <= 24; at += 16) {
		new_ip6();
		memcpy(front() + at, "\x20\x01\0\0", 4);
		put_udp(50001, 50002);
		put_ip4(17);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_TCP);
		assert_int_equal(r->seg.tunnel, TUNNEL_TEREDO);
		assert_int_equal(rig_decode(r, LINKTYPE_RAW, build.n - 1), DECODED_TCP);
		assert_int_equal(r->seg.cut, 1);
		front()[28 + 5]--; /* it does not fill the datagram */
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_NOT_TCP);
	}
	new_ip6();
	put_udp(50001, 50002);
	put_ip4(17);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_NOT_TCP);
}

/* Answers come from the well-known port. */
static void source_ports(void **state)
{
	struct rig *r = *state;

	new_ip4();
	PUT("\x30\xff\0\x46\0\0\0\x09");
	put_udp(2152, 50000);
	put_ip4(17);
	assert_decodes(r, LINKTYPE_RAW);
	new_ethernet();
	PUT("\x08\0\0\0\0\0\x2a\0");
	put_udp(2152, 4789); /* the destination is asked first */
	put_ip4(17);
	assert_decodes(r, LINKTYPE_RAW);
	assert_int_equal(r->seg.tunnel, TUNNEL_VXLAN);
}

/* The innermost tunnel is told, and the tag of the outermost frame. */
static void nested(void **state)
{
	struct rig *r = *state;

	new_ip4();
	PUT("\0\x09\x08\0");
	put_ethernet(0x8100);
	PUT("\x08\0\0\0\0\0\x2a\0");
	put_udp(50000, 4789);
	put_ip6(17);
	PUT("\x20\0\x86\xdd\0\0\0\x07");
	put_ip4(47);
	PUT("\0\x05\x08\0");
	put_ethernet(0x8100);
	assert_decodes(r, LINKTYPE_ETHERNET);
	assert_int_equal(r->seg.vlan, 6);
	assert_int_equal(r->seg.tunnel, TUNNEL_VXLAN);
	assert_int_equal(r->seg.tunnel_id, 42);

	new_ip6(); /* an id does not outlive its tunnel */
	put_ip4(41);
	PUT("\x20\0\x08\0\0\0\0\x07");
	put_ip4(47);
	assert_decodes(r, LINKTYPE_RAW);
	assert_int_equal(r->seg.tunnel, TUNNEL_IPIP);
	assert_int_equal(r->seg.tunnel_id, 0);
}

/* A length of the tunnel's bounds the payload when the inner header has none (segmentation offload). */
static void lengths_are_bounded(void **state)
{
	static const struct tunnel_case cases[] = { /* lengths of four bytes less than there are */
		{SLICE("\xc3\x50\x17\xc0\0\x4a\0\0"), 17, IP4, TUNNEL_OTHER, 0},
		{SLICE("\xc3\x50\x08\x68\0\0\0\0" "\x30\xff\0\x42\0\0\0\x09"), 17, IP4, TUNNEL_GTPU, 9},
		{SLICE("\xc3\x50\x0d\x3a\0\0\0\0" "\x1e\xff\0\x42\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\x09"), 17, IP4,
		 TUNNEL_GTPU, 9},
		{SLICE("\xc3\x50\x06\xa5\0\0\0\0" "\x40\x02\0\x4c\0\0\0\x09\0\x21"), 17, IP4, TUNNEL_OTHER, 9},
		{SLICE("\x30\x01\x88\x0b\0\x44\0\x09" "\0\0\0\x01" "\0\x21"), 47, IP4, TUNNEL_GRE, 9},
		{SLICE("\x20\x01\x64\0\0\x50\x09\0" MACS "\x08\0"), 47, IP4, TUNNEL_GRE, 9},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		new_ip4();
		memset(front() + 2, 0, 2);
		put(cases[i].bytes.p, cases[i].bytes.n);
		put_ip4((uint8_t)cases[i].number);
		memset(front() + 2, 0, 2);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_TCP);
		assert_int_equal(r->seg.payload.n, sizeof(REQUEST) - 1 - 4);
		assert_int_equal(r->seg.cut, 0);
		assert_int_equal(r->seg.tunnel, cases[i].tunnel);
		assert_int_equal(r->seg.tunnel_id, cases[i].id);
		assert_int_equal(rig_decode(r, LINKTYPE_RAW, build.n - 6), DECODED_TCP);
		assert_int_equal(r->seg.payload.n, sizeof(REQUEST) - 1 - 6);
		assert_int_equal(r->seg.cut, 2);
	}
}

/* A port or protocol of a tunnel, but not its header, or one that brings nothing. */
static void no_tunnel(void **state)
{
	static const struct tunnel_case cases[] = {
		{SLICE("\0\0\0\0\0\0\x2a\0"), 4789, FRAME, 0, 0},                      /* no VNI */
		{SLICE("\x0c\0\0\x06\0\0\x2a\0"), 4790, FRAME, 0, 0},                  /* an unknown protocol */
		{SLICE("\x01\0\0\0\0\0\x2a\0"), 4790, FRAME, 0, 0},
		{SLICE("\x40\0\x65\x58\0\0\x2a\0"), 6081, FRAME, 0, 0},                /* version 1 */
		{SLICE("\0\0\0\x01\0\0\x2a\0"), 6081, FRAME, 0, 0},
		{SLICE("\x30\x01\0\x46\0\0\0\x09"), 2152, IP4, 0, 0},                  /* an echo request */
		{SLICE("\x48\xff\0\x46\0\0\0\x09"), 2152, IP4, 0, 0},
		{SLICE("\x30\xff\0\x46\0\0\0\x09\0"), 2152, IP4, 0, 0},                /* no IP in it */
		{SLICE("\x1e\x01\0\x46\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09"), 3386, IP4, 0, 0},
		{SLICE("\x3e\xff\0\x46\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09"), 3386, IP4, 0, 0},
		{SLICE("\0\x04"), 3544, IP4, 0, 0},
		{SLICE("\xc8\x02\0\x14\0\x01\0\0\0\0\0\0"), 1701, IP4, 0, 0},          /* control */
		{SLICE("\0\x03\0\x01\0\x02\xff\x03\0\x21"), 1701, IP4, 0, 0},            /* version 3 */
		{SLICE("\x20\x04\0\0"), 6080, IP4, 0, 0},                              /* control */
		{SLICE("\x42\x11\0\x29\0\0\0\0"), 5072, IP6, 0, 0},
		{SLICE("\x02\0\0\x01\x01"), 37008, FRAME, 0, 0},
		{SLICE("\x01\0\0\x77\x01"), 37008, FRAME, 0, 0},
		{SLICE("\x01\0\0\0\0\0\0\0"), 5247, FRAME, 0, 0},                      /* DTLS */
		{SLICE("\0\x10\0\x80\0\0\0\0"), 5247, FRAME, 0, 0},                    /* a part */
		{SLICE(""), 53, IP4, 0, 0},
		{SLICE("\x40\0\x08\0\0\0\0\0"), 47, IP4, 0, 0},                        /* source routing */
		{SLICE("\0\x02\x08\0"), 47, IP4, 0, 0},                                /* version 2 */
		{SLICE("\0\0\0\0"), 47, IP4, 0, 0},                                    /* a keep-alive */
		{SLICE("\x20\x81\x88\x0b\0\0\0\x09\0\0\0\x01"), 47, IP4, 0, 0},        /* an acknowledgement alone */
		{SLICE("\x20\0"), 97, FRAME, 0, 0},
		{SLICE(""), 50, IP4, 0, 0},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		new_inner(cases[i].inner);
		put(cases[i].bytes.p, cases[i].bytes.n);
		if (cases[i].number > 255 || cases[i].number == 53)
			put_udp(50000, cases[i].number);
		put_ip4(cases[i].number > 255 || cases[i].number == 53 ? 17 : (uint8_t)cases[i].number);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_NOT_TCP);
	}
	assert_int_equal(r->stats.not_tcp, sizeof(cases) / sizeof(cases[0]));
}

/* An extension header of GTP-U without a length would go on for ever. */
static void broken_tunnels(void **state)
{
	struct rig *r = *state;

	new_ip4();
	PUT("\x34\xff\0\x4e\0\0\0\x09" "\0\0\0\x85" "\0\x10\x05\x85");
	put_udp(50000, 2152);
	put_ip4(17);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);

	build.n = 0; /* IP in IP in IP ... */
	for (unsigned i = 0; i < 3000; i++)
		put_ip4(4);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(over_ip), UNIT(over_udp),  UNIT(teredo_by_address), UNIT(source_ports),
		UNIT(nested),  UNIT(no_tunnel), UNIT(broken_tunnels),    UNIT(lengths_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
