/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Payload that nobody wants is not copied. A decoder that knows that the next N bytes of its stream are of no interest says
 * so, and userspace writes into `halves` until where; what is sent then reads as if it were the next segment. What no
 * decoder has spoken of is sent: not to know costs a copy and never a byte.
 */
#ifndef PERISCO_BPF_ELIDE_BPF_H
#define PERISCO_BPF_ELIDE_BPF_H

#define HALVES    65536
#define NEAR_SEQ  (1 << 30) /* what lies further from what passed is another connection's, whose SYN was not seen */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HALVES);
	__type(key, struct half_key);
	__type(value, struct half);
} halves SEC(".maps");

/* Nothing of the payload is wanted, but it is told from time to time how far it went, and when it ends. */
static __always_inline int elide_all(struct half *h, struct tally *t, struct cut *c)
{
	t->elided_bytes += c->end - c->payload;
	if (!(c->tcp_flags & (TCP_FIN | TCP_RST)) && c->boot_ns - h->told_ns < HALF_TELL_NS) {
		t->elided++;
		h->last_ns = c->boot_ns;
		return 0;
	}
	h->told_ns = c->boot_ns;
	c->n = c->payload;
	return 1;
}

/* Finds out what of a segment is wanted, and leaves that in `c`. Nothing at all: 0. */
static __always_inline int elide(struct tally *t, const struct half_key *k, struct cut *c)
{
	struct half *h = bpf_map_lookup_elem(&halves, k);
	__s64 begin, end;
	__s32 ahead;

	if (!h)
		return 1;
	if (c->tcp_flags & TCP_SYN) {
		bpf_map_delete_elem(&halves, k);
		return 1;
	}
	ahead = c->seq - (h->seq0 + (__u32)h->top);
	begin = h->top + ahead;
	end = begin + (c->end - c->payload);
	if (begin == end || ahead > NEAR_SEQ || ahead < -NEAR_SEQ)
		return 1;
	if (end > h->top)
		h->top = end;
	if (end <= h->until)
		return elide_all(h, t, c);
	if (begin < h->until) {
		c->from = c->end - (end - h->until);
		t->elided_bytes += c->from - c->payload;
	}
	return 1;
}

#endif
