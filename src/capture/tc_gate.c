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

#define NEXT (-1) /* TCX_NEXT, TC_ACT_UNSPEC */

static const enum direction direction_of[WAYS] = {[WAY_IN] = DIRECTION_IN, [WAY_OUT] = DIRECTION_OUT};

/* To the capture program of this way. A tail call that comes back found none. */
static void put_pass(const struct gate *g, enum way way, struct ebpf *e)
{
	ebpf_mov(e, BPF_REG_1, BPF_REG_6);
	ebpf_map(e, BPF_REG_2, g->progs_fd);
	ebpf_set(e, BPF_REG_3, way);
	ebpf_call(e, BPF_FUNC_tail_call);
	ebpf_exit(e, NEXT);
}

static void put_refuse(const struct gate *g, struct ebpf *e)
{
	uint32_t end = ebpf_label(e);

	ebpf_store_imm(e, BPF_W, BPF_REG_10, -4, 0);
	ebpf_map(e, BPF_REG_1, g->refused_fd);
	ebpf_stack(e, BPF_REG_2, -4);
	ebpf_call(e, BPF_FUNC_map_lookup_elem);
	ebpf_jump(e, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, end);
	ebpf_load(e, BPF_DW, BPF_REG_1, BPF_REG_0, 0);
	ebpf_add(e, BPF_REG_1, 1);
	ebpf_store(e, BPF_DW, BPF_REG_0, 0, BPF_REG_1);
	ebpf_here(e, end);
	ebpf_exit(e, NEXT);
}

/* Writes the gate of one way; 0 or a negative errno with the reason in *why. */
static int write_gate(const struct gate *g, struct filter *f, bool ethernet, enum way way, struct ebpf *ret,
		      const char **why)
{
	struct ebpf pass = {0}, refuse = {0};
	const struct cbpf_ends ends = {&pass, &refuse};
	struct sock_filter *code;
	int err = -ENOMEM;
	size_t n;

	*why = "out of memory";
	code = filter_code(f, ethernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW, direction_of[way], &n);
	put_pass(g, way, &pass);
	put_refuse(g, &refuse);
	if (code && !ebpf_finish(&pass) && !ebpf_finish(&refuse))
		err = cbpf_translate(code, n, ethernet, &ends, ret, why);
	free(code);
	ebpf_release(&pass);
	ebpf_release(&refuse);
	return err;
}

/* A descriptor or a negative errno with the reason in `error`. */
static int load_gate(const struct gate *g, struct filter *f, bool ethernet, enum way way, char *error, size_t n)
{
	struct ebpf e = {0};
	const char *why;
	int fd = write_gate(g, f, ethernet, way, &e, &why);

	if (fd < 0) {
		snprintf(error, n, "%s", why);
	} else {
		fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "perisco_gate", "Dual MIT/GPL", e.insns, e.n, NULL);
		if (fd < 0)
			snprintf(error, n, "the kernel refused %zu instructions: %s", e.n, strerror(-fd));
	}
	ebpf_release(&e);
	return fd;
}

static int make_maps(struct gate *g, const struct hook_programs *behind, char *error, size_t n)
{
	int err = 0;

	g->progs_fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "perisco_progs", 4, 4, WAYS, NULL);
	g->refused_fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "perisco_refused", 4, 8, 1, NULL);
	if (g->progs_fd < 0 || g->refused_fd < 0)
		err = g->progs_fd < 0 ? g->progs_fd : g->refused_fd;
	for (__u32 way = 0; way < WAYS && !err; way++)
		err = bpf_map_update_elem(g->progs_fd, &way, &behind->fd[0][way], BPF_ANY);
	if (err)
		snprintf(error, n, "the kernel refused a map: %s", strerror(-err));
	return err;
}

int gate_init(struct gate *g, struct filter *f, const struct hook_programs *behind, char *error, size_t n)
{
	int err;

	*g = (struct gate){.progs_fd = -1, .refused_fd = -1, .programs.fd = {{-1, -1}, {-1, -1}}};
	err = make_maps(g, behind, error, n);
	for (int l3 = 0; l3 < 2; l3++) {
		for (enum way way = 0; way < WAYS && !err; way++) {
			g->programs.fd[l3][way] = load_gate(g, f, !l3, way, error, n);
			if (g->programs.fd[l3][way] < 0)
				err = g->programs.fd[l3][way];
		}
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
