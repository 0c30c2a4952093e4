/* SPDX-License-Identifier: MIT */
/*
 * Packets one after the other: LINKTYPE (2 bytes), captured length (2), what was cut (1), seconds since the one before
 * (1), the bytes. What is decoded must lie in the packet, and a reassembled datagram must decode to the same segment.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "packet/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) ((x) ? (void)0 : abort())

static bool segment_same(const struct segment *a, const struct segment *b)
{
	return memcmp(&a->key, &b->key, sizeof(a->key)) == 0 && a->side == b->side && a->seq == b->seq &&
	       a->ack == b->ack && a->flags == b->flags && a->tsval == b->tsval && a->cut == b->cut &&
	       slice_eq(a->payload, b->payload);
}

static void check_segment(const struct decoder *d, const struct packet *pkt, const struct segment *seg)
{
	struct packet whole = decoder_datagram(d, pkt);
	struct segment again;
	struct stats stats = {0};
	struct decoder *other;

	CHECK(seg->payload.p >= whole.data.p && seg->payload.p + seg->payload.n <= whole.data.p + whole.data.n);
	CHECK(seg->payload.n + seg->cut <= whole.wire_len && seg->side <= 1);
	CHECK(memcmp(seg->key.addr[0], seg->key.addr[1], 16) <= 0 && seg->reassembled == (whole.data.p != pkt->data.p));
	if (!seg->reassembled)
		return;
	other = decoder_new(NULL, &stats);
	CHECK(other && packet_decode(other, &whole, &again) == DECODED_TCP && segment_same(seg, &again));
	decoder_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stats stats = {0};
	struct pool *pool = pool_new((size_t)1 << 20, NULL, NULL);
	struct decoder *d = decoder_new(pool, &stats);
	struct cursor c = cursor_of(slice_of(data, size));
	uint64_t now = 0;

	while (cursor_left(&c) >= 6) {
		uint16_t link = cursor_u16(&c), n = cursor_u16(&c);
		uint8_t cut = cursor_u8(&c);
		uint8_t *copy;
		struct packet pkt = {.ts_ns = now += cursor_u8(&c) * UINT64_C(1000000000), .link = link};
		struct segment seg;

		if (n > cursor_left(&c))
			n = (uint16_t)cursor_left(&c);
		copy = malloc(n ? n : 1);
		memcpy(copy, cursor_take(&c, n), n);
		pkt.data = slice_of(copy, n);
		pkt.wire_len = (uint32_t)n + cut;
		if (packet_decode(d, &pkt, &seg) == DECODED_TCP)
			check_segment(d, &pkt, &seg);
		free(copy);
	}
	decoder_flush(d);
	CHECK(pool_used(pool) == 0 && stats.fragments_lost <= stats.fragments);
	decoder_free(d);
	pool_free(pool);
	return 0;
}
