/* SPDX-License-Identifier: MIT */
#include "capture/tc_gate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/cbpf.h"
#include "packet/linktype.h"

#define NAME    "perisco_gate"
#define LICENSE "Dual MIT/GPL"
#define NEXT    (-1) /* TCX_NEXT, TC_ACT_UNSPEC */

static const enum direction direction_of[WAYS] = {[WAY_IN] = DIRECTION_IN, [WAY_OUT] = DIRECTION_OUT};

/* Where a gate stands. */
struct stand {
	enum view_of of;
	enum way way;
	int progs_fd; /* the array of what it leads to */
	__u32 flags;  /* of loading that, and so of the gate */
};

/* What the kernel is told to do with every packet. */
static int go_on(const struct stand *s)
{
	return s->of == VIEW_XDP ? XDP_PASS : NEXT;
}

/* To the capture program of this way. A tail call that comes back found none. */
static void put_pass(const struct stand *s, struct ebpf *e)
{
	ebpf_mov(e, BPF_REG_1, BPF_REG_6);
	ebpf_map(e, BPF_REG_2, s->progs_fd);
	ebpf_set(e, BPF_REG_3, s->way);
	ebpf_call(e, BPF_FUNC_tail_call);
	ebpf_exit(e, go_on(s));
}

static void put_refuse(const struct stand *s, int refused_fd, struct ebpf *e)
{
	uint32_t end = ebpf_label(e);

	ebpf_store_imm(e, BPF_W, BPF_REG_10, -4, 0);
	ebpf_map(e, BPF_REG_1, refused_fd);
	ebpf_stack(e, BPF_REG_2, -4);
	ebpf_call(e, BPF_FUNC_map_lookup_elem);
	ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, end);
	ebpf_load(e, BPF_DW, BPF_REG_1, BPF_REG_0, 0);
	ebpf_add(e, BPF_REG_1, 1);
	ebpf_store(e, BPF_DW, BPF_REG_0, 0, BPF_REG_1);
	ebpf_here(e, end);
	ebpf_exit(e, go_on(s));
}

/* 0 or a negative errno with the reason in *why. */
static int write_gate(const struct gate *g, struct filter *f, const struct stand *s, struct ebpf *ret, const char **why)
{
	struct ebpf pass = {0}, refuse = {0};
	const struct cbpf_ends ends = {&pass, &refuse};
	struct sock_filter *code;
	int err = -ENOMEM;
	size_t n;

	*why = "out of memory";
	code = filter_code(f, s->of == VIEW_IP ? LINKTYPE_RAW : LINKTYPE_ETHERNET, direction_of[s->way], &n);
	put_pass(s, &pass);
	put_refuse(s, g->refused_fd, &refuse);
	if (code && !ebpf_finish(&pass) && !ebpf_finish(&refuse))
		err = cbpf_translate(code, n, s->of, &ends, ret, why);
	free(code);
	ebpf_release(&pass);
	ebpf_release(&refuse);
	return err;
}

/* A descriptor or a negative errno. */
static int load(const struct stand *s, const struct ebpf *e)
{
	LIBBPF_OPTS(bpf_prog_load_opts, xdp, .expected_attach_type = BPF_XDP, .prog_flags = s->flags);

	if (s->of == VIEW_XDP)
		return bpf_prog_load(BPF_PROG_TYPE_XDP, NAME, LICENSE, e->insns, e->n, &xdp);
	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, NAME, LICENSE, e->insns, e->n, NULL);
}

/* A descriptor or a negative errno with the reason in `error`. */
static int load_gate(const struct gate *g, struct filter *f, const struct stand *s, char *error, size_t n)
{
	struct ebpf e = {0};
	const char *why;
	int fd = write_gate(g, f, s, &e, &why);

	if (fd < 0) {
		snprintf(error, n, "%s", why);
	} else {
		fd = load(s, &e);
		if (fd < 0)
			snprintf(error, n, "the kernel refused %zu instructions: %s", e.n, strerror(-fd));
	}
	ebpf_release(&e);
	return fd;
}

/* An array of programs to call, by way; what goes wrong is left in *err. */
static int make_progs(const int *programs, unsigned ways, int *err)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "perisco_progs", 4, 4, WAYS, NULL);

	if (fd < 0)
		*err = fd;
	for (__u32 way = 0; way < ways && !*err; way++)
		*err = bpf_map_update_elem(fd, &way, &programs[way], BPF_ANY);
	return fd;
}

static int make_maps(struct gate *g, const struct hook_programs *behind, char *error, size_t n)
{
	int err = 0;

	g->progs_fd = make_progs(behind->fd[0], WAYS, &err);
	for (enum mode m = 0; m < MODES && behind->xdp[m] > 0; m++)
		g->xdp_progs_fd[m] = make_progs(&behind->xdp[m], 1, &err);
	g->refused_fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "perisco_refused", 4, 8, 1, NULL);
	if (!err && g->refused_fd < 0)
		err = g->refused_fd;
	if (err)
		snprintf(error, n, "the kernel refused a map: %s", strerror(-err));
	return err;
}

int gate_init(struct gate *g, struct filter *f, const struct hook_programs *behind, char *error, size_t n)
{
	int err, *fd;

	*g = (struct gate){-1, -1, {-1, -1}, {{{-1, -1}, {-1, -1}}, {-1, -1}}, 0, false};
	err = make_maps(g, behind, error, n);
	for (int i = 0; i < 2 * WAYS && !err; i++) {
		const struct stand s = {i < WAYS ? VIEW_ETHERNET : VIEW_IP, i % WAYS, g->progs_fd, 0};

		fd = &g->programs.fd[i / WAYS][s.way];
		*fd = load_gate(g, f, &s, error, n);
		err = *fd < 0 ? *fd : 0;
	}
	for (enum mode m = 0; m < MODES && behind->xdp[m] > 0 && !err; m++) {
		const struct stand s = {VIEW_XDP, WAY_IN, g->xdp_progs_fd[m], m == MODE_NATIVE ? BPF_F_XDP_HAS_FRAGS : 0};

		fd = &g->programs.xdp[m];
		*fd = load_gate(g, f, &s, error, n);
		err = *fd < 0 ? *fd : 0;
	}
	return err;
}

static void close_fd(int *fd)
{
	if (*fd > 0)
		close(*fd);
	*fd = -1;
}

void gate_release(struct gate *g)
{
	for (int l3 = 0; l3 < 2; l3++)
		for (enum way way = 0; way < WAYS; way++)
			close_fd(&g->programs.fd[l3][way]);
	for (enum mode m = 0; m < MODES; m++) {
		close_fd(&g->programs.xdp[m]);
		close_fd(&g->xdp_progs_fd[m]);
	}
	close_fd(&g->progs_fd);
	close_fd(&g->refused_fd);
}

uint64_t gate_refused(struct gate *g)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *by_cpu;
	__u32 zero = 0;

	if (g->closed || g->refused_fd <= 0 || cpus <= 0)
		return g->refused;
	by_cpu = calloc((size_t)cpus, sizeof(*by_cpu));
	if (by_cpu && bpf_map_lookup_elem(g->refused_fd, &zero, by_cpu) == 0) {
		g->refused = 0;
		for (int i = 0; i < cpus; i++)
			g->refused += by_cpu[i];
	}
	free(by_cpu);
	return g->refused;
}

void gate_stop(struct gate *g)
{
	gate_refused(g);
	g->closed = true;
}
