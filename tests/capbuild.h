/* SPDX-License-Identifier: MIT */
/* Capture files in memory, for tests: byte by byte, in either byte order, broken where a test wants it. */
#ifndef PERISCO_TESTS_CAPBUILD_H
#define PERISCO_TESTS_CAPBUILD_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/slice.h"

struct bytes {
	uint8_t p[16384];
	size_t n;
	bool swap; /* in the byte order that this machine has not */
};

static inline void put(struct bytes *b, const void *p, size_t n)
{
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static inline void put8(struct bytes *b, uint8_t v)
{
	put(b, &v, 1);
}

static inline void put16(struct bytes *b, uint16_t v)
{
	v = b->swap ? __builtin_bswap16(v) : v;
	put(b, &v, 2);
}

static inline void put32(struct bytes *b, uint32_t v)
{
	v = b->swap ? __builtin_bswap32(v) : v;
	put(b, &v, 4);
}

static inline void put64(struct bytes *b, uint64_t v)
{
	v = b->swap ? __builtin_bswap64(v) : v;
	put(b, &v, 8);
}

static inline void put_padding(struct bytes *b)
{
	while (b->n % 4)
		put8(b, 0);
}

/* --- pcap --- */

static inline void pcap_header(struct bytes *b, uint32_t magic, uint16_t major, uint16_t minor, uint32_t link)
{
	put32(b, magic);
	put16(b, major);
	put16(b, minor);
	put64(b, 0);
	put32(b, 65535);
	put32(b, link);
}

static inline void pcap_packet(struct bytes *b, uint32_t s, uint32_t fraction, const char *data, uint32_t wire)
{
	put32(b, s);
	put32(b, fraction);
	put32(b, (uint32_t)strlen(data));
	put32(b, wire);
	put(b, data, strlen(data));
}

/* --- pcapng: a block is begun, filled, and ended, which sets its lengths --- */

static inline size_t ng_begin(struct bytes *b, uint32_t type)
{
	put32(b, type);
	put32(b, 0);
	return b->n - 8;
}

static inline void ng_end(struct bytes *b, size_t at)
{
	uint32_t total;

	put_padding(b);
	total = (uint32_t)(b->n + 4 - at);
	put32(b, total);
	memcpy(b->p + at + 4, b->p + b->n - 4, 4);
}

static inline void ng_option(struct bytes *b, uint16_t code, const void *p, size_t n)
{
	put16(b, code);
	put16(b, (uint16_t)n);
	put(b, p, n);
	put_padding(b);
}

static inline void ng_option32(struct bytes *b, uint16_t code, uint32_t v)
{
	v = b->swap ? __builtin_bswap32(v) : v;
	ng_option(b, code, &v, 4);
}

static inline void ng_option64(struct bytes *b, uint16_t code, uint64_t v)
{
	v = b->swap ? __builtin_bswap64(v) : v;
	ng_option(b, code, &v, 8);
}

static inline void ng_section(struct bytes *b)
{
	size_t at = ng_begin(b, 0x0a0d0d0a);

	put32(b, 0x1a2b3c4d);
	put16(b, 1);
	put16(b, 0);
	put64(b, UINT64_MAX);
	ng_end(b, at);
}

/* `resolution` < 0: no such option. `name` and `description` may be NULL. */
static inline void ng_interface(struct bytes *b, uint16_t link, const char *name, const char *description, int resolution,
				int64_t offset)
{
	size_t at = ng_begin(b, 1);
	uint8_t byte = (uint8_t)resolution;

	put16(b, link);
	put16(b, 0);
	put32(b, 100); /* snapshot length */
	if (name)
		ng_option(b, 2, name, strlen(name));
	if (description)
		ng_option(b, 3, description, strlen(description));
	if (resolution >= 0)
		ng_option(b, 9, &byte, 1);
	if (offset)
		ng_option64(b, 14, (uint64_t)offset);
	put32(b, 0);
	ng_end(b, at);
}

/* Leaves the block open for options; see ng_end. */
static inline size_t ng_packet_begin(struct bytes *b, uint32_t id, uint64_t units, const char *data, uint32_t wire)
{
	size_t at = ng_begin(b, 6);

	put32(b, id);
	put32(b, (uint32_t)(units >> 32));
	put32(b, (uint32_t)units);
	put32(b, (uint32_t)strlen(data));
	put32(b, wire);
	put(b, data, strlen(data));
	put_padding(b);
	return at;
}

static inline void ng_packet(struct bytes *b, uint32_t id, uint64_t units, const char *data)
{
	ng_end(b, ng_packet_begin(b, id, units, data, (uint32_t)strlen(data)));
}

/* Counters of an interface since the section began. */
static inline void ng_statistics(struct bytes *b, uint32_t id, uint64_t units, uint64_t ifdrop, uint64_t osdrop)
{
	size_t at = ng_begin(b, 5);

	put32(b, id);
	put32(b, (uint32_t)(units >> 32));
	put32(b, (uint32_t)units);
	ng_option64(b, 5, ifdrop);
	ng_option64(b, 7, osdrop);
	ng_end(b, at);
}

/* --- files without a disk --- */

/* A file with these bytes; its name goes to `path`, its descriptor is returned. */
static inline int memory_file(const void *p, size_t n, char path[64])
{
	int fd = memfd_create("capture", MFD_CLOEXEC);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		abort();
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

#endif
