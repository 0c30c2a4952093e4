/* SPDX-License-Identifier: MIT */
/* Packets that are written to files in a directory which is to be empty at the end. Of cmocka, which is included before. */
#ifndef PERISCO_TESTS_PCAPWRITE_RIG_H
#define PERISCO_TESTS_PCAPWRITE_RIG_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "empty_dir.h"
#include "output/pcapwrite.h"
#include "packet/linktype.h"

static char error[256];

static inline int enter(void **state)
{
	setenv("TZ", "UTC", 1);
	return make_directory(state) == 0 && chdir(directory) == 0 ? 0 : -1;
}

static inline int leave(void **state)
{
	return chdir("/") == 0 ? remove_directory(state) : -1;
}

static inline struct pcapwrite *open_file(const char *path, struct rotation rotation)
{
	struct pcapwrite *w = pcapwrite_open(&(struct pcapwrite_config){.path = path, .rotation = rotation}, error, sizeof error);

	assert_non_null(w);
	return w;
}

static const struct iface veth = {.index = 7, .link = LINKTYPE_ETHERNET, .name = "veth7"};

/* A packet of `n` bytes in all in a pcap file, whose first four say which it is. */
static inline int put(struct pcapwrite *w, uint32_t which, size_t n, uint64_t ts_ns)
{
	static uint8_t bytes[4096];
	const struct packet p = {.ts_ns = ts_ns, .wire_len = 4096, .link = LINKTYPE_ETHERNET, .iface = &veth,
				 .data = {bytes, n - 16}};

	memcpy(bytes, &which, sizeof which);
	return pcapwrite_packet(w, &(struct brought){.flow_id = which}, &p);
}

#endif
