/* SPDX-License-Identifier: MIT */
#include "capture/pcapng_iface.h"

#include "packet/pcapng_blocks.h"

static uint64_t saturated(unsigned __int128 v)
{
	return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

uint64_t pcapng_iface_ns(const struct pcapng_iface *i, uint64_t units)
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

void pcapng_iface_init(struct pcapng_iface *i, uint32_t place, uint16_t link, uint32_t snaplen)
{
	*i = (struct pcapng_iface){.iface = {.index = place, .link = link}, .snaplen = snaplen};
	iface_resolution(i, 6);
}

bool pcapng_number(struct slice digits, uint64_t *ret)
{
	*ret = 0;
	if (digits.n == 0 || digits.n > 19)
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
		*ret = *ret * 10 + (digits.p[i] - '0');
	}
	return true;
}

/* "ifindex=12" and nothing else. */
static bool iface_index(struct slice text, uint64_t *index)
{
	return slice_starts(text, SLICE(PCAPNG_IFINDEX)) && pcapng_number(slice_from(text, sizeof PCAPNG_IFINDEX - 1), index) &&
	       *index <= UINT32_MAX;
}

static int64_t iface_offset(const uint8_t *p, bool swapped)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return (int64_t)(swapped ? __builtin_bswap64(v) : v);
}

void pcapng_iface_option(struct pcapng_iface *i, uint16_t code, struct slice value, bool swapped)
{
	uint64_t index;

	switch (code) {
	case PCAPNG_IF_NAME:
		value = slice_first(value, sizeof i->iface.name - 1);
		memcpy(i->iface.name, value.p, value.n);
		i->iface.name[value.n] = '\0';
		break;
	case PCAPNG_IF_DESCRIPTION:
		if (iface_index(value, &index))
			i->iface.index = (uint32_t)index;
		break;
	case PCAPNG_IF_TSRESOL:
		if (value.n >= 1)
			iface_resolution(i, value.p[0]);
		break;
	case PCAPNG_IF_TSOFFSET:
		if (value.n >= 8)
			i->offset = iface_offset(value.p, swapped);
		break;
	}
}
