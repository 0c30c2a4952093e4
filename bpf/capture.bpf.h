/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a packet to events in the ring buffer: find TCP, copy the packet, count what did not fit. Nothing here needs more
 * than Linux 5.15: no bpf_loop, no dynptr, lengths clamped by masks (older verifiers learn nothing from `n == 0`). What
 * the hooks have each in its own way is in hook.bpf.h, which comes first: the skb may well be a struct xdp_md.
 */
#ifndef PERISCO_BPF_CAPTURE_BPF_H
#define PERISCO_BPF_CAPTURE_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "opaque.h"

#define NULL ((void *)0)

#define SMALL     2048 /* up to here events are copied twice, and take exactly the room they need */
#define HEAD_MAX  128  /* link and IP header of a packet that is to be cut in segments */
#define TCP_MAX   64
#define SLACK     (HEAD_MAX + TCP_MAX)
#define SEGMENTS  20   /* BIG TCP: 8 * 65535 bytes at most */
#define VLAN_TAGS 2    /* in line; one more may be out of band */
#define EXTENSIONS 6

enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_PSH = 0x08, TCP_ACK = 0x10, TCP_CWR = 0x80 };

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 20);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct tally);
} tallies SEC(".maps");

struct small {
	__u64 event[(sizeof(struct event) + SMALL + SLACK) / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct small);
} scratch SEC(".maps");

struct shared shared;

enum verdict { NOT_TCP, OPAQUE /* may hold TCP; userspace decodes it */, SEGMENT };

/* Where things are in the packet, and what emit() shall copy of it. */
struct cut {
	__u64 boot_ns;
	__u32 l3, l4;        /* offsets of the IP and the TCP header; a jumbo payload header ends where l4 begins */
	__u32 payload, end;  /* offsets of the TCP payload and behind it */
	__u32 from, n;       /* emit [from, from + n) behind the headers; from == 0: the packet's first n bytes */
	__u32 seq, ack;
	__u32 len;           /* of the packet */
	__u8 dir, flags;     /* as in struct event */
	__u8 ipv6, jumbo;
	__u8 tcp_flags;
	__u8 big;            /* userspace should have its say soon */
	__u8 pad[6];
};

/* The header of type `type` at offset `at`, or NULL: when it is not in the linear part. */
#define HEADER(skb, type, at)                                                                                    \
	({                                                                                                       \
		type *h_ = (void *)(long)(skb)->data + (at);                                                     \
		(void *)(h_ + 1) <= (void *)(long)(skb)->data_end ? h_ : NULL;                                   \
	})

static __always_inline enum verdict parse_tcp(struct hook_ctx *skb, struct cut *c, struct half_key *k)
{
	struct tcphdr *tcp = HEADER(skb, struct tcphdr, c->l4);

	if (!tcp || tcp->doff < 5)
		return OPAQUE;
	c->payload = c->l4 + tcp->doff * 4;
	k->sport = tcp->source;
	k->dport = tcp->dest;
	c->seq = bpf_ntohl(tcp->seq);
	c->ack = bpf_ntohl(tcp->ack_seq);
	c->tcp_flags = ((__u8 *)tcp)[13];
	return c->payload <= c->end && c->end <= c->len ? SEGMENT : OPAQUE;
}

struct vlan_tag {
	__be16 tci, proto;
};

static __always_inline int is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

#define CASE(n) case n:

static __always_inline enum verdict verdict_of_port(__be16 port)
{
	switch (bpf_ntohs(port)) {
		OPAQUE_UDP_PORTS(CASE)
		return OPAQUE;
	default:
		return NOT_TCP;
	}
}

static __always_inline enum verdict verdict_of_protocol(__u8 protocol)
{
	switch (protocol) {
		OPAQUE_PROTOCOLS(CASE)
		return OPAQUE;
	default:
		return NOT_TCP;
	}
}

static __always_inline enum verdict verdict_of_ethertype(__be16 type)
{
	switch (bpf_ntohs(type)) {
		OPAQUE_ETHERTYPES(CASE)
		return OPAQUE;
	default:
		return is_vlan(type) ? OPAQUE : NOT_TCP; /* one tag too many */
	}
}

/* A protocol that is not TCP, with its header at `at`. */
static __always_inline enum verdict parse_other(struct hook_ctx *skb, __u8 protocol, __u32 at)
{
	struct udphdr *udp;

	if (protocol != IPPROTO_UDP)
		return verdict_of_protocol(protocol);
	udp = HEADER(skb, struct udphdr, at);
	return udp && verdict_of_port(udp->dest) == NOT_TCP ? verdict_of_port(udp->source) : OPAQUE;
}

static __always_inline enum verdict parse_ipv4(struct hook_ctx *skb, struct cut *c, struct half_key *k)
{
	struct iphdr *ip = HEADER(skb, struct iphdr, c->l3);

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return OPAQUE;
	if (ip->frag_off & bpf_htons(0x3fff))
		return ip->protocol == IPPROTO_TCP ? OPAQUE : verdict_of_protocol(ip->protocol);
	c->l4 = c->l3 + ip->ihl * 4;
	if (ip->protocol != IPPROTO_TCP)
		return parse_other(skb, ip->protocol, c->l4);
	k->src[10] = k->src[11] = k->dst[10] = k->dst[11] = 0xff;
	__builtin_memcpy(k->src + 12, &ip->saddr, 4);
	__builtin_memcpy(k->dst + 12, &ip->daddr, 4);
	c->end = ip->tot_len ? c->l3 + bpf_ntohs(ip->tot_len) : c->len;
	return parse_tcp(skb, c, k);
}

static __always_inline enum verdict parse_ipv6(struct hook_ctx *skb, struct cut *c, struct half_key *k)
{
	struct ipv6hdr *ip = HEADER(skb, struct ipv6hdr, c->l3);
	struct ipv6_opt_hdr *ext;
	__u8 next;

	if (!ip || ip->version != 6)
		return OPAQUE;
	__builtin_memcpy(k->src, &ip->saddr, 16);
	__builtin_memcpy(k->dst, &ip->daddr, 16);
	c->ipv6 = 1;
	c->l4 = c->l3 + sizeof(*ip);
	c->end = ip->payload_len ? c->l4 + bpf_ntohs(ip->payload_len) : c->len;
	next = ip->nexthdr;
	for (int i = 0; i < EXTENSIONS && next != IPPROTO_TCP; i++) {
		if (next == IPPROTO_FRAGMENT)
			return OPAQUE;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			return parse_other(skb, next, c->l4);
		ext = HEADER(skb, struct ipv6_opt_hdr, c->l4);
		if (!ext)
			return OPAQUE;
		c->jumbo = i == 0 && next == IPPROTO_HOPOPTS && !ip->payload_len && !ext->hdrlen &&
			   ext->nexthdr == IPPROTO_TCP;
		next = ext->nexthdr;
		c->l4 += (ext->hdrlen + 1) * 8;
	}
	return next == IPPROTO_TCP ? parse_tcp(skb, c, k) : OPAQUE;
}

static __always_inline enum verdict parse(struct hook_ctx *skb, struct cut *c, struct half_key *k)
{
	struct ethhdr *eth = HEADER(skb, struct ethhdr, 0);
	__be16 proto = hook_protocol(skb);
	struct vlan_tag *tag;

	if (!(c->flags & EVENT_L3)) {
		if (!eth)
			return OPAQUE;
		proto = eth->h_proto;
		c->l3 = sizeof(*eth);
		for (int i = 0; i < VLAN_TAGS && is_vlan(proto); i++) {
			tag = HEADER(skb, struct vlan_tag, c->l3);
			if (!tag)
				return OPAQUE;
			proto = tag->proto;
			c->l3 += sizeof(*tag);
		}
	}
	if (proto == bpf_htons(ETH_P_IP))
		return parse_ipv4(skb, c, k);
	if (proto == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(skb, c, k);
	return verdict_of_ethertype(proto);
}

/* RFC 1624, equation 3: the header checksum after one 16-bit word changed. */
static __always_inline __u16 checksum_update(__u16 sum, __u16 from, __u16 to)
{
	__u32 s = (__u16)~sum + (__u32)(__u16)~from + to;

	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return ~s;
}

/* `n` made 1..max in a way that every verifier understands; max is a power of two, n is not 0. */
static __always_inline __u32 clamp(__u32 n, __u32 max)
{
	n = (n - 1) & (max - 1);
	barrier_var(n);
	return n + 1;
}

/* Makes a packet of its own of a segment, as segmentation offload would: lengths, checksum, sequence number, flags. */
static __always_inline void patch(const struct cut *c, __u8 *frame, __u32 head, __u32 total)
{
	__u8 *ip = frame + (c->l3 & (HEAD_MAX - 1)), *tcp = frame + head;
	__u16 len = bpf_htons(total - c->l3), *sum = (void *)(ip + 10);

	if (c->ipv6) {
		*(__be16 *)(ip + 4) = bpf_htons(total - c->l3 - sizeof(struct ipv6hdr));
		if (c->jumbo)
			ip[6] = IPPROTO_TCP;
	} else {
		*sum = checksum_update(*sum, *(__u16 *)(ip + 2), len);
		*(__u16 *)(ip + 2) = len;
	}
	*(__be32 *)(tcp + 4) = bpf_htonl(bpf_ntohl(*(__be32 *)(tcp + 4)) + c->from - c->payload);
	if (c->from + c->n != c->end)
		tcp[13] &= ~(TCP_FIN | TCP_PSH); /* the last one only */
	if (c->from != c->payload)
		tcp[13] &= ~TCP_CWR; /* the first one only */
}

/* Puts the VLAN tag that the kernel keeps out of band where it was on the wire. */
static __always_inline void put_tag_back(struct event *e, const __be16 tag[2])
{
	__u32 *to = (void *)e->tag, *from = (void *)e->frame;

	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	*(__be16 *)(e->frame + 8) = tag[0];
	*(__be16 *)(e->frame + 10) = tag[1];
	e->flags |= EVENT_TAGGED;
	e->wire_len += 4;
	e->cap_len += 4;
}

enum { SENT = -1 }; /* or an enum lost */

/* Copies what `c` says behind `e`, which has room for `max` + SLACK bytes. Returns the event's size, or 0. */
static __always_inline __u32 fill(struct hook_ctx *skb, const struct cut *c, struct event *e, __u32 max)
{
	__u32 n = clamp(c->n, max), head, tcp, total = n;
	__be16 tag[2];
	long err;

	if (c->from) {
		head = clamp(c->jumbo ? c->l4 - 8 : c->l4, HEAD_MAX);
		tcp = clamp(c->payload - c->l4, TCP_MAX);
		total = head + tcp + n;
		err = hook_load(skb, 0, e->frame, head);
		err |= hook_load(skb, c->l4, e->frame + head, tcp);
		err |= hook_load(skb, c->from, e->frame + head + tcp, n);
		patch(c, e->frame, head, total);
	} else {
		err = hook_load(skb, 0, e->frame, n);
	}
	e->boot_ns = c->boot_ns;
	e->ifindex = hook_ifindex(skb);
	e->cap_len = total;
	e->wire_len = c->from ? total : c->end;
	e->dir = c->dir;
	e->flags = c->flags;
	e->pad = 0;
	if (!(c->flags & EVENT_L3) && hook_tag(skb, tag))
		put_tag_back(e, tag);
	return err ? 0 : sizeof(*e) - 4 + total;
}

/* An event of exactly the size it needs, for the price of a second copy. */
static __always_inline int emit_small(struct hook_ctx *skb, const struct cut *c)
{
	__u32 zero = 0, size;
	struct event *e = bpf_map_lookup_elem(&scratch, &zero);

	if (!e)
		return LOST_COPY;
	size = fill(skb, c, e, SMALL);
	if (!size)
		return LOST_COPY;
	return bpf_ringbuf_output(&ring, e, size, BPF_RB_NO_WAKEUP) ? LOST_RING : SENT;
}

/* An event of up to `max` bytes: the verifier wants the size of a reservation to be a constant. */
static __always_inline int emit_class(struct hook_ctx *skb, const struct cut *c, const __u32 max)
{
	struct event *e = bpf_ringbuf_reserve(&ring, sizeof(*e) + SLACK + max, 0);

	if (!e)
		return LOST_RING;
	if (!fill(skb, c, e, max)) {
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		return LOST_COPY;
	}
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return SENT;
}

/* Sends one event: SENT, or why not. Global, so that it is verified once and not at each call. */
__noinline int emit(struct hook_ctx *skb, const struct cut *c)
{
	if (!c || !c->n)
		return LOST_COPY;
	if (c->n <= SMALL)
		return emit_small(skb, c);
	if (c->n <= 4096)
		return emit_class(skb, c, 4096);
	if (c->n <= 8192)
		return emit_class(skb, c, 8192);
	if (c->n <= 16384)
		return emit_class(skb, c, 16384);
	if (c->n <= 32768)
		return emit_class(skb, c, 32768);
	if (c->n <= EVENT_WHOLE)
		return emit_class(skb, c, EVENT_WHOLE);
	return LOST_SIZE;
}

static __always_inline void lose(struct tally *t, const enum lost why, __u32 bytes)
{
	t->lost[why]++;
	t->lost_bytes[why] += bytes;
}

static __always_inline void send(struct hook_ctx *skb, struct tally *t, const struct cut *c, __u32 bytes)
{
	int why;

	t->packets++;
	t->bytes += bytes;
	why = emit(skb, c);
	if (why == SENT)
		return;
	if (why == LOST_RING)
		lose(t, LOST_RING, bytes);
	else if (why == LOST_SIZE)
		lose(t, LOST_SIZE, bytes);
	else
		lose(t, LOST_COPY, bytes);
	__sync_fetch_and_add(&shared.lost, 1);
}

/* How many of a packet's first `n` bytes are to be sent. */
static __always_inline __u32 snap(__u32 n)
{
	__u32 most = *(volatile __u32 *)&shared.snaplen;

	return most && most < n ? most : n;
}

/* Sends what is wanted: all, the payload from `from` on, or (`n` is not 0) the header alone. */
static __always_inline void send_segment(struct hook_ctx *skb, struct tally *t, struct cut *c)
{
	__u32 most = EVENT_SEGMENT - c->payload, left;

	if (!c->boot_ns)
		c->boot_ns = bpf_ktime_get_boot_ns();
	if (c->n) {
		send(skb, t, c, 0);
		return;
	}
	if (!c->from) {
		c->n = snap(c->end);
		if (c->n < c->end || c->end <= EVENT_SEGMENT || c->l4 > HEAD_MAX) {
			send(skb, t, c, c->end - c->payload);
			return;
		}
		c->from = c->payload;
	}
	for (int i = 0; i < SEGMENTS && c->from < c->end; i++) {
		left = c->end - c->from;
		c->n = left < most ? left : most;
		send(skb, t, c, c->n);
		c->from += c->n;
	}
}

/* Userspace looks into the ring from time to time. Should it look now? */
static __always_inline int nap_is_over(int big)
{
	return big || bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > *(volatile __u32 *)&shared.nap_room;
}

/*
 * Wakes userspace up if it sleeps. After the commit, which is a full barrier: userspace first sets the word and then
 * looks into the ring, so one of us sees the other.
 */
static __always_inline void ring_the_bell(int big)
{
	__u32 wake = *(volatile __u32 *)&shared.want_wake;
	void *e;

	if (!wake || (wake == WAKE_BIG && !nap_is_over(big)) || !__sync_lock_test_and_set(&shared.want_wake, 0))
		return;
	e = bpf_ringbuf_reserve(&ring, 8, 0);
	if (e)
		bpf_ringbuf_discard(e, BPF_RB_FORCE_WAKEUP);
}

#include "want.bpf.h"

static __always_inline void capture(struct hook_ctx *skb, __u8 dir)
{
	__u32 ifindex = hook_ifindex(skb);
	struct tally *t = bpf_map_lookup_elem(&tallies, &ifindex);
	struct cut c = {.dir = dir};
	struct half_key k = {};
	enum verdict v;

	if (!t || *(volatile __u32 *)&shared.off)
		return;
	c.flags = t->l3 ? EVENT_L3 : 0;
	c.len = hook_len(skb);
	v = parse(skb, &c, &k);
	if (v == NOT_TCP)
		return;
	if (v == OPAQUE) {
		c.boot_ns = bpf_ktime_get_boot_ns();
		c.end = c.len;
		c.n = snap(c.end);
		send(skb, t, &c, c.end);
	} else if (shared.whole || c.l4 > HEAD_MAX || want(t, &k, &c, ifindex)) {
		send_segment(skb, t, &c);
	} else {
		return;
	}
	ring_the_bell(c.big);
}

#endif
