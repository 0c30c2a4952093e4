/* SPDX-License-Identifier: MIT */
/* Runs eBPF as cbpf.c writes it, on an skb that is made up. Like the verifier it minds what is read and written. */
#ifndef TESTS_UNIT_EBPF_RUN_H
#define TESTS_UNIT_EBPF_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/ebpf.h"

struct skb {
	struct __sk_buff meta;
	const uint8_t *bytes; /* meta.len of them; a VLAN tag in `meta` is not among them */
};

struct machine {
	const struct skb *skb;
	uint64_t r[11];
	uint8_t stack[512], written[512];
};

/* The place on the stack that `at` means, of `n` bytes. */
static inline uint8_t *on_stack(struct machine *m, uint64_t at, size_t n)
{
	uint64_t place = at - (uint64_t)m->stack;

	if (place > sizeof(m->stack) - n)
		fail_msg("eBPF goes off the stack");
	return m->stack + place;
}

static inline uint64_t machine_load(struct machine *m, uint64_t at, size_t n)
{
	uint64_t meta = at - (uint64_t)&m->skb->meta, ret = 0;
	const uint8_t *p;

	if (meta <= sizeof(m->skb->meta) - n)
		return memcpy(&ret, (const uint8_t *)&m->skb->meta + meta, n), ret;
	p = on_stack(m, at, n);
	assert_int_equal((size_t)(p - m->stack) % n, 0);
	for (size_t i = 0; i < n; i++)
		if (!m->written[p - m->stack + (ptrdiff_t)i])
			fail_msg("eBPF reads what was never written");
	memcpy(&ret, p, n);
	return ret;
}

static inline void machine_store(struct machine *m, uint64_t at, const void *from, size_t n)
{
	uint8_t *to = on_stack(m, at, n);

	memcpy(to, from, n);
	memset(m->written + (to - m->stack), 1, n);
}

/* What a program stores itself has to be aligned. */
static inline void machine_put(struct machine *m, uint64_t at, const void *from, size_t n)
{
	assert_int_equal((at - (uint64_t)m->stack) % n, 0);
	machine_store(m, at, from, n);
}

/* bpf_skb_load_bytes, the only helper. A copy to the stack must have been made room for, as old verifiers want it. */
static inline void machine_call(struct machine *m, int helper)
{
	uint64_t at = m->r[2], n = m->r[4];

	assert_int_equal(helper, BPF_FUNC_skb_load_bytes);
	assert_true(m->r[1] == (uint64_t)&m->skb->meta);
	assert_in_range(n, 1, 512);
	m->r[0] = at + n > m->skb->meta.len ? (uint64_t)-14 : 0;
	if (!m->r[0])
		machine_store(m, m->r[3], m->skb->bytes + at, n);
	for (int i = 1; i < 6; i++)
		m->r[i] = 0xdead;
}

static inline int machine_compares(int op, uint64_t a, uint64_t b)
{
	switch (op) {
	case BPF_JA:
		return 1;
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	case BPF_JSET:
		return (a & b) != 0;
	case BPF_JSLT:
		return (int64_t)a < (int64_t)b;
	default:
		fail_msg("unknown jump %x", (unsigned)op);
		return 0;
	}
}

static inline uint64_t machine_alu(const struct bpf_insn *i, uint64_t a, uint64_t b)
{
	bool wide = BPF_CLASS(i->code) == BPF_ALU64;

	if (!wide) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (BPF_OP(i->code)) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_MOD:
		return b ? a % b : a;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & (wide ? 63 : 31));
	case BPF_RSH:
		return a >> (b & (wide ? 63 : 31));
	case BPF_NEG:
		return -a;
	case BPF_MOV:
		return b;
	case BPF_END:
		return i->imm == 16 ? __builtin_bswap16((uint16_t)a) : __builtin_bswap32((uint32_t)a);
	default:
		fail_msg("unknown arithmetic %x", i->code);
		return 0;
	}
}

/* Runs to the exit: what R0 is. */
static inline int64_t ebpf_run(const struct ebpf *e, const struct skb *skb)
{
	struct machine m = {.skb = skb, .r = {[1] = (uint64_t)&skb->meta}};
	static const size_t sizes[] = {[BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8};

	m.r[10] = (uint64_t)(m.stack + sizeof(m.stack));
	for (size_t pc = 0; pc < e->n; pc++) {
		const struct bpf_insn *i = &e->insns[pc];
		uint64_t *dst = &m.r[i->dst_reg], b = i->code & BPF_X ? m.r[i->src_reg] : (uint64_t)(int64_t)i->imm;
		size_t size = sizes[BPF_SIZE(i->code) >> 3];

		switch (BPF_CLASS(i->code)) {
		case BPF_LDX:
			*dst = machine_load(&m, m.r[i->src_reg] + (uint64_t)i->off, size);
			break;
		case BPF_STX:
			machine_put(&m, *dst + (uint64_t)i->off, &m.r[i->src_reg], size);
			break;
		case BPF_ST:
			machine_put(&m, *dst + (uint64_t)i->off, &(int64_t){i->imm}, size);
			break;
		case BPF_ALU64:
			*dst = machine_alu(i, *dst, b);
			break;
		case BPF_ALU:
			*dst = (uint32_t)machine_alu(i, *dst, b);
			break;
		case BPF_JMP32:
			if (machine_compares(BPF_OP(i->code), (uint32_t)*dst, (uint32_t)b))
				pc += (size_t)i->off;
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_EXIT)
				return (int64_t)m.r[0];
			if (BPF_OP(i->code) == BPF_CALL)
				machine_call(&m, i->imm);
			else if (machine_compares(BPF_OP(i->code), *dst, b))
				pc += (size_t)i->off;
			break;
		default:
			fail_msg("unknown instruction %x", i->code);
		}
	}
	fail_msg("eBPF runs off its end");
	return 0;
}

#endif
