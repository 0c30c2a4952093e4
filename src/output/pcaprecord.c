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

/* What goes before a bare IP packet, such as a datagram put together from fragments: nothing but the type of protocol is known. */
struct made {
	uint8_t bytes[20];
	uint32_t n; /* 0: none is needed, or can be made */
};

static struct made header_for(const struct packet *pkt, uint16_t link)
{
	static const struct {
		uint16_t link;
		uint8_t n, type_at;
	} kinds[] = {{LINKTYPE_ETHERNET, 14, 12}, {LINKTYPE_LINUX_SLL, 16, 14}, {LINKTYPE_LINUX_SLL2, 20, 0}};
	struct made ret = {.n = 0};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (link == kinds[i].link && pkt->link == LINKTYPE_RAW && pkt->data.n > 0) {
			ret.n = kinds[i].n;
			memcpy(ret.bytes + kinds[i].type_at, pkt->data.p[0] >> 4 == 6 ? "\x86\xdd" : "\x08\x00", 2);
		}
	return ret;
}

/* Is it what the link type stands for, by another name? */
static bool is_bare_ip(const struct packet *pkt, uint16_t link)
{
	return pkt->link == LINKTYPE_RAW && pkt->data.n > 0 &&
	       (link == LINKTYPE_DLT_RAW || link == LINKTYPE_DLT_RAW_OPENBSD ||
		link == (pkt->data.p[0] >> 4 == 6 ? LINKTYPE_IPV6 : LINKTYPE_IPV4));
}

bool pcaprecord_fits(const struct packet *pkt, uint16_t link)
{
	return pkt->link == link || is_bare_ip(pkt, link) || header_for(pkt, link).n;
}

int pcaprecord_packet(struct spill *s, uint16_t link, const struct packet *pkt)
{
	const struct made made = header_for(pkt, link);
	const uint64_t seconds = pkt->ts_ns / 1000000000;
	const uint32_t head[4] = {
		seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX,
		(uint32_t)(pkt->ts_ns % 1000000000),
		(uint32_t)pkt->data.n + made.n,
		pkt->wire_len + made.n,
	};

	return spill_begin(s, sizeof head + head[2], true) ?: spill_put(s, head, sizeof head) ?: spill_put(s, made.bytes, made.n) ?:
	       spill_put(s, pkt->data.p, pkt->data.n);
}
