/* SPDX-License-Identifier: MIT */
/* Builds packets from the inside out, and decodes them from blocks of their exact size. For the packet_* tests only. */
#ifndef TESTS_UNIT_PACKET_BUILD_H
#define TESTS_UNIT_PACKET_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "packet/decode.h"
#include "packet/linktype.h"

#define CLIENT_PORT 40000
#define SERVER_PORT 80
#define SEQ         0x01020304u
#define ACK         0x05060708u
#define WINDOW      512
#define TSVAL       0x0a0b0c0du
#define REQUEST     "GET / HTTP/1.1\r\n\r\n"
#define TIMESTAMP   "\x01\x01\x08\x0a\x0a\x0b\x0c\x0d\x00\x00\x00\x01"
#define TCP_LENGTH  (20 + sizeof(TIMESTAMP) - 1 + sizeof(REQUEST) - 1)
#define MACS        "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"
#define SNAP_IP     "\xaa\xaa\x03\x00\x00\x00\x08\x00"
#define CLIENT4     "\x0a\x00\x00\x01"
#define SERVER4     "\x0a\x00\x00\x02"
#define CLIENT6     "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
#define SERVER6     "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"

/* A packet in the making: each layer is put in front of what is there. */
struct build {
	uint8_t bytes[1 << 18];
	size_t n; /* the last n bytes are the packet */
};

static struct build build;

static inline uint8_t *front(void)
{
	return build.bytes + sizeof(build.bytes) - build.n;
}

static inline void put(const void *p, size_t n)
{
	build.n += n;
	memcpy(front(), p, n);
}

#define PUT(literal) put(literal, sizeof(literal) - 1)

static inline void put_u8(uint32_t v)
{
	put(&(uint8_t){(uint8_t)v}, 1);
}

static inline void put_u16(uint32_t v)
{
	put_u8(v);
	put_u8(v >> 8);
}

static inline void put_u32(uint32_t v)
{
	put_u16(v);
	put_u16(v >> 16);
}

static inline void put_zeros(size_t n)
{
	while (n--)
		put_u8(0);
}

/* Starts anew with a TCP segment of the client's; the options fill words. */
static inline void new_tcp(struct slice options, struct slice payload)
{
	build.n = 0;
	put(payload.p, payload.n);
	put(options.p, options.n);
	put_u32(0);
	put_u16(WINDOW);
	put_u16((uint32_t)((20 + options.n) / 4) << 12 | TCP_ACK | TCP_PSH);
	put_u32(ACK);
	put_u32(SEQ);
	put_u16(SERVER_PORT);
	put_u16(CLIENT_PORT);
}

static inline void new_request(void)
{
	new_tcp(SLICE(TIMESTAMP), SLICE(REQUEST));
}

/* `fragment` is the field of flags and offset. */
static inline void put_ip4_fragment(uint8_t protocol, uint16_t id, uint16_t fragment)
{
	size_t n = 20 + build.n;

	PUT(SERVER4);
	PUT(CLIENT4);
	put_u16(0);
	put_u8(protocol);
	put_u8(64);
	put_u16(fragment);
	put_u16(id);
	put_u16((uint32_t)n);
	put_u16(0x4500);
}

static inline void put_ip4(uint8_t protocol)
{
	put_ip4_fragment(protocol, 1, 0x4000);
}

static inline void put_ip6(uint8_t next)
{
	size_t n = build.n;

	PUT(SERVER6);
	PUT(CLIENT6);
	put_u8(64);
	put_u8(next);
	put_u16((uint32_t)n);
	put_u32(0x60000000);
}

static inline void put_udp(uint16_t sport, uint16_t dport)
{
	put_u16(0);
	put_u16((uint32_t)build.n + 6);
	put_u16(dport);
	put_u16(sport);
}

static inline void put_ethernet(uint16_t type)
{
	put_u16(type);
	PUT(MACS);
}

/* The request in IPv4, and that in Ethernet. */
static inline void new_ip4(void)
{
	new_request();
	put_ip4(6);
}

static inline void new_ip6(void)
{
	new_request();
	put_ip6(6);
}

static inline void new_ethernet(void)
{
	new_ip4();
	put_ethernet(0x0800);
}

/* A decoder and what it said last. */
struct rig {
	struct pool *pool;
	struct stats stats;
	struct decoder *d;
	struct packet pkt; /* the last packet; its ts_ns and iface are those of the next */
	struct segment seg;
	uint8_t *copy;
};

static inline int rig_new(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->pool = pool_new((size_t)16 << 20, NULL, NULL);
	r->d = decoder_new(r->pool, &r->stats);
	assert_non_null(r->d);
	*state = r;
	return 0;
}

static inline int rig_free(void **state)
{
	struct rig *r = *state;

	decoder_flush(r->d);
	assert_int_equal(pool_used(r->pool), 0);
	decoder_free(r->d);
	pool_free(r->pool);
	free(r->copy);
	free(r);
	return 0;
}

/* Decodes the first `n` bytes of what was built; all of it was on the wire. */
static inline enum decoded rig_decode(struct rig *r, uint16_t link, size_t n)
{
	assert_in_range(n, 0, build.n);
	free(r->copy);
	r->copy = malloc(n ? n : 1);
	memcpy(r->copy, front(), n);
	r->pkt.link = link;
	r->pkt.wire_len = (uint32_t)build.n;
	r->pkt.data = slice_of(r->copy, n);
	memset(&r->seg, 0xee, sizeof(r->seg));
	return packet_decode(r->d, &r->pkt, &r->seg);
}

static inline enum decoded rig_decode_all(struct rig *r, uint16_t link)
{
	return rig_decode(r, link, build.n);
}

/* The segment is the request, whole. */
static inline void assert_request(const struct rig *r)
{
	const struct flow_key *k = &r->seg.key;
	size_t at = k->version == 4 ? 12 : 0;

	assert_int_equal(r->seg.side, 0);
	assert_int_equal(k->port[0], CLIENT_PORT);
	assert_int_equal(k->port[1], SERVER_PORT);
	assert_true(k->version == 4 || k->version == 6);
	assert_memory_equal(k->addr[0] + at, k->version == 4 ? CLIENT4 : CLIENT6, 16 - at);
	assert_memory_equal(k->addr[1] + at, k->version == 4 ? SERVER4 : SERVER6, 16 - at);
	assert_int_equal(r->seg.seq, SEQ);
	assert_int_equal(r->seg.ack, ACK);
	assert_int_equal(r->seg.flags, TCP_ACK | TCP_PSH);
	assert_int_equal(r->seg.window, WINDOW);
	assert_int_equal(r->seg.tsval, TSVAL);
	assert_int_equal(r->seg.ts_ns, r->pkt.ts_ns);
	assert_int_equal(r->seg.cut, 0);
	assert_int_equal(r->seg.payload.n, sizeof(REQUEST) - 1);
	assert_memory_equal(r->seg.payload.p, REQUEST, sizeof(REQUEST) - 1);
}

/* What was built is the request in a link layer or tunnel; cut anywhere, it is malformed or its bytes are counted. */
static inline void assert_decodes(struct rig *r, uint16_t link)
{
	size_t payload = sizeof(REQUEST) - 1;

	for (size_t n = 0; n < build.n; n++) {
		enum decoded decoded = rig_decode(r, link, n);

		if (n + payload + sizeof(TIMESTAMP) - 1 + 4 < build.n)
			assert_int_not_equal(decoded, DECODED_TCP);
		if (decoded == DECODED_TCP)
			assert_int_equal(r->seg.payload.n + r->seg.cut, payload);
		else if (decoded != DECODED_MALFORMED)
			fail_msg("cut at %zu of %zu bytes of link type %u: %d", n, build.n, link, decoded);
	}
	assert_int_equal(rig_decode_all(r, link), DECODED_TCP);
	assert_request(r);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, rig_new, rig_free)

#endif
