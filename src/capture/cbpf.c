/* SPDX-License-Identifier: MIT */
#include "capture/cbpf.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>

#define A         BPF_REG_7
#define X         BPF_REG_8
#define MEMORY(i) (-VIEW_STACK - 4 * BPF_MEMWORDS + 4 * (int)(i))

/* What is known of an instruction before it runs. */
#define REACHED 0x01
#define X_OTHER 0x02 /* X may be something else than the length of the IPv4 header */

struct cbpf {
	const struct sock_filter *from;
	size_t n;
	uint8_t *state;   /* by instruction */
	uint32_t memory;  /* words that are used, one bit each */
	struct skb_view view;
	struct ebpf *e;
	uint32_t first;   /* label of the first instruction; the others follow */
	const char *why;
};

static int refused(struct cbpf *c, const char *why)
{
	c->why = why;
	return -EINVAL;
}

static unsigned bytes_of(const struct sock_filter *i)
{
	return BPF_SIZE(i->code) == BPF_B ? 1 : BPF_SIZE(i->code) == BPF_H ? 2 : 4;
}

/* Control goes from pc on to `to`. */
static int reach(struct cbpf *c, size_t pc, uint64_t to, uint8_t state)
{
	if (to >= c->n || to <= pc)
		return refused(c, "it has loops, or jumps out of itself");
	c->state[to] |= state;
	return 0;
}

static int check_jump(struct cbpf *c, size_t pc)
{
	const struct sock_filter *i = &c->from[pc];
	uint8_t state = c->state[pc];

	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return reach(c, pc, pc + 1 + (uint64_t)i->k, state);
	case BPF_JEQ:
	case BPF_JGT:
	case BPF_JGE:
	case BPF_JSET:
		return reach(c, pc, pc + 1 + i->jt, state) ? -EINVAL : reach(c, pc, pc + 1 + i->jf, state);
	default:
		return refused(c, "it has an unknown jump");
	}
}

static int check_alu(struct cbpf *c, const struct sock_filter *i)
{
	bool by_k = BPF_SRC(i->code) == BPF_K;

	switch (BPF_OP(i->code)) {
	case BPF_DIV:
	case BPF_MOD:
		return by_k && !i->k ? refused(c, "it divides by zero") : 0;
	case BPF_LSH:
	case BPF_RSH:
		return by_k && i->k > 31 ? refused(c, "it shifts too far") : 0;
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR:
	case BPF_NEG:
		return 0;
	default:
		return refused(c, "it has unknown arithmetic");
	}
}

static int use_memory(struct cbpf *c, uint32_t word)
{
	if (word >= BPF_MEMWORDS)
		return refused(c, "it has too much memory");
	c->memory |= 1U << word;
	return 0;
}

static int check_load(struct cbpf *c, const struct sock_filter *i)
{
	bool packet = true;

	switch (BPF_MODE(i->code)) {
	case BPF_IMM:
		return 0;
	case BPF_LEN:
		c->view.asks_length = true;
		return 0;
	case BPF_MEM:
		return use_memory(c, i->k);
	case BPF_ABS:
	case BPF_IND:
		packet = BPF_CLASS(i->code) == BPF_LD && BPF_SIZE(i->code) != BPF_DW;
		break;
	case BPF_MSH:
		packet = i->code == (BPF_LDX | BPF_MSH | BPF_B);
		break;
	default:
		packet = false;
	}
	if (!packet)
		return refused(c, "it has an unknown load");
	if (i->k > INT32_MAX - 4)
		return refused(c, "it asks for what packets do not have");
	if (BPF_MODE(i->code) != BPF_IND && i->k + bytes_of(i) > c->view.window)
		c->view.window = i->k + bytes_of(i);
	return 0;
}

/* Is X the length of the IPv4 header behind it? */
static uint8_t state_behind(const struct cbpf *c, const struct sock_filter *i, uint8_t state)
{
	uint32_t ip = c->view.of != VIEW_IP ? ETH_HLEN : 0;

	if (BPF_CLASS(i->code) == BPF_LDX && BPF_MODE(i->code) == BPF_MSH && i->k == ip)
		return state & (uint8_t)~X_OTHER;
	if (BPF_CLASS(i->code) == BPF_LDX || i->code == (BPF_MISC | BPF_TAX))
		return state | X_OTHER;
	return state;
}

static int check_insn(struct cbpf *c, size_t pc)
{
	const struct sock_filter *i = &c->from[pc];
	int err = 0;

	switch (BPF_CLASS(i->code)) {
	case BPF_RET:
		return BPF_RVAL(i->code) == BPF_X ? refused(c, "it returns X") : 0;
	case BPF_JMP:
		return check_jump(c, pc);
	case BPF_LD:
	case BPF_LDX:
		err = check_load(c, i);
		break;
	case BPF_ST:
	case BPF_STX:
		err = use_memory(c, i->k);
		break;
	case BPF_ALU:
		err = check_alu(c, i);
		break;
	}
	return err ? err : reach(c, pc, pc + 1, state_behind(c, i, c->state[pc]));
}

/* All jumps go forward, so that whoever reaches an instruction comes before it. */
static int check(struct cbpf *c)
{
	int err = c->n ? 0 : refused(c, "it is empty");

	if (!err)
		c->state[0] = REACHED | X_OTHER;
	for (size_t pc = 0; pc < c->n && !err; pc++)
		if (c->state[pc])
			err = check_insn(c, pc);
	return err;
}

static uint32_t label_of(const struct cbpf *c, uint64_t pc)
{
	return c->first + (uint32_t)pc;
}

static void put_load(struct cbpf *c, const struct sock_filter *i)
{
	int to = BPF_CLASS(i->code) == BPF_LD ? A : X;
	struct ebpf *e = c->e;

	switch (BPF_MODE(i->code)) {
	case BPF_IMM:
		ebpf_set(e, to, i->k);
		break;
	case BPF_LEN:
		ebpf_mov(e, to, VIEW_LEN);
		break;
	case BPF_MEM:
		ebpf_load(e, BPF_W, to, BPF_REG_10, MEMORY(i->k));
		break;
	case BPF_ABS:
		view_load(&c->view, to, bytes_of(i), i->k, 0);
		break;
	case BPF_IND:
		view_load(&c->view, to, bytes_of(i), i->k, X);
		break;
	case BPF_MSH:
		view_load(&c->view, to, 1, i->k, 0);
		ebpf_put(e, BPF_ALU | BPF_AND | BPF_K, to, 0, 0, 15);
		ebpf_put(e, BPF_ALU | BPF_LSH | BPF_K, to, 0, 0, 2);
		break;
	}
}

/* The codes of arithmetic are the same in both, and BPF_ALU is that of 32 bits. */
static void put_alu(struct cbpf *c, const struct sock_filter *i)
{
	bool by_x = BPF_SRC(i->code) == BPF_X;
	int op = BPF_OP(i->code);
	struct ebpf *e = c->e;

	if (op == BPF_NEG) {
		ebpf_put(e, BPF_ALU | BPF_NEG, A, 0, 0, 0);
		return;
	}
	if (by_x && (op == BPF_DIV || op == BPF_MOD))
		ebpf_jump(e, BPF_JMP32 | BPF_JEQ | BPF_K, X, 0, 0, c->view.refuse);
	if (by_x && (op == BPF_LSH || op == BPF_RSH)) { /* 0, if too far */
		ebpf_put(e, BPF_JMP32 | BPF_JLT | BPF_K, X, 0, 1, 32);
		ebpf_set(e, A, 0);
	}
	if (by_x)
		ebpf_put(e, BPF_ALU | op | BPF_X, A, X, 0, 0);
	else
		ebpf_put(e, BPF_ALU | op | BPF_K, A, 0, 0, (int32_t)i->k);
}

/* The condition that holds when `op` does not; 0: there is none. */
static int inverse(int op)
{
	switch (op) {
	case BPF_JEQ:
		return BPF_JNE;
	case BPF_JGT:
		return BPF_JLE;
	case BPF_JGE:
		return BPF_JLT;
	default:
		return 0;
	}
}

static void put_jump(struct cbpf *c, size_t pc)
{
	const struct sock_filter *i = &c->from[pc];
	int op = BPF_OP(i->code), src = BPF_SRC(i->code), x = src == BPF_X ? X : 0;
	int32_t k = src == BPF_X ? 0 : (int32_t)i->k;
	uint32_t yes = label_of(c, pc + 1 + i->jt), no = label_of(c, pc + 1 + i->jf);

	if (op == BPF_JA) {
		ebpf_goto(c->e, label_of(c, pc + 1 + (uint64_t)i->k));
	} else if (!i->jt && inverse(op)) {
		if (i->jf)
			ebpf_jump(c->e, BPF_JMP32 | inverse(op) | src, A, x, k, no);
	} else {
		ebpf_jump(c->e, BPF_JMP32 | op | src, A, x, k, yes);
		if (i->jf)
			ebpf_goto(c->e, no);
	}
}

static void put_return(struct cbpf *c, const struct sock_filter *i)
{
	if (BPF_RVAL(i->code) == BPF_A)
		ebpf_jump(c->e, BPF_JMP32 | BPF_JNE | BPF_K, A, 0, 0, c->view.pass);
	ebpf_goto(c->e, BPF_RVAL(i->code) == BPF_K && i->k ? c->view.pass : c->view.refuse);
}

static void put_insn(struct cbpf *c, size_t pc)
{
	const struct sock_filter *i = &c->from[pc];

	c->view.by_ihl = !(c->state[pc] & X_OTHER);
	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
	case BPF_LDX:
		put_load(c, i);
		break;
	case BPF_ST:
	case BPF_STX:
		ebpf_store(c->e, BPF_W, BPF_REG_10, MEMORY(i->k), BPF_CLASS(i->code) == BPF_ST ? A : X);
		break;
	case BPF_ALU:
		put_alu(c, i);
		break;
	case BPF_JMP:
		put_jump(c, pc);
		break;
	case BPF_RET:
		put_return(c, i);
		break;
	case BPF_MISC:
		ebpf_put(c->e, BPF_ALU | BPF_MOV | BPF_X, BPF_MISCOP(i->code) == BPF_TAX ? X : A,
			 BPF_MISCOP(i->code) == BPF_TAX ? A : X, 0, 0);
		break;
	}
}

/* The verifier takes neither instructions that nothing leads to, nor reads of memory that nobody wrote. */
static void put_all(struct cbpf *c, const struct cbpf_ends *ends)
{
	struct ebpf *e = c->e;

	view_begin(&c->view);
	ebpf_set(e, A, 0);
	ebpf_set(e, X, 0);
	for (uint32_t word = 0; word < BPF_MEMWORDS; word++)
		if (c->memory & 1U << word)
			ebpf_store_imm(e, BPF_W, BPF_REG_10, MEMORY(word), 0);
	c->first = ebpf_label(e);
	for (size_t pc = 1; pc < c->n; pc++)
		ebpf_label(e);
	for (size_t pc = 0; pc < c->n; pc++) {
		ebpf_here(e, label_of(c, pc));
		if (c->state[pc])
			put_insn(c, pc);
	}
	if (ebpf_is_wanted(e, c->view.refuse)) {
		view_refuse(&c->view);
		ebpf_append(e, ends->refuse->insns, ends->refuse->n);
	}
	ebpf_here(e, c->view.pass);
	ebpf_append(e, ends->pass->insns, ends->pass->n);
}

int cbpf_translate(const struct sock_filter *from, size_t n, enum view_of of, const struct cbpf_ends *ends,
		   struct ebpf *ret, const char **why)
{
	struct cbpf c = {.from = from, .n = n, .view.e = ret, .view.of = of, .e = ret};
	int err;

	c.state = calloc(n ? n : 1, 1);
	err = c.state ? check(&c) : -ENOMEM;
	if (!err) {
		c.why = "it is too long";
		put_all(&c, ends);
		err = ebpf_finish(ret);
	}
	free(c.state);
	*why = err == -ENOMEM ? "out of memory" : c.why;
	return err;
}
