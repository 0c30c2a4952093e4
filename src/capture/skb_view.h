/* SPDX-License-Identifier: MIT */
/*
 * The packet as userspace would get it, seen from an skb, in eBPF: loads from it, and whether "no match" may be
 * believed.
 *
 * Behind the gate (tc_gate.h) each packet that is delivered meets the filter again, in userspace. So the gate may
 * let too much pass, but it must not refuse what the filter would take as it is delivered (bpf/capture.bpf.h). Where
 * that differs from the skb:
 *
 *  - A VLAN tag. The kernel keeps the outermost one beside the packet, userspace gets it put back. The view has it
 *    put back too.
 *  - Padding. A TCP packet is delivered up to where IP says that it ends; Ethernet may have padded it. What loads
 *    behind that end finds nothing in userspace, which is "no match", so a refusal here stays right. But "len"
 *    differs: a refusal of a program that asks for it counts only when IP says the same length as the skb.
 *  - Segments. A TCP packet of more than EVENT_SEGMENT bytes is delivered in pieces, each with its headers in front.
 *    What all headers have in common (steady_*() in skb_view.c) may be trusted; a program that loaded anything else
 *    of such a packet, or asked for its length, is not believed when it refuses. A piece is shorter than the whole,
 *    but there the same goes as for padding. The jumbo payload header of IPv6 (BIG TCP) is left out of pieces, so
 *    that all that follows moves: large ones whose IP header says no length are not refused. Nor are those with a
 *    tag: too rare to be worth it.
 *  - What is not TCP is delivered whole, or not at all.
 *
 * At XDP there is no skb yet, and no tag beside it; a tag that the device took off is seen neither here nor there.
 *
 * Where a load fails that should not, or the view knows no better, the packet passes.
 */
#ifndef PERISCO_CAPTURE_SKB_VIEW_H
#define PERISCO_CAPTURE_SKB_VIEW_H

#include <stdbool.h>

#include "capture/ebpf.h"

/* Registers that a program leaves alone. R0 to R5 are lost with each load; R7 and R8 are free to use. */
#define VIEW_SKB BPF_REG_6 /* what the program was called with; at XDP a struct xdp_md */
#define VIEW_LEN BPF_REG_9 /* of the view */

/* So many bytes below the frame pointer are the view's, what lies further down (512 in all) is free to use. */
#define VIEW_STACK  160
#define VIEW_WINDOW 128 /* at most */

enum view_of {
	VIEW_IP,       /* an skb that begins with the IP header */
	VIEW_ETHERNET, /* one with an Ethernet header */
	VIEW_XDP,      /* a packet at XDP, with an Ethernet header; needs Linux 5.18 */
};

struct skb_view {
	struct ebpf *e;
	enum view_of of;
	bool asks_length;      /* the program reads VIEW_LEN */
	bool by_ihl;           /* may change: `by` of the next view_load is the length of the IPv4 header, if it is IPv4 */
	uint32_t window;       /* bytes from the start of the packet that are loaded at fixed offsets */
	uint32_t pass, refuse; /* labels: let it pass; the program says "no match" */
};

/* The beginning of the program, with the skb in R1. The labels are made here, all other members are set before. */
void view_begin(struct skb_view *v);

/*
 * Loads 1, 2 or 4 bytes in network byte order to `dst`, at `at` (less than 2^31), to which register `by` (32 bits) is
 * added when it is not 0. Out of the packet's bounds: goes to `refuse`.
 */
void view_load(struct skb_view *v, int dst, unsigned bytes, uint32_t at, int by);

/* What comes at `refuse`: goes on to the next instruction when "no match" can be believed, else to `pass`. */
void view_refuse(struct skb_view *v);

#endif
