/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What may hold TCP further in, and is not decoded in the kernel: such packets are sent whole. Userspace (src/packet)
 * knows how to go on; a test keeps these lists equal to what it knows. Left out: LLC, and Teredo between ports of its
 * clients.
 */
#ifndef PERISCO_BPF_OPAQUE_H
#define PERISCO_BPF_OPAQUE_H

/* Old VLAN tags, MPLS, PPPoE, PPP, NSH, PBB, FabricPath, CMD, VN-Tag, HSR, MACsec (not encrypted), TRILL, bridging. */
#define OPAQUE_ETHERTYPES(X)                                                                                     \
	X(0x9100) X(0x9200) X(0x9300) X(0x8847) X(0x8848) X(0x8864) X(0x880b) X(0x894f) X(0x88e7) X(0x8903)      \
	X(0x8909) X(0x8926) X(0x892f) X(0x88e5) X(0x22f3) X(0x6558)

/* IP in IP, GRE, AH, EtherIP, MPLS, Ethernet; of IPv6 also mobility, host identity, shim6. */
#define OPAQUE_PROTOCOLS(X)                                                                                      \
	X(4) X(41) X(94) X(47) X(51) X(97) X(137) X(143) X(135) X(139) X(140)

/* VXLAN (also of Linux), VXLAN-GPE, Geneve, GTP, Teredo, L2TP, GRE, GUE, MPLS, LISP, AYIYA, TZSP, CAPWAP. */
#define OPAQUE_UDP_PORTS(X)                                                                                      \
	X(4789) X(8472) X(4790) X(6081) X(2152) X(3386) X(3544) X(1701) X(4754) X(6080) X(6635) X(4341) X(5072)  \
	X(37008) X(5247)

#endif
