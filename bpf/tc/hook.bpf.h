/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs ask of a packet, at a TC hook. bpf/xdp/hook.bpf.h is the same for XDP. */
#ifndef PERISCO_BPF_HOOK_BPF_H
#define PERISCO_BPF_HOOK_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define hook_ctx __sk_buff

static __always_inline __u32 hook_ifindex(const struct hook_ctx *ctx)
{
	return ctx->ifindex;
}

/* All bytes of the packet, wherever they are. */
static __always_inline __u32 hook_len(struct hook_ctx *ctx)
{
	return ctx->len;
}

static __always_inline long hook_load(struct hook_ctx *ctx, __u32 at, void *to, __u32 n)
{
	return bpf_skb_load_bytes(ctx, at, to, n);
}

/* The EtherType of a packet that has no Ethernet header. */
static __always_inline __be16 hook_protocol(const struct hook_ctx *ctx)
{
	return ctx->protocol;
}

/* Is there a VLAN tag that is not in the packet, but beside it? What belongs there: its protocol, its value. */
static __always_inline int hook_tag(const struct hook_ctx *ctx, __be16 ret[2])
{
	ret[0] = ctx->vlan_proto;
	ret[1] = bpf_htons(ctx->vlan_tci);
	return ctx->vlan_present;
}

#endif
