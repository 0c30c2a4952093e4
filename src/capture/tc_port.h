/* SPDX-License-Identifier: MIT */
/* The interfaces that are captured at, and what the programs count at them. */
#ifndef PERISCO_CAPTURE_TC_PORT_H
#define PERISCO_CAPTURE_TC_PORT_H

#include "base/list.h"
#include "capture/source.h"
#include "capture/tc_hook.h"
#include "capture/tc_ring.h"
#include "event.h"

/* Packets that were lost on one CPU for one cause. */
struct port_lost {
	uint64_t seen, seen_bytes; /* as last read */
	uint64_t owed, owed_bytes; /* not reported yet */
};

struct port {
	struct iface iface;        /* what packets point to */
	struct list node, chain;   /* in ports.live or ports.gone, and in its bucket */
	struct list wait[WAYS];    /* for a program to be attached */
	struct list leaving;       /* in follow.leaving: it is gone, but its hook is still to be taken off */
	struct hook hook;
	struct tally sum;          /* as last read */
	struct tally before;       /* of earlier lives: it was gone and came back */
	struct port_lost *lost;    /* by CPU, and there by cause; NULL: nothing was ever lost */
	uint64_t owed;             /* losses that were not reported yet, packets */
	unsigned long end;         /* when gone: the ring may hold packets up to here */
	bool gone;
	bool listed;               /* still there, says the dump under way */
	bool failed;               /* a program could not be attached */
	bool veth;
};

#define PORT_BUCKETS 256

struct ports {
	struct list live, gone;
	struct list bucket[PORT_BUCKETS];
	int map;            /* of the tallies, borrowed */
	int cpus;
	struct tally *cpu;  /* room for one reading */
	uint64_t *lost;     /* packets lost, by CPU */
	struct tally freed; /* of the ports that are no more */
};

/* 0 or a negative errno; release it in both cases, when nothing is attached any more. */
int ports_init(struct ports *p, int map);
void ports_release(struct ports *p);

/* A port, live or gone; NULL when there is none. */
struct port *ports_find(const struct ports *p, uint32_t ifindex);

/*
 * A live port with a tally: packets count from the moment a program is attached. One that is gone comes back to life. 0
 * or a negative errno.
 */
int ports_add(struct ports *p, uint32_t ifindex, const char *name, bool l3, struct port **ret);

/* Nothing is attached to it any more. It stays until the ring is read up to `end` and its losses are told. */
void ports_retire(struct ports *p, struct port *port, unsigned long end);

/* Frees ports that are gone for good, and have left. */
void ports_reap(struct ports *p, const struct ring *ring);

/* Reports what each port lost since the last time, by CPU and cause. 0, or what `fn` returned when that is not 0. */
int ports_losses(struct ports *p, uint64_t ts_ns, loss_fn fn, void *ctx);

/* Everything that was ever counted, and how many interfaces have a program, and how many could not get one. */
void ports_count(struct ports *p, struct counts *ret);

#endif
