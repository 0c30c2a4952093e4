/* SPDX-License-Identifier: MIT */
/* Where packets come from: a set of capture files, or the interfaces of this host. A file and a wire are one handle. */
#ifndef PERISCO_CAPTURE_SOURCE_H
#define PERISCO_CAPTURE_SOURCE_H

#include "packet/packet.h"

struct source;

/* Takes one packet; the packet, its bytes and its iface are borrowed for the call. Returns 0, or a negative errno to stop. */
typedef int (*packet_fn)(void *ctx, const struct packet *pkt);

/* Packets that the capture lost before they reached us. */
struct loss {
	uint64_t ts_ns;  /* when it was noticed, nanoseconds since 1970 */
	/*
	 * "ring": the buffer to userspace was full; "copy": the kernel could not read its bytes; "size": larger than any packet;
	 * "file": lost by whoever wrote the file.
	 */
	const char *cause;
	uint32_t cpu;       /* where, counted from 1; 0: not known */
	uint32_t ifindex;   /* 0: not known */
	const char *ifname; /* borrowed for the call; NULL or "": not known */
	uint64_t packets, bytes;  /* since the last report; bytes 0: not known */
};
typedef int (*loss_fn)(void *ctx, const struct loss *loss);

/*
 * Interfaces captured at now, and what passed there since the start. Exact once the source is stopped and drained: what poll
 * handed over is what was offered minus what was dropped. Bytes are those of the TCP payload as far as the kernel told it
 * apart, else all of a packet's.
 */
struct counts {
	uint64_t interfaces;
	uint64_t waiting;                /* programs that are still to be attached */
	uint64_t failed;                 /* interfaces that cannot be captured at */
	uint64_t filtered;               /* packets, of any protocol, that the filter refused in the kernel */
	uint64_t packets, bytes;         /* offered to us */
	uint64_t dropped, dropped_bytes; /* of these, not delivered, for any cause; bytes 0: not known */
	uint64_t unread, oversize;       /* of these, for the causes "copy" and "size"; all others for "ring" */
	const uint64_t *by_cpu;          /* packets dropped, by CPU: as long as the source lives; NULL: not known */
	unsigned cpus;
	uint64_t ring, ring_used;        /* bytes of the buffer from the kernel, and of these, filled now; used 0: not known */
	uint64_t ring_peak;              /* the most that was filled */
	uint64_t copies, copy_bytes;     /* not offered, because another interface showed them: packets, and their payload */
	uint64_t elided, elided_bytes;   /* not offered, because they were not wanted: packets, and payload of packets */
};

#define SHARE_MAX 16

struct source_ops {
	const char *name;
	/*
	 * Hands over packets until none is at hand, waiting at most `timeout_ms` for the first (a file on disk is never waited
	 * for). Returns > 0 to be called again, 0 at the end, or a negative errno: see `error`, or what `fn` returned.
	 */
	int (*poll)(struct source *s, int timeout_ms, packet_fn fn, void *ctx);
	/* Reports each loss that was not reported before. NULL: nothing can be lost. */
	int (*losses)(struct source *s, loss_fn fn, void *ctx);
	/*
	 * The time of the capture's clock, nanoseconds since 1970: all packets from before it were handed over. Lets silent
	 * flows time out. NULL for files.
	 */
	uint64_t (*now)(struct source *s);
	/*
	 * Captures nothing more, at once: poll hands over what is left and then returns 0, and the counts are final. Close
	 * is to follow. NULL for files.
	 */
	void (*stop)(struct source *s);
	/*
	 * Payload of one direction of a connection need not be handed over: what is wholly below e->until. Some of it may come all
	 * the same, or as a packet that is cut behind its headers. NULL: all of it comes.
	 */
	void (*elide)(struct source *s, const struct flow_key *key, unsigned side, const struct elision *e);
	/*
	 * All of it is wanted again. How far did it go? ret->seq0 is as it was told. False: that is not known any more. NULL
	 * with elide. Any thread may call both.
	 */
	bool (*elided)(struct source *s, const struct flow_key *key, unsigned side, struct elision *ret);
	/*
	 * From now on only one of 1 << `shift` connections is handed over, chosen by a hash with this seed: see struct packet, `counted`.
	 * At most SHARE_MAX; 0: all of them. The same seed and a higher `shift` choose among those that are chosen. NULL: it cannot.
	 */
	void (*share)(struct source *s, unsigned shift, uint32_t seed);
	/* CPU time that the capture took in the kernel up to now, nanoseconds. NULL: not known. */
	uint64_t (*spent)(struct source *s);
	/* NULL for files. */
	void (*counts)(struct source *s, struct counts *ret);
	void (*close)(struct source *s);
};

/* Every source begins with this. */
struct source {
	const struct source_ops *ops;
	char error[256]; /* what failed, on what, and what to do: one line, no newline; "" when nothing did */
};

#endif
