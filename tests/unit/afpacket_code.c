/* SPDX-License-Identifier: MIT */
/* The program for packet sockets, run as the kernel would: what passes of each kind, interface, way and filter. */
#include "packet_build.h"

#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>

#include "capture/afpacket_code.h"
#include "capture/filter.h"
#include "opaque.h"

#define COMMA(n)   n,
#define IFINDEX    70000
#define INTERFACES 1500

/* What the kernel knows of a packet beside its bytes. */
struct beside {
	uint32_t ifindex, hatype, pkttype, protocol, tag;
};
static const struct beside ethernet = {IFINDEX, ARPHRD_ETHER, PACKET_HOST, 0x0800, 0};

static struct code code;

static uint32_t load(const struct beside *b, uint32_t what)
{
	switch (what) {
	case SKF_AD_IFINDEX:
		return b->ifindex;
	case SKF_AD_HATYPE:
		return b->hatype;
	case SKF_AD_PKTTYPE:
		return b->pkttype;
	case SKF_AD_PROTOCOL:
		return b->protocol;
	case SKF_AD_VLAN_TAG_PRESENT:
		return b->tag;
	default:
		fail_msg("the program asks the kernel for %u", what);
		return 0;
	}
}

/* Runs the program over what was built, as far as it is `n` bytes. libpcap's machine knows nothing beside the bytes. */
static bool accepts_first(const struct beside *b, size_t n)
{
	static struct bpf_insn insn[BPF_MAXINSNS];
	uint8_t *copy = malloc(n);
	bool accepted;

	for (unsigned i = 0; i < code.n; i++) {
		const struct sock_filter *f = &code.insn[i];

		insn[i] = (struct bpf_insn){f->code, f->jt, f->jf, f->k};
		if (BPF_CLASS(f->code) == BPF_LD && BPF_MODE(f->code) == BPF_ABS && f->k >= (uint32_t)SKF_AD_OFF)
			insn[i] = (struct bpf_insn)BPF_STMT(BPF_LD | BPF_IMM, load(b, f->k - (uint32_t)SKF_AD_OFF));
	}
	assert_true(bpf_validate(insn, code.n));
	memcpy(copy, front(), n);
	accepted = bpf_filter(insn, copy, (u_int)n, (u_int)n);
	free(copy);
	return accepted;
}

static bool accepts(const struct beside *b)
{
	return accepts_first(b, build.n);
}

static void make(const uint32_t *index, size_t n, const char *expression)
{
	char error[256];
	struct filter *f = expression ? filter_new(expression, error, sizeof error) : NULL;

	assert_true(code_build(&code, index, n, f ? filter_program(f, LINKTYPE_ETHERNET) : NULL));
	filter_free(f);
}

static void check_ip(uint8_t protocol, bool wanted)
{
	for (int v6 = 0; v6 < 2; v6++) {
		new_request();
		if (v6)
			put_ip6(protocol);
		else
			put_ip4(protocol);
		put_ethernet(v6 ? 0x86dd : 0x0800);
		if (accepts(&ethernet) != wanted)
			fail_msg("IPv%d protocol %u: not %s", v6 ? 6 : 4, protocol, wanted ? "accepted" : "refused");
	}
}

static void takes_what_may_be_tcp(void **state)
{
	static const uint8_t opaque[] = {OPAQUE_PROTOCOLS(COMMA)};

	(void)state;
	make(NULL, 0, NULL);
	check_ip(6, true);
	for (size_t i = 0; i < sizeof opaque; i++)
		check_ip(opaque[i], true);
	check_ip(17, false); /* the ports of the request */
	check_ip(1, false);
	check_ip(58, false);
	check_ip(132, false);
}

static void looks_behind_extensions(void **state)
{
	static const uint8_t wanted[] = {6, 4, 17, 43, 44, 60}, others[] = {58, 59, 132};

	(void)state;
	make(NULL, 0, NULL);
	new_request();
	put_ip6(44);
	put_ethernet(0x86dd);
	assert_true(accepts(&ethernet));
	for (size_t i = 0; i < sizeof wanted + sizeof others; i++) {
		new_request();
		put_zeros(7);
		put_u8(i < sizeof wanted ? wanted[i] : others[i - sizeof wanted]);
		put_ip6(i % 2 ? 60 : 0);
		put_ethernet(0x86dd);
		assert_int_equal(accepts(&ethernet), i < sizeof wanted);
	}
}

static void takes_tunnels_in_udp(void **state)
{
	static const uint16_t opaque[] = {OPAQUE_UDP_PORTS(COMMA)};
	static const uint16_t others[] = {53, 443, 4788};

	(void)state;
	make(NULL, 0, NULL);
	for (size_t i = 0; i < 2 * (sizeof opaque / sizeof *opaque + 3); i++) {
		size_t at = i / 2;
		bool known = at < sizeof opaque / sizeof *opaque;
		uint16_t port = known ? opaque[at] : others[at - sizeof opaque / sizeof *opaque];

		new_request();
		put_udp(i % 2 ? port : 12345, i % 2 ? 12345 : port);
		put_ip4(17);
		put_ethernet(0x0800);
		assert_int_equal(accepts(&ethernet), known);
		new_request();
		put_udp(i % 2 ? port : 12345, i % 2 ? 12345 : port);
		put_ip6(17);
		put_ethernet(0x86dd);
		assert_int_equal(accepts(&ethernet), known);
	}
}

static void takes_fragments_of_tcp(void **state)
{
	(void)state;
	make(NULL, 0, NULL);
	new_request();
	put_ip4_fragment(6, 1, 0x2010);
	put_ethernet(0x0800);
	assert_true(accepts(&ethernet));
	new_request();
	put_udp(4789, 4789);
	put_ip4_fragment(17, 1, 0x0010);
	put_ethernet(0x0800);
	assert_false(accepts(&ethernet));
}

static void takes_ethertypes(void **state)
{
	static const uint16_t opaque[] = {OPAQUE_ETHERTYPES(COMMA) 0x8100, 0x88a8};

	(void)state;
	make(NULL, 0, NULL);
	for (size_t i = 0; i < sizeof opaque / sizeof *opaque; i++) {
		new_ip4();
		put_ethernet(opaque[i]);
		assert_true(accepts(&ethernet));
	}
	new_ip4();
	put_ethernet(0x0806);
	assert_false(accepts(&ethernet));
}

/* A packet that ends too early is nothing, at whatever byte; the program never reads beyond it. */
static void survives_cuts(void **state)
{
	(void)state;
	make(NULL, 0, "tcp port 80");
	new_ethernet();
	for (size_t n = 1; n < 14 + 20 + 4; n++)
		assert_false(accepts_first(&ethernet, n));
	assert_true(accepts(&ethernet));
}

static void knows_interfaces(void **state)
{
	static uint32_t index[INTERFACES];
	struct beside b = ethernet;
	size_t at;

	(void)state;
	for (size_t i = 0; i < INTERFACES; i++)
		index[i] = (uint32_t)(10 + 3 * i);
	for (size_t n = 0; n <= INTERFACES; n = n * 5 / 4 + 1) {
		make(index, n, "tcp port 80 or net 10.0.0.0/8");
		new_ethernet();
		for (b.ifindex = 1; b.ifindex < 20 + 3 * n; b.ifindex++) {
			at = (b.ifindex - 10) / 3;
			assert_int_equal(accepts(&b), b.ifindex >= 10 && at < n && index[at] == b.ifindex);
		}
	}
}

static void tells_when_full(void **state)
{
	static uint32_t index[BPF_MAXINSNS];

	(void)state;
	for (uint32_t i = 0; i < BPF_MAXINSNS; i++)
		index[i] = i;
	assert_false(code_build(&code, index, BPF_MAXINSNS, NULL));
	make(index, 1, NULL);
	new_ethernet();
	assert_true(accepts(&(struct beside){0, ARPHRD_ETHER, 0, 0, 0}));
}

static void takes_loopback_once(void **state)
{
	struct beside b = ethernet;

	(void)state;
	make(NULL, 0, NULL);
	new_ethernet();
	b.pkttype = PACKET_OUTGOING;
	assert_true(accepts(&b));
	b.hatype = ARPHRD_LOOPBACK;
	assert_false(accepts(&b));
	b.pkttype = PACKET_HOST;
	assert_true(accepts(&b));
}

static void takes_ip_without_link(void **state)
{
	struct beside b = {IFINDEX, ARPHRD_NONE, PACKET_HOST, 0x86dd, 0};

	(void)state;
	make(NULL, 0, "port 9999"); /* for userspace to decide */
	new_ip6();
	assert_true(accepts(&b));
	b.protocol = 0x0806;
	assert_false(accepts(&b));
}

static void filters(void **state)
{
	struct beside b = ethernet;

	(void)state;
	make((uint32_t[]){IFINDEX}, 1, "dst port 80");
	new_ethernet();
	assert_true(accepts(&b));
	make((uint32_t[]){IFINDEX}, 1, "src port 80");
	assert_false(accepts(&b));
	b.tag = 1; /* elsewhere, so offsets are others: for userspace to decide */
	assert_true(accepts(&b));
	b.tag = 0;
	make(NULL, 0, "outbound");
	assert_false(accepts(&b));
	b.pkttype = PACKET_OUTGOING;
	assert_true(accepts(&b));
}

static void refuses_all(void **state)
{
	(void)state;
	code_refuse(&code);
	new_ethernet();
	assert_false(accepts(&ethernet));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_may_be_tcp), cmocka_unit_test(looks_behind_extensions),
		cmocka_unit_test(takes_tunnels_in_udp),
		cmocka_unit_test(takes_fragments_of_tcp), cmocka_unit_test(takes_ethertypes),
		cmocka_unit_test(survives_cuts), cmocka_unit_test(knows_interfaces),
		cmocka_unit_test(tells_when_full), cmocka_unit_test(takes_loopback_once),
		cmocka_unit_test(takes_ip_without_link), cmocka_unit_test(filters),
		cmocka_unit_test(refuses_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
