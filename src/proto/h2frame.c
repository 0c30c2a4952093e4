/* SPDX-License-Identifier: MIT */
#include "proto/h2frame.h"

#define LENGTH_MAX 16384u /* SETTINGS_MAX_FRAME_SIZE where nobody asked for more (RFC 9113 section 6.5.2) */
#define CHAIN_MAX 16u

bool h2frame_plausible(const uint8_t *p)
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

	if (f.type >= sizeof(flags) || (f.flags & ~flags[f.type]) || (p[5] & 0x80) || f.length > LENGTH_MAX)
		return false;
	switch (f.type) {
	case H2_DATA:
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

unsigned h2frame_chain(struct slice data, bool *exact)
{
	unsigned n = 0;

	*exact = false;
	while (data.n >= H2_HEADER && n < CHAIN_MAX) {
		size_t whole;

		if (!h2frame_plausible(data.p))
			return 0;
		n++;
		whole = H2_HEADER + h2frame_read(data.p).length;
		if (data.n <= whole) {
			*exact = data.n == whole;
			break;
		}
		data = slice_from(data, whole);
	}
	return n;
}
