/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The wire contract between the BPF programs and userspace. Fixed sizes, explicit padding. */
#ifndef PERISCO_BPF_EVENT_H
#define PERISCO_BPF_EVENT_H

#include <linux/types.h>

/*
 * A TCP packet of more than EVENT_SEGMENT bytes comes as several events, each a well-formed packet of its own. What the
 * programs do not understand, but may hold TCP, comes whole, up to EVENT_WHOLE bytes.
 */
#define EVENT_SEGMENT 32768
#define EVENT_WHOLE   65536

enum event_dir { EVENT_IN = 1, EVENT_OUT = 2 };

/* flags */
#define EVENT_TAGGED 0x01 /* the frame begins at `tag`: a VLAN tag out of band was put back */
#define EVENT_L3     0x02 /* no Ethernet header: the frame begins with the IP header */
#define EVENT_CHOSEN 0x04 /* the interface owns the connection: others do not count */
#define EVENT_COUNTED 0x08 /* the connection is only counted now: see `share` */

/* One packet in the ring buffer. */
struct event {
	__u64 boot_ns;  /* CLOCK_BOOTTIME when it passed the hook */
	__u32 ifindex;
	__u32 wire_len; /* bytes on the wire; a tag put back included, Ethernet's padding behind a TCP packet not */
	__u32 cap_len;  /* of these, bytes that follow */
	__u8 dir;       /* enum event_dir */
	__u8 flags;     /* EVENT_* */
	__u16 pad;
	__u8 tag[4];    /* room to move the MAC addresses forward by the length of a tag */
	__u8 frame[];
};
_Static_assert(__builtin_offsetof(struct event, frame) == 28, "a tag fits in front of the frame");

/*
 * One direction of a connection, as its packets have it: addresses (those of IPv4 mapped, RFC 4291 section 2.5.5.2) and
 * ports in network byte order.
 */
struct half_key {
	__u8 src[16], dst[16];
	__u16 sport, dport;
};

/*
 * How much of this direction is wanted, and from where. The programs make one for each that they see, and anew at a
 * SYN. Userspace writes over it what it wants, and takes it away when the connection is over. Bytes have 64-bit
 * offsets, as in src/reassembly/stream.h, so that it does not matter in which order packets come, nor how often
 * sequence numbers wrap.
 */
struct half {
	__s64 until;   /* nothing before it is wanted */
	__s64 top;     /* behind the highest byte that passed */
	__u64 last_ns; /* CLOCK_BOOTTIME when a packet was last left out */
	__u64 told_ns; /* ... and when one was last sent in place of many: a header once a HALF_TELL_NS, or HALF_TELL_BYTES */
	__u64 bell_ns; /* ... and when userspace was last woken for it, ... */
	__u32 seq0;    /* the sequence number of offset 0 */
	__u32 owner;   /* the interface whose packets count */
	__u8 owner_sees; /* it has shown this direction */
	__u8 strangers;  /* packets with news in a row from other interfaces */
	__u8 copies;     /* from other interfaces that were sent all the same */
	__u8 bells;      /* ... so many times in vain */
	__u32 told;      /* the lower half of `top` at told_ns */
	__u32 begin;     /* the sequence number behind the SYN that it is for; 0: that was not seen */
	__u32 counted; /* the lower half of `share` when userspace was last told that it is only counted */
};
#define HALF_TELL_NS    1000000000ULL
#define HALF_TELL_BYTES (1 << 29) /* or userspace would not know how often sequence numbers wrapped, if events are lost */

/* Why an event could not be sent. */
enum lost {
	LOST_RING,  /* the ring was full */
	LOST_COPY,  /* the packet's bytes could not be read */
	LOST_SIZE,  /* it is larger than EVENT_WHOLE */
	LOST_CAUSES
};

/*
 * What the programs know and count of one interface, per CPU. Packets of an interface that has no tally are not looked
 * at. `packets` and `bytes` are what was offered; what was delivered is that minus what was lost, exactly. A packet
 * that comes as several events counts as so many packets; bytes are TCP payload (of a packet that is not understood:
 * all its bytes).
 */
struct tally {
	__u64 packets, bytes;
	__u64 lost[LOST_CAUSES], lost_bytes[LOST_CAUSES];
	__u64 elided, elided_bytes; /* not offered at all: packets, and payload, of theirs or of others, that nobody wants */
	__u64 copies, copy_bytes;   /* nor these: another interface showed them already, or will */
	__u32 l3;               /* packets have no Ethernet header; set by userspace, the same for each CPU */
	__u32 pad;
};

enum wake { WAKE_NOT, WAKE_ANY, WAKE_BIG /* it naps: only when it should have its say soon, or look */ };

/* Words shared with userspace without system calls. */
struct shared {
	__u32 want_wake; /* enum wake: userspace sleeps, and such a packet wakes it up, and clears this */
	__u32 off;       /* nothing is to be captured any more */
	__u32 whole;     /* every packet is wanted, and all of it, but for ... */
	__u32 snaplen;   /* ... what is behind its first bytes, at most EVENT_SEGMENT; 0: no limit */
	__u32 last;      /* of the points that show the begin of a connection the last one owns it, not the first */
	__u32 nap_room;  /* bytes in the ring that end a nap */
	/*
	 * Of how many connections only one is handed over, chosen by a hash of its ends; of the others only beginnings and ends
	 * are, without payload, and from time to time how far they went. In the lowest byte: how often 2 must be multiplied; then
	 * 24 bits that are different each time; the upper half is the hash's seed. 0: all of them are.
	 */
	__u64 share;
	__u8 pad[32];
	__u64 lost;      /* counts up when any tally's `lost` does */
};

#endif
