/* SPDX-License-Identifier: MIT */
/* Numbers of the pcapng format (draft-ietf-opsawg-pcapng), for whoever reads it and whoever writes it. */
#ifndef PERISCO_PACKET_PCAPNG_BLOCKS_H
#define PERISCO_PACKET_PCAPNG_BLOCKS_H

#define PCAPNG_BYTE_ORDER 0x1a2b3c4du

enum pcapng_block {
	PCAPNG_INTERFACE = 1,
	PCAPNG_OLD_PACKET = 2,
	PCAPNG_SIMPLE_PACKET = 3,
	PCAPNG_NAMES = 4,
	PCAPNG_STATISTICS = 5,
	PCAPNG_PACKET = 6,
	PCAPNG_SECTION = 0x0a0d0d0a,
};

enum pcapng_option {
	PCAPNG_END = 0,
	PCAPNG_COMMENT = 1,
	PCAPNG_SECTION_APPLICATION = 4,
	PCAPNG_IF_NAME = 2,
	PCAPNG_IF_DESCRIPTION = 3,
	PCAPNG_IF_TSRESOL = 9,
	PCAPNG_IF_TSOFFSET = 14,
	PCAPNG_PACKET_FLAGS = 2, /* its two lowest bits: 1 inbound, 2 outbound */
	PCAPNG_PACKET_DROPCOUNT = 4,
	PCAPNG_NAMES_IPV4 = 1,
	PCAPNG_NAMES_IPV6 = 2,
	PCAPNG_STATISTICS_START = 2,
	PCAPNG_STATISTICS_END = 3,
	PCAPNG_STATISTICS_IFRECV = 4,
	PCAPNG_STATISTICS_IFDROP = 5,
	PCAPNG_STATISTICS_OSDROP = 7,
};

/*
 * The kernel's index of an interface has no option of its own. Files written by perisco say it in the description,
 * "ifindex=12"; any other description leaves the interface with the index that is its place in the section, from 1.
 */
#define PCAPNG_IFINDEX "ifindex="

/*
 * Statistics count lost packets, but not why they were lost, nor their bytes. Files written by perisco say that in a comment,
 * "lost: cause=ring bytes=12345", where the bytes count since the section began, as the packets do. The cause is that of what was
 * lost since the statistics before: see struct loss of src/capture/source.h.
 */
#define PCAPNG_LOST_CAUSES {"file", "ring", "copy", "size"}
#define PCAPNG_LOST_CAUSE "lost: cause="
#define PCAPNG_LOST_BYTES " bytes="

/*
 * Comments on packets name what they belong to: "flow_id=0123456789abcdef" its connection, "exchange=3" an exchange of that, each
 * in a comment of its own, as the members flow_id and exchange of the record have it.
 */
#define PCAPNG_FLOW_ID "flow_id="
#define PCAPNG_EXCHANGE "exchange="

#endif
