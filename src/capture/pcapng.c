/* SPDX-License-Identifier: MIT */
#include "capture/pcapng.h"

#include <stdlib.h>

#include "capture/pcapng_iface.h"
#include "packet/pcapng_blocks.h"

enum { BLOCK_MIN = 12, IFACES_MAX = 1 << 16 };

static uint16_t get16(const struct pcapng *ng, const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return ng->swapped ? __builtin_bswap16(v) : v;
}

static uint32_t get32(const struct pcapng *ng, const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return ng->swapped ? __builtin_bswap32(v) : v;
}

static uint64_t get64(const struct pcapng *ng, const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return ng->swapped ? __builtin_bswap64(v) : v;
}

/* A time stamp: its upper half comes first, whatever the byte order. */
static uint64_t get_time(const struct pcapng *ng, const uint8_t *p)
{
	return (uint64_t)get32(ng, p) << 32 | get32(ng, p + 4);
}

static enum parsed broken(struct pcapng *ng, const char *why)
{
	ng->why = why;
	return PARSED_BROKEN;
}

/* Takes the next option off `in`; false at the end, and where the rest makes no sense. */
static bool option_next(const struct pcapng *ng, struct slice *in, uint16_t *code, struct slice *value)
{
	size_t n;

	if (in->n < 4)
		return false;
	*code = get16(ng, in->p);
	n = get16(ng, in->p + 2);
	if (*code == PCAPNG_END || in->n - 4 < n)
		return false;
	*value = slice_of(in->p + 4, n);
	*in = slice_from(*in, 4 + (n + 3) / 4 * 4);
	return true;
}

/* --- interfaces --- */

static struct pcapng_iface *iface_add(struct pcapng *ng)
{
	if (ng->n_ifaces == ng->room) {
		size_t room = ng->room ? ng->room * 2 : 4;
		struct pcapng_iface *ifaces = room <= IFACES_MAX ? realloc(ng->ifaces, room * sizeof *ifaces) : NULL;

		if (!ifaces)
			return NULL;
		ng->ifaces = ifaces;
		ng->room = room;
	}
	return &ng->ifaces[ng->n_ifaces++];
}

static enum parsed read_interface(struct pcapng *ng, struct slice body)
{
	struct pcapng_iface *i;
	struct slice options = slice_from(body, 8), value;
	uint16_t code;

	if (body.n < 8)
		return broken(ng, "an interface block that is too short");
	i = iface_add(ng);
	if (!i)
		return broken(ng, "more interfaces than can be kept");
	pcapng_iface_init(i, (uint32_t)ng->n_ifaces, get16(ng, body.p), get32(ng, body.p + 4));
	while (option_next(ng, &options, &code, &value))
		pcapng_iface_option(i, code, value, ng->swapped);
	return PARSED_OTHER;
}

static struct pcapng_iface *iface_at(const struct pcapng *ng, uint32_t id)
{
	return id < ng->n_ifaces ? &ng->ifaces[id] : NULL;
}

/* --- losses --- */

/* What an interface lost since the section began. */
struct total {
	uint64_t packets, bytes;
	const char *cause;
};

static uint64_t sum(uint64_t a, uint64_t b)
{
	uint64_t v;

	return __builtin_add_overflow(a, b, &v) ? UINT64_MAX : v;
}

static bool is_loss_of(const struct loss *l, const struct pcapng_iface *i, const char *cause)
{
	return l->ifindex == i->iface.index && l->cause == cause;
}

static void lost(struct pcapng *ng, const struct pcapng_iface *i, struct total more, uint64_t ts_ns)
{
	struct pcapng_loss *l = ng->losses;

	while (l < ng->losses + ng->n_losses && l < ng->losses + PCAPNG_LOSSES - 1 && !is_loss_of(&l->loss, i, more.cause))
		l++;
	if (l == ng->losses + ng->n_losses) {
		ng->n_losses++;
		l->loss = (struct loss){.cause = more.cause, .ifindex = i->iface.index};
		memcpy(l->ifname, i->iface.name, sizeof l->ifname);
	} else if (!is_loss_of(&l->loss, i, more.cause)) {
		l->loss.ifindex = 0;
		l->ifname[0] = '\0';
	}
	l->loss.packets = sum(l->loss.packets, more.packets);
	l->loss.bytes = sum(l->loss.bytes, more.bytes);
	l->loss.ts_ns = ts_ns;
}

/* The counts of an interface stand at `now`, whatever of that was told before. */
static void lost_since(struct pcapng *ng, struct pcapng_iface *i, struct total now, uint64_t ts_ns)
{
	struct total more = {.cause = now.cause};

	if (now.packets <= i->dropped)
		return;
	more.packets = now.packets - i->dropped;
	more.bytes = now.bytes > i->dropped_bytes ? now.bytes - i->dropped_bytes : 0;
	lost(ng, i, more, ts_ns);
	i->dropped = now.packets;
	i->dropped_bytes += more.bytes;
}

static void dropped_more(struct pcapng *ng, struct pcapng_iface *i, uint64_t packets)
{
	lost_since(ng, i, (struct total){sum(i->dropped, packets), 0, "file"}, ng->last_ns);
}

/* A comment that perisco wrote: see PCAPNG_LOST_CAUSE. Any other says nothing. */
static void lost_comment(struct slice text, struct total *t)
{
	static const char *const causes[] = PCAPNG_LOST_CAUSES;
	struct slice rest = slice_from(text, sizeof PCAPNG_LOST_CAUSE - 1), digits;
	uint64_t bytes;

	if (!slice_starts(text, SLICE(PCAPNG_LOST_CAUSE)))
		return;
	for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
		digits = slice_from(rest, strlen(causes[i]));
		if (!slice_starts(rest, slice_str(causes[i])) || !slice_starts(digits, SLICE(PCAPNG_LOST_BYTES)))
			continue;
		if (pcapng_number(slice_from(digits, sizeof PCAPNG_LOST_BYTES - 1), &bytes)) {
			t->bytes = bytes;
			t->cause = causes[i];
		}
	}
}

static enum parsed read_statistics(struct pcapng *ng, struct slice body)
{
	struct slice options = slice_from(body, 12), value;
	struct total total = {.cause = "file"};
	struct pcapng_iface *i;
	uint64_t units;
	uint16_t code;

	if (body.n < 12)
		return broken(ng, "a statistics block that is too short");
	i = iface_at(ng, get32(ng, body.p));
	if (!i)
		return broken(ng, "statistics of an interface that is not described");
	while (option_next(ng, &options, &code, &value))
		if (value.n >= 8 && (code == PCAPNG_STATISTICS_IFDROP || code == PCAPNG_STATISTICS_OSDROP))
			total.packets = sum(total.packets, get64(ng, value.p));
		else if (code == PCAPNG_COMMENT)
			lost_comment(value, &total);
	units = get_time(ng, body.p + 4);
	lost_since(ng, i, total, units ? pcapng_iface_ns(i, units) : ng->last_ns);
	return PARSED_OTHER;
}

/* --- packets --- */

static void packet_option(struct pcapng *ng, struct pcapng_iface *i, struct packet *pkt, uint16_t code, struct slice value)
{
	static const uint8_t directions[4] = {DIRECTION_UNKNOWN, DIRECTION_IN, DIRECTION_OUT, DIRECTION_UNKNOWN};

	if (code == PCAPNG_PACKET_FLAGS && value.n >= 4)
		pkt->dir = directions[get32(ng, value.p) & 3];
	else if (code == PCAPNG_PACKET_DROPCOUNT && value.n >= 8)
		dropped_more(ng, i, get64(ng, value.p));
}

/* Both kinds of packet block end alike: time stamp, lengths, bytes, options. */
static enum parsed read_timed(struct pcapng *ng, struct pcapng_iface *i, const uint8_t *at, struct slice rest, struct packet *ret)
{
	uint32_t captured = get32(ng, at + 8), wire = get32(ng, at + 12);
	struct slice options, value;
	uint16_t code;

	if (!i)
		return broken(ng, "a packet of an interface that is not described");
	if (captured > rest.n)
		return broken(ng, "a packet that is longer than its block");
	ng->last_ns = pcapng_iface_ns(i, get_time(ng, at));
	*ret = (struct packet){
		.ts_ns = ng->last_ns,
		.wire_len = wire > captured ? wire : captured,
		.link = i->iface.link,
		.iface = &i->iface,
		.data = {rest.p, captured},
	};
	options = slice_from(rest, ((size_t)captured + 3) / 4 * 4);
	while (option_next(ng, &options, &code, &value))
		packet_option(ng, i, ret, code, value);
	return PARSED_PACKET;
}

static enum parsed read_packet(struct pcapng *ng, struct slice body, struct packet *ret)
{
	if (body.n < 20)
		return broken(ng, "a packet block that is too short");
	return read_timed(ng, iface_at(ng, get32(ng, body.p)), body.p + 4, slice_from(body, 20), ret);
}

static enum parsed read_old_packet(struct pcapng *ng, struct slice body, struct packet *ret)
{
	struct pcapng_iface *i;
	uint16_t drops;

	if (body.n < 20)
		return broken(ng, "a packet block that is too short");
	i = iface_at(ng, get16(ng, body.p));
	drops = get16(ng, body.p + 2);
	if (i && drops != UINT16_MAX)
		dropped_more(ng, i, drops);
	return read_timed(ng, i, body.p + 4, slice_from(body, 20), ret);
}

/* A packet without a time stamp, of the first interface. */
static enum parsed read_simple_packet(struct pcapng *ng, struct slice body, struct packet *ret)
{
	const struct pcapng_iface *i = iface_at(ng, 0);
	uint32_t wire;

	if (body.n < 4)
		return broken(ng, "a packet block that is too short");
	if (!i)
		return broken(ng, "a packet of an interface that is not described");
	wire = get32(ng, body.p);
	*ret = (struct packet){
		.ts_ns = ng->last_ns,
		.link = i->iface.link,
		.iface = &i->iface,
		.data = slice_first(slice_from(body, 4), i->snaplen && i->snaplen < wire ? i->snaplen : wire),
	};
	ret->wire_len = wire > ret->data.n ? wire : (uint32_t)ret->data.n;
	return PARSED_PACKET;
}

/* --- blocks --- */

/* The byte order is the section's own; interfaces are counted anew. */
static enum parsed read_section(struct pcapng *ng, struct slice body)
{
	if (body.n < 16)
		return broken(ng, "a section header that is too short");
	if (get16(ng, body.p + 4) != 1)
		return broken(ng, "a version of pcapng that is not known");
	ng->in_section = true;
	ng->n_ifaces = 0;
	return PARSED_OTHER;
}

static bool section_order(struct pcapng *ng, const uint8_t *p)
{
	ng->swapped = false;
	if (get32(ng, p) == PCAPNG_BYTE_ORDER)
		return true;
	ng->swapped = true;
	return get32(ng, p) == PCAPNG_BYTE_ORDER;
}

static bool is_read(uint32_t type)
{
	return type == PCAPNG_PACKET || type == PCAPNG_SECTION || type == PCAPNG_INTERFACE || type == PCAPNG_OLD_PACKET ||
	       type == PCAPNG_SIMPLE_PACKET || type == PCAPNG_STATISTICS;
}

static enum parsed read_block(struct pcapng *ng, uint32_t type, struct slice body, struct packet *ret)
{
	switch (type) {
	case PCAPNG_PACKET:
		return read_packet(ng, body, ret);
	case PCAPNG_SECTION:
		return read_section(ng, body);
	case PCAPNG_INTERFACE:
		return read_interface(ng, body);
	case PCAPNG_OLD_PACKET:
		return read_old_packet(ng, body, ret);
	case PCAPNG_SIMPLE_PACKET:
		return read_simple_packet(ng, body, ret);
	default:
		return read_statistics(ng, body);
	}
}

enum parsed pcapng_next(struct pcapng *ng, struct slice in, struct packet *ret, size_t *n)
{
	uint32_t type, length;

	*n = BLOCK_MIN;
	if (in.n < BLOCK_MIN)
		return PARSED_MORE;
	type = get32(ng, in.p);
	if (type == PCAPNG_SECTION && !section_order(ng, in.p + 8))
		return broken(ng, "a section header without its byte-order magic");
	if (type != PCAPNG_SECTION && !ng->in_section)
		return broken(ng, "a block before any section header");
	length = get32(ng, in.p + 4);
	*n = ((size_t)length + 3) / 4 * 4; /* must be a multiple of four; some writers count without the padding */
	if (*n < BLOCK_MIN)
		return broken(ng, "a block that is shorter than its own frame");
	if (!is_read(type))
		return PARSED_OTHER;
	if (*n > RECORD_MAX)
		return broken(ng, "a block of more than 64 MiB");
	if (in.n < *n)
		return PARSED_MORE;
	if (get32(ng, in.p + *n - 4) != length)
		return broken(ng, "a block whose two lengths differ");
	return read_block(ng, type, slice_of(in.p + 8, *n - BLOCK_MIN), ret);
}

bool pcapng_is(const uint8_t magic[4])
{
	return memcmp(magic, "\n\r\r\n", 4) == 0;
}

void pcapng_release(struct pcapng *ng)
{
	free(ng->ifaces);
	ng->ifaces = NULL;
	ng->n_ifaces = ng->room = 0;
}
