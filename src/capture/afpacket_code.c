/* SPDX-License-Identifier: MIT */
#include "capture/afpacket_code.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <pcap/pcap.h>

#include "opaque.h"

#define ALL    0xffffffffu /* bytes of a packet */
#define LABEL  0x80000000u /* what a jump to a label has for an offset until the label is put */
#define LEAF   64          /* indices that are compared one after the other */
#define LINK_N 14          /* bytes of an Ethernet header */

#define AD(what)   (BPF_LD | BPF_W | BPF_ABS), (uint32_t)(SKF_AD_OFF + SKF_AD_##what)
#define COMMA(n)   n,
#define COUNT(a)   (sizeof(a) / sizeof *(a))

static const uint32_t protocols[] = {IPPROTO_TCP, OPAQUE_PROTOCOLS(COMMA)};
static const uint32_t extensions[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS};
static const uint32_t ethertypes[] = {OPAQUE_ETHERTYPES(COMMA) ETH_P_8021Q, ETH_P_8021AD};
static const uint32_t ports[] = {OPAQUE_UDP_PORTS(COMMA)};

/* --- instructions --- */

static void put(struct code *c, uint16_t what, uint32_t k)
{
	if (c->n == BPF_MAXINSNS) {
		c->full = true;
		return;
	}
	c->insn[c->n++] = (struct sock_filter)BPF_STMT(what, k);
}

/* Compares the accumulator to k; jumps pass over so many instructions. */
static void put_if(struct code *c, uint16_t how, uint32_t k, size_t then, size_t otherwise)
{
	put(c, BPF_JMP | BPF_K | how, k);
	c->insn[c->n - 1].jt = (uint8_t)then;
	c->insn[c->n - 1].jf = (uint8_t)otherwise;
}

static uint32_t label(struct code *c)
{
	return LABEL + c->labels++;
}

/* Jumps forward to where the label is going to be. */
static void jump(struct code *c, uint32_t to)
{
	put(c, BPF_JMP | BPF_JA, to);
}

/* The label is here. */
static void land(struct code *c, uint32_t at)
{
	for (uint16_t i = 0; i < c->n; i++)
		if (c->insn[i].code == (BPF_JMP | BPF_JA) && c->insn[i].k == at)
			c->insn[i].k = c->n - i - 1u;
}

static void refuse(struct code *c)
{
	put(c, BPF_RET | BPF_K, 0);
}

static void accept_whole(struct code *c)
{
	put(c, BPF_RET | BPF_K, ALL);
}

/* Jumps when the accumulator is one of these, at most LEAF. */
static void jump_if_any(struct code *c, const uint32_t *v, size_t n, uint32_t to)
{
	for (size_t i = 0; i < n; i++)
		put_if(c, BPF_JEQ, v[i], n - i, 0);
	put(c, BPF_JMP | BPF_JA, 1);
	jump(c, to);
}

static void refuse_unless(struct code *c, uint32_t k)
{
	put_if(c, BPF_JEQ, k, 1, 0);
	refuse(c);
}

/* --- which packets --- */

/* The accumulator is the index of an interface: jumps when it is one of these. */
static void search(struct code *c, const uint32_t *index, size_t n, uint32_t to)
{
	size_t half = n / 2;
	uint32_t upper;

	if (n <= LEAF) {
		jump_if_any(c, index, n, to);
		refuse(c);
		return;
	}
	upper = label(c);
	put_if(c, BPF_JGT, index[half - 1], 0, 1);
	jump(c, upper);
	search(c, index, half, to);
	land(c, upper);
	search(c, index + half, n - half, to);
}

/* Behind an IP header, whose length is in the index register: a UDP header. */
static void udp(struct code *c, uint32_t at, uint32_t accepted)
{
	for (uint32_t port = 0; port < 4; port += 2) {
		put(c, BPF_LD | BPF_H | BPF_IND, at + port);
		jump_if_any(c, ports, COUNT(ports), accepted);
	}
	refuse(c);
}

static void ipv4(struct code *c, uint32_t at, uint32_t accepted)
{
	put(c, BPF_LD | BPF_B | BPF_ABS, at + 9);
	jump_if_any(c, protocols, COUNT(protocols), accepted);
	refuse_unless(c, IPPROTO_UDP);
	put(c, BPF_LD | BPF_H | BPF_ABS, at + 6);
	put_if(c, BPF_JSET, 0x3fff, 0, 1); /* a fragment */
	refuse(c);
	put(c, BPF_LDX | BPF_B | BPF_MSH, at);
	udp(c, at, accepted);
}

/* Looks behind one extension header, which tells multicast listeners' reports apart: any host sends some. */
static void ipv6(struct code *c, uint32_t at, uint32_t accepted)
{
	static const uint32_t fragment[] = {IPPROTO_FRAGMENT}, udp_too[] = {IPPROTO_FRAGMENT, IPPROTO_UDP};
	uint32_t extended = label(c);

	put(c, BPF_LD | BPF_B | BPF_ABS, at + 6);
	jump_if_any(c, protocols, COUNT(protocols), accepted);
	jump_if_any(c, fragment, COUNT(fragment), accepted);
	jump_if_any(c, extensions, COUNT(extensions), extended);
	refuse_unless(c, IPPROTO_UDP);
	put(c, BPF_LDX | BPF_IMM, 40);
	udp(c, at, accepted);
	land(c, extended);
	put(c, BPF_LD | BPF_B | BPF_ABS, at + 40);
	jump_if_any(c, protocols, COUNT(protocols), accepted);
	jump_if_any(c, extensions, COUNT(extensions), accepted);
	jump_if_any(c, udp_too, COUNT(udp_too), accepted);
	refuse(c);
}

static void ethernet(struct code *c, uint32_t accepted)
{
	uint32_t others = label(c);

	put(c, BPF_LD | BPF_H | BPF_ABS, 12);
	jump_if_any(c, ethertypes, COUNT(ethertypes), accepted);
	put_if(c, BPF_JEQ, ETH_P_IP, 1, 0);
	jump(c, others);
	ipv4(c, LINK_N, accepted);
	land(c, others);
	refuse_unless(c, ETH_P_IPV6);
	ipv6(c, LINK_N, accepted);
}

/* Decides about packets without an Ethernet header; goes on with the others. */
static void without_link(struct code *c)
{
	static const uint32_t types[] = {ARPHRD_ETHER, ARPHRD_LOOPBACK};
	uint32_t with = label(c);

	put(c, AD(HATYPE));
	jump_if_any(c, types, COUNT(types), with);
	put(c, AD(PROTOCOL));
	put_if(c, BPF_JEQ, ETH_P_IP, 2, 0);
	put_if(c, BPF_JEQ, ETH_P_IPV6, 1, 0);
	refuse(c);
	accept_whole(c);
	land(c, with);
}

/* lo shows each packet on the way out and at once on the way in. */
static void loopback(struct code *c)
{
	put(c, AD(HATYPE));
	put_if(c, BPF_JEQ, ARPHRD_LOOPBACK, 0, 3);
	put(c, AD(PKTTYPE));
	put_if(c, BPF_JEQ, PACKET_OUTGOING, 0, 1);
	refuse(c);
}

static void filter(struct code *c, const struct bpf_program *user)
{
	put(c, AD(VLAN_TAG_PRESENT));
	put_if(c, BPF_JEQ, 0, 1, 0);
	accept_whole(c);
	for (u_int i = 0; i < user->bf_len; i++) {
		put(c, user->bf_insns[i].code, user->bf_insns[i].k);
		c->insn[c->n - 1].jt = user->bf_insns[i].jt;
		c->insn[c->n - 1].jf = user->bf_insns[i].jf;
	}
}

bool code_build(struct code *c, const uint32_t *index, size_t n, const struct bpf_program *user)
{
	uint32_t wanted, accepted;

	c->n = c->labels = 0;
	c->full = false;
	wanted = label(c);
	accepted = label(c);
	if (index) {
		put(c, AD(IFINDEX));
		search(c, index, n, wanted);
		land(c, wanted);
	}
	loopback(c);
	without_link(c);
	ethernet(c, accepted);
	land(c, accepted);
	if (user)
		filter(c, user);
	else
		accept_whole(c);
	return !c->full;
}

void code_refuse(struct code *c)
{
	c->n = 0;
	refuse(c);
}
