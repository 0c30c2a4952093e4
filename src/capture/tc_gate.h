/* SPDX-License-Identifier: MIT */
/*
 * The filter in the kernel. A gate is a program that stands in front of the capture programs: what the filter may take
 * goes on to them by a tail call, what it refuses is counted and copied nowhere. Userspace judges what passed once
 * more, so that the verdicts are the same as for a file; see skb_view.h for what is let through for it to decide.
 *
 * At XDP, where programs are of another type, the gates and their arrays are too.
 *
 * Like the capture programs, a gate lets every packet go on. When perisco dies the kernel empties the array of the tail
 * call, and a gate that is left behind (clsact) does nothing any more.
 */
#ifndef PERISCO_CAPTURE_TC_GATE_H
#define PERISCO_CAPTURE_TC_GATE_H

#include "capture/filter.h"
#include "capture/tc_hook.h"

struct gate {
	int progs_fd, refused_fd;      /* maps; < 0: not made */
	int xdp_progs_fd[MODES];       /* the same */
	struct hook_programs programs; /* descriptors; < 0: not loaded */
	uint64_t refused;              /* as last read */
	bool closed;                   /* `refused` does not change any more */
};

/*
 * Makes gates that lead to `behind`, for packets with and without an Ethernet header. 0, or a negative errno with the
 * reason in `error`: the filter has to run in userspace alone, then. Release it in both cases, when nothing is attached
 * any more.
 */
int gate_init(struct gate *g, struct filter *f, const struct hook_programs *behind, char *error, size_t n);
void gate_release(struct gate *g);

/* Packets that were refused at all hooks, up to now, or up to gate_stop. 0 if there is no gate. */
uint64_t gate_refused(struct gate *g);

/* Nothing counts any more. */
void gate_stop(struct gate *g);

#endif
