/* SPDX-License-Identifier: MIT */
/* Capture at the interfaces of this host: veths by default, new ones as netlink announces them. */
#ifndef PERISCO_CAPTURE_LIVE_H
#define PERISCO_CAPTURE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/source.h"

struct filter;

/*
 * Where packets are taken. AUTO: by TCX where the kernel has it (6.6), else by TC, the filters of a clsact qdisc, and
 * where BPF programs are refused by PACKET, a packet(7) socket. XDP: the way in before the kernel makes an skb of a packet,
 * where that can be had, and all else as AUTO.
 */
enum live_hook { HOOK_AUTO, HOOK_TCX, HOOK_TC, HOOK_XDP, HOOK_PACKET };

#define SNAPLEN_MAX 32768

struct live_config {
	const char *const *patterns; /* names and globs of interfaces, borrowed; none: every veth and netkit */
	size_t n_patterns;
	size_t ring;                 /* bytes of the kernel's buffer, a power of two; 0: 64 MiB, less on a small machine */
	enum live_hook hook;
	struct filter *filter;       /* borrowed; the kernel may refuse what does not match, or not. NULL: none */
	bool whole;                  /* every packet is wanted, and all of it: `elide` has no effect */
	bool last;                   /* of the interfaces that show a connection's begin the last one counts, not the first */
	bool metered;                /* what the programs cost is to be measured, see `spent` of struct source_ops */
	uint32_t snaplen;            /* only the first bytes of each packet, at most SNAPLEN_MAX; 0: all */
	int verbose;                 /* > 0: say what is captured at, and how; else only what cannot be */
	void (*say)(void *ctx, const char *line); /* takes such a line, without a newline; NULL: stderr */
	void *say_ctx;
};

/*
 * Captures at all interfaces that match, and at new ones. What `config` points to is borrowed for the life of the
 * source. Returns NULL with a line in `error` and *err set to a negative errno: -EPERM (no right), -EOPNOTSUPP (the
 * kernel lacks something), -EPFNOSUPPORT (packets of an interface that was named cannot be decoded), -ENODEV (a plain
 * name that does not exist; a glob or the default may match nothing yet), or another one.
 */
struct source *live_open(const struct live_config *config, int *err, char *error, size_t n);

#endif
