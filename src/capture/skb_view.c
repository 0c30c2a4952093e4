/* SPDX-License-Identifier: MIT */
#include "capture/skb_view.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "event.h"

/* On the stack, from the frame pointer. */
#define WINDOW  (-VIEW_WINDOW - 8)
#define SCRATCH (WINDOW - 8)   /* 4 bytes: what is loaded from elsewhere */
#define TAG     (SCRATCH - 8)  /* 8 bytes: how many bytes of the view are not in the skb, 0 or 4 */
#define LOADED4 (TAG - 8)      /* 1 byte: something was loaded that pieces of an IPv4 packet do not have in common */
#define LOADED6 (LOADED4 + 1)  /* the same for IPv6 */
#define MACS    (2 * ETH_ALEN) /* the tag is behind them */
#define TAGGED  (MACS + 4)
#define IP4     4
#define IP6     6

#define SKB(member) ((int)offsetof(struct __sk_buff, member))

/* Where the byte at this offset is. The stack is accessed aligned, so the IP header, which has the words, is. */
static int place_of(const struct skb_view *v, uint32_t at)
{
	return WINDOW + (v->of != VIEW_IP ? 6 : 8) + (int)at;
}

static int l3_of(const struct skb_view *v)
{
	return v->of != VIEW_IP ? ETH_HLEN : 0;
}

/* Is the byte at this offset from the IPv4 header the same in the whole and in its pieces? Not: length, checksum. */
static bool steady_ip4(int64_t at)
{
	return at < 2 || (at >= 4 && at < 10) || (at >= 12 && at < 20);
}

/* Not: length. If TCP follows at once, its ports come first. */
static bool steady_ip6(int64_t at)
{
	return at < 4 || (at >= 6 && at < 44);
}

/* Not: sequence number, flags. */
static bool steady_tcp(int64_t at)
{
	return (at >= 0 && at < 4) || (at >= 8 && at < 13) || (at >= 14 && at < 20);
}

/* Notes that the program looks at bytes that are not steady. */
static void note_load(struct skb_view *v, unsigned bytes, uint32_t at, int by)
{
	bool ip4 = true, ip6 = true;

	for (unsigned i = 0; i < bytes; i++) {
		int64_t to = (int64_t)at + i - l3_of(v);

		ip4 &= by ? v->by_ihl && steady_tcp(to) : steady_ip4(to);
		ip6 &= !by && steady_ip6(to);
	}
	if (!ip4)
		ebpf_store_imm(v->e, BPF_B, BPF_REG_10, LOADED4, 1);
	if (!ip6)
		ebpf_store_imm(v->e, BPF_B, BPF_REG_10, LOADED6, 1);
}

/* Loads bytes of the packet; the arguments are in place. */
static void call_load(struct skb_view *v)
{
	ebpf_call(v->e, v->of == VIEW_XDP ? BPF_FUNC_xdp_load_bytes : BPF_FUNC_skb_load_bytes);
	ebpf_jump(v->e, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, 0, v->pass);
}

/* Copies from the skb at `from` to the window at `to`, up to its end or the packet's; both begin before. */
static void fill_window(struct skb_view *v, int from, uint32_t to)
{
	struct ebpf *e = v->e;
	int32_t most = (int32_t)(v->window - to);

	ebpf_mov(e, BPF_REG_4, VIEW_LEN);
	ebpf_add(e, BPF_REG_4, -from);
	ebpf_put(e, BPF_JMP | BPF_JSLT | BPF_K, BPF_REG_4, 0, 1, most); /* as 64 bits, which old verifiers understand */
	ebpf_set(e, BPF_REG_4, (uint32_t)most);
	ebpf_jump(e, BPF_JMP | BPF_JSLT | BPF_K, BPF_REG_4, 0, 1, v->pass);
	ebpf_mov(e, BPF_REG_1, VIEW_SKB);
	ebpf_set(e, BPF_REG_2, (uint32_t)from);
	ebpf_stack(e, BPF_REG_3, place_of(v, to));
	call_load(v);
}

/* The window of a packet with a tag beside it: MAC addresses, tag, the rest. */
static void fill_window_tagged(struct skb_view *v)
{
	struct ebpf *e = v->e;

	ebpf_store_imm(e, BPF_DW, BPF_REG_10, TAG, 4);
	ebpf_mov(e, BPF_REG_1, VIEW_SKB);
	ebpf_set(e, BPF_REG_2, 0);
	ebpf_stack(e, BPF_REG_3, place_of(v, 0));
	ebpf_set(e, BPF_REG_4, MACS);
	call_load(v);
	ebpf_load(e, BPF_W, BPF_REG_1, VIEW_SKB, SKB(vlan_proto)); /* in network byte order, the tag is not */
	ebpf_store(e, BPF_H, BPF_REG_10, place_of(v, MACS), BPF_REG_1);
	ebpf_load(e, BPF_W, BPF_REG_1, VIEW_SKB, SKB(vlan_tci));
	ebpf_swap(e, BPF_REG_1, 16);
	ebpf_store(e, BPF_H, BPF_REG_10, place_of(v, MACS + 2), BPF_REG_1);
	fill_window(v, MACS, TAGGED);
	ebpf_add(e, VIEW_LEN, 4);
}

static void load_length(struct skb_view *v)
{
	if (v->of == VIEW_XDP) {
		ebpf_call(v->e, BPF_FUNC_xdp_get_buff_len); /* its context is in R1 still */
		ebpf_put(v->e, BPF_ALU | BPF_MOV | BPF_X, VIEW_LEN, BPF_REG_0, 0, 0);
	} else {
		ebpf_load(v->e, BPF_W, VIEW_LEN, VIEW_SKB, SKB(len));
	}
}

void view_begin(struct skb_view *v)
{
	struct ebpf *e = v->e;
	uint32_t tagged, ready;

	v->pass = ebpf_label(e);
	v->refuse = ebpf_label(e);
	tagged = ebpf_label(e);
	ready = ebpf_label(e);
	/* Whole words, and what view_refuse looks at in any case. */
	v->window = v->window < 24 ? 24 : v->window > VIEW_WINDOW ? VIEW_WINDOW : (v->window + 7) & ~7U;
	ebpf_mov(e, VIEW_SKB, BPF_REG_1);
	for (int at = WINDOW; at < place_of(v, v->window); at += 8)
		ebpf_store_imm(e, BPF_DW, BPF_REG_10, at, 0);
	ebpf_store_imm(e, BPF_DW, BPF_REG_10, TAG, 0);
	ebpf_store_imm(e, BPF_DW, BPF_REG_10, LOADED4, 0);
	load_length(v);
	if (v->of == VIEW_ETHERNET) {
		ebpf_load(e, BPF_W, BPF_REG_1, VIEW_SKB, SKB(vlan_present));
		ebpf_jump(e, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_1, 0, 0, tagged);
	}
	fill_window(v, 0, 0);
	if (v->of == VIEW_ETHERNET) {
		ebpf_goto(e, ready);
		ebpf_here(e, tagged);
		fill_window_tagged(v);
	}
	ebpf_here(e, ready);
}

/* R2, an offset into the view, becomes one into the skb. What reaches into the tag is left to userspace. */
static void leave_tag_out(struct skb_view *v)
{
	struct ebpf *e = v->e;
	uint32_t there;

	if (v->of != VIEW_ETHERNET)
		return;
	there = ebpf_label(e);
	ebpf_load(e, BPF_DW, BPF_REG_1, BPF_REG_10, TAG);
	ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, 0, there);
	ebpf_jump(e, BPF_JMP | BPF_JLT | BPF_K, BPF_REG_2, 0, TAGGED, v->pass);
	ebpf_add(e, BPF_REG_2, -4);
	ebpf_here(e, there);
}

/* Loads to SCRATCH what is not in the window. Sums are of 64 bits, so that none wraps: libpcap has it so, too. */
static void load_outside(struct skb_view *v, unsigned bytes, uint32_t at, int by)
{
	struct ebpf *e = v->e;

	ebpf_set(e, BPF_REG_2, at);
	if (by)
		ebpf_put(e, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_2, by, 0, 0);
	ebpf_mov(e, BPF_REG_1, BPF_REG_2);
	ebpf_add(e, BPF_REG_1, (int32_t)bytes);
	ebpf_jump(e, BPF_JMP | BPF_JGT | BPF_X, BPF_REG_1, VIEW_LEN, 0, v->refuse);
	leave_tag_out(v);
	ebpf_mov(e, BPF_REG_1, VIEW_SKB);
	ebpf_stack(e, BPF_REG_3, SCRATCH);
	ebpf_set(e, BPF_REG_4, bytes);
	call_load(v);
}

static void load_stack(struct ebpf *e, int dst, unsigned bytes, int from)
{
	ebpf_load(e, bytes == 1 ? BPF_B : bytes == 2 ? BPF_H : BPF_W, dst, BPF_REG_10, from);
	if (bytes > 1)
		ebpf_swap(e, dst, (int)bytes * 8);
}

/* Four bytes with the alignment of two: MAC addresses. */
static void load_halves(struct ebpf *e, int dst, int from)
{
	load_stack(e, dst, 2, from);
	load_stack(e, BPF_REG_1, 2, from + 2);
	ebpf_put(e, BPF_ALU | BPF_LSH | BPF_K, dst, 0, 0, 16);
	ebpf_put(e, BPF_ALU | BPF_OR | BPF_X, dst, BPF_REG_1, 0, 0);
}

void view_load(struct skb_view *v, int dst, unsigned bytes, uint32_t at, int by)
{
	int place = place_of(v, at);
	struct ebpf *e = v->e;

	note_load(v, bytes, at, by);
	if (by || at + bytes > v->window || (bytes > 1 && place % 2)) {
		load_outside(v, bytes, at, by);
		load_stack(e, dst, bytes, SCRATCH);
		return;
	}
	ebpf_jump(e, BPF_JMP | BPF_JLT | BPF_K, VIEW_LEN, 0, (int32_t)(at + bytes), v->refuse);
	if (place % (int)bytes)
		load_halves(e, dst, place);
	else
		load_stack(e, dst, bytes, place);
}

/* Goes to `ip4` or `ip6`, if nothing is between the link header and IP, else to `pass`. */
static void branch_by_family(struct skb_view *v, uint32_t ip4, uint32_t ip6)
{
	struct ebpf *e = v->e;

	if (v->of != VIEW_IP) {
		ebpf_load(e, BPF_H, BPF_REG_1, BPF_REG_10, place_of(v, MACS));
		ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, htons(ETH_P_IP), ip4);
		ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, htons(ETH_P_IPV6), ip6);
	} else {
		ebpf_load(e, BPF_B, BPF_REG_1, BPF_REG_10, place_of(v, 0));
		ebpf_put(e, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_1, 0, 0, 4);
		ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, IP4, ip4);
		ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, IP6, ip6);
	}
	ebpf_goto(e, v->pass);
}

/* Goes to `pass` when the length that IP says, at `at`, with `more` in front of what it counts, is not the view's. */
static void compare_length(struct skb_view *v, int at, int more)
{
	struct ebpf *e = v->e;

	ebpf_load(e, BPF_H, BPF_REG_1, BPF_REG_10, place_of(v, (uint32_t)at));
	ebpf_swap(e, BPF_REG_1, 16);
	ebpf_add(e, BPF_REG_1, more);
	ebpf_jump(e, BPF_JMP | BPF_JNE | BPF_X, BPF_REG_1, VIEW_LEN, 0, v->pass);
}

static void believe_if_exact(struct skb_view *v, uint32_t sure)
{
	struct ebpf *e = v->e;
	uint32_t ip4 = ebpf_label(e), ip6 = ebpf_label(e);
	int l3 = l3_of(v);

	ebpf_jump(e, BPF_JMP | BPF_JGT | BPF_K, VIEW_LEN, 0, EVENT_SEGMENT, v->pass);
	branch_by_family(v, ip4, ip6);
	ebpf_here(e, ip4);
	compare_length(v, l3 + 2, l3);
	ebpf_goto(e, sure);
	ebpf_here(e, ip6);
	compare_length(v, l3 + 4, l3 + 40);
}

static void believe_if_steady(struct skb_view *v, uint32_t sure)
{
	struct ebpf *e = v->e;
	uint32_t ip4 = ebpf_label(e), ip6 = ebpf_label(e);

	ebpf_jump(e, BPF_JMP | BPF_JLE | BPF_K, VIEW_LEN, 0, EVENT_SEGMENT, sure);
	branch_by_family(v, ip4, ip6);
	ebpf_here(e, ip4);
	ebpf_load(e, BPF_B, BPF_REG_1, BPF_REG_10, LOADED4);
	ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, 0, sure);
	ebpf_goto(e, v->pass);
	ebpf_here(e, ip6);
	ebpf_load(e, BPF_H, BPF_REG_1, BPF_REG_10, place_of(v, (uint32_t)l3_of(v) + 4));
	ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, 0, v->pass);
	ebpf_load(e, BPF_B, BPF_REG_1, BPF_REG_10, LOADED6);
	ebpf_jump(e, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_1, 0, 0, v->pass);
}

void view_refuse(struct skb_view *v)
{
	uint32_t sure = ebpf_label(v->e);

	ebpf_here(v->e, v->refuse);
	if (v->asks_length)
		believe_if_exact(v, sure);
	else
		believe_if_steady(v, sure);
	ebpf_here(v->e, sure);
}
