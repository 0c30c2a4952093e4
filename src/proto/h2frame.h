/* SPDX-License-Identifier: MIT */
/* The nine bytes before each HTTP/2 frame (RFC 9113 section 4.1), and whether nine bytes can be that. */
#ifndef PERISCO_PROTO_H2FRAME_H
#define PERISCO_PROTO_H2FRAME_H

#include "base/slice.h"

#define H2_HEADER 9u
#define H2_PREFACE SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
#define H2_FRAME_SIZE 16384u /* SETTINGS_MAX_FRAME_SIZE where nobody asked for more (section 6.5.2) */

enum h2_type { H2_DATA, H2_HEADERS, H2_PRIORITY, H2_RST_STREAM, H2_SETTINGS, H2_PUSH_PROMISE, H2_PING, H2_GOAWAY,
	       H2_WINDOW_UPDATE, H2_CONTINUATION };
enum h2_flag { H2_END_STREAM = 0x1, H2_ACK = 0x1, H2_END_HEADERS = 0x4, H2_PADDED = 0x8, H2_PRIO = 0x20 };
enum h2_setting { H2_SETTINGS_MAX_FRAME_SIZE = 5 };
enum h2_error { H2_NO_ERROR = 0, H2_CANCEL = 8 };

struct h2frame {
	uint32_t length;   /* of the payload */
	uint32_t stream;
	uint8_t type, flags;
};

static inline uint32_t h2_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* `p` has H2_HEADER bytes. */
static inline struct h2frame h2frame_read(const uint8_t *p)
{
	return (struct h2frame){.length = h2_u32(p) >> 8, .type = p[3], .flags = p[4],
				.stream = h2_u32(p + 5) & 0x7fffffff};
}

/*
 * How many bytes stand before the content of this frame and are read as a whole: pad length, priority, promised stream, the
 * fields of RST_STREAM and GOAWAY. At most H2_LEAD_MAX; more than f->length: the frame is malformed.
 */
#define H2_LEAD_MAX 8u
static inline uint8_t h2frame_lead(const struct h2frame *f)
{
	bool padded = f->flags & H2_PADDED;

	switch (f->type) {
	case H2_DATA:
		return padded;
	case H2_HEADERS:
		return (uint8_t)(padded + (f->flags & H2_PRIO ? 5 : 0));
	case H2_PUSH_PROMISE:
		return (uint8_t)(padded + 4);
	case H2_RST_STREAM:
		return 4;
	case H2_GOAWAY:
		return 8;
	default:
		return 0;
	}
}

/* Does it bring part of a header block? */
static inline bool h2frame_is_block(const struct h2frame *f)
{
	return f->type == H2_HEADERS || f->type == H2_CONTINUATION || f->type == H2_PUSH_PROMISE;
}

/* Would a sound sender send this? Used only to find frames among unknown bytes. `max`: no frame is larger. */
bool h2frame_plausible(const uint8_t *p, uint32_t max);

/* Do frames begin here? */
enum h2_chain {
	H2_CHAIN_NO,
	H2_CHAIN_MORE,    /* they may: what would decide it lies behind the data */
	H2_CHAIN_YES,
};

/* `begin`: the data begin where a packet's payload does, as frames tend to. */
enum h2_chain h2frame_chain(struct slice data, bool begin, uint32_t max);

#endif
