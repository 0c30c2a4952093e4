/* SPDX-License-Identifier: MIT */
/* Writes eBPF instructions one behind the other, with jumps forward to labels that come later. */
#ifndef PERISCO_CAPTURE_EBPF_H
#define PERISCO_CAPTURE_EBPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

/* Errors stick: write freely, ask ebpf_finish. */
struct ebpf {
	struct bpf_insn *insns;
	uint32_t *jumps;      /* by instruction: the label it jumps to, plus 1; 0: none */
	size_t n, room;
	size_t *labels;       /* where they are; SIZE_MAX: nowhere yet */
	uint32_t n_labels, labels_room;
	int err;
};

/* Frees everything but what the struct itself takes; fit to be called twice. */
void ebpf_release(struct ebpf *e);

/* One instruction; the fields are those of struct bpf_insn. */
void ebpf_put(struct ebpf *e, int code, int dst, int src, int off, int32_t imm);

/* A copy of `n` instructions that know nothing of where they are. */
void ebpf_append(struct ebpf *e, const struct bpf_insn *insns, size_t n);

/* A new label, nowhere yet. Labels are counted from 0. */
uint32_t ebpf_label(struct ebpf *e);

/* The label is in front of the instruction that comes next. */
void ebpf_here(struct ebpf *e, uint32_t label);

/* A jump on a comparison (BPF_JMP or BPF_JMP32) of dst with imm or src, or BPF_JMP | BPF_JA. */
void ebpf_jump(struct ebpf *e, int code, int dst, int src, int32_t imm, uint32_t label);

/* Is any jump to this label yet? */
int ebpf_is_wanted(const struct ebpf *e, uint32_t label);

/* Fills the jumps in: 0, -ENOMEM when that happened on the way, or -E2BIG when a jump is too long for its 16 bits. */
int ebpf_finish(struct ebpf *e);

/* The instructions that are written most. */

static inline void ebpf_mov(struct ebpf *e, int dst, int src)
{
	ebpf_put(e, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

/* As 32 bits; the upper half becomes 0. */
static inline void ebpf_set(struct ebpf *e, int dst, uint32_t imm)
{
	ebpf_put(e, BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, (int32_t)imm);
}

static inline void ebpf_add(struct ebpf *e, int dst, int32_t imm)
{
	ebpf_put(e, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm);
}

/* dst = fp + at */
static inline void ebpf_stack(struct ebpf *e, int dst, int at)
{
	ebpf_mov(e, dst, BPF_REG_10);
	ebpf_add(e, dst, at);
}

/* dst = *(size *)(src + off), size being BPF_B, BPF_H, BPF_W or BPF_DW */
static inline void ebpf_load(struct ebpf *e, int size, int dst, int src, int off)
{
	ebpf_put(e, BPF_LDX | size | BPF_MEM, dst, src, off, 0);
}

/* *(size *)(dst + off) = src */
static inline void ebpf_store(struct ebpf *e, int size, int dst, int off, int src)
{
	ebpf_put(e, BPF_STX | size | BPF_MEM, dst, src, off, 0);
}

/* *(size *)(dst + off) = imm */
static inline void ebpf_store_imm(struct ebpf *e, int size, int dst, int off, int32_t imm)
{
	ebpf_put(e, BPF_ST | size | BPF_MEM, dst, 0, off, imm);
}

/* From network byte order, `bits` of them, the rest becoming 0; and back. */
static inline void ebpf_swap(struct ebpf *e, int dst, int bits)
{
	ebpf_put(e, BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, bits);
}

static inline void ebpf_call(struct ebpf *e, int helper)
{
	ebpf_put(e, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

static inline void ebpf_goto(struct ebpf *e, uint32_t label)
{
	ebpf_jump(e, BPF_JMP | BPF_JA, 0, 0, 0, label);
}

/* BPF_LD_IMM64 of a map's descriptor takes two instructions. */
static inline void ebpf_map(struct ebpf *e, int dst, int fd)
{
	ebpf_put(e, BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, fd);
	ebpf_put(e, 0, 0, 0, 0, 0);
}

static inline void ebpf_exit(struct ebpf *e, int32_t value)
{
	ebpf_put(e, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value);
	ebpf_put(e, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

#endif
