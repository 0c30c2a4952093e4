/* SPDX-License-Identifier: MIT */
#include "output/pcapwrite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "output/spill.h"
#include "packet/linktype.h"
#include "packet/pcapng_blocks.h"

enum { SNAPLEN = 262144, PLACE_BUCKETS = 256 };

/* Where packets of one link type were captured, or lost. */
struct place {
	struct place *next;
	struct iface iface;
	int64_t id; /* of the interface in a pcapng file; -1: it is not described there yet */
	uint64_t packets, last_ns;
	struct loss_record lost; /* all together, for the last cause */
};

struct pcapwrite {
	struct spill spill;
	bool ng;
	int32_t link;       /* of a pcap file; -1: not known yet */
	uint32_t ids;       /* interfaces described */
	struct place *last; /* the one used last */
	struct place *places[PLACE_BUCKETS];
	char error[256]; /* of a packet that could not be taken */
};

/* --- places --- */

static bool place_is(const struct place *p, const struct iface *iface, uint16_t link)
{
	return p->iface.index == iface->index && p->iface.link == link && strcmp(p->iface.name, iface->name) == 0;
}

static struct place *place_find(struct pcapwrite *w, const struct iface *iface, uint16_t link)
{
	static const struct iface nowhere;
	struct place **bucket, *p = w->last;

	if (!iface)
		iface = &nowhere;
	if (p && place_is(p, iface, link))
		return p;
	bucket = &w->places[iface->index % PLACE_BUCKETS];
	for (p = *bucket; p && !place_is(p, iface, link); p = p->next)
		;
	if (!p) {
		p = calloc(1, sizeof *p);
		if (!p)
			return NULL;
		*p = (struct place){.next = *bucket, .iface = *iface, .id = -1};
		p->iface.link = link;
		*bucket = p;
	}
	return w->last = p;
}

const struct iface *pcapwrite_iface(struct pcapwrite *w, const struct packet *pkt)
{
	struct place *p = place_find(w, pkt->iface, pkt->link);

	return p ? &p->iface : NULL;
}

/* --- blocks of a pcapng file, in the byte order of this machine --- */

/* A block in the making, or a part of one: small, all but the bytes of a packet. */
struct block {
	uint8_t bytes[256];
	uint32_t n;
};

static void block_u32(struct block *b, uint32_t v)
{
	memcpy(b->bytes + b->n, &v, sizeof v);
	b->n += sizeof v;
}

/* 64 bits, the upper half first: a time stamp. */
static void block_time(struct block *b, uint64_t ns)
{
	block_u32(b, (uint32_t)(ns >> 32));
	block_u32(b, (uint32_t)ns);
}

static uint32_t padded(size_t n)
{
	return (uint32_t)((n + 3) / 4 * 4);
}

static void block_option(struct block *b, uint16_t code, const void *value, size_t n)
{
	uint16_t head[2] = {code, (uint16_t)n};

	memset(b->bytes + b->n, 0, sizeof head + padded(n));
	memcpy(b->bytes + b->n, head, sizeof head);
	memcpy(b->bytes + b->n + sizeof head, value, n);
	b->n += (uint32_t)sizeof head + padded(n);
}

static struct block block_of(enum pcapng_block type)
{
	struct block b;

	b.n = 0;
	block_u32(&b, type);
	block_u32(&b, 0); /* the length, known at the end */
	return b;
}

static int block_write(struct spill *s, struct block *b)
{
	uint32_t total = b->n + 4;

	memcpy(b->bytes + 4, &total, sizeof total);
	block_u32(b, total);
	return spill_begin(s, total) ?: spill_put(s, b->bytes, total);
}

static int write_section(struct spill *s)
{
	static const char application[] = "perisco " PERISCO_VERSION;
	struct block b = block_of(PCAPNG_SECTION);

	block_u32(&b, PCAPNG_BYTE_ORDER);
	block_u32(&b, 1); /* version 1.0: two numbers of 16 bits */
	memcpy(b.bytes + 12, (uint16_t[]){1, 0}, 4);
	block_time(&b, UINT64_MAX); /* the length of the section: not known */
	block_option(&b, PCAPNG_SECTION_APPLICATION, application, sizeof application - 1);
	block_option(&b, PCAPNG_END, "", 0);
	return block_write(s, &b);
}

/* Describes an interface before the file speaks of it for the first time. */
static int write_interface(struct pcapwrite *w, struct place *p)
{
	struct block b = block_of(PCAPNG_INTERFACE);
	char index[32];

	if (p->id >= 0)
		return 0;
	p->id = w->ids++;
	block_u32(&b, 0);
	memcpy(b.bytes + 8, &p->iface.link, sizeof p->iface.link);
	block_u32(&b, 0); /* no snapshot length */
	if (p->iface.name[0])
		block_option(&b, PCAPNG_IF_NAME, p->iface.name, strlen(p->iface.name));
	block_option(&b, PCAPNG_IF_DESCRIPTION, index,
		     (size_t)snprintf(index, sizeof index, PCAPNG_IFINDEX "%u", p->iface.index));
	block_option(&b, PCAPNG_IF_TSRESOL, "\x09", 1); /* nanoseconds */
	block_option(&b, PCAPNG_END, "", 0);
	return block_write(&w->spill, &b);
}

static int write_statistics(struct pcapwrite *w, const struct place *p)
{
	uint64_t received = p->packets + p->lost.packets;
	struct block b = block_of(PCAPNG_STATISTICS);
	char comment[64];

	block_u32(&b, (uint32_t)p->id);
	block_time(&b, p->last_ns);
	if (p->lost.packets)
		block_option(&b, PCAPNG_COMMENT, comment,
			     (size_t)snprintf(comment, sizeof comment, PCAPNG_LOST_CAUSE "%.8s" PCAPNG_LOST_BYTES "%llu",
					      p->lost.cause, (unsigned long long)p->lost.bytes));
	block_option(&b, PCAPNG_STATISTICS_IFRECV, &received, sizeof received);
	block_option(&b, PCAPNG_STATISTICS_IFDROP, &p->lost.packets, sizeof p->lost.packets);
	block_option(&b, PCAPNG_END, "", 0);
	return block_write(&w->spill, &b);
}

static void packet_options(struct block *b, uint64_t flow_id, const struct packet *pkt)
{
	uint32_t flags = pkt->dir == DIRECTION_IN ? 1 : pkt->dir == DIRECTION_OUT ? 2 : 0;
	char comment[32];

	if (flags)
		block_option(b, PCAPNG_PACKET_FLAGS, &flags, sizeof flags);
	if (flow_id)
		block_option(b, PCAPNG_COMMENT, comment,
			     (size_t)snprintf(comment, sizeof comment, "flow_id=%016llx", (unsigned long long)flow_id));
	if (b->n)
		block_option(b, PCAPNG_END, "", 0);
}

static int write_pcapng(struct pcapwrite *w, struct place *p, uint64_t flow_id, const struct packet *pkt)
{
	uint32_t captured = (uint32_t)pkt->data.n, pad = padded(captured) - captured, total;
	struct block head = block_of(PCAPNG_PACKET), tail;
	struct spill *s = &w->spill;
	int err = write_interface(w, p);

	tail.n = 0;
	packet_options(&tail, flow_id, pkt);
	block_u32(&head, (uint32_t)p->id);
	block_time(&head, pkt->ts_ns);
	block_u32(&head, captured);
	block_u32(&head, pkt->wire_len);
	total = head.n + captured + pad + tail.n + 4;
	memcpy(head.bytes + 4, &total, sizeof total);
	block_u32(&tail, total);
	return err ?: spill_begin(s, total) ?: spill_put(s, head.bytes, head.n) ?: spill_put(s, pkt->data.p, captured) ?:
	       spill_put(s, "\0\0\0", pad) ?: spill_put(s, tail.bytes, tail.n);
}

/* --- pcap --- */

static int write_header(struct pcapwrite *w, uint16_t link)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snaplen, link;
	} header = {0xa1b23c4d, 2, 4, 0, 0, SNAPLEN, link};

	_Static_assert(sizeof header == 24, "as in the file");
	w->link = link;
	return spill_begin(&w->spill, sizeof header) ?: spill_put(&w->spill, &header, sizeof header);
}

/* Ethernet for a bare IP packet, such as a datagram put together from fragments. */
struct ethernet {
	uint8_t bytes[14];
	uint32_t n; /* 0: none is needed */
};

static struct ethernet ethernet_for(const struct packet *pkt, int32_t link)
{
	struct ethernet e = {.n = 0};

	if (link != LINKTYPE_ETHERNET || pkt->link != LINKTYPE_RAW || pkt->data.n == 0)
		return e;
	e.n = sizeof e.bytes;
	memcpy(e.bytes + 12, pkt->data.p[0] >> 4 == 6 ? "\x86\xdd" : "\x08\x00", 2);
	return e;
}

static int write_pcap(struct pcapwrite *w, const struct packet *pkt)
{
	int err = w->link < 0 ? write_header(w, pkt->link) : 0;
	const struct ethernet e = ethernet_for(pkt, w->link);
	const uint64_t seconds = pkt->ts_ns / 1000000000;
	const uint32_t head[4] = {
		seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX,
		(uint32_t)(pkt->ts_ns % 1000000000),
		(uint32_t)pkt->data.n + e.n,
		pkt->wire_len + e.n,
	};
	struct spill *s = &w->spill;

	if (!err && pkt->link != w->link && !e.n) {
		snprintf(w->error, sizeof w->error,
			 "a packet of link type %u does not fit into %s, whose link type is %d; name a file that ends in .pcapng",
			 pkt->link, s->name, w->link);
		return -EINVAL;
	}
	return err ?: spill_begin(s, sizeof head + head[2]) ?: spill_put(s, head, sizeof head) ?: spill_put(s, e.bytes, e.n) ?:
	       spill_put(s, pkt->data.p, pkt->data.n);
}

/* --- both --- */

static bool ends_in(const char *path, const char *ending)
{
	size_t n = strlen(path), m = strlen(ending);

	return n >= m && strcmp(path + n - m, ending) == 0;
}

struct pcapwrite *pcapwrite_open(const char *path, char *error, size_t n)
{
	struct pcapwrite *w = calloc(1, sizeof *w);

	if (!w) {
		snprintf(error, n, "out of memory");
		return NULL;
	}
	w->link = -1;
	w->ng = ends_in(path, ".pcapng") || ends_in(path, ".ntar");
	if (spill_open(&w->spill, path) == 0 && (!w->ng || write_section(&w->spill) == 0))
		return w;
	snprintf(error, n, "%s", w->spill.error);
	pcapwrite_close(w);
	return NULL;
}

static int out_of_memory(struct pcapwrite *w)
{
	snprintf(w->error, sizeof w->error, "out of memory for one more interface in %s", w->spill.name);
	return -ENOMEM;
}

int pcapwrite_packet(struct pcapwrite *w, uint64_t flow_id, const struct packet *pkt)
{
	struct place *p;

	if (!w->ng)
		return write_pcap(w, pkt);
	p = place_find(w, pkt->iface, pkt->link);
	if (!p)
		return out_of_memory(w);
	p->packets++;
	p->last_ns = pkt->ts_ns;
	return write_pcapng(w, p, flow_id, pkt);
}

/* The loss is told of the interface, whatever its link type; one without any packet is described for it. */
static struct place *place_of_loss(struct pcapwrite *w, uint32_t index, const char *name)
{
	struct iface iface = {.index = index};
	struct place *p = w->places[index % PLACE_BUCKETS];

	snprintf(iface.name, sizeof iface.name, "%s", name ? name : "");
	while (p && !place_is(p, &iface, p->iface.link))
		p = p->next;
	return p ? p : place_find(w, &iface, w->last ? w->last->iface.link : LINKTYPE_ETHERNET);
}

int pcapwrite_loss(struct pcapwrite *w, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname)
{
	struct place *p;

	if (!w->ng)
		return 0;
	p = place_of_loss(w, ifindex, ifname);
	if (!p)
		return out_of_memory(w);
	p->last_ns = ts_ns;
	p->lost.cause = loss->cause;
	p->lost.packets += loss->packets;
	p->lost.bytes += loss->bytes;
	return write_interface(w, p) ?: write_statistics(w, p);
}

int pcapwrite_flush(struct pcapwrite *w)
{
	return spill_flush(&w->spill);
}

const char *pcapwrite_error(const struct pcapwrite *w)
{
	return w->spill.error[0] ? w->spill.error : w->error;
}

/* What is left to be said, at the end: the statistics of all interfaces, or the header of a pcap file without packets. */
static void write_end(struct pcapwrite *w)
{
	if (!w->ng && w->link < 0)
		write_header(w, LINKTYPE_ETHERNET);
	for (size_t i = 0; i < PLACE_BUCKETS; i++)
		for (struct place *p = w->places[i]; p; p = p->next)
			if (p->id >= 0)
				write_statistics(w, p);
}

int pcapwrite_close(struct pcapwrite *w)
{
	int err;

	if (!w)
		return 0;
	if (w->spill.buf)
		write_end(w);
	err = spill_close(&w->spill);
	for (size_t i = 0; i < PLACE_BUCKETS; i++)
		for (struct place *p = w->places[i], *next; p; p = next) {
			next = p->next;
			free(p);
		}
	free(w);
	return err;
}
