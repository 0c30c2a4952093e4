/* SPDX-License-Identifier: MIT */
#include "capture/tc_hook.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* linux/bpf.h of 6.6; older headers lack them. */
#define TCX_INGRESS 46
#define TCX_EGRESS  47
#define BEFORE      (1U << 3)

static const int tcx_type[WAYS] = {[WAY_IN] = TCX_INGRESS, [WAY_OUT] = TCX_EGRESS};

/* 0, or -EOPNOTSUPP: a kernel without TCX does not know the attach type. Interface 1 is lo in every namespace. */
static int probe_tcx(void)
{
	__u32 n = 0;

	if (bpf_prog_query(1, TCX_INGRESS, 0, NULL, NULL, &n) == 0)
		return 0;
	return errno == EPERM ? -EPERM : -EOPNOTSUPP;
}

/* Each program at each interface is a link, and each link a descriptor. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int hooks_init(struct hooks *h, enum live_hook how, const struct hook_programs *programs)
{
	int err;

	memset(h, 0, sizeof(*h));
	h->programs = *programs;
	if (how != HOOK_TC) {
		err = probe_tcx();
		if (err && (err == -EPERM || how == HOOK_TCX))
			return err;
		h->tcx = !err;
		raise_limit();
	}
	return clsact_open(&h->clsact);
}

void hooks_release(struct hooks *h)
{
	clsact_close(h->clsact);
	h->clsact = NULL;
}

const char *hooks_name(const struct hooks *h)
{
	return h->tcx ? "tcx" : "tc";
}

int hook_attach(struct hooks *h, struct hook *k, uint32_t ifindex, bool l3, enum way way)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = BEFORE);
	int program = h->programs.fd[l3][way], fd;

	if (!h->tcx)
		return clsact_attach(h->clsact, ifindex, way, program, k->filter);
	fd = bpf_link_create(program, (int)ifindex, (enum bpf_attach_type)tcx_type[way], &opts);
	if (fd < 0)
		return fd;
	k->link[way] = fd;
	return 0;
}

/* How it went, and with which error native mode was refused before. */
static void explain_xdp(int err, int native, uint32_t ifindex, char *how, size_t n)
{
	if (err == -EBUSY)
		xdp_who(ifindex, how, n);
	else if (err < 0)
		snprintf(how, n, "the kernel refuses: %s", strerror(-err));
	else if (native < 0)
		snprintf(how, n, "generic, native was refused: %s", strerror(-native));
	else
		snprintf(how, n, "%s", native ? "native" : "generic");
}

int hook_attach_xdp(struct hooks *h, struct hook *k, uint32_t ifindex, bool generic, char *how, size_t n)
{
	int native = generic ? 0 : xdp_link(h->programs.xdp[MODE_NATIVE], ifindex, MODE_NATIVE), fd = native;

	if (native <= 0 && native != -EBUSY && native != -ENODEV)
		fd = xdp_link(h->programs.xdp[MODE_GENERIC], ifindex, MODE_GENERIC);
	explain_xdp(fd, native, ifindex, how, n);
	if (fd < 0)
		return fd;
	k->link[WAY_IN] = fd;
	return 0;
}

bool hook_any(const struct hook *k)
{
	return k->link[WAY_IN] > 0 || k->link[WAY_OUT] > 0 || k->filter[WAY_IN].prio || k->filter[WAY_OUT].prio;
}

bool hook_is_behind(const struct hook *k)
{
	return k->filter[WAY_IN].prio > 1 || k->filter[WAY_OUT].prio > 1;
}

void hook_detach(struct hooks *h, struct hook *k, uint32_t ifindex, bool gone)
{
	for (enum way w = 0; w < WAYS; w++)
		if (k->link[w] > 0)
			close(k->link[w]);
	if (!gone && !h->tcx)
		clsact_detach(h->clsact, ifindex, k->filter);
	memset(k, 0, sizeof(*k));
}
