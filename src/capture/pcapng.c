/* SPDX-License-Identifier: MIT */
#include "capture/pcapng.h"

#include <stdlib.h>

#include "packet/pcapng_blocks.h"

enum { BLOCK_MIN = 12, IFACES_MAX = 1 << 16 };

struct pcapng_iface {
	struct iface iface;
	uint32_t snaplen;    /* 0: no limit */
	uint64_t times, per; /* ns = units * times / per, where per is not 0 */
	uint8_t shift;       /* else ns = units * times >> shift */
	int64_t offset;      /* seconds to be added */
	uint64_t dropped;    /* packets lost since the section began */
};

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

static uint64_t saturated(unsigned __int128 v)
{
	return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

/* Units of the interface's clock to nanoseconds since 1970; what is out of range becomes the nearest that is not. */
static uint64_t iface_ns(const struct pcapng_iface *i, uint64_t units)
{
	unsigned __int128 wide = (unsigned __int128)units * i->times;
	uint64_t ns = saturated(i->per == 1 ? wide : i->per ? wide / i->per : wide >> i->shift);
	unsigned __int128 offset;

	if (!i->offset)
		return ns;
	offset = (unsigned __int128)(i->offset < 0 ? -(uint64_t)i->offset : (uint64_t)i->offset) * 1000000000u;
	if (i->offset > 0)
		return saturated(ns + offset);
	return offset > ns ? 0 : (uint64_t)(ns - offset);
}

/* if_tsresol: units are 10^-n seconds, or 2^-n when the highest bit is set. */
static void iface_resolution(struct pcapng_iface *i, uint8_t resolution)
{
	unsigned n = resolution & 0x7f;

	i->times = 1;
	i->per = 1;
	if (resolution & 0x80) {
		i->times = 1000000000;
		i->per = 0;
		i->shift = (uint8_t)n;
		return;
	}
	for (; n < 9; n++)
		i->times *= 10;
	for (; n > 9 && i->per <= UINT64_MAX / 10; n--)
		i->per *= 10;
	if (n > 9)
		i->times = 0; /* units far below a nanosecond: 2^64 of them are less than one */
}

/* "ifindex=12" and nothing else. */
static bool iface_index(struct slice text, uint32_t *index)
{
	struct slice digits = slice_from(text, sizeof PCAPNG_IFINDEX - 1);
	uint64_t v = 0;

	if (!slice_starts(text, SLICE(PCAPNG_IFINDEX)) || digits.n == 0 || digits.n > 10)
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
		v = v * 10 + (digits.p[i] - '0');
	}
	*index = (uint32_t)v;
	return v <= UINT32_MAX;
}

static void iface_option(const struct pcapng *ng, struct pcapng_iface *i, uint16_t code, struct slice value)
{
	uint32_t index;

	switch (code) {
	case PCAPNG_IF_NAME:
		value = slice_first(value, sizeof i->iface.name - 1);
		memcpy(i->iface.name, value.p, value.n);
		i->iface.name[value.n] = '\0';
		break;
	case PCAPNG_IF_DESCRIPTION:
		if (iface_index(value, &index))
			i->iface.index = index;
		break;
	case PCAPNG_IF_TSRESOL:
		if (value.n >= 1)
			iface_resolution(i, value.p[0]);
		break;
	case PCAPNG_IF_TSOFFSET:
		if (value.n >= 8)
			i->offset = (int64_t)get64(ng, value.p);
		break;
	}
}

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
	*i = (struct pcapng_iface){
		.iface = {.index = (uint32_t)ng->n_ifaces, .link = get16(ng, body.p)},
		.snaplen = get32(ng, body.p + 4),
	};
	iface_resolution(i, 6);
	while (option_next(ng, &options, &code, &value))
		iface_option(ng, i, code, value);
	return PARSED_OTHER;
}

static struct pcapng_iface *iface_at(const struct pcapng *ng, uint32_t id)
{
	return id < ng->n_ifaces ? &ng->ifaces[id] : NULL;
}

/* --- losses --- */

static void lost(struct pcapng *ng, const struct pcapng_iface *i, uint64_t packets, uint64_t ts_ns)
{
	size_t at = 0;

	while (at < ng->n_losses && at < PCAPNG_LOSSES - 1 && ng->losses[at].ifindex != i->iface.index)
		at++;
	if (at == ng->n_losses)
		ng->losses[ng->n_losses++] = (struct loss){.cause = "file", .ifindex = i->iface.index};
	if (ng->losses[at].ifindex != i->iface.index)
		ng->losses[at].ifindex = 0;
	if (__builtin_add_overflow(ng->losses[at].packets, packets, &ng->losses[at].packets))
		ng->losses[at].packets = UINT64_MAX;
	ng->losses[at].ts_ns = ts_ns;
}

/* The interface lost `total` packets since the section began. */
static void dropped_total(struct pcapng *ng, struct pcapng_iface *i, uint64_t total, uint64_t ts_ns)
{
	if (total <= i->dropped)
		return;
	lost(ng, i, total - i->dropped, ts_ns);
	i->dropped = total;
}

static void dropped_more(struct pcapng *ng, struct pcapng_iface *i, uint64_t packets)
{
	uint64_t total;

	if (__builtin_add_overflow(i->dropped, packets, &total))
		total = UINT64_MAX;
	dropped_total(ng, i, total, ng->last_ns);
}

static enum parsed read_statistics(struct pcapng *ng, struct slice body)
{
	struct slice options = slice_from(body, 12), value;
	uint64_t ifdrop = 0, osdrop = 0, units;
	struct pcapng_iface *i;
	uint16_t code;

	if (body.n < 12)
		return broken(ng, "a statistics block that is too short");
	i = iface_at(ng, get32(ng, body.p));
	if (!i)
		return broken(ng, "statistics of an interface that is not described");
	while (option_next(ng, &options, &code, &value))
		if (value.n >= 8 && code == PCAPNG_STATISTICS_IFDROP)
			ifdrop = get64(ng, value.p);
		else if (value.n >= 8 && code == PCAPNG_STATISTICS_OSDROP)
			osdrop = get64(ng, value.p);
	units = get_time(ng, body.p + 4);
	dropped_total(ng, i, saturated((unsigned __int128)ifdrop + osdrop), units ? iface_ns(i, units) : ng->last_ns);
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
	ng->last_ns = iface_ns(i, get_time(ng, at));
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
