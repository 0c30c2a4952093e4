/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way in before TC, in the driver of a network card or, for all others, just behind. The programs only look: every
 * packet passes. Only drivers need the one that takes packets in fragments. Elsewhere the kernel makes a copy of the
 * packet for it, and (6.18) forgets how long the MAC header is, so that TC programs behind see no Ethernet.
 */
#include "hook.bpf.h"

#include "capture.bpf.h"

SEC("xdp.frags")
int perisco_native(struct xdp_md *ctx)
{
	capture(ctx, EVENT_IN);
	return XDP_PASS;
}

SEC("xdp")
int perisco_generic(struct xdp_md *ctx)
{
	capture(ctx, EVENT_IN);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
