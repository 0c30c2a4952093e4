/* SPDX-License-Identifier: MIT */
/*
 * XDP at one interface. It is attached by a link, which goes when we do and which no other program can displace, as we
 * displace none. libxdp would chain programs by a dispatcher, but what that leaves behind when we are killed stays in
 * force; so libxdp is only asked who is there.
 */
#ifndef PERISCO_CAPTURE_TC_XDP_H
#define PERISCO_CAPTURE_TC_XDP_H

#include <stddef.h>
#include <stdint.h>

enum mode {
	MODE_NATIVE,  /* in the driver */
	MODE_GENERIC, /* behind it: the skb is there */
	MODES,
};

/*
 * Attaches the program, which is for this mode. The descriptor of the link, or a negative errno: -EBUSY when there is another
 * program, whatever its mode.
 */
int xdp_link(int program, uint32_t ifindex, enum mode mode);

/* Which other program is there, as a line. */
void xdp_who(uint32_t ifindex, char *line, size_t n);

#endif
