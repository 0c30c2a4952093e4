/* SPDX-License-Identifier: MIT */
/*
 * Filters as eBPF say what libpcap says of the packet as it is delivered. An interpreter runs them here, which needs
 * no root, and skbs may have any shape; that the kernel takes and runs them alike is for tc_gate.c.
 */
#include "ebpf_run.h"
#include "gate_cases.h"

#include <arpa/inet.h>
#include <errno.h>

#include "event.h"

/* Of libpcap; pcap.h cannot be included with linux/bpf.h: both have a struct bpf_insn. */
unsigned bpf_filter(const void *code, const unsigned char *p, unsigned wire_len, unsigned n);

/* An expression, twice: for userspace, and for the kernel. */
struct judge {
	const char *expression;
	struct filter *filter;
	struct ebpf ebpf;
	bool ethernet, asks_length;
	enum direction dir;
};

static void judge_init(struct judge *j, const char *expression, bool ethernet, enum direction dir)
{
	*j = (struct judge){.expression = expression, .filter = filter_of(expression), .ethernet = ethernet, .dir = dir};
	translate(j->filter, ethernet ? VIEW_ETHERNET : VIEW_IP, dir, &j->ebpf, &j->asks_length);
}

static void judge_release(struct judge *j)
{
	filter_free(j->filter);
	ebpf_release(&j->ebpf);
}

static bool takes(const struct judge *j, const uint8_t *p, size_t n)
{
	struct packet pkt = {
		.wire_len = (uint32_t)n,
		.link = j->ethernet ? LINKTYPE_ETHERNET : LINKTYPE_RAW,
		.dir = (uint8_t)j->dir,
		.data = slice_of(p, n),
	};

	return filter_match(j->filter, &pkt);
}

static bool passes(const struct judge *j, const struct skb *skb)
{
	return ebpf_run(&j->ebpf, skb);
}

static struct skb skb_of(const uint8_t *p, size_t n)
{
	return (struct skb){.meta.len = (uint32_t)n, .bytes = p};
}

/* Where the packet ends by what IP says, if that is before its n bytes do. */
static size_t ip_end(const uint8_t *p, size_t n, bool ethernet)
{
	size_t at = ethernet ? 14 : 0, end = n;

	while (ethernet && at + 4 <= n && ((p[at - 2] == 0x81 && !p[at - 1]) || (p[at - 2] == 0x88 && p[at - 1] == 0xa8)))
		at += 4;
	if (at + 20 > n)
		return n;
	if (ethernet && memcmp(p + at - 2, p[at] >> 4 == 4 ? "\x08" : "\x86\xdd", 2) != 0)
		return n;
	if (p[at] >> 4 == 4)
		end = at + (size_t)(p[at + 2] << 8 | p[at + 3]);
	else if (p[at] >> 4 == 6)
		end = at + 40 + (size_t)(p[at + 4] << 8 | p[at + 5]);
	return end > at + 20 && end < n ? end : n;
}

/* The verdicts are the same, whether padding is delivered or not; where "len" is asked for more may pass. */
static void agree(const struct judge *j, const uint8_t *p, size_t n)
{
	struct skb skb = skb_of(p, n);
	bool pass = passes(j, &skb), take = takes(j, p, n), unpadded = takes(j, p, ip_end(p, n, j->ethernet));

	if (pass == take && (pass || !unpadded))
		return;
	if (pass && j->asks_length)
		return;
	fail_msg("'%s': %d in the kernel, %d and %d in userspace, of %zu bytes", j->expression, pass, take, unpadded, n);
}

/* Calls `fn` for each expression, link type and direction. */
static void for_all(void (*fn)(const struct judge *j))
{
	struct judge j;

	for (size_t i = 0; i < EXPRESSIONS; i++) {
		for (unsigned variant = 0; variant < 3; variant++) {
			judge_init(&j, expressions[i], variant != 1, variant == 2 ? DIRECTION_OUT : DIRECTION_IN);
			fn(&j);
			judge_release(&j);
		}
	}
}

/* The packet that was built last, as the judge's link type has it. */
static const uint8_t *packet_for(const struct judge *j, size_t *n)
{
	*n = build.n - (j->ethernet ? 0 : 14);
	return front() + (j->ethernet ? 0 : 14);
}

static void cut_anywhere(const struct judge *j)
{
	const uint8_t *p;
	size_t n;

	for (unsigned i = 0; build_packet(i); i++) {
		p = packet_for(j, &n);
		for (size_t cut = j->ethernet ? 14 : 1; cut <= n; cut++)
			agree(j, p, cut);
	}
}

static void spoiled(const struct judge *j)
{
	for (unsigned i = 0; build_packet(i % 25) && i < 500; i++) {
		size_t n;
		const uint8_t *p = packet_for(j, &n);

		spoil(front(), build.n);
		agree(j, p, n - (dice() % 4 ? 0 : dice() % 8));
	}
}

static void noise(const struct judge *j)
{
	uint8_t bytes[300];

	for (unsigned i = 0; i < 50; i++) {
		for (size_t at = 0; at < sizeof bytes; at++)
			bytes[at] = (uint8_t)dice();
		if (j->ethernet && i % 4)
			memcpy(bytes + 12, i % 2 ? "\x08\x00\x45" : "\x86\xdd\x60", 3);
		agree(j, bytes, 20 + dice() % (sizeof bytes - 20));
	}
}

/* The kernel keeps the tag beside the packet. Only what is computed may reach into it, and then passes. */
static void tagged(const struct judge *j)
{
	uint8_t whole[2048];
	struct skb skb;
	bool take;

	if (!j->ethernet)
		return;
	for (unsigned i = 0; build_packet(i % 25) && i < 200; i++) {
		size_t n = build.n - (i < 50 ? 0 : dice() % (build.n - 14));

		if (i >= 25)
			spoil(front(), build.n);
		memcpy(whole, front(), 12);
		memcpy(whole + 12, i % 3 ? "\x81\x00\x00\x05" : "\x88\xa8\x20\x06", 4);
		memcpy(whole + 16, front() + 12, n - 12);
		skb = skb_of(front(), n);
		skb.meta.vlan_present = 1;
		skb.meta.vlan_proto = htons(i % 3 ? 0x8100 : 0x88a8);
		skb.meta.vlan_tci = i % 3 ? 5 : 0x2006;
		take = takes(j, whole, n + 4);
		if (passes(j, &skb) == take || (!take && (j->asks_length || strstr(j->expression, "ether[0]]"))))
			continue;
		fail_msg("'%s': packet %u with a tag beside it", j->expression, i);
	}
}

#define EACH(name)                                                                                                     \
	static void test_##name(void **state)                                                                          \
	{                                                                                                              \
		(void)state;                                                                                           \
		for_all(name);                                                                                         \
	}
EACH(cut_anywhere)
EACH(spoiled)
EACH(noise)
EACH(tagged)

/* Builds a packet with `n` bytes of payload as offloads make it; more than 64 KiB have no length in IP. */
static void new_large(bool ip6, size_t n)
{
	static uint8_t payload[150000];
	uint8_t *ip;

	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)dice();
	new_tcp(SLICE(TIMESTAMP), slice_of(payload, n));
	if (ip6 && n > 65000)
		PUT("\x06\x00\xc2\x04\x00\x01\x86\xc8");
	if (ip6)
		put_ip6(n > 65000 ? 0 : 6);
	else
		put_ip4(6);
	ip = front();
	if (n > 65000)
		memset(ip + (ip6 ? 4 : 2), 0, 2);
	put_ethernet(ip6 ? 0x86dd : 0x0800);
}

/* The piece with the payload [from, from + n), as bpf/capture.bpf.h makes it, in `to`: its size. */
static size_t piece(uint8_t *to, const uint8_t *p, size_t l3, size_t from, size_t n)
{
	bool ip6 = p[l3] >> 4 == 6, jumbo = ip6 && !p[l3 + 6];
	size_t head = l3 + (ip6 ? 40 : 20), tcp = head + (jumbo ? 8 : 0), total = head + 32 + n;

	memcpy(to, p, head);
	memcpy(to + head, p + tcp, 32);
	memcpy(to + head + 32, p + tcp + 32 + from, n);
	to[l3 + (ip6 ? 4 : 2)] = (uint8_t)((total - l3 - (ip6 ? 40 : 0)) >> 8);
	to[l3 + (ip6 ? 5 : 3)] = (uint8_t)(total - l3 - (ip6 ? 40 : 0));
	if (jumbo)
		to[l3 + 6] = 6;
	if (!ip6)
		to[l3 + 10] = (uint8_t)dice();
	to[head + 6] = (uint8_t)(to[head + 6] + (from >> 8)); /* as good as any */
	to[head + 13] &= (uint8_t)~(n == 30000 ? TCP_PSH | TCP_FIN : 0);
	return total;
}

static bool takes_a_piece(const struct judge *j, const uint8_t *p, size_t n)
{
	static uint8_t bytes[40000];
	size_t l3 = j->ethernet ? 14 : 0, at = l3 + (p[l3] >> 4 == 4 ? 52 : p[l3 + 6] ? 72 : 80), size;

	for (size_t from = 0; from < n - at; from += size) {
		size = n - at - from < 30000 ? n - at - from : 30000;
		if (takes(j, bytes, piece(bytes, p, l3, from, size)))
			return true;
	}
	return false;
}

static const size_t large[] = {33000, 50000, 60001, 120000};

static void segmented(const struct judge *j)
{
	for (unsigned i = 0; i < 8; i++) {
		const uint8_t *p;
		struct skb skb;
		size_t n;

		new_large(i % 2, large[i / 2]);
		p = packet_for(j, &n);
		skb = skb_of(p, n);
		if (takes_a_piece(j, p, n) && !passes(j, &skb))
			fail_msg("'%s': refused %zu bytes of which it takes a piece", j->expression, n);
	}
}
EACH(segmented)

/* What goes by addresses, protocols and ports is refused in any size, unless IPv6 has a jumbo payload header. */
static void test_bulk(void **state)
{
	static const char *const steady[] = {"tcp port 81", "port 81 or port 82", "host 10.0.0.3", "not tcp", "udp or arp",
					     "portrange 1-79", "dst net 10.1.0.0/16 and port 80", "ip[8] = 1", "vlan"};
	struct judge j;
	struct skb skb;

	(void)state;
	for (size_t i = 0; i < sizeof steady / sizeof *steady; i++) {
		for (unsigned variant = 0; variant < 16; variant++) {
			const uint8_t *p;
			size_t n;

			judge_init(&j, steady[i], variant / 8, DIRECTION_IN);
			new_large(variant % 2, large[variant / 2 % 4]);
			p = packet_for(&j, &n);
			skb = skb_of(p, n);
			assert_int_equal(passes(&j, &skb), variant % 8 == 7);
			judge_release(&j);
		}
	}
}

/* Programs of arithmetic, jumps and memory, made up, beside what libpcap says of them. */
static size_t made_up(struct sock_filter *to)
{
	static const uint16_t ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_MOD,
				       BPF_AND, BPF_OR,  BPF_XOR, BPF_LSH, BPF_RSH};
	static const uint16_t jumps[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
	static const uint32_t values[] = {0, 1, 2, 5, 31, 32, 255, 0x7fffffff, 0x80000000, 0xffffffff};
	size_t n = 0, most = 20 + dice() % 20;

	while (n < most) {
		uint32_t k = dice() % 2 ? values[dice() % 10] : dice();
		uint16_t op = ops[dice() % 10], src = dice() % 2 ? BPF_X : BPF_K;

		if (src == BPF_K && (op == BPF_LSH || op == BPF_RSH))
			k %= 32;
		switch (dice() % 9) {
		case 0: to[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, k); break;
		case 1: to[n++] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, k); break;
		case 2: to[n++] = (struct sock_filter)BPF_STMT(BPF_MISC | (dice() % 2 ? BPF_TAX : BPF_TXA), 0); break;
		case 3: to[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_IND, k % 8); break;
		case 4: to[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_NEG, 0); break;
		case 5:
			to[n++] = (struct sock_filter)BPF_STMT(dice() % 2 ? BPF_ST : BPF_STX, k % 16);
			to[n] = (struct sock_filter)BPF_STMT((dice() % 2 ? BPF_LD : BPF_LDX) | BPF_MEM, to[n - 1].k);
			n++;
			break;
		case 6:
			to[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | jumps[dice() % 4] | src, k, (uint8_t)(dice() % 2),
							       (uint8_t)(dice() % 2));
			to[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, k);
			break;
		default:
			to[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | op | src, k ? k : 1);
		}
	}
	to[n++] = (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TXA, 0);
	to[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	return n;
}

static void test_made_up(void **state)
{
	uint8_t packet[64] = {0};
	struct sock_filter code[64];
	struct ebpf pass = {0}, refuse = {0}, e;
	struct skb skb = skb_of(packet, sizeof packet);
	const char *why = "";
	unsigned taken = 0;

	(void)state;
	ebpf_exit(&pass, 1);
	ebpf_exit(&refuse, 0);
	for (size_t i = 0; i < sizeof packet; i++)
		packet[i] = (uint8_t)dice();
	for (unsigned i = 0; i < 20000; i++) {
		size_t n = made_up(code), drop = dice() % 2; /* with what A is at the end, or X */
		bool take;

		if (drop)
			code[n - 2] = code[n - 1], n--;
		e = (struct ebpf){0};
		assert_int_equal(cbpf_translate(code, n, i % 2 ? VIEW_ETHERNET : VIEW_IP, &(struct cbpf_ends){&pass, &refuse}, &e, &why), 0);
		take = bpf_filter(code, packet, sizeof packet, sizeof packet);
		taken += take;
		assert_int_equal(ebpf_run(&e, &skb) != 0, take);
		ebpf_release(&e);
	}
	assert_in_range(taken, 1000, 19000);
	ebpf_release(&pass);
	ebpf_release(&refuse);
}

static void complains(const struct sock_filter *code, size_t n, int wanted, const char *of)
{
	struct ebpf pass = {0}, refuse = {0}, e = {0};
	const char *why = "";

	ebpf_exit(&pass, 1);
	ebpf_exit(&refuse, 0);
	assert_int_equal(cbpf_translate(code, n, VIEW_ETHERNET, &(struct cbpf_ends){&pass, &refuse}, &e, &why), wanted);
	if (!strstr(why, of))
		fail_msg("'%s' does not speak of '%s'", why, of);
	ebpf_release(&e);
	ebpf_release(&pass);
	ebpf_release(&refuse);
}

/* What is not translated, and why; `a` is followed by a return. */
static void test_complaints(void **state)
{
	static const struct {
		struct sock_filter a;
		const char *of;
	} cases[] = {
		{BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_IFINDEX), "packets do not have"},
		{BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0xffffffff), "packets do not have"},
		{BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), "divides by zero"},
		{BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), "divides by zero"},
		{BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), "shifts"},
		{BPF_STMT(BPF_ALU | 0xd0, 1), "arithmetic"},
		{BPF_STMT(BPF_JMP | 0x50, 0), "unknown jump"},
		{BPF_STMT(BPF_JMP | BPF_JA, 1), "jumps out"},
		{BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), "loops"},
		{BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 7), "jumps out"},
		{BPF_STMT(BPF_ST, 16), "memory"},
		{BPF_STMT(BPF_LDX | BPF_MEM, 16), "memory"},
		{BPF_STMT(BPF_LDX | BPF_W | BPF_ABS, 0), "unknown load"},
		{BPF_STMT(BPF_LD | BPF_DW | BPF_ABS, 0), "unknown load"},
		{BPF_STMT(BPF_LD | 0xc0, 0), "unknown load"},
		{BPF_STMT(BPF_RET | BPF_X, 0), "returns X"},
	};
	struct sock_filter code[2] = {BPF_STMT(BPF_RET | BPF_K, 1), BPF_STMT(BPF_RET | BPF_K, 1)};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		code[0] = cases[i].a;
		complains(code, 2, -EINVAL, cases[i].of);
	}
	complains(code, 0, -EINVAL, "empty");
	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 1);
	complains(code, 1, -EINVAL, "jumps out");
	code[0] = code[1]; /* nobody comes to the second */
	code[1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_X, 1);
	complains(code, 2, 0, "");
}

/* Jumps of eBPF reach 32767 instructions. */
static void test_too_long(void **state)
{
	static struct sock_filter code[12001];

	(void)state;
	for (size_t i = 0; i < 12000; i++)
		code[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 20);
	code[12000] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	complains(code + 10000, 2001, 0, "");
	complains(code, 12001, -E2BIG, "too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_spoiled), cmocka_unit_test(test_noise),
		cmocka_unit_test(test_tagged),       cmocka_unit_test(test_segmented), cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_made_up),      cmocka_unit_test(test_complaints), cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
