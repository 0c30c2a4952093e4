/* SPDX-License-Identifier: MIT */
#include "capture/tc_xdp.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <xdp/libxdp.h>

int xdp_link(int program, uint32_t ifindex, enum mode mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode == MODE_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	int fd = bpf_link_create(program, (int)ifindex, BPF_XDP, &opts);

	return fd == -EEXIST ? -EBUSY : fd; /* there is one in the other mode, or at a device above */
}

void xdp_who(uint32_t ifindex, char *line, size_t n)
{
	struct xdp_multiprog *there;
	struct xdp_program *program;

	libxdp_set_print(NULL);
	there = xdp_multiprog__get_from_ifindex((int)ifindex);
	if (libxdp_get_error(there)) {
		snprintf(line, n, "another XDP program is there");
		return;
	}
	program = xdp_multiprog__main_prog(there);
	if (!xdp_multiprog__is_legacy(there))
		snprintf(line, n, "XDP programs of others are there, chained by libxdp: %d",
			 xdp_multiprog__program_count(there));
	else
		snprintf(line, n, "another XDP program is there: %s", program ? xdp_program__name(program) : "in the device");
	xdp_multiprog__close(there);
}
