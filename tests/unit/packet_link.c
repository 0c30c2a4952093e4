/* SPDX-License-Identifier: MIT */
/* The request behind each link layer that a capture can begin with, whole and cut at every byte. */
#include "packet_build.h"

struct prefix {
	uint16_t link;
	struct slice bytes;
};

/* Headers right in front of IPv4. */
static const struct prefix over_ip4[] = {
	{LINKTYPE_ETHERNET, SLICE(MACS "\x08\x00")},
	{LINKTYPE_RAW, SLICE("")},
	{LINKTYPE_DLT_RAW, SLICE("")},
	{LINKTYPE_DLT_RAW_OPENBSD, SLICE("")},
	{LINKTYPE_IPV4, SLICE("")},
	{LINKTYPE_ATM_CLIP, SLICE("")},
	{LINKTYPE_NULL, SLICE("\x02\0\0\0")},
	{LINKTYPE_NULL, SLICE("\0\0\0\x02")},
	{LINKTYPE_LOOP, SLICE("\0\0\0\x02")},
	{LINKTYPE_LINUX_SLL, SLICE("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x08\0")},
	{LINKTYPE_LINUX_SLL, SLICE("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x81\0\0\x05\x08\0")},
	{LINKTYPE_LINUX_SLL, SLICE("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\0\x04" SNAP_IP)},
	{LINKTYPE_LINUX_SLL2, SLICE("\x08\0\0\0\0\0\0\x02\0\x01\0\x06\x02\0\0\0\0\x01\0\0")},
	{LINKTYPE_PPP, SLICE("\xff\x03\0\x21")},
	{LINKTYPE_PPP, SLICE("\0\x21")},
	{LINKTYPE_PPP, SLICE("\x21")}, /* the protocol compressed */
	{LINKTYPE_PPP, SLICE("\xff\x03\x21")},
	{LINKTYPE_PPP, SLICE("\0\x3d\xc0\0\0\x01\x21")},    /* multilink, in one part */
	{LINKTYPE_PPP, SLICE("\x02\x81\0\x01\x41\x40")},   /* MPLS */
	{LINKTYPE_PPP_HDLC, SLICE("\xff\x03\0\x21")},
	{LINKTYPE_PPP, SLICE("\x02\x83\0\x01\x41\x40")},
	{LINKTYPE_PPP_HDLC, SLICE("\x0f\0\x08\0")}, /* Cisco's HDLC in its place */
	{LINKTYPE_PPP_HDLC, SLICE("\x8f\0\x08\0")},
	{LINKTYPE_PPP_PPPD, SLICE("\x01\xff\x03\0\x21")},
	{LINKTYPE_PPP_WITH_DIR, SLICE("\0\xff\x03\0\x21")},
	{LINKTYPE_PPP_ETHER, SLICE("\x11\0\0\x01\0\x48\0\x21")},
	{LINKTYPE_C_HDLC, SLICE("\x0f\0\x08\0")},
	{LINKTYPE_C_HDLC, SLICE("\x8f\0\x08\0")},
	{LINKTYPE_C_HDLC_WITH_DIR, SLICE("\x01\x0f\0\x08\0")},
	{LINKTYPE_FRELAY, SLICE("\x18\x41\x03\xcc")},
	{LINKTYPE_FRELAY, SLICE("\x18\x40\x10\x41\x03\xcc")}, /* an address of four bytes */
	{LINKTYPE_FRELAY, SLICE("\x18\x41\x03\0\x80\0\0\0\x08\0")},
	{LINKTYPE_FRELAY, SLICE("\x18\x41\x03\x80\0\0\0\x08\0")},
	{LINKTYPE_FRELAY, SLICE("\x18\x41\x03\xcf\0\x21")},
	{LINKTYPE_FRELAY, SLICE("\x18\x41\x08\0")}, /* Cisco's */
	{LINKTYPE_FRELAY_WITH_DIR, SLICE("\x01\x18\x41\x03\xcc")},
	{LINKTYPE_MPLS, SLICE("\0\x01\x40\x40\0\x01\x41\x40")},
	{LINKTYPE_ATM_RFC1483, SLICE(SNAP_IP)},
	{LINKTYPE_FDDI, SLICE("\x50" MACS SNAP_IP)},
	{LINKTYPE_IP_OVER_FC, SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" SNAP_IP)},
	{LINKTYPE_IEEE802_5, SLICE("\x10\x40" MACS SNAP_IP)},
	{LINKTYPE_IEEE802_5, SLICE("\x10\x40\x02\0\0\0\0\x01\x82\0\0\0\0\x02\x04\0\0\x01" SNAP_IP)}, /* a route */
	{LINKTYPE_ARCNET_LINUX, SLICE("\x01\x02\0\x0c\xd4\0\0\x01")},
	{LINKTYPE_ARCNET_LINUX, SLICE("\x01\x02\0\x0c\xf0")},
	{LINKTYPE_ARCNET_BSD, SLICE("\x01\x02\xd4\0\0\x01")},
	{LINKTYPE_ARCNET_BSD, SLICE("\x01\x02\xd4\xff\xff\xff\xd4\0\0\x01")},
	{LINKTYPE_ARCNET_BSD, SLICE("\x01\x02\xf0")},
	{LINKTYPE_APPLE_IP_OVER_IEEE1394, SLICE("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\0")},
	{LINKTYPE_ENC, SLICE("\0\0\0\x02\0\0\0\0\0\0\0\0")},
	{LINKTYPE_PFLOG, SLICE("\x05\x02\0\0\0\0\0\0")},
	{LINKTYPE_PFLOG, SLICE("\x08\x02\0\0\0\0\0\0")},
	{LINKTYPE_NETANALYZER, SLICE("\0\0\0\0" MACS "\x08\0")},
	{LINKTYPE_ERF, SLICE("\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0" MACS "\x08\0")},
	{LINKTYPE_ERF, SLICE("\0\0\0\0\0\0\0\0\x82\0\0\0\0\0\0\0" "\x83\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0" "\0\0" MACS
			     "\x08\0")},
	{LINKTYPE_ERF, SLICE("\0\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0\0\0" MACS "\x08\0")},
	{LINKTYPE_ERF, SLICE("\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0" MACS "\x08\0")},
	{LINKTYPE_ERF, SLICE("\0\0\0\0\0\0\0\0\x16\0\0\0\0\0\0\0")},
	{LINKTYPE_PPI, SLICE("\0\0\x0c\0\x01\0\0\0ABCD" MACS "\x08\0")},
	{LINKTYPE_PKTAP, SLICE("\x10\0\0\0\x01\0\0\0\x0c\0\0\0ABCD")},
	{LINKTYPE_DLT_PKTAP, SLICE("\x0c\0\0\0\x01\0\0\0\x01\0\0\0" MACS "\x08\0")},
	{LINKTYPE_NFLOG, SLICE("\x02\0\0\0")},
};

/* In front of IPv6. */
static const struct prefix over_ip6[] = {
	{LINKTYPE_RAW, SLICE("")},
	{LINKTYPE_IPV6, SLICE("")},
	{LINKTYPE_NULL, SLICE("\x18\0\0\0")},
	{LINKTYPE_NULL, SLICE("\x1c\0\0\0")},
	{LINKTYPE_NULL, SLICE("\x1e\0\0\0")},
	{LINKTYPE_NULL, SLICE("\0\0\0\x0a")},
	{LINKTYPE_LOOP, SLICE("\0\0\0\x18")},
	{LINKTYPE_LINUX_SLL, SLICE("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x86\xdd")},
	{LINKTYPE_LINUX_SLL2, SLICE("\x86\xdd\0\0\0\0\0\x02\0\x01\0\x06\x02\0\0\0\0\x01\0\0")},
	{LINKTYPE_PPP, SLICE("\xff\x03\0\x57")},
	{LINKTYPE_C_HDLC, SLICE("\x0f\0\x86\xdd")},
	{LINKTYPE_MPLS, SLICE("\0\x01\x41\x40")},
	{LINKTYPE_ARCNET_LINUX, SLICE("\x01\x02\0\x0c\xc4\0\0\x01")},
	{LINKTYPE_ERF, SLICE("\0\0\0\0\0\0\0\0\x17\0\0\0\0\0\0\0")},
	{LINKTYPE_FRELAY, SLICE("\x18\x41\x03\x8e")},
};

/* A netlink attribute of what was built, in the byte order of this host. */
static void put_attribute(uint16_t type)
{
	uint16_t head[2] = {(uint16_t)(build.n + 4), type};

	put(head, sizeof(head));
}

static void each_link_type(void **state)
{
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(over_ip4) / sizeof(over_ip4[0]); i++) {
		new_ip4();
		if (over_ip4[i].link == LINKTYPE_NFLOG)
			put_attribute(9);
		put(over_ip4[i].bytes.p, over_ip4[i].bytes.n);
		assert_decodes(r, over_ip4[i].link);
	}
	for (size_t i = 0; i < sizeof(over_ip6) / sizeof(over_ip6[0]); i++) {
		new_ip6();
		put(over_ip6[i].bytes.p, over_ip6[i].bytes.n);
		assert_decodes(r, over_ip6[i].link);
	}
	assert_int_equal(r->stats.unknown_link, 0);
}

/* Attributes in front of the packet are passed over, with their padding; the packet ends where its own does. */
static void netlink_attributes(void **state)
{
	struct rig *r = *state;
	uint16_t head[2] = {5, 10}, hw[2] = {8, 1};

	new_ip4();
	put_attribute(9);
	PUT("A\0\0\0");
	put(head, sizeof(head));
	PUT("\x08\0\0\0");
	put(hw, sizeof(hw));
	PUT("\x02\0\0\0");
	assert_decodes(r, LINKTYPE_NFLOG);
	front()[4 + 4] = 0x12; /* an EtherType that carries no IP */
	assert_int_equal(rig_decode_all(r, LINKTYPE_NFLOG), DECODED_NOT_TCP);
	memset(front() + 4, 0, 2); /* a length that ends before it begins */
	assert_int_equal(rig_decode_all(r, LINKTYPE_NFLOG), DECODED_MALFORMED);
	memset(front() + 4, 0xff, 2); /* one that ends behind the packet */
	assert_int_equal(rig_decode_all(r, LINKTYPE_NFLOG), DECODED_MALFORMED);
	build.n = 0;
	put_attribute(4);
	PUT("\x02\0\0\0");
	assert_int_equal(rig_decode_all(r, LINKTYPE_NFLOG), DECODED_NOT_TCP);
}

/* The packet ends where its attribute does, when it does not say so itself. */
static void netlink_lengths(void **state)
{
	struct rig *r = *state;
	uint16_t head[2] = {20 + TCP_LENGTH + 4 - 6, 9};

	new_ip4();
	memset(front() + 2, 0, 2);
	put(head, sizeof(head));
	PUT("\x02\0\0\0");
	assert_int_equal(rig_decode_all(r, LINKTYPE_NFLOG), DECODED_TCP);
	assert_int_equal(r->seg.payload.n, sizeof(REQUEST) - 1 - 6);
	assert_int_equal(rig_decode(r, LINKTYPE_NFLOG, build.n - 7), DECODED_TCP);
	assert_int_equal(r->seg.cut, 1);
}

/* The request in a message of nlmon(4): a subsystem's message type, the attribute of which has the packet. */
static void new_netlink(uint8_t family, uint8_t subsystem, uint16_t attribute)
{
	uint32_t n;
	uint16_t type = (uint16_t)(subsystem << 8);

	new_ip4();
	put_attribute(attribute);
	PUT("\x02\0\0\0");
	n = (uint32_t)build.n + 16;
	put_zeros(10);
	put(&type, sizeof(type));
	put(&n, sizeof(n));
	put_u16(family);
	PUT("\0\x04\x03\x38\0\0\0\0\0\0\0\0\0\0");
}

static void netlink_messages(void **state)
{
	struct rig *r = *state;

	new_netlink(12, 4, 9);
	assert_decodes(r, LINKTYPE_NETLINK);
	new_netlink(12, 3, 10);
	assert_decodes(r, LINKTYPE_NETLINK);
	new_netlink(12, 3, 9);
	assert_int_equal(rig_decode_all(r, LINKTYPE_NETLINK), DECODED_NOT_TCP);
	new_netlink(0, 4, 9);
	assert_int_equal(rig_decode_all(r, LINKTYPE_NETLINK), DECODED_NOT_TCP);
	new_netlink(12, 2, 9);
	assert_int_equal(rig_decode_all(r, LINKTYPE_NETLINK), DECODED_NOT_TCP);
}

#define WLAN_REST "\0\0" MACS "\x02\0\0\0\0\x03\0\0" /* duration, addresses, sequence control */

static void wlan(void **state)
{
	static const struct prefix frames[] = {
		{LINKTYPE_IEEE802_11, SLICE("\x08\x01" WLAN_REST SNAP_IP)},
		{LINKTYPE_IEEE802_11, SLICE("\x08\x03" WLAN_REST "\x02\0\0\0\0\x04" SNAP_IP)}, /* four addresses */
		{LINKTYPE_IEEE802_11, SLICE("\x88\x02" WLAN_REST "\0\0" SNAP_IP)}, /* quality of service */
		{LINKTYPE_IEEE802_11, SLICE("\x88\x82" WLAN_REST "\0\0\0\0\0\0" SNAP_IP)}, /* and high throughput */
		{LINKTYPE_IEEE802_11, SLICE("\x88\x02" WLAN_REST "\x80\0" MACS "\0\x4e" SNAP_IP)}, /* of an A-MSDU */
		{LINKTYPE_RADIOTAP, SLICE("\0\0\x0a\0\0\0\0\0AB" "\x08\x01" WLAN_REST SNAP_IP)},
		{LINKTYPE_PPI, SLICE("\0\0\x08\0\x69\0\0\0" "\x08\x01" WLAN_REST SNAP_IP)},
		{LINKTYPE_AVS, SLICE("\x80\x21\x10\x01\0\0\0\x0a" "AB" "\x08\x01" WLAN_REST SNAP_IP)},
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		new_ip4();
		put(frames[i].bytes.p, frames[i].bytes.n);
		assert_decodes(r, frames[i].link);
	}
	new_ip4();
	PUT("\x08\x01" WLAN_REST SNAP_IP);
	put_zeros(144);
	assert_decodes(r, LINKTYPE_PRISM);
	new_ip4();
	PUT("\x08\x01" WLAN_REST SNAP_IP);
	put_zeros(254);
	PUT("\0\0\x02\x01"); /* a header longer than one byte can say */
	assert_decodes(r, LINKTYPE_RADIOTAP);
}

/* Management, control, no data, a part, encrypted: nothing to be read, and nothing wrong. */
static void wlan_without_tcp(void **state)
{
	static const struct {
		uint8_t at, value;
	} changes[] = {{0, 0x80}, {0, 0xb4}, {0, 0x48}, {1, 0x05}, {1, 0x41}, {22, 0x01}};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		new_ip4();
		PUT("\x08\x01" WLAN_REST SNAP_IP);
		front()[changes[i].at] = changes[i].value;
		assert_int_equal(rig_decode_all(r, LINKTYPE_IEEE802_11), DECODED_NOT_TCP);
	}
}

static void sound_without_tcp(void **state)
{
	static const struct prefix packets[] = {
		{LINKTYPE_NULL, SLICE("\x07\0\0\0ABCD")},
		{LINKTYPE_LINUX_SLL, SLICE("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\0\x0c")}, /* CAN, no EtherType */
		{LINKTYPE_LINUX_SLL2, SLICE("\x08\x06\0\0\0\0\0\x02\0\x01\0\x06\x02\0\0\0\0\x01\0\0")},
		{LINKTYPE_PPP, SLICE("\xff\x03\xc0\x21\x01\x01\0\x04")},
		{LINKTYPE_PPP, SLICE("\0\x3d\x80\0\0\x01\0\x21")}, /* the first part of several */
		{LINKTYPE_FRELAY, SLICE("\x18\x41\x03\x81")},
		{LINKTYPE_ARCNET_BSD, SLICE("\x01\x02\xd5\0\0\x01")}, /* ARP */
		{LINKTYPE_ARCNET_BSD, SLICE("\x01\x02\xd4\x05\0\x01")}, /* a part */
		{LINKTYPE_ERF, SLICE("\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0")}, /* ATM */
	};
	struct rig *r = *state;

	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		build.n = 0;
		put(packets[i].bytes.p, packets[i].bytes.n);
		assert_int_equal(rig_decode_all(r, packets[i].link), DECODED_NOT_TCP);
		assert_int_equal(r->stats.not_tcp, i + 1);
	}
}

static void unknown_link_types(void **state)
{
	struct rig *r = *state;

	new_ip4();
	PUT("\0\0\x08\0\x0f\x27\0\0"); /* a header that names one */
	assert_int_equal(rig_decode_all(r, LINKTYPE_PPI), DECODED_LINK);
	memcpy(front() + 4, "\x65\0\x01\0", 4); /* and one that only its lower half makes known */
	assert_int_equal(rig_decode_all(r, LINKTYPE_PPI), DECODED_LINK);
	memcpy(front(), "\0\0\0\0\xc0\0\0", 8); /* and one that names itself, for ever */
	assert_int_equal(rig_decode_all(r, LINKTYPE_PPI), DECODED_MALFORMED);
	assert_int_equal(r->stats.unknown_link, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(each_link_type),     UNIT(netlink_attributes), UNIT(netlink_lengths),
		UNIT(netlink_messages),   UNIT(wlan),               UNIT(wlan_without_tcp),
		UNIT(sound_without_tcp),  UNIT(unknown_link_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
