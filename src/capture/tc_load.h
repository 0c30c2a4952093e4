/* SPDX-License-Identifier: MIT */
/* The BPF programs and maps, in the kernel. */
#ifndef PERISCO_CAPTURE_TC_LOAD_H
#define PERISCO_CAPTURE_TC_LOAD_H

#include "capture/tc_clsact.h"
#include "capture/tc_xdp.h"
#include "event.h"

#include <stddef.h>

struct capture_bpf;
struct capture_xdp_bpf;

struct load {
	struct capture_bpf *object;
	struct capture_xdp_bpf *xdp; /* NULL: not asked for, or refused */
	struct shared *shared; /* as the programs see it */
	int prog_fd[WAYS], ring_fd, tallies_fd, halves_fd;
	size_t ring_size;
};

/*
 * Loads them, with a ring of `ring` bytes (0: see struct tc_config). 0 or a negative errno with a line in `error`; release it in both
 * cases. libbpf's own messages go to stderr with verbose > 1, and nowhere else.
 */
int load_init(struct load *l, size_t ring, int verbose, char *error, size_t n);

/* Those for XDP beside them, on the same maps: their descriptors. 0, or a negative errno when the kernel refuses them. */
int load_xdp(struct load *l, int ret_fd[MODES]);

void load_release(struct load *l);

#endif
