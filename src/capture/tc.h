/* SPDX-License-Identifier: MIT */
/* The TC hooks of this host's interfaces as a source: veths by default, new ones as netlink announces them. */
#ifndef PERISCO_CAPTURE_TC_H
#define PERISCO_CAPTURE_TC_H

#include "capture/filter.h"
#include "capture/source.h"

/* How the programs are attached. AUTO: by TCX where the kernel has it (6.6), else as filters of a clsact qdisc. */
enum tc_hook { TC_HOOK_AUTO, TC_HOOK_TCX, TC_HOOK_CLSACT };

struct tc_config {
	const char *const *patterns; /* names and globs of interfaces, borrowed; none: every veth and netkit */
	size_t n_patterns;
	struct filter *filter;       /* borrowed; packets that it refuses need not be delivered; NULL: all are wanted */
	size_t ring;                 /* bytes of the ring buffer, a power of two; 0: 64 MiB, less where there is little memory */
	enum tc_hook hook;
	bool whole;                  /* every packet is wanted, and all of it: `elide` has no effect */
	bool last;                   /* of the interfaces that show the begin of a connection the last one counts, not the first */
	uint32_t snaplen;            /* only the first bytes of each packet, at most TC_SNAPLEN_MAX; 0: all */
	int verbose;                 /* > 0: say what is attached, and how; else only what cannot be attached */
	void (*say)(void *ctx, const char *line); /* takes such a line, without a newline; NULL: stderr */
	void *say_ctx;
};

/*
 * Loads the programs, attaches them to all interfaces that match, and follows new ones. Attaching by TCX takes some 10
 * ms each: what takes longer than TC_PATIENCE_MS altogether is done by and by, between polls. Returns NULL with a line
 * in `error` and *err set to a negative errno: -EPERM (no right), -EOPNOTSUPP (a kernel or an interface that lacks
 * something), -ENODEV (a plain name that does not exist; a glob or the default may match nothing yet), or another one.
 */
#define TC_PATIENCE_MS 300
#define TC_SNAPLEN_MAX 32768
struct source *tc_open(const struct tc_config *config, int *err, char *error, size_t n);

/*
 * Interfaces attached now, and what the hooks saw since the start. Exact once the source is stopped and drained: what
 * poll handed over is what was offered minus what was dropped. A packet of more than 32 KiB is handed over as several,
 * and counts as these. Bytes are TCP payload; of packets that are not understood in the kernel (fragments, tunnels),
 * all their bytes.
 */
struct tc_counts {
	uint64_t interfaces;
	uint64_t waiting;                  /* programs that are still to be attached */
	uint64_t failed;                   /* interfaces that a program could not be attached to */
	uint64_t filtered;                 /* packets, of any protocol, that the filter refused in the kernel */
	uint64_t packets, bytes;           /* TCP packets offered to us */
	uint64_t dropped, dropped_bytes;   /* of these, not delivered: the ring was full */
	uint64_t copies, copy_bytes;       /* not offered, because another interface showed them: packets, and their payload */
	uint64_t elided, elided_bytes;     /* not offered, because they were not wanted: packets, and payload of packets */
};
void tc_counts(struct source *s, struct tc_counts *ret);

#endif
