/* SPDX-License-Identifier: MIT */
#include "capture/pcapfile.h"

enum { FILE_HEADER = 24, MODIFIED_HEADER = 24 };

/* Until version 2.3 the length on the wire came before the captured one; in 2.3 it depends on who wrote the file. */
enum { CAPTURED_FIRST, WIRE_FIRST, EITHER_FIRST };

static const struct variant {
	uint32_t magic, unit, header;
} variants[] = {
	{0xa1b2c3d4, 1000, PCAPFILE_PACKET_HEADER},
	{0xa1b23c4d, 1, PCAPFILE_PACKET_HEADER},
	{0xa1b2cd34, 1000, MODIFIED_HEADER}, /* Linux 2.1's libpcap of A. Kuznetsov: interface, protocol and type follow */
};

static uint32_t get32(const uint8_t *p, bool swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return swapped ? __builtin_bswap32(v) : v;
}

static uint16_t get16(const uint8_t *p, bool swapped)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return swapped ? __builtin_bswap16(v) : v;
}

static const struct variant *variant_find(const uint8_t magic[4], bool *swapped)
{
	for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
		for (int swap = 0; swap < 2; swap++)
			if (get32(magic, swap) == variants[i].magic) {
				*swapped = swap;
				return &variants[i];
			}
	return NULL;
}

bool pcapfile_is(const uint8_t magic[4])
{
	bool swapped;

	return variant_find(magic, &swapped) != NULL;
}

static enum parsed broken(struct pcapfile *f, const char *why)
{
	f->why = why;
	return PARSED_BROKEN;
}

static enum parsed read_header(struct pcapfile *f, struct slice in, size_t *n)
{
	const struct variant *v;
	unsigned major, minor;

	*n = FILE_HEADER;
	if (in.n < FILE_HEADER)
		return PARSED_MORE;
	v = variant_find(in.p, &f->swapped);
	if (!v)
		return broken(f, "no pcap file");
	major = get16(in.p + 4, f->swapped);
	minor = get16(in.p + 6, f->swapped);
	if (!(major == 2 && minor <= 4) && !(major == 543 && minor == 0)) /* 543.0 is that of DG/UX */
		return broken(f, "a version of pcap that is not known");
	f->lengths = major == 543 || minor < 3 ? WIRE_FIRST : minor == 3 ? EITHER_FIRST : CAPTURED_FIRST;
	f->unit = v->unit;
	f->header = v->header;
	f->usual = !f->swapped && f->lengths == CAPTURED_FIRST && f->header == PCAPFILE_PACKET_HEADER;
	f->link = (uint16_t)get32(in.p + 20, f->swapped); /* above are the length of a frame check sequence, and reserved bits */
	return PARSED_OTHER;
}

enum parsed pcapfile_next(struct pcapfile *f, struct slice in, struct packet *ret, size_t *n)
{
	uint32_t captured, wire;

	if (!f->header)
		return read_header(f, in, n);
	*n = f->header;
	if (in.n < f->header)
		return PARSED_MORE;
	captured = get32(in.p + 8, f->swapped);
	wire = get32(in.p + 12, f->swapped);
	if (f->lengths == WIRE_FIRST || (f->lengths == EITHER_FIRST && captured > wire)) {
		uint32_t first = captured;

		captured = wire;
		wire = first;
	}
	if (captured > RECORD_MAX - f->header)
		return broken(f, "a packet of more than 64 MiB");
	*n += captured;
	if (in.n < *n)
		return PARSED_MORE;
	__builtin_prefetch(in.p + *n + 8);
	*ret = (struct packet){
		.ts_ns = get32(in.p, f->swapped) * UINT64_C(1000000000) + get32(in.p + 4, f->swapped) * (uint64_t)f->unit,
		.wire_len = wire > captured ? wire : captured,
		.link = f->link,
		.data = {in.p + f->header, captured},
	};
	return PARSED_PACKET;
}
