/* SPDX-License-Identifier: MIT */
#include "capture/ebpf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more of `size` bytes; NULL, and the error is kept, when there is none. */
static void *grown(struct ebpf *e, void *p, size_t room, size_t size)
{
	p = reallocarray(p, room, size);
	if (!p)
		e->err = -ENOMEM;
	return p;
}

static int ebpf_grow(struct ebpf *e)
{
	size_t room = e->room ? e->room * 2 : 256;
	void *p;

	if (e->n < e->room)
		return 0;
	p = grown(e, e->insns, room, sizeof(*e->insns));
	if (!p)
		return e->err;
	e->insns = p;
	p = grown(e, e->jumps, room, sizeof(*e->jumps));
	if (!p)
		return e->err;
	e->jumps = p;
	e->room = room;
	return 0;
}

void ebpf_release(struct ebpf *e)
{
	free(e->insns);
	free(e->jumps);
	free(e->labels);
	memset(e, 0, sizeof(*e));
}

void ebpf_put(struct ebpf *e, int code, int dst, int src, int off, int32_t imm)
{
	if (e->err || ebpf_grow(e))
		return;
	e->jumps[e->n] = 0;
	e->insns[e->n++] = (struct bpf_insn){
		.code = (__u8)code,
		.dst_reg = (__u8)dst & 15,
		.src_reg = (__u8)src & 15,
		.off = (__s16)off,
		.imm = imm,
	};
}

void ebpf_append(struct ebpf *e, const struct bpf_insn *insns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ebpf_put(e, insns[i].code, insns[i].dst_reg, insns[i].src_reg, insns[i].off, insns[i].imm);
}

uint32_t ebpf_label(struct ebpf *e)
{
	uint32_t room = e->labels_room ? e->labels_room * 2 : 64;
	size_t *p;

	if (e->err)
		return 0;
	if (e->n_labels == e->labels_room) {
		p = grown(e, e->labels, room, sizeof(*p));
		if (!p)
			return 0;
		e->labels = p;
		e->labels_room = room;
	}
	e->labels[e->n_labels] = SIZE_MAX;
	return e->n_labels++;
}

void ebpf_here(struct ebpf *e, uint32_t label)
{
	if (!e->err)
		e->labels[label] = e->n;
}

void ebpf_jump(struct ebpf *e, int code, int dst, int src, int32_t imm, uint32_t label)
{
	ebpf_put(e, code, dst, src, 0, imm);
	if (!e->err)
		e->jumps[e->n - 1] = label + 1;
}

int ebpf_is_wanted(const struct ebpf *e, uint32_t label)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->jumps[i] == label + 1)
			return 1;
	return 0;
}

int ebpf_finish(struct ebpf *e)
{
	for (size_t i = 0; i < e->n && !e->err; i++) {
		size_t to = e->jumps[i] ? e->labels[e->jumps[i] - 1] : i + 1;

		if (to <= i || to - i - 1 > INT16_MAX)
			e->err = -E2BIG;
		else if (e->jumps[i])
			e->insns[i].off = (__s16)(to - i - 1);
	}
	return e->err;
}
