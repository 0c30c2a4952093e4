/* SPDX-License-Identifier: MIT */
/*
 * The classic BPF program that keeps packets away from a packet socket (Documentation/networking/filter.rst of Linux).
 * What it lets pass is what the BPF programs of the TC hooks let pass, or more: userspace looks at each packet again.
 */
#ifndef PERISCO_CAPTURE_AFPACKET_CODE_H
#define PERISCO_CAPTURE_AFPACKET_CODE_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_program; /* of libpcap */

struct code {
	struct sock_filter insn[BPF_MAXINSNS];
	uint16_t n;
	uint16_t labels; /* used so far */
	bool full;       /* something did not fit: worthless */
};

/*
 * Builds the program that accepts, of the `n` interfaces with these indices, ascending (NULL: of all), what is TCP or
 * may hold TCP. `user` is what libpcap compiled for Ethernet, or NULL: what it does not accept is refused too, but for
 * packets with a VLAN tag, which the kernel keeps elsewhere, and those without an Ethernet header. What passes lo is
 * accepted on the way in only. False when it gets too long.
 */
bool code_build(struct code *c, const uint32_t *index, size_t n, const struct bpf_program *user);

/* Builds the program that accepts nothing. */
void code_refuse(struct code *c);

#endif
