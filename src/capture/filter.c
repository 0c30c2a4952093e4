/* SPDX-License-Identifier: MIT */
#include "capture/filter.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#include "packet/linktype.h"

enum { SNAPLEN = 262144 };

/* The expression for one link type, and for each direction where that makes a difference. */
struct program {
	struct program *next;
	uint16_t link;
	struct bpf_program bpf;       /* without instructions: nothing of the expression can be said of this link type */
	struct bpf_insn *directed[3]; /* by enum direction: bpf's, or a copy */
};

struct filter {
	struct program *programs; /* the one made last first */
	char expression[];
};

/* LINKTYPE_* are the same everywhere, the DLT_* that libpcap wants differ for some (pcap-linktype(7)). */
static int dlt_of(uint16_t link)
{
	switch (link) {
	case LINKTYPE_ATM_RFC1483:
		return DLT_ATM_RFC1483;
	case LINKTYPE_RAW:
	case LINKTYPE_DLT_RAW_OPENBSD:
		return DLT_RAW;
	case LINKTYPE_ATM_CLIP:
		return DLT_ATM_CLIP;
	default:
		return link;
	}
}

/* For "inbound" libpcap loads the kernel's packet type, from where only the kernel has it. */
static bool loads_type(const struct bpf_insn *i)
{
	return BPF_CLASS(i->code) == BPF_LD && BPF_MODE(i->code) == BPF_ABS && i->k == (bpf_u_int32)(SKF_AD_OFF + SKF_AD_PKTTYPE);
}

/* A copy for packets of this type (PACKET_HOST, PACKET_OUTGOING), which then is a constant. */
static struct bpf_insn *program_copy(const struct bpf_program *bpf, uint32_t type)
{
	struct bpf_insn *copy = calloc(bpf->bf_len, sizeof *copy);

	for (u_int i = 0; copy && i < bpf->bf_len; i++)
		copy[i] = loads_type(&bpf->bf_insns[i]) ? (struct bpf_insn)BPF_STMT(BPF_LD | BPF_IMM, type) : bpf->bf_insns[i];
	return copy;
}

static void program_free(struct program *p)
{
	if (!p)
		return;
	free(p->directed[DIRECTION_IN]);
	free(p->directed[DIRECTION_OUT]);
	pcap_freecode(&p->bpf);
	free(p);
}

/* Compiles for a link type; NULL when out of memory. What libpcap complains of goes to `error`. */
static struct program *program_new(const char *expression, uint16_t link, char *error, size_t n)
{
	struct program *p = calloc(1, sizeof *p);
	pcap_t *pcap = pcap_open_dead(dlt_of(link), SNAPLEN);

	if (!p || !pcap)
		goto fail;
	p->link = link;
	if (pcap_compile(pcap, &p->bpf, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		snprintf(error, n, "%s", pcap_geterr(pcap));
		p->bpf = (struct bpf_program){0};
	} else {
		p->directed[DIRECTION_UNKNOWN] = p->bpf.bf_insns;
		p->directed[DIRECTION_IN] = program_copy(&p->bpf, PACKET_HOST);
		p->directed[DIRECTION_OUT] = program_copy(&p->bpf, PACKET_OUTGOING);
		if (!p->directed[DIRECTION_IN] || !p->directed[DIRECTION_OUT])
			goto fail;
	}
	pcap_close(pcap);
	return p;
fail:
	if (pcap)
		pcap_close(pcap);
	program_free(p);
	return NULL;
}

/* The program for a link type, made when there is none yet; NULL when out of memory. */
static struct program *program_for(struct filter *f, uint16_t link, char *error, size_t n)
{
	struct program *p = f->programs;

	while (p && p->link != link)
		p = p->next;
	if (p)
		return p;
	p = program_new(f->expression, link, error, n);
	if (p) {
		p->next = f->programs;
		f->programs = p;
	}
	return p;
}

struct filter *filter_new(const char *expression, char *error, size_t n)
{
	/* Ethernet first: its complaint is the one to be told. The others are tried because some words are theirs alone. */
	static const uint16_t links[] = {DLT_EN10MB, DLT_LINUX_SLL, DLT_IEEE802_11};
	struct filter *f = calloc(1, sizeof *f + strlen(expression) + 1);
	char complaint[PCAP_ERRBUF_SIZE] = "out of memory", other[PCAP_ERRBUF_SIZE];

	if (f)
		strcpy(f->expression, expression);
	for (size_t i = 0; f && i < sizeof links / sizeof *links; i++) {
		const struct program *p = program_for(f, links[i], i ? other : complaint, PCAP_ERRBUF_SIZE);

		if (p && p->bpf.bf_insns)
			return f;
	}
	snprintf(error, n, "filter '%.100s': %s", expression, complaint);
	filter_free(f);
	return NULL;
}

void filter_free(struct filter *f)
{
	struct program *p = f ? f->programs : NULL, *next;

	for (; p; p = next) {
		next = p->next;
		program_free(p);
	}
	free(f);
}

/* The same, when what libpcap complains of has been told or does not matter. */
static const struct program *program_of(struct filter *f, uint16_t link)
{
	char complaint[PCAP_ERRBUF_SIZE];

	return program_for(f, link, complaint, sizeof complaint);
}

bool filter_match(struct filter *f, const struct packet *pkt)
{
	const struct program *p = program_of(f, pkt->link);

	return p && p->bpf.bf_insns && bpf_filter(p->directed[pkt->dir], pkt->data.p, pkt->wire_len, (u_int)pkt->data.n);
}

struct sock_filter *filter_code(struct filter *f, uint16_t link, enum direction dir, size_t *n)
{
	static const struct bpf_insn nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct program *p = program_of(f, link);
	const struct bpf_insn *from = p && p->bpf.bf_insns ? p->directed[dir] : &nothing;
	struct sock_filter *ret;

	*n = p && p->bpf.bf_insns ? p->bpf.bf_len : 1;
	ret = p ? calloc(*n, sizeof *ret) : NULL;
	for (size_t i = 0; ret && i < *n; i++)
		ret[i] = (struct sock_filter){from[i].code, from[i].jt, from[i].jf, from[i].k};
	return ret;
}

/* Is this load of the header fields that segments of a connection have in common? */
static bool loads_plain(const struct bpf_insn *i, uint32_t ip)
{
	uint32_t end = i->k + (BPF_SIZE(i->code) == BPF_W ? 4 : BPF_SIZE(i->code) == BPF_H ? 2 : 1);
	bool length4 = i->k < ip + 4 && end > ip + 2, length6 = i->k < ip + 6 && end > ip + 4;

	switch (BPF_MODE(i->code)) {
	case BPF_LEN:
		return false;
	case BPF_IND: /* behind the IPv4 header: ports */
		return end <= ip + 4;
	case BPF_ABS:
		return i->k == (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE) ||
		       (end <= ip + 40 + 4 && !length4 && !length6);
	default:
		return true;
	}
}

bool filter_is_plain(struct filter *f)
{
	static const struct {
		uint16_t link;
		uint32_t ip;
	} kinds[] = {{LINKTYPE_ETHERNET, 14}, {LINKTYPE_RAW, 0}};
	bool plain = true;

	for (size_t k = 0; k < 2; k++) {
		const struct program *p = program_of(f, kinds[k].link);

		plain &= p != NULL;
		for (u_int i = 0; p && i < p->bpf.bf_len; i++) {
			const struct bpf_insn *insn = &p->bpf.bf_insns[i];

			if (BPF_CLASS(insn->code) == BPF_LD || BPF_CLASS(insn->code) == BPF_LDX)
				plain &= loads_plain(insn, kinds[k].ip);
			else if (BPF_CLASS(insn->code) == BPF_JMP && insn->k == ETH_P_8021Q) /* all moves */
				plain = false;
		}
	}
	return plain;
}

const struct bpf_program *filter_program(struct filter *f, uint16_t link)
{
	const struct program *p = program_of(f, link);

	return p && p->bpf.bf_insns ? &p->bpf : NULL;
}
