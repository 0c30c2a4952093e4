/* SPDX-License-Identifier: MIT */
#include "proto/h2frame.h"

bool h2frame_plausible(const uint8_t *p, uint32_t max)
{
	static const uint8_t flags[] = {
		[H2_DATA] = H2_END_STREAM | H2_PADDED,
		[H2_HEADERS] = H2_END_STREAM | H2_END_HEADERS | H2_PADDED | H2_PRIO,
		[H2_PRIORITY] = 0,
		[H2_RST_STREAM] = 0,
		[H2_SETTINGS] = H2_ACK,
		[H2_PUSH_PROMISE] = H2_END_HEADERS | H2_PADDED,
		[H2_PING] = H2_ACK,
		[H2_GOAWAY] = 0,
		[H2_WINDOW_UPDATE] = 0,
		[H2_CONTINUATION] = H2_END_HEADERS,
	};
	struct h2frame f = h2frame_read(p);

	if (f.type >= sizeof(flags) || (f.flags & ~flags[f.type]) || (p[5] & 0x80) || f.length > max)
		return false;
	switch (f.type) {
	case H2_DATA:
		return f.stream && (f.length || f.flags);
	case H2_CONTINUATION:
		return f.stream;
	case H2_HEADERS:
		return (f.stream & 1) && f.length;
	case H2_PUSH_PROMISE:
		return f.stream && f.length > 4;
	case H2_PRIORITY:
		return f.stream && f.length == 5;
	case H2_RST_STREAM:
		return f.stream && f.length == 4;
	case H2_SETTINGS:
		return !f.stream && f.length % 6 == 0 && f.length <= 600 && !(f.flags && f.length);
	case H2_PING:
		return !f.stream && f.length == 8;
	case H2_GOAWAY:
		return !f.stream && f.length >= 8;
	default:
		return f.length == 4;
	}
}

/*
 * Two frames that follow each other are no accident, unless both are DATA of different streams: tables of numbers look so.
 * Nor is one, other than DATA, that fills a packet from its begin to its end.
 */
enum h2_chain h2frame_chain(struct slice data, bool begin, uint32_t max)
{
	struct h2frame first, next;
	size_t whole;

	if (data.n < H2_HEADER)
		return H2_CHAIN_MORE;
	if (!h2frame_plausible(data.p, max))
		return H2_CHAIN_NO;
	first = h2frame_read(data.p);
	whole = H2_HEADER + first.length;
	if (data.n == whole && begin && first.type != H2_DATA)
		return H2_CHAIN_YES;
	if (data.n < whole + H2_HEADER)
		return H2_CHAIN_MORE;
	if (!h2frame_plausible(data.p + whole, max))
		return H2_CHAIN_NO;
	next = h2frame_read(data.p + whole);
	if (first.type != H2_DATA || next.type != H2_DATA || first.stream == next.stream)
		return H2_CHAIN_YES;
	return h2frame_chain(slice_from(data, whole), false, max);
}
