/* SPDX-License-Identifier: MIT */
#include "capture/tc_meter.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <unistd.h>

static void add(struct meter *m, int fd)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->prog[i] == fd)
			return;
	if (fd > 0)
		m->prog[m->n++] = fd;
}

int meter_open(struct meter *m, const struct hook_programs *programs)
{
	*m = (struct meter){.fd = bpf_enable_stats(BPF_STATS_RUN_TIME)};
	for (int l3 = 0; l3 < 2; l3++) {
		for (enum way w = 0; w < WAYS; w++)
			add(m, programs->fd[l3][w]);
		add(m, programs->xdp[l3]);
	}
	return m->fd < 0 ? -errno : 0;
}

void meter_release(struct meter *m)
{
	if (m->fd > 0)
		close(m->fd);
	m->fd = -1;
}

uint64_t meter_ns(const struct meter *m)
{
	struct bpf_prog_info info;
	uint64_t ns = 0;

	for (unsigned i = 0; i < m->n; i++) {
		__u32 n = sizeof(info);

		info = (struct bpf_prog_info){0};
		if (bpf_obj_get_info_by_fd(m->prog[i], &info, &n) == 0)
			ns += info.run_time_ns;
	}
	return ns;
}
