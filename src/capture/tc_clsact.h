/* SPDX-License-Identifier: MIT */
/*
 * BPF filters on the clsact qdisc (tc-bpf(8)), for kernels without TCX. They outlive the process that made them, so
 * each bears the name of its run; the run holds an abstract Unix socket of that name in the network namespace, which
 * the kernel takes away when it dies. What bears the name of a dead run is removed; what is not ours is never touched.
 */
#ifndef PERISCO_CAPTURE_TC_CLSACT_H
#define PERISCO_CAPTURE_TC_CLSACT_H

#include <stdbool.h>
#include <stdint.h>

struct clsact;

enum way { WAY_IN, WAY_OUT, WAYS };

/* A filter of ours on one way of an interface. */
struct clsact_filter {
	uint32_t handle;
	uint16_t prio; /* 1, unless filters of another kind are there; 0: there is no filter of ours */
	bool made;     /* the qdisc was made for it */
};

/* 0 or a negative errno; *ret is NULL then. */
int clsact_open(struct clsact **ret);
void clsact_close(struct clsact *c);

/*
 * Puts a program in front of the filters of one way, makes the qdisc if there is none, and fills in filters[way]. 0 or
 * a negative errno: -ENODEV when the interface is gone, -EBUSY when the way out is asked for and an "ingress" qdisc
 * takes the place of clsact, -EOPNOTSUPP when the kernel has no clsact or no BPF filters.
 */
int clsact_attach(struct clsact *c, uint32_t ifindex, enum way way, int prog_fd, struct clsact_filter filters[WAYS]);

/* Removes our filters from both ways, and the qdisc if we made it and nothing is left in it. */
void clsact_detach(struct clsact *c, uint32_t ifindex, struct clsact_filter filters[WAYS]);

/* Removes what dead runs left on the interface; returns how many filters that were. */
unsigned clsact_clean(struct clsact *c, uint32_t ifindex);

#endif
