/* SPDX-License-Identifier: MIT */
/* Expressions and packets to try filters with, and programs that only say their verdict. */
#ifndef TESTS_UNIT_GATE_CASES_H
#define TESTS_UNIT_GATE_CASES_H

#include "packet_build.h"

#include "capture/cbpf.h"
#include "capture/filter.h"

static const char *const expressions[] = {
	"",
	"tcp",
	"udp",
	"icmp",
	"ip",
	"ip6",
	"arp",
	"not arp",
	"icmp6",
	"sctp",
	"port 80",
	"not port 80",
	"tcp port 80",
	"tcp src port 80",
	"tcp dst port 80",
	"tcp port 40000 or udp port 53",
	"portrange 1000-40000",
	"tcp portrange 79-81",
	"not portrange 30000-50000",
	"host 10.0.0.1",
	"src host 10.0.0.1",
	"dst host 10.0.0.1",
	"host 10.0.0.1 and port 80",
	"host 10.0.0.3",
	"src net 10.0.0.0/8",
	"dst net 10.0.0.0/31 and not src net 10.0.0.2/31",
	"net 192.168.0.0/16 or net 10.0.0.0/24",
	"net 10.0.0.0 mask 255.0.0.255",
	"host 2001:db8::1",
	"dst host 2001:db8::2 and tcp",
	"net 2001:db8::/32",
	"ip6 net 2001:db8::/127 and port 80",
	"ip proto 6",
	"ip6 proto 6",
	"proto 47 or proto 4",
	"ip6 proto 0",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	"tcp[tcpflags] = tcp-syn",
	"tcp[13] = 0x18",
	"tcp[2:2] = 80",
	"tcp[4:4] > 0x01020304",
	"tcp[13] = 0x10",
	"tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
	"tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
	"tcp[((tcp[12:1] & 0xf0) >> 2)] & 1 = 1",
	"ip[8] < 65",
	"ip[6:2] & 0x1fff = 0",
	"ip[10:2] >= 256",
	"ip[0] & 0xf != 5",
	"ip[9] * 2 + 1 = 13",
	"ip[9] / 2 = 3",
	"ip[2:2] % 3 = 1",
	"ip[9] ^ 6 = 0",
	"ip[8] | 3 = 67",
	"100 / (ip[9] - 6) != 1",
	"100 % (ip[9] - 6) = 1",
	"100 / ip[6] > 1",
	"(1 << ip[9]) = 64",
	"(0xffff0000 >> ip[9]) = 0",
	"(ip[0] << ip[19]) >= 0x114",
	"-(ip[9]) = -6",
	"ip[ip[9]:2] = 0x4000",
	"ip[ip[8]] = 0",
	"ip[ip[2:2] - 1] = 0x0a",
	"ip6[6] = 6",
	"ip6[40:2] = 40000",
	"ip6[4:2] < 31000",
	"ip6[44:4] > 0x01020304",
	"ether src 02:00:00:00:00:02",
	"ether dst 02:00:00:00:00:01 and ip",
	"ether host ff:ff:ff:ff:ff:ff",
	"broadcast",
	"multicast",
	"ip multicast",
	"ether multicast",
	"ip6 multicast",
	"ether proto 0x0806",
	"ether[0] & 1 = 0 and ip[16] >= 224",
	"ether[12:2] = 0x0800",
	"ether[12:4] = 0x81000005",
	"ether[ether[0]] = 0",
	"ether[13 + ether[0]] = 5",
	"vlan",
	"vlan 5",
	"vlan 5 and tcp port 80",
	"vlan and vlan 6 and host 10.0.0.1",
	"not vlan",
	"tcp port 80 or (vlan and tcp port 80)",
	"mpls",
	"mpls and tcp port 80",
	"mpls 100 and host 10.0.0.2",
	"pppoes",
	"pppoes and tcp port 80",
	"stp",
	"iso or llc",
	"geneve and port 80",
	"less 60",
	"greater 100",
	"len > 80 and tcp port 80",
	"len = 54 or len = 58",
	"len - 14 = ip[2:2]",
	"inbound",
	"outbound",
	"inbound and tcp dst port 80",
	"tcp and outbound or udp",
	"net 10 or ether broadcast",
	"dst port 80 and src port 40000 and src host 10.0.0.1 and dst host 10.0.0.2 and ip[8] = 64",
	"(host 10.0.0.1 or host 10.0.0.2 or host 10.0.0.3) and (port 80 or port 443 or port 8080) and not net 10.1.0.0/16",
	"ip[200:4] = 0 or ip[130] = 1",
	"tcp[300] = 0x61",
	"wlan type data",
};
#define EXPRESSIONS (sizeof expressions / sizeof *expressions)

static inline struct filter *filter_of(const char *expression)
{
	char error[256];
	/* what libpcap refuses to compile for any link type is a mistake of this list */
	struct filter *f = filter_new(expression, error, sizeof error);

	if (!f)
		fail_msg("%s", error);
	return f;
}

/* The expression as a program that ends with 1 where the packet passes, and with 0 where it is refused. */
static inline void translate(struct filter *f, enum view_of of, enum direction dir, struct ebpf *ret, bool *asks_length)
{
	struct ebpf pass = {0}, refuse = {0};
	const char *why = "";
	size_t n;
	struct sock_filter *code = filter_code(f, of == VIEW_IP ? LINKTYPE_RAW : LINKTYPE_ETHERNET, dir, &n);

	ebpf_exit(&pass, 1);
	ebpf_exit(&refuse, 0);
	*asks_length = false;
	for (size_t i = 0; i < n; i++)
		*asks_length |= BPF_CLASS(code[i].code) <= BPF_LDX && BPF_MODE(code[i].code) == BPF_LEN;
	if (cbpf_translate(code, n, of, &(struct cbpf_ends){&pass, &refuse}, ret, &why))
		fail_msg("not translated: %s", why);
	free(code);
	ebpf_release(&pass);
	ebpf_release(&refuse);
}

static inline void put_vlan(uint16_t tci, uint16_t type)
{
	put_u16(type);
	put_u16(tci);
}

static inline void new_syn(void)
{
	new_tcp(SLICE(""), SLICE(""));
	front()[13] = TCP_SYN;
}

static inline void new_udp(void)
{
	build.n = 0;
	PUT("some query");
	put_udp(40000, 53);
}

static inline void new_mpls(void)
{
	new_ip4();
	put_u32(100 << 12 | 0x1ff);
	put_ethernet(0x8847);
}

static inline void new_tunnel(void)
{
	new_ethernet();
	put_u32(0x00006558);
	put_u32(0);
	put_udp(1234, 6081);
	put_ip4(17);
	put_ethernet(0x0800);
}

/* An extension header of IPv6: 8 bytes. */
static inline void put_extension(uint8_t next)
{
	put_zeros(6);
	put_u8(0);
	put_u8(next);
}

static inline void new_options(void)
{
	uint8_t *ip;

	new_request();
	put_zeros(8);
	put_ip4(6);
	ip = front();
	ip[0] = 0x47;
	put_ethernet(0x0800);
}

/* Builds packet number `i`, behind Ethernet headers; false when there are no more. */
static inline bool build_packet(unsigned i)
{
	switch (i) {
	case 0: new_ethernet(); break;
	case 1: new_ip6(); put_ethernet(0x86dd); break;
	case 2: new_syn(); put_ip4(6); put_ethernet(0x0800); break;
	case 3: new_syn(); put_ip6(6); put_ethernet(0x86dd); break;
	case 4: new_udp(); put_ip4(17); put_ethernet(0x0800); break;
	case 5: new_udp(); put_ip6(17); put_ethernet(0x86dd); break;
	case 6: new_request(); put_ip4_fragment(6, 1, 0x2000); put_ethernet(0x0800); break;
	case 7: new_request(); put_ip4_fragment(6, 1, 0x2010); put_ethernet(0x0800); break;
	case 8: new_options(); break;
	case 9: new_ip4(); put_vlan(5, 0x0800); put_ethernet(0x8100); break;
	case 10: new_ip4(); put_vlan(6, 0x0800); put_vlan(5, 0x8100); put_ethernet(0x88a8); break;
	case 11: new_mpls(); break;
	case 12: new_ip4(); PUT("\x11\x00\x00\x01\x00\x60\x00\x21"); put_ethernet(0x8864); break;
	case 13: new_request(); put_extension(6); put_ip6(0); put_ethernet(0x86dd); break;
	case 14: new_request(); put_extension(6); put_ip6(44); put_ethernet(0x86dd); break;
	case 15: new_request(); put_extension(6); put_extension(43); put_ip6(0); put_ethernet(0x86dd); break;
	case 16: new_ip4(); put_ip4(4); put_ethernet(0x0800); break;
	case 17: new_ip4(); put_u32(0x00000800); put_ip4(47); put_ethernet(0x0800); break;
	case 18: new_tunnel(); break;
	case 19: build.n = 0; put_zeros(20); PUT("\0\1\x08\0\6\4\0\1"); put_ethernet(0x0806); break;
	case 20: build.n = 0; put_zeros(35); PUT("\x42\x42\x03"); put_ethernet(38); break;
	case 21: build.n = 0; PUT("\x08\0\0\0abcdefgh"); put_ip4(1); put_ethernet(0x0800); break;
	case 22: build.n = 0; PUT("\x80\0\0\0abcdefgh"); put_ip6(58); put_ethernet(0x86dd); break;
	case 23: new_tcp(SLICE(TIMESTAMP), SLICE(REQUEST REQUEST REQUEST REQUEST)); put_ip4(6); put_ethernet(0x0800); break;
	case 24: build.n = 0; put_zeros(1); put_ip4(132); put_ethernet(0x0800); memset(front(), 0xff, 6); break;
	default: return false;
	}
	return true;
}

static inline uint32_t dice(void)
{
	static uint64_t state = 88172645463325252U;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* Changes a few bytes of the headers, often to what makes another packet of it. */
static inline void spoil(uint8_t *p, size_t n)
{
	static const uint8_t telling[] = {0,  1,  2,  3,    4,    5,    6,    8,    10,   17,   44,
					  47, 80, 64, 0x45, 0x46, 0x4f, 0x60, 0x81, 0x86, 0xdd, 0xff};

	for (unsigned i = dice() % 5 + 1; i; i--)
		p[dice() % (n < 80 ? n : 80)] = dice() % 2 ? telling[dice() % sizeof telling] : (uint8_t)dice();
}

#endif
