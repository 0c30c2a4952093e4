/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is wanted of a segment. Of the points that show a connection one owns it, and the others' copies are not sent. And
 * payload that no decoder wants is not copied: it says so, and userspace writes into `halves` until where; what is sent then
 * reads as if it were the next segment. What nobody has spoken of is sent: not to know costs a copy and never a byte.
 */
#ifndef PERISCO_BPF_WANT_BPF_H
#define PERISCO_BPF_WANT_BPF_H

#define HALVES        131072
#define NEAR_SEQ      (1 << 30) /* what lies further from what passed is another connection's, whose SYN was not seen */
#define STRANGERS_MAX 64        /* news in a row from elsewhere: the owner shows it no more, another takes over */
#define COPIES_SENT   2         /* so userspace knows where else the connection is seen */
#define ALIVE_NS      30000000000ULL
#define BIG           16384     /* a segment of such a size may be the begin of a body that is not wanted: userspace is woken */
#define BELL_NS       1000000   /* after that long it may be woken again, ... */
#define BELLS_MAX     10        /* ... and each time in vain this doubles */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HALVES);
	__type(key, struct half_key);
	__type(value, struct half);
} halves SEC(".maps");

/* The sequence number behind the last SYN: what userspace writes late may be for the connection before. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HALVES);
	__type(key, struct half_key);
	__type(value, __u32);
} begins SEC(".maps");

static __always_inline struct half_key reverse(const struct half_key *k)
{
	struct half_key r = {.sport = k->dport, .dport = k->sport};

	__builtin_memcpy(r.src, k->dst, sizeof(r.src));
	__builtin_memcpy(r.dst, k->src, sizeof(r.dst));
	return r;
}

/* Is this connection one of those that are only counted? Both directions have the same hash. */
static __always_inline int is_counted(const struct half_key *k, __u64 share)
{
	__u32 h = share >> 32, src, dst;

	if (!share)
		return 0;
	h = (h ^ k->sport ^ k->dport) * 0x9e3779b1;
	for (int i = 0; i < 16; i += 4) {
		__builtin_memcpy(&src, k->src + i, 4);
		__builtin_memcpy(&dst, k->dst + i, 4);
		h = (h ^ h >> 15 ^ src ^ dst) * 0x85ebca6b;
	}
	return (h ^ h >> 16) & ((1U << (share & 31)) - 1);
}

/* A half that is seen for the first time. The other half's owner is its owner too. */
static __always_inline void half_begin(const struct half_key *k, struct cut *c, __u32 ifindex, __u64 share)
{
	struct half_key rk = reverse(k);
	struct half *r = bpf_map_lookup_elem(&halves, &rk);
	struct half h = {.top = c->end - c->payload, .seq0 = c->seq, .owner = ifindex};

	if (c->tcp_flags & TCP_SYN) {
		h.begin = ++h.seq0;
		bpf_map_update_elem(&begins, k, &h.begin, BPF_ANY);
	}
	if (r && (c->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		h.owner = r->owner;
	if (is_counted(k, share)) {
		h.counted = share;
		c->flags |= EVENT_COUNTED;
	}
	h.owner_sees = h.owner == ifindex;
	c->flags |= h.owner_sees ? EVENT_CHOSEN : 0;
	bpf_map_update_elem(&halves, k, &h, BPF_ANY);
}

/* Is payload left out for a connection that there is no more? */
static __always_inline int is_stale(const struct half *h, const struct half_key *k)
{
	const __u32 *begin = bpf_map_lookup_elem(&begins, k);

	return begin && *begin != h->begin;
}

static __always_inline void take_over(struct half *h, __u32 ifindex)
{
	h->owner = ifindex;
	h->owner_sees = 1;
	h->strangers = 0;
}

/* A packet from another point than the owner's; `end`: the offset behind its payload. Does it count all the same? */
static __always_inline int stranger_counts(struct half *h, const struct cut *c, __u32 ifindex, __s64 end)
{
	if (c->tcp_flags & TCP_SYN && !(c->tcp_flags & TCP_ACK) && c->dir == EVENT_OUT && *(volatile __u32 *)&shared.last)
		take_over(h, ifindex);
	if (c->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST) || !h->owner_sees)
		return 1;
	if (c->payload == c->end)
		return 0;
	if (end <= h->top)
		return h->copies < COPIES_SENT && ++h->copies;
	if (++h->strangers <= STRANGERS_MAX && bpf_map_lookup_elem(&tallies, &h->owner))
		return 0;
	take_over(h, ifindex);
	return 1;
}

/*
 * Nothing but an acknowledgement: of no use as long as it is for what is left out, but that the connection is alive is told from
 * time to time.
 */
static __always_inline int ack_counts(struct half *h, const struct half_key *k, const struct cut *c)
{
	struct half_key rk = reverse(k);
	struct half *r = bpf_map_lookup_elem(&halves, &rk);
	__s32 ahead;

	if (!r || !r->until || c->tcp_flags & (TCP_FIN | TCP_RST) || is_stale(r, &rk))
		return 1;
	ahead = c->ack - (r->seq0 + (__u32)r->top);
	if (r->top + ahead > r->until || ahead > NEAR_SEQ || ahead < -NEAR_SEQ)
		return 1;
	if (c->boot_ns - h->told_ns < ALIVE_NS)
		return 0;
	h->told_ns = c->boot_ns;
	return 1;
}

/* Nothing of the payload is wanted, but it is told from time to time how far it went, and when it ends. */
static __always_inline int elide_all(struct half *h, struct tally *t, struct cut *c)
{
	t->elided_bytes += c->end - c->payload;
	if (!(c->tcp_flags & (TCP_FIN | TCP_RST)) && c->boot_ns - h->told_ns < HALF_TELL_NS &&
	    (__u32)h->top - h->told < HALF_TELL_BYTES) {
		t->elided++;
		h->last_ns = c->boot_ns;
		return 0;
	}
	h->told_ns = c->boot_ns;
	h->told = h->top;
	c->n = c->payload;
	return 1;
}

/* The connection is only counted: what of it is sent has no payload, and says so. `end`: the offset behind its payload. */
static __always_inline int count_only(struct half *h, struct tally *t, struct cut *c, __s64 end, __u32 share)
{
	t->elided_bytes += c->end - c->payload;
	c->flags |= EVENT_COUNTED;
	h->until = 0; /* nobody decodes it now: who will, says anew what is not wanted */
	if (end > h->top && end - h->top <= NEAR_SEQ)
		h->top = end;
	if (!(c->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) && h->counted == share && c->boot_ns - h->told_ns < ALIVE_NS &&
	    (__u32)h->top - h->told < HALF_TELL_BYTES) {
		t->elided++;
		h->last_ns = c->boot_ns;
		return 0;
	}
	if (c->flags & EVENT_CHOSEN || !h->owner_sees) { /* userspace listens to no others */
		h->counted = share;
		h->told_ns = c->boot_ns;
		h->told = h->top;
	}
	c->n = c->payload;
	return 1;
}

/* Userspace is asleep for a moment. Might it not want what comes next? */
static __always_inline void ask(struct half *h, struct cut *c)
{
	if (c->end - c->payload < BIG || c->boot_ns - h->bell_ns < BELL_NS << h->bells)
		return;
	h->bell_ns = c->boot_ns;
	h->bells += h->bells < BELLS_MAX;
	c->big = 1;
}

/* Finds out what of a segment is wanted, and leaves that in `c`. Nothing at all: 0. */
static __always_inline int want(struct tally *t, const struct half_key *k, struct cut *c, __u32 ifindex)
{
	struct half *h = bpf_map_lookup_elem(&halves, k);
	__u64 share = *(volatile __u64 *)&shared.share;
	__s64 begin, end;
	__s32 ahead;

	if (!h || (c->tcp_flags & TCP_SYN && h->seq0 != c->seq + 1)) {
		half_begin(k, c, ifindex, share);
		return 1;
	}
	ahead = c->seq - (h->seq0 + (__u32)h->top);
	begin = h->top + ahead;
	end = begin + (c->end - c->payload);
	if (h->owner == ifindex) {
		h->owner_sees = 1;
		h->strangers = 0;
	} else if (!stranger_counts(h, c, ifindex, end)) {
		t->copies++;
		t->copy_bytes += end - begin;
		return 0;
	}
	c->boot_ns = bpf_ktime_get_boot_ns(); /* not before: it costs a quarter of what a copy from elsewhere does */
	c->flags |= h->owner == ifindex ? EVENT_CHOSEN : 0;
	if (is_counted(k, share))
		return count_only(h, t, c, end, share);
	if (begin == end && !ack_counts(h, k, c)) {
		t->elided++;
		return 0;
	}
	if (begin == end || ahead > NEAR_SEQ || ahead < -NEAR_SEQ)
		return 1;
	if (end > h->top)
		h->top = end;
	if (h->until && begin < h->until) {
		if (is_stale(h, k)) {
			half_begin(k, c, ifindex, share);
			return 1;
		}
		if (end <= h->until)
			return elide_all(h, t, c);
		c->from = c->end - (end - h->until);
		t->elided_bytes += c->from - c->payload;
	}
	ask(h, c);
	return 1;
}

#endif
