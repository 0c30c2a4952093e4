/* SPDX-License-Identifier: MIT */
/* The nine bytes before each HTTP/2 frame (RFC 9113 section 4.1), and whether nine bytes can be that. */
#ifndef PERISCO_PROTO_H2FRAME_H
#define PERISCO_PROTO_H2FRAME_H

#include "base/slice.h"

#define H2_HEADER 9u
#define H2_PREFACE SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

enum h2_type { H2_DATA, H2_HEADERS, H2_PRIORITY, H2_RST_STREAM, H2_SETTINGS, H2_PUSH_PROMISE, H2_PING, H2_GOAWAY,
	       H2_WINDOW_UPDATE, H2_CONTINUATION };
enum h2_flag { H2_END_STREAM = 0x1, H2_ACK = 0x1, H2_END_HEADERS = 0x4, H2_PADDED = 0x8, H2_PRIO = 0x20 };

struct h2frame {
	uint32_t length;   /* of the payload */
	uint32_t stream;
	uint8_t type, flags;
};

/* `p` has H2_HEADER bytes. */
static inline struct h2frame h2frame_read(const uint8_t *p)
{
	return (struct h2frame){.length = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2], .type = p[3], .flags = p[4],
				.stream = (uint32_t)(p[5] & 0x7f) << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8]};
}

/* Would a sound sender send this? Used only to find frames among unknown bytes. */
bool h2frame_plausible(const uint8_t *p);

/*
 * How many frames follow each other from the begin of `data`: whole ones, and one more whose header is whole but for the
 * payload. *exact: the last one ends where the data ends. 0: no frame begins here.
 */
unsigned h2frame_chain(struct slice data, bool *exact);

#endif
