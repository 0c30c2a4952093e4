/* SPDX-License-Identifier: MIT */
/* Fragments of IPv4 and IPv6: in any order, again, overlapping, missing, cut, in tunnels, and too many. */
#include "packet/frag.h"
#include "packet_build.h"

#define LENGTH 3000u /* of the payload of TCP */
#define WHOLE  (20 + sizeof(TIMESTAMP) - 1 + LENGTH)

static uint8_t whole[WHOLE]; /* the segment that is sent in fragments */

static void make_whole(void)
{
	static uint8_t payload[LENGTH];

	for (size_t i = 0; i < LENGTH; i++)
		payload[i] = (uint8_t)(i * 11 >> 2);
	new_tcp(SLICE(TIMESTAMP), slice_of(payload, LENGTH));
	memcpy(whole, front(), WHOLE);
}

static uint8_t zeros[65536];

/* Builds the fragment that brings `data` to the offset `at`. */
static void new_fragment(unsigned version, uint8_t protocol, uint32_t id, size_t at, struct slice data, bool more)
{
	build.n = 0;
	put(data.p, data.n);
	if (version == 4) {
		put_ip4_fragment(protocol, (uint16_t)id, (uint16_t)(at / 8 | (more ? 0x2000 : 0)));
		return;
	}
	put_u32(id);
	put_u16((uint32_t)at | more);
	put_u16((uint32_t)protocol << 8);
	put_ip6(44);
}

static enum decoded fragment_n(struct rig *r, unsigned version, uint32_t id, size_t at, size_t end, size_t n)
{
	new_fragment(version, 6, id, at, slice_of(whole + at, end - at), end < WHOLE);
	put_ethernet(version == 4 ? 0x0800 : 0x86dd);
	return rig_decode(r, LINKTYPE_ETHERNET, build.n - (end - at - n));
}

static enum decoded fragment(struct rig *r, unsigned version, uint32_t id, size_t at, size_t end)
{
	return fragment_n(r, version, id, at, end, end - at);
}

/* The segment is the one that was sent; its datagram is a packet that gives it again. */
static void assert_whole(struct rig *r)
{
	struct packet datagram = decoder_datagram(r->d, &r->pkt);
	struct stats stats = {0};
	struct decoder *other = decoder_new(r->pool, &stats);
	struct segment again;

	assert_int_equal(r->seg.reassembled, 1);
	assert_int_equal(r->seg.key.port[0], CLIENT_PORT);
	assert_int_equal(r->seg.key.port[1], SERVER_PORT);
	assert_int_equal(r->seg.seq, SEQ);
	assert_int_equal(r->seg.tsval, TSVAL);
	assert_int_equal(r->seg.payload.n, LENGTH);
	assert_memory_equal(r->seg.payload.p, whole + WHOLE - LENGTH, LENGTH);
	assert_int_equal(r->seg.cut, 0);

	assert_int_equal(datagram.link, LINKTYPE_RAW);
	assert_int_equal(datagram.wire_len, datagram.data.n);
	assert_int_equal(datagram.ts_ns, r->pkt.ts_ns);
	assert_int_equal(packet_decode(other, &datagram, &again), DECODED_TCP);
	assert_memory_equal(&again.key, &r->seg.key, sizeof(again.key));
	assert_true(slice_eq(again.payload, r->seg.payload));
	assert_int_equal(again.reassembled, 0);
	decoder_free(other);
}

/* Every order of four fragments. */
static void any_order(void **state)
{
	static const size_t at[] = {0, 8, 1000, 1480, WHOLE};
	struct rig *r = *state;
	uint32_t id = 0;

	for (unsigned version = 4; version <= 6; version += 2)
		for (unsigned code = 0; code < 256; code++) {
			unsigned seen = 0, order[4];

			for (unsigned i = 0; i < 4; i++)
				seen |= 1u << (order[i] = code >> 2 * i & 3);
			if (seen != 0xf)
				continue;
			id++;
			for (unsigned i = 0; i < 4; i++)
				assert_int_equal(fragment(r, version, id, at[order[i]], at[order[i] + 1]),
						 i < 3 ? DECODED_FRAGMENT : DECODED_TCP);
			assert_whole(r);
		}
	assert_int_equal(id, 48);
	assert_int_equal(r->stats.fragments, 48 * 4);
	assert_int_equal(r->stats.fragments_lost, 0);
	assert_int_equal(r->stats.not_tcp + r->stats.malformed, 0);
}

/* The last segment's datagram is given back with the next packet. */
static void datagram_lives_until_the_next(void **state)
{
	struct rig *r = *state;

	fragment(r, 4, 1, 0, 1000);
	assert_int_equal(fragment(r, 4, 1, 1000, WHOLE), DECODED_TCP);
	assert_int_not_equal(pool_used(r->pool), 0);
	new_ethernet();
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
	assert_ptr_equal(decoder_datagram(r->d, &r->pkt).data.p, r->pkt.data.p);
	assert_int_equal(pool_used(r->pool), 0);
}

static void duplicates(void **state)
{
	struct rig *r = *state;
	size_t used;

	for (unsigned version = 4; version <= 6; version += 2) {
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(fragment(r, version, 1, 800, 1600), DECODED_FRAGMENT);
			assert_int_equal(fragment(r, version, 1, 1600, WHOLE), DECODED_FRAGMENT);
			if (i == 0)
				used = pool_used(r->pool);
			assert_int_equal(pool_used(r->pool), used);
		}
		assert_int_equal(fragment(r, version, 1, 0, 800), DECODED_TCP);
		assert_whole(r);
	}
	assert_int_equal(r->stats.fragments_lost, 0);
}

/* IPv4: bytes that came first stay, whatever comes over, under, between or around them. */
static void overlaps_ip4(void **state)
{
	struct rig *r = *state;
	uint8_t other[WHOLE];

	memset(other, 0xff, sizeof(other));
	fragment(r, 4, 1, 400, 800);
	fragment(r, 4, 1, 1200, 1600);
	for (size_t at = 400; at < 800; at += 96) { /* inside, over the end */
		new_fragment(4, 6, 1, at, slice_of(other + at, 800 - at), true);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
	}
	assert_int_equal(fragment(r, 4, 1, 320, 1680), DECODED_FRAGMENT); /* around both */
	new_fragment(4, 6, 1, 0, slice_of(other, 320), true);
	memcpy(front() + 20, whole, 32);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
	assert_int_equal(fragment(r, 4, 1, 1600, WHOLE), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, LENGTH);
	for (size_t i = 32; i < WHOLE; i++)
		assert_int_equal(r->seg.payload.p[i - 32], i < 320 ? 0xff : whole[i]);
	assert_int_equal(r->stats.fragments_lost, 0);
}

/* IPv6: the whole datagram is dropped, with what is still to come of it (RFC 5722). */
static void overlaps_ip6(void **state)
{
	struct rig *r = *state;
	size_t used;

	fragment(r, 6, 1, 0, 800);
	fragment(r, 6, 1, 1600, WHOLE);
	used = pool_used(r->pool);
	assert_int_equal(fragment(r, 6, 1, 792, 1600), DECODED_FRAGMENT);
	assert_int_equal(r->stats.fragments_lost, 3);
	assert_in_range(pool_used(r->pool), 1, used - 2048); /* its bytes are given back at once */
	fragment(r, 6, 1, 800, 1600);
	assert_int_equal(fragment(r, 6, 1, 0, 800), DECODED_FRAGMENT);
	assert_int_equal(r->stats.fragments_lost, 5);
	assert_int_equal(r->stats.fragments, 5);
	for (uint32_t at = 400; at <= 1200; at += 400) { /* over an end, or with one of its own */
		fragment(r, 6, 100 + at, 800, 1600);
		fragment(r, 6, 100 + at, at, at + 800 - (at == 800) * 400);
		fragment(r, 6, 200 + at, 800, 1600);
		fragment(r, 6, 200 + at, at, at < 1200 ? 1600 : 2000);
	}
	assert_int_equal(r->stats.fragments_lost, 5 + 2 * 5);
}

/* Two last fragments that do not end at one place, and one that others reach beyond. */
static void ends_that_disagree(void **state)
{
	struct rig *r = *state;

	for (unsigned version = 4; version <= 6; version += 2) {
		r->stats.fragments_lost = 0;
		fragment(r, version, 1, 1600, WHOLE);
		new_fragment(version, 6, 1, 800, slice_of(whole + 800, 700), false);
		rig_decode_all(r, LINKTYPE_RAW);
		assert_int_equal(r->stats.fragments_lost, 2);
		fragment(r, version, 2, 1600, 2400);
		new_fragment(version, 6, 2, 800, slice_of(whole + 800, 700), false);
		rig_decode_all(r, LINKTYPE_RAW);
		assert_int_equal(r->stats.fragments_lost, 4);
		new_fragment(version, 6, 3, 800, slice_of(whole + 800, 700), false);
		rig_decode_all(r, LINKTYPE_RAW);
		fragment(r, version, 3, 1504, 1600);
		assert_int_equal(r->stats.fragments_lost, 6);
	}
}

static void broken_fragments(void **state)
{
	struct rig *r = *state;

	for (unsigned version = 4; version <= 6; version += 2) {
		new_fragment(version, 6, 1, 0, slice_of(whole, 801), true); /* not a multiple of 8 */
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
		new_fragment(version, 6, 1, 800, slice_of(whole + 800, 0), true); /* empty */
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
		new_fragment(version, 6, 1, 800, slice_of(whole + 800, 0), false);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
	}
	/* longer than any datagram can be: 65515 bytes behind IPv4's header, 65535 behind IPv6's */
	new_fragment(4, 6, 1, 65504, slice_of(zeros, 12), false);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
	new_fragment(4, 6, 1, 65504, slice_of(zeros, 11), false);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
	new_fragment(6, 6, 1, 65528, slice_of(zeros, 8), false);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
	new_fragment(6, 6, 1, 65528, slice_of(zeros, 7), false);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
	assert_int_equal(r->stats.fragments, 2);
}

/* What makes a datagram another one. */
static void keys(void **state)
{
	static const struct iface other = {.index = 7};
	struct rig *r = *state;

	for (unsigned version = 4; version <= 6; version += 2) {
		fragment(r, version, 1, 0, 800);
		assert_int_equal(fragment(r, version, 2, 800, WHOLE), DECODED_FRAGMENT); /* the id */
		for (unsigned i = 0; i < 2; i++) { /* an address */
			new_fragment(version, 6, 1, 800, slice_of(whole + 800, WHOLE - 800), false);
			front()[(version == 4 ? 15 : 23) + i * (version == 4 ? 4 : 16)] ^= 8;
			assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
		}
		r->pkt.iface = &other; /* the interface, the direction */
		assert_int_equal(fragment(r, version, 1, 800, WHOLE), DECODED_FRAGMENT);
		r->pkt.iface = NULL;
		r->pkt.dir = DIRECTION_OUT;
		assert_int_equal(fragment(r, version, 1, 800, WHOLE), DECODED_FRAGMENT);
		r->pkt.dir = DIRECTION_UNKNOWN;
		new_fragment(version, 6, 1, 800, slice_of(whole + 800, WHOLE - 800), false); /* the VLAN */
		put_u16(version == 4 ? 0x0800 : 0x86dd);
		put_u16(5);
		put_ethernet(0x8100);
		assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_FRAGMENT);
		new_fragment(version, 6, 1, 800, slice_of(whole + 800, WHOLE - 800), false); /* the tunnel */
		put_u16(version == 4 ? 0x0800 : 0x86dd);
		put_u16(0);
		put_ip4(47);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
		for (unsigned i = 7; i < 9; i++) { /* and which one */
			new_fragment(version, 6, 3, i == 7 ? 0 : 800, slice_of(whole + 800, 800), i == 7);
			put_u32(i);
			put_u16(version == 4 ? 0x0800 : 0x86dd);
			put_u16(0x2000);
			put_ip4(47);
			assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
		}
		new_fragment(version, 4, 1, 800, slice_of(whole + 800, WHOLE - 800), false); /* the protocol in IPv4 */
		if (version == 4)
			assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
		assert_int_equal(fragment(r, version, 1, 800, WHOLE), DECODED_TCP);
		assert_whole(r);
	}
}

/* A fragment that the snapshot length cut: the bytes up to there, and the count of what is missing. */
static void cut_fragments(void **state)
{
	struct rig *r = *state;

	for (unsigned version = 4; version <= 6; version += 2)
		for (size_t have = 0; have <= 800; have += 80) {
			fragment(r, version, 1, 1600, WHOLE);
			fragment_n(r, version, 1, 800, 1600, have);
			assert_int_equal(fragment(r, version, 1, 0, 800), DECODED_TCP);
			if (have == 800) {
				assert_whole(r);
				continue;
			}
			assert_int_equal(r->seg.payload.n, 800 - 32 + have);
			assert_memory_equal(r->seg.payload.p, whole + 32, 800 - 32 + have);
			assert_int_equal(r->seg.payload.n + r->seg.cut, LENGTH);
			assert_int_equal(decoder_datagram(r->d, &r->pkt).wire_len, WHOLE + (version == 4 ? 20 : 40));
		}
	/* cut within the TCP header */
	fragment_n(r, 4, 1, 0, 800, 15);
	assert_int_equal(fragment(r, 4, 1, 800, WHOLE), DECODED_MALFORMED);
}

static void too_late(void **state)
{
	struct rig *r = *state;
	const uint64_t start = 1000000000;

	r->pkt.ts_ns = start;
	fragment(r, 4, 1, 0, 800);
	r->pkt.ts_ns = start + FRAG_TIMEOUT - 1;
	assert_int_equal(fragment(r, 4, 1, 800, WHOLE), DECODED_TCP);
	assert_int_equal(r->stats.fragments_lost, 0);

	r->pkt.ts_ns = start;
	fragment(r, 4, 1, 0, 800);
	r->pkt.ts_ns = start + FRAG_TIMEOUT;
	assert_int_equal(fragment(r, 4, 1, 800, WHOLE), DECODED_FRAGMENT);
	assert_int_equal(r->stats.fragments_lost, 1);
	r->pkt.ts_ns = start + 2 * FRAG_TIMEOUT; /* any packet is a clock */
	new_ethernet();
	assert_int_equal(rig_decode_all(r, LINKTYPE_ETHERNET), DECODED_TCP);
	assert_int_equal(r->stats.fragments_lost, 2);
	assert_int_equal(pool_used(r->pool), 0);

	r->pkt.ts_ns = UINT64_MAX - 1; /* a time that cannot be passed */
	fragment(r, 4, 1, 0, 800);
	r->pkt.ts_ns = 0;
	assert_int_equal(fragment(r, 4, 1, 800, WHOLE), DECODED_TCP);
}

static void flush_counts(void **state)
{
	struct rig *r = *state;

	fragment(r, 4, 1, 0, 800);
	fragment(r, 4, 1, 1600, 2400);
	fragment(r, 6, 2, 0, 800);
	decoder_flush(r->d);
	assert_int_equal(r->stats.fragments_lost, 3);
	assert_int_equal(pool_used(r->pool), 0);
}

/* The oldest datagram makes room for the next. */
static void too_many_datagrams(void **state)
{
	struct rig *r = *state;

	for (uint32_t id = 0; id < 3 * FRAG_DATAGRAMS; id++)
		fragment(r, 6, id, 0, 800);
	assert_int_equal(r->stats.fragments_lost, 2 * FRAG_DATAGRAMS);
	assert_int_equal(fragment(r, 6, 2 * FRAG_DATAGRAMS, 800, WHOLE), DECODED_TCP);
	assert_whole(r);
	assert_int_equal(fragment(r, 6, 2 * FRAG_DATAGRAMS - 1, 800, WHOLE), DECODED_FRAGMENT);
}

static void too_much_memory(void **state)
{
	struct rig *r = *state;

	for (uint32_t id = 0; id < 200; id++) {
		new_fragment(6, 6, id, 0, slice_of(zeros, 60000), true);
		rig_decode_all(r, LINKTYPE_RAW);
		assert_in_range(pool_used(r->pool), 0, FRAG_MEMORY);
	}
	assert_in_range(r->stats.fragments_lost, 100, 199);
	new_fragment(6, 6, 199, 60000, slice_of(zeros, 8), false); /* the newest is there: whole, though no segment */
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
	new_fragment(6, 6, 0, 60000, slice_of(zeros, 8), false); /* the oldest is not */
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
	assert_int_equal(fragment(r, 4, 1, 0, 800), DECODED_FRAGMENT);
	assert_int_equal(fragment(r, 4, 1, 800, WHOLE), DECODED_TCP);
}

/* So many pieces of one datagram are held, and then it is dropped. */
static void too_many_pieces(void **state)
{
	struct rig *r = *state;
	const uint32_t all = FRAG_PIECES + 5;

	for (uint32_t i = 0; i < all; i++) {
		new_fragment(4, 6, 1, i * 16, slice_of(zeros, 8), true);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
		assert_int_equal(r->stats.fragments_lost, i < FRAG_PIECES ? 0 : i + 1);
	}
}

/* Fragments in a tunnel, and then the tunnel's packets in fragments too. */
static void tunnels(void **state)
{
	struct rig *r = *state;
	uint8_t outer[2][4096];
	size_t n[2];

	for (unsigned i = 0; i < 2; i++) {
		new_fragment(4, 6, 9, i * 1600, slice_of(whole + i * 1600, i ? WHOLE - 1600 : 1600), i == 0);
		PUT("\x20\0\x08\0\0\0\0\x07");
		n[i] = build.n;
		memcpy(outer[i], front(), n[i]);
		put_ip4(47);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), i ? DECODED_TCP : DECODED_FRAGMENT);
	}
	assert_whole(r);
	assert_int_equal(r->seg.tunnel_id, 7);
	for (unsigned i = 0; i < 4; i++) {
		struct slice part = slice_of(outer[i / 2], n[i / 2]);

		part = i % 2 ? slice_from(part, 512) : slice_first(part, 512);
		new_fragment(6, 47, 20 + i / 2, i % 2 * 512, part, i % 2 == 0);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), i == 3 ? DECODED_TCP : DECODED_FRAGMENT);
	}
	assert_whole(r);
	assert_int_equal(r->seg.key.version, 4);
	assert_int_equal(r->seg.tunnel, TUNNEL_GRE);
	assert_int_equal(r->stats.fragments_lost, 0);
	new_ethernet();
	rig_decode_all(r, LINKTYPE_ETHERNET);
	assert_int_equal(pool_used(r->pool), 0);
}

/* A tunnel in fragments, with a segment in it that has its own ends. */
static void tunnel_in_fragments(void **state)
{
	struct rig *r = *state;
	uint8_t data[200];
	size_t n;

	new_ethernet();
	PUT("\x08\0\0\0\0\0\x2a\0");
	put_udp(50000, 4789);
	n = build.n;
	memcpy(data, front(), n);
	new_fragment(4, 17, 1, 0, slice_of(data, 48), true);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
	new_fragment(4, 17, 1, 48, slice_of(data + 48, n - 48), false);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_TCP);
	assert_request(r);
	assert_int_equal(r->seg.reassembled, 1);
	assert_int_equal(r->seg.tunnel, TUNNEL_VXLAN);
}

/* Fragments that cannot end in TCP take no room. */
static void dull_fragments(void **state)
{
	struct rig *r = *state;

	new_fragment(4, 1, 1, 0, slice_of(zeros, 800), true);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_NOT_TCP);
	new_fragment(6, 58, 1, 0, slice_of(zeros, 800), true);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_NOT_TCP);
	assert_int_equal(pool_used(r->pool), 0);
	new_fragment(4, 17, 1, 800, slice_of(zeros, 800), true); /* perhaps */
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
	new_fragment(4, 17, 1, 0, slice_of(zeros, 800), true); /* no */
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_NOT_TCP);
	new_fragment(4, 17, 1, 1600, slice_of(zeros, 400), false);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_NOT_TCP);
	decoder_flush(r->d);
	assert_int_equal(r->stats.fragments, 1);
	assert_int_equal(r->stats.fragments_lost, 0);
	assert_int_equal(r->stats.not_tcp, 4);
}

/* The first fragment's header, whichever came first, with the length and checksum of the whole and without options. */
static void whole_ip4_header(void **state)
{
	struct rig *r = *state;

	for (uint32_t id = 0; id <= UINT16_MAX; id += 31) {
		const uint8_t *h;
		uint32_t sum = 0;

		for (unsigned i = 0; i < 2; i++) {
			struct slice part = i ? slice_of(whole, 800) : slice_of(whole + 800, WHOLE - 800);

			new_fragment(4, 6, id, i ? 0 : 800, part, i);
			memmove(front() - 4, front(), 20);
			build.n += 4;
			memcpy(front() + 20, "\x94\x04\0\0", 4);
			front()[0] = 0x46;
			front()[1] = i ? 0xb8 : 0;
			front()[2] = (uint8_t)(build.n >> 8);
			front()[3] = (uint8_t)build.n;
			memset(front() + 10, 0xc1, 2);
			assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), i ? DECODED_TCP : DECODED_FRAGMENT);
		}
		h = decoder_datagram(r->d, &r->pkt).data.p;
		for (size_t i = 0; i < 20; i += 2)
			sum += (uint32_t)(h[i] << 8 | h[i + 1]);
		sum = (sum & 0xffff) + (sum >> 16);
		assert_int_equal((sum + (sum >> 16)) & 0xffff, 0xffff);
		assert_int_equal(h[0], 0x45);
		assert_int_equal(h[1], 0xb8);
		assert_int_equal(h[2] << 8 | h[3], 20 + WHOLE);
		assert_int_equal(h[4] << 8 | h[5], id);
		assert_int_equal(h[6] << 8 | h[7], 0);
		assert_memory_equal(h + 12, CLIENT4 SERVER4, 8);
	}
}

/* Extension headers are left out too, and the end of a route is its destination. */
static void whole_ip6_header(void **state)
{
	struct rig *r = *state;
	const uint8_t *h;

	for (unsigned i = 0; i < 2; i++) {
		build.n = 0;
		put(whole + (i ? 800 : 0), i ? WHOLE - 800 : 800);
		if (i == 0)
			PUT("\x06\0\x01\x04\0\0\0\0"); /* this one is of the whole */
		put_u32(1);
		put_u16(i ? 808 : 1);
		put_u16(60 << 8);
		PUT("\x2c\x02\x02\x01\0\0\0\0" SERVER6);
		PUT("\x2b\0\x01\x04\0\0\0\0");
		put_ip6(0);
		memset(front() + 24, 0x77, 16);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), i ? DECODED_TCP : DECODED_FRAGMENT);
	}
	assert_memory_equal(r->seg.key.addr[1], SERVER6, 16);
	assert_whole(r);
	h = decoder_datagram(r->d, &r->pkt).data.p;
	assert_int_equal(h[4] << 8 | h[5], 8 + WHOLE);
	assert_int_equal(h[6], 60);
	assert_memory_equal(h + 8, CLIENT6 SERVER6, 32);
}

/* A last fragment of the least offset. */
static void tiny_first_fragment(void **state)
{
	struct rig *r = *state;

	for (unsigned version = 4; version <= 6; version += 2) {
		fragment(r, version, 1, 0, 8);
		assert_int_equal(fragment(r, version, 1, 8, WHOLE), DECODED_TCP);
		assert_whole(r);
	}
}

static void *failing_heap(void *ctx, size_t align, size_t n)
{
	unsigned *left = ctx;

	return *left && (*left)-- ? aligned_alloc(align, n) : NULL;
}

/* However little memory there is, each fragment is joined or counted as lost. */
static void no_memory(void **state)
{
	struct rig *r = *state;

	for (unsigned allocations = 0; allocations < 20; allocations++) {
		unsigned left = 100, found = 0;

		decoder_free(r->d);
		pool_free(r->pool);
		r->pool = pool_new((size_t)16 << 20, failing_heap, &left);
		r->d = decoder_new(r->pool, &r->stats);
		r->stats = (struct stats){0};
		left = allocations;
		for (unsigned i = 0; i < 20; i++) {
			new_fragment(4, 6, i, 0, slice_of(zeros, 60000), true);
			rig_decode_all(r, LINKTYPE_RAW);
			fragment(r, 4, 100 + i, 0, 800);
			found += fragment(r, 4, 100 + i, 800, WHOLE) == DECODED_TCP;
		}
		decoder_flush(r->d);
		assert_int_equal(r->stats.fragments, 60);
		assert_int_equal(r->stats.fragments_lost, 60 - 2 * found);
		assert_int_equal(pool_used(r->pool), 0);
		if (allocations == 0)
			assert_int_equal(found, 0);
		if (allocations == 19)
			assert_int_equal(found, 20);
	}
}

/* The fragments are there, and no room for the whole. */
static void no_memory_to_join(void **state)
{
	struct rig *r = *state;
	unsigned left = 100;

	decoder_free(r->d);
	pool_free(r->pool);
	r->pool = pool_new((size_t)16 << 20, failing_heap, &left);
	r->d = decoder_new(r->pool, &r->stats);
	left = 3; /* slabs: of datagrams, of small pieces, and of the three that follow */
	for (uint32_t id = 0; id < 3; id++) {
		new_fragment(6, 6, id, 0, slice_of(zeros, 60000), true);
		assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
	}
	new_fragment(6, 6, 0, 60000, slice_of(zeros, 8), false);
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_FRAGMENT);
	assert_int_equal(left, 0);
	assert_int_equal(r->stats.fragments, 4);
	assert_int_equal(r->stats.fragments_lost, 2);
	new_fragment(6, 6, 1, 60000, slice_of(zeros, 8), false); /* now there is: whole, though no segment */
	assert_int_equal(rig_decode_all(r, LINKTYPE_RAW), DECODED_MALFORMED);
	assert_int_equal(r->stats.fragments_lost, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(any_order),        UNIT(datagram_lives_until_the_next),
		UNIT(duplicates),       UNIT(overlaps_ip4),
		UNIT(overlaps_ip6),     UNIT(ends_that_disagree),
		UNIT(broken_fragments), UNIT(keys),
		UNIT(cut_fragments),    UNIT(too_late),
		UNIT(flush_counts),     UNIT(too_many_datagrams),
		UNIT(too_much_memory),  UNIT(too_many_pieces),
		UNIT(tunnels),          UNIT(tunnel_in_fragments),
		UNIT(dull_fragments),   UNIT(no_memory),
		UNIT(no_memory_to_join), UNIT(tiny_first_fragment),
		UNIT(whole_ip4_header), UNIT(whole_ip6_header),
	};

	make_whole();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
