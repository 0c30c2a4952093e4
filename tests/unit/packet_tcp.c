/* SPDX-License-Identifier: MIT */
/* Ethernet, IP and TCP as they mostly come: keys, options, lengths, and what a snapshot length cuts. */
#include "packet_build.h"

static void request_over_ip4(void **state)
{
	struct rig *r = *state;

	r->pkt.ts_ns = 1234567890123456789;
	new_ethernet();
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
	assert_request(r);
	assert_memory_equal(r->seg.key.addr[0], "\0\0\0\0\0\0\0\0\0\0\xff\xff" CLIENT4, 16);
	assert_memory_equal(r->seg.key.addr[1], "\0\0\0\0\0\0\0\0\0\0\xff\xff" SERVER4, 16);
	assert_int_equal(r->seg.key.version, 4);
	assert_int_equal(r->seg.vlan, 0);
	assert_int_equal(r->seg.tunnel, TUNNEL_NONE);
	assert_int_equal(r->seg.tunnel_id, 0);
	assert_int_equal(r->seg.reassembled, 0);
	assert_ptr_equal(decoder_datagram(r->d, &r->pkt).data.p, r->pkt.data.p);
}

static void request_over_ip6(void **state)
{
	struct rig *r = *state;

	new_ip6();
	put_ethernet(0x86dd);
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
	assert_request(r);
	assert_int_equal(r->seg.key.version, 6);
	assert_int_equal(r->seg.vlan, 0);
}

/* Builds a segment between two ends, of IPv4 and then of IPv6, and gives the key. */
static struct flow_key key_of(struct rig *r, unsigned version, uint8_t from, uint16_t sport, uint8_t to, uint16_t dport)
{
	uint8_t *p;

	new_tcp(SLICE(""), SLICE("x"));
	build.n -= 4;
	put_u16(dport);
	put_u16(sport);
	if (version == 4)
		put_ip4(6);
	else
		put_ip6(6);
	p = front();
	p[version == 4 ? 15 : 23] = from;
	p[version == 4 ? 19 : 39] = to;
	put_ethernet(version == 4 ? 0x0800 : 0x86dd);
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
	return r->seg.key;
}

/* Both directions give one key, of which the lower end is the first; the side is the sender. */
static void key_is_canonical(void **state)
{
	struct rig *r = *state;

	for (unsigned version = 4; version <= 6; version += 2) {
		struct flow_key there = key_of(r, version, 1, 50000, 200, 80), back;

		assert_int_equal(r->seg.side, 0);
		back = key_of(r, version, 200, 80, 1, 50000);
		assert_int_equal(r->seg.side, 1);
		assert_memory_equal(&there, &back, sizeof(there));
		assert_int_equal(there.addr[0][15], 1);
		assert_int_equal(there.port[0], 50000);
		assert_int_equal(there.addr[1][15], 200);
		assert_int_equal(there.port[1], 80);

		/* an address talks to itself: the port decides */
		there = key_of(r, version, 7, 0xff00, 7, 0x00ff);
		assert_int_equal(r->seg.side, 1);
		back = key_of(r, version, 7, 0x00ff, 7, 0xff00);
		assert_int_equal(r->seg.side, 0);
		assert_memory_equal(&there, &back, sizeof(there));
		assert_int_equal(there.port[0], 0x00ff);
		key_of(r, version, 7, 80, 7, 80);
		assert_int_equal(r->seg.side, 0);
	}
}

static void timestamp_is_found(void **state)
{
	static const struct {
		struct slice options;
		uint32_t tsval;
	} cases[] = {
		{SLICE(""), 0},
		{SLICE("\x01\x01\x08\x0a\x11\x22\x33\x44\x00\x00\x00\x00"), 0x11223344},
		{SLICE("\x08\x0a\x11\x22\x33\x44\x00\x00\x00\x00\x01\x01"), 0x11223344},
		{SLICE("\x02\x04\x05\xb4\x04\x02\x08\x0a\x11\x22\x33\x44\x00\x00\x00\x00\x01\x03\x03\x07"), 0x11223344},
		{SLICE("\x01\x08\x0a\x11\x22\x33\x44\x00\x00\x00\x00\x01"), 0x11223344},
		{SLICE("\x02\x04\x05\xb4\x01\x01\x04\x02"), 0},
		{SLICE("\x00\x01\x08\x0a\x11\x22\x33\x44\x00\x00\x00\x00"), 0}, /* behind the end of options */
		{SLICE("\x05\x00\x08\x0a\x11\x22\x33\x44\x00\x00\x00\x00"), 0}, /* behind a length that cannot be */
		{SLICE("\x05\x01\x08\x0a\x11\x22\x33\x44\x00\x00\x00\x00"), 0},
		{SLICE("\x05\xff\x08\x0a\x11\x22\x33\x44\x00\x00\x00\x00"), 0},
		{SLICE("\x08\x08\x11\x22\x33\x44\x55\x66\x00\x00\x00\x00"), 0}, /* not its length */
		{SLICE("\x01\x01\x01\x08"), 0},
		{SLICE("\x01\x01\x08\x0a"), 0},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		new_tcp(cases[i].options, SLICE(""));
		put_ip4(6);
		put_ethernet(0x0800);
		assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
		assert_int_equal(r->seg.tsval, cases[i].tsval);
	}
}

/* What a header of its own length says is not payload is none. */
static void padding_is_no_payload(void **state)
{
	struct rig *r = *state;

	for (unsigned version = 4; version <= 6; version += 2) {
		new_tcp(SLICE(""), SLICE(""));
		if (version == 4)
			put_ip4(6);
		else
			put_ip6(6);
		put_ethernet(version == 4 ? 0x0800 : 0x86dd);
		memmove(build.bytes + sizeof(build.bytes) - build.n - 6, front(), build.n);
		build.n += 6;
		assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
		assert_int_equal(r->seg.payload.n, 0);
		assert_int_equal(r->seg.cut, 0);
		/* the padding cut, and nothing else */
		assert_int_equal(rig_decode(r, LINKTYPE_ETHERNET, build.n - 6), DECODED_TCP);
		assert_int_equal(r->seg.payload.n, 0);
		assert_int_equal(r->seg.cut, 0);
	}
}

static void check_cut(struct rig *r, size_t n, size_t headers)
{
	size_t payload = sizeof(REQUEST) - 1, options = sizeof(TIMESTAMP) - 1, have = n > headers ? n - headers : 0;
	enum decoded decoded = rig_decode(r, LINKTYPE_ETHERNET, n);

	if (n < headers - options - 4) {
		assert_int_equal(decoded, DECODED_MALFORMED);
		return;
	}
	assert_int_equal(decoded, DECODED_TCP);
	assert_int_equal(r->seg.seq, SEQ);
	assert_int_equal(r->seg.ack, ACK);
	assert_int_equal(r->seg.window, WINDOW);
	assert_int_equal(r->seg.flags, TCP_ACK | TCP_PSH);
	assert_int_equal(r->seg.payload.n, have);
	assert_int_equal(r->seg.cut, payload - have);
	assert_memory_equal(r->seg.payload.p, REQUEST, have);
	assert_int_equal(r->seg.tsval, n >= headers - 4 ? TSVAL : 0); /* the echo reply behind it is not read */
}

static void cut_at_every_byte(void **state)
{
	struct rig *r = *state;

	new_ethernet();
	for (size_t n = 0; n <= build.n; n++)
		check_cut(r, n, 14 + 20 + 20 + sizeof(TIMESTAMP) - 1);
	new_ip6();
	put_ethernet(0x86dd);
	for (size_t n = 0; n <= build.n; n++)
		check_cut(r, n, 14 + 40 + 20 + sizeof(TIMESTAMP) - 1);
	assert_int_equal(r->stats.malformed, 14 + 20 + 16 + 14 + 40 + 16);
}

/* Payload and cut together are what IP says, or what was on the wire where that is less. */
static void lengths_are_bounded(void **state)
{
	struct rig *r = *state;
	const size_t payload = sizeof(REQUEST) - 1;

	new_ethernet();
	front()[14 + 3] -= 5; /* total length */
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, payload - 5);
	assert_int_equal(r->seg.cut, 0);
	assert_int_equal(rig_decode(r, LINKTYPE_ETHERNET, build.n - 8), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, payload - 8);
	assert_int_equal(r->seg.cut, 3);

	new_ethernet();
	front()[14 + 2] = 0x40; /* more than there was */
	assert_int_equal(rig_decode(r, LINKTYPE_ETHERNET, build.n - 1), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, payload - 1);
	assert_int_equal(r->seg.cut, 1);

	new_ethernet();
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
	r->pkt.wire_len = 0; /* less than captured: a lie */
	assert_int_equal(packet_decode(r->d, &r->pkt, &r->seg), DECODED_TCP);
	assert_request(r);
}

static void broken_headers(void **state)
{
	struct rig *r = *state;
	static const struct {
		uint8_t at, value;
	} cases[] = {
		{14, 0x44},            /* IPv4: header of 16 bytes */
		{14, 0x4f},            /* of 60, which takes the TCP header's place: its length then is wrong */
		{14, 0x55},            /* version 5 */
		{14 + 3, 19},          /* total length shorter than its header */
		{14 + 3, 20},          /* without a TCP header */
		{14 + 3, 35},          /* with 15 bytes of one */
		{14 + 20 + 12, 0x40},  /* TCP: header of 16 bytes */
		{14 + 20 + 12, 0xf0},  /* of 60, longer than the packet */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		new_ethernet();
		front()[14 + 2] = 0;
		front()[cases[i].at] = cases[i].value;
		assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_MALFORMED);
		assert_int_equal(r->stats.malformed, i + 1);
	}
}

static uint8_t big[180000];

static void new_big(void)
{
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 >> 3);
	new_tcp(SLICE(TIMESTAMP), slice_of(big, sizeof(big)));
}

/* All of it, and then the first `n` bytes of the packet with `headers` before the payload. */
static void check_big(struct rig *r, size_t n, size_t headers)
{
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, sizeof(big));
	assert_memory_equal(r->seg.payload.p, big, sizeof(big));
	assert_int_equal(r->seg.cut, 0);
	assert_int_equal(rig_decode(r, LINKTYPE_ETHERNET, n), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, n - headers);
	assert_int_equal(r->seg.cut, sizeof(big) - (n - headers));
}

/* Segments longer than a length field can say: it is 0 then. */
static void big_tcp_over_ip4(void **state)
{
	struct rig *r = *state;

	new_big();
	put_ip4(6);
	memset(front() + 2, 0, 2);
	put_ethernet(0x0800);
	check_big(r, 100, 14 + 20 + 32);

	new_big();
	put_ip4(6);
	memset(front() + 2, 0, 2);
	PUT("\x00\x05\x08\x00");
	put_ethernet(0x8100);
	check_big(r, 65700, 18 + 20 + 32);
	assert_int_equal(r->seg.vlan, 6);
}

static void big_tcp_over_ip6(void **state)
{
	struct rig *r = *state;

	new_big();
	put_ip6(6);
	memset(front() + 4, 0, 2);
	put_ethernet(0x86dd);
	check_big(r, 100000, 14 + 40 + 32);

	new_big();
	put_u32(8 + (uint32_t)build.n);
	PUT("\x06\x00\xc2\x04");
	put_ip6(0);
	memset(front() + 4, 0, 2);
	put_ethernet(0x86dd);
	check_big(r, 200, 14 + 40 + 8 + 32);
	front()[14 + 40 + 7] -= 10; /* the jumbo option says less: that is the bound */
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, sizeof(big) - 10);
	memcpy(front() + 14 + 40 + 4, "\0\0\0\7", 4); /* less than its own header */
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_MALFORMED);
	memcpy(front() + 14 + 40 + 2, "\x01\x09", 2); /* some other option, longer than the header */
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, sizeof(big));
}

static void not_tcp(void **state)
{
	struct rig *r = *state;

	new_ip4(); /* an error that quotes a segment is none */
	PUT("\x03\x00\x00\x00\x00\x00\x00\x00");
	put_ip4(1);
	put_ethernet(0x0800);
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_NOT_TCP);
	new_ip6();
	PUT("\x01\x00\x00\x00\x00\x00\x00\x00");
	put_ip6(58);
	put_ethernet(0x86dd);
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_NOT_TCP);
	build.n = 0;
	put_zeros(28);
	put_ethernet(0x0806);
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_NOT_TCP);
	assert_int_equal(r->stats.not_tcp, 3);
	assert_int_equal(r->stats.malformed, 0);
	assert_int_equal(rig_decode_all(r, 9999), DECODED_LINK);
	assert_int_equal(r->stats.unknown_link, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(request_over_ip4),   UNIT(request_over_ip6),      UNIT(key_is_canonical),
		UNIT(timestamp_is_found), UNIT(padding_is_no_payload), UNIT(cut_at_every_byte),
		UNIT(lengths_are_bounded), UNIT(broken_headers),       UNIT(big_tcp_over_ip4),
		UNIT(big_tcp_over_ip6),   UNIT(not_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
