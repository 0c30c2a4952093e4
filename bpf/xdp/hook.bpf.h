/* SPDX-License-Identifier: GPL-2.0 */
/* What the program asks of a packet, at XDP: see bpf/tc/hook.bpf.h. Needs Linux 5.18. */
#ifndef PERISCO_BPF_HOOK_BPF_H
#define PERISCO_BPF_HOOK_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define hook_ctx xdp_md

static __always_inline __u32 hook_ifindex(const struct hook_ctx *ctx)
{
	return ctx->ingress_ifindex;
}

static __always_inline __u32 hook_len(struct hook_ctx *ctx)
{
	return bpf_xdp_get_buff_len(ctx);
}

/* What begins beyond the first 64 KiB cannot be loaded. */
static __always_inline long hook_load(struct hook_ctx *ctx, __u32 at, void *to, __u32 n)
{
	return bpf_xdp_load_bytes(ctx, at, to, n);
}

/* Only attached where packets have an Ethernet header. */
static __always_inline __be16 hook_protocol(const struct hook_ctx *ctx)
{
	return 0;
}

/* A tag that the device took off is not to be seen here. */
static __always_inline int hook_tag(const struct hook_ctx *ctx, __be16 ret[2])
{
	return 0;
}

#endif
