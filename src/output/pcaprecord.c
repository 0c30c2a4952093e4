/* SPDX-License-Identifier: MIT */
#include "output/pcaprecord.h"

#include "packet/linktype.h"

enum { SNAPLEN = 262144 };

int pcaprecord_header(struct spill *s, uint16_t link)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snaplen, link;
	} header = {0xa1b23c4d, 2, 4, 0, 0, SNAPLEN, link};

	_Static_assert(sizeof header == 24, "as in the file");
	return spill_begin(s, sizeof header, false) ?: spill_put(s, &header, sizeof header);
}

/* Ethernet for a bare IP packet, such as a datagram put together from fragments. */
struct ethernet {
	uint8_t bytes[14];
	uint32_t n; /* 0: none is needed */
};

static struct ethernet ethernet_for(const struct packet *pkt, uint16_t link)
{
	struct ethernet e = {.n = 0};

	if (link != LINKTYPE_ETHERNET || pkt->link != LINKTYPE_RAW || pkt->data.n == 0)
		return e;
	e.n = sizeof e.bytes;
	memcpy(e.bytes + 12, pkt->data.p[0] >> 4 == 6 ? "\x86\xdd" : "\x08\x00", 2);
	return e;
}

bool pcaprecord_fits(const struct packet *pkt, uint16_t link)
{
	return pkt->link == link || ethernet_for(pkt, link).n;
}

int pcaprecord_packet(struct spill *s, uint16_t link, const struct packet *pkt)
{
	const struct ethernet e = ethernet_for(pkt, link);
	const uint64_t seconds = pkt->ts_ns / 1000000000;
	const uint32_t head[4] = {
		seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX,
		(uint32_t)(pkt->ts_ns % 1000000000),
		(uint32_t)pkt->data.n + e.n,
		pkt->wire_len + e.n,
	};

	return spill_begin(s, sizeof head + head[2], true) ?: spill_put(s, head, sizeof head) ?: spill_put(s, e.bytes, e.n) ?:
	       spill_put(s, pkt->data.p, pkt->data.n);
}
