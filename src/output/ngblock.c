/* SPDX-License-Identifier: MIT */
#include "output/ngblock.h"

#include <inttypes.h>
#include <stdio.h>

#include "packet/pcapng_blocks.h"

/* A block in the making, or a part of one: all but the bytes of a packet. */
struct block {
	uint32_t n;
	uint8_t bytes[640];
};
#define COMMENT_MAX 24u /* bytes of a comment on a packet, without a NUL */
_Static_assert((2 + BROUGHT_MAX) * (4 + COMMENT_MAX) + 16 <= sizeof(((struct block *)0)->bytes), "all comments fit");

static void put32(struct block *b, uint32_t v)
{
	memcpy(b->bytes + b->n, &v, sizeof v);
	b->n += sizeof v;
}

/* 64 bits, the upper half first: a time stamp. */
static void put_time(struct block *b, uint64_t ns)
{
	put32(b, (uint32_t)(ns >> 32));
	put32(b, (uint32_t)ns);
}

static uint32_t padded(size_t n)
{
	return (uint32_t)((n + 3) / 4 * 4);
}

/* An option, or a record of a name resolution block: both have a code and a length. */
static uint8_t *begin_option(struct block *b, uint16_t code, size_t n)
{
	uint16_t head[2] = {code, (uint16_t)n};
	uint8_t *value = b->bytes + b->n + sizeof head;

	memset(b->bytes + b->n, 0, sizeof head + padded(n));
	memcpy(b->bytes + b->n, head, sizeof head);
	b->n += (uint32_t)sizeof head + padded(n);
	return value;
}

static void put_option(struct block *b, uint16_t code, const void *value, size_t n)
{
	memcpy(begin_option(b, code, n), value, n);
}

static void put_text(struct block *b, uint16_t code, const char *text)
{
	put_option(b, code, text, strlen(text));
}

static void put_time_option(struct block *b, uint16_t code, uint64_t ns)
{
	const uint32_t halves[2] = {(uint32_t)(ns >> 32), (uint32_t)ns};

	put_option(b, code, halves, sizeof halves);
}

static void put_end(struct block *b)
{
	put_option(b, PCAPNG_END, "", 0);
}

static void begin(struct block *b, enum pcapng_block type)
{
	b->n = 0;
	put32(b, type);
	put32(b, 0); /* the length, known at the end */
}

static int block_write(struct spill *s, struct block *b)
{
	uint32_t total = b->n + 4;

	memcpy(b->bytes + 4, &total, sizeof total);
	put32(b, total);
	return spill_begin(s, total, false) ?: spill_put(s, b->bytes, total);
}

int ngblock_section(struct spill *s)
{
	struct block b;

	begin(&b, PCAPNG_SECTION);
	put32(&b, PCAPNG_BYTE_ORDER);
	put32(&b, 1); /* version 1.0: two numbers of 16 bits */
	memcpy(b.bytes + 12, (uint16_t[]){1, 0}, 4);
	put_time(&b, UINT64_MAX); /* the length of the section: not known */
	put_text(&b, PCAPNG_SECTION_APPLICATION, "perisco " PERISCO_VERSION);
	put_end(&b);
	return block_write(s, &b);
}

int ngblock_interface(struct spill *s, const struct iface *iface)
{
	struct block b;
	char index[32];

	begin(&b, PCAPNG_INTERFACE);
	put32(&b, 0);
	memcpy(b.bytes + 8, &iface->link, sizeof iface->link);
	put32(&b, 0); /* no snapshot length */
	if (iface->name[0])
		put_text(&b, PCAPNG_IF_NAME, iface->name);
	snprintf(index, sizeof index, PCAPNG_IFINDEX "%" PRIu32, iface->index);
	put_text(&b, PCAPNG_IF_DESCRIPTION, index);
	put_option(&b, PCAPNG_IF_TSRESOL, "\x09", 1); /* nanoseconds */
	put_end(&b);
	return block_write(s, &b);
}

int ngblock_statistics(struct spill *s, uint32_t interface, const struct ngblock_seen *seen)
{
	uint64_t received = seen->packets + seen->lost.packets;
	char comment[64];
	struct block b;

	begin(&b, PCAPNG_STATISTICS);
	put32(&b, interface);
	put_time(&b, seen->last_ns);
	if (seen->lost.packets) {
		snprintf(comment, sizeof comment, PCAPNG_LOST_CAUSE "%.8s" PCAPNG_LOST_BYTES "%" PRIu64, seen->lost.cause,
			 seen->lost.bytes);
		put_text(&b, PCAPNG_COMMENT, comment);
	}
	if (seen->packets) {
		put_time_option(&b, PCAPNG_STATISTICS_START, seen->first_ns);
		put_time_option(&b, PCAPNG_STATISTICS_END, seen->last_ns);
	}
	put_option(&b, PCAPNG_STATISTICS_IFRECV, &received, sizeof received);
	put_option(&b, PCAPNG_STATISTICS_IFDROP, &seen->lost.packets, sizeof seen->lost.packets);
	put_end(&b);
	return block_write(s, &b);
}

static void put_comments(struct block *b, const struct brought *brought)
{
	char text[COMMENT_MAX + 1];

	snprintf(text, sizeof text, PCAPNG_FLOW_ID "%016" PRIx64, brought->flow_id);
	put_text(b, PCAPNG_COMMENT, text);
	for (uint32_t i = 0; i < brought->n && i < BROUGHT_MAX; i++) {
		snprintf(text, sizeof text, PCAPNG_EXCHANGE "%" PRIu32, brought->exchange[i]);
		put_text(b, PCAPNG_COMMENT, text);
	}
	if (brought->n > BROUGHT_MAX)
		put_text(b, PCAPNG_COMMENT, PCAPNG_EXCHANGE "…");
}

int ngblock_packet(struct spill *s, uint32_t interface, const struct packet *pkt, const struct brought *brought)
{
	uint32_t flags = pkt->dir == DIRECTION_IN ? 1 : pkt->dir == DIRECTION_OUT ? 2 : 0;
	uint32_t captured = (uint32_t)pkt->data.n, pad = padded(captured) - captured, total;
	struct block head, tail;

	tail.n = 0;
	if (flags)
		put_option(&tail, PCAPNG_PACKET_FLAGS, &flags, sizeof flags);
	if (brought && brought->flow_id)
		put_comments(&tail, brought);
	if (tail.n)
		put_end(&tail);
	begin(&head, PCAPNG_PACKET);
	put32(&head, interface);
	put_time(&head, pkt->ts_ns);
	put32(&head, captured);
	put32(&head, pkt->wire_len);
	total = head.n + captured + pad + tail.n + 4;
	memcpy(head.bytes + 4, &total, sizeof total);
	put32(&tail, total);
	return spill_begin(s, total, true) ?: spill_put(s, head.bytes, head.n) ?: spill_put(s, pkt->data.p, captured) ?:
	       spill_put(s, "\0\0\0", pad) ?: spill_put(s, tail.bytes, tail.n);
}

static size_t address_size(unsigned version)
{
	return version == 6 ? 16 : 4;
}

size_t ngblock_name_size(unsigned version, const char *name)
{
	return 3 * 4 + 2 * 4 + padded(address_size(version) + strlen(name) + 1);
}

int ngblock_name(struct spill *s, unsigned version, const uint8_t addr[16], const char *name)
{
	size_t n = strlen(name) + 1, address = address_size(version);
	struct block b;
	uint8_t *value;

	begin(&b, PCAPNG_NAMES);
	value = begin_option(&b, version == 6 ? PCAPNG_NAMES_IPV6 : PCAPNG_NAMES_IPV4, address + n);
	memcpy(value, addr + 16 - address, address);
	memcpy(value + address, name, n);
	put_end(&b); /* of the records; there are no options */
	return block_write(s, &b);
}
