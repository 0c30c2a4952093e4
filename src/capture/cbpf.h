/* SPDX-License-Identifier: MIT */
/* Classic BPF, as libpcap compiles filters to, becomes eBPF for a hook of TC or XDP. */
#ifndef PERISCO_CAPTURE_CBPF_H
#define PERISCO_CAPTURE_CBPF_H

#include <linux/filter.h>

#include "capture/skb_view.h"

/* What the program does in the end: instructions that end with an exit; they find the skb (or xdp_md) in R6. */
struct cbpf_ends {
	const struct ebpf *pass;   /* the packet matches, or may match as it is delivered: see skb_view.h */
	const struct ebpf *refuse; /* it does not */
};

/*
 * Writes the program to `ret`, which is all zeros before and is released by the caller in any case. As libpcap has it,
 * all values are unsigned and of 32 bits, bytes beyond the end of the packet and a division by zero mean "no match";
 * memory, A and X are 0 at first. Needs what Linux 5.15 has, no more, but for VIEW_XDP. 0 or a negative errno, with the
 * reason in *why: -EINVAL for what libpcap does not produce, for what only a socket has (SKF_AD_*) and for loops
 * ("protochain"), -E2BIG, -ENOMEM.
 */
int cbpf_translate(const struct sock_filter *from, size_t n, enum view_of of, const struct cbpf_ends *ends,
		   struct ebpf *ret, const char **why);

#endif
