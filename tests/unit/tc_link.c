/* SPDX-License-Identifier: MIT */
/* rtnetlink messages about interfaces, and which of them are captured at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "capture/link.h"
#include "capture/pick.h"

static struct nl_msg *message(int type, int family, const char *name, const char *kind)
{
	struct ifinfomsg ifi = {.ifi_family = (uint8_t)family, .ifi_type = 1, .ifi_index = 7, .ifi_flags = IFF_UP};
	struct nl_msg *msg = nlmsg_alloc_simple(type, 0);
	struct nlattr *info;

	nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO);
	if (name)
		nla_put_string(msg, IFLA_IFNAME, name);
	nla_put_u32(msg, IFLA_MTU, 1500);
	if (kind) {
		info = nla_nest_start(msg, IFLA_LINKINFO);
		nla_put_string(msg, IFLA_INFO_KIND, kind);
		nla_nest_end(msg, info);
	}
	return msg;
}

static bool parse(struct nl_msg *msg, enum link_event *event, struct link *link)
{
	bool ok = link_parse(nlmsg_hdr(msg), event, link);

	nlmsg_free(msg);
	return ok;
}

static void reads_links(void **state)
{
	enum link_event event;
	struct link link;

	(void)state;
	assert_true(parse(message(RTM_NEWLINK, AF_UNSPEC, "veth1234", "veth"), &event, &link));
	assert_int_equal(event, LINK_THERE);
	assert_int_equal(link.index, 7);
	assert_int_equal(link.type, 1);
	assert_int_equal(link.flags, IFF_UP);
	assert_string_equal(link.name, "veth1234");
	assert_string_equal(link.kind, "veth");
	assert_true(parse(message(RTM_DELLINK, AF_UNSPEC, "eth0", NULL), &event, &link));
	assert_int_equal(event, LINK_GONE);
	assert_string_equal(link.kind, "");
	assert_true(parse(message(RTM_DELLINK, AF_UNSPEC, NULL, NULL), &event, &link));
	assert_string_equal(link.name, "");
}

/* A veth that leaves its bridge is not deleted. */
static void refuses_others(void **state)
{
	enum link_event event;
	struct link link;

	(void)state;
	assert_false(parse(message(RTM_DELLINK, AF_BRIDGE, "veth1234", "veth"), &event, &link));
	assert_false(parse(message(RTM_NEWADDR, AF_UNSPEC, "veth1234", "veth"), &event, &link));
}

static void survives_long_names(void **state)
{
	enum link_event event;
	struct link link;

	(void)state;
	assert_true(parse(message(RTM_NEWLINK, AF_UNSPEC, "a-name-too-long-", "a-kind-too-long-"), &event, &link));
	assert_string_equal(link.name, "a-name-too-long");
	assert_string_equal(link.kind, "a-kind-too-long");
}

static void survives_cuts(void **state)
{
	struct nl_msg *msg = message(RTM_NEWLINK, AF_UNSPEC, "veth1234", "veth");
	size_t whole = nlmsg_hdr(msg)->nlmsg_len;
	enum link_event event;
	struct nlmsghdr *cut;
	struct link link;

	(void)state;
	for (size_t n = sizeof(*cut); n < whole; n++) {
		cut = malloc(n);
		memcpy(cut, nlmsg_hdr(msg), n);
		cut->nlmsg_len = (uint32_t)n;
		link_parse(cut, &event, &link);
		free(cut);
	}
	nlmsg_free(msg);
}

static struct link named(const char *name, const char *kind)
{
	struct link l = {.index = 3};

	strcpy(l.name, name);
	strcpy(l.kind, kind);
	return l;
}

static bool wants(const char *pattern, const char *name, const char *kind)
{
	const struct live_config config = {.patterns = &pattern, .n_patterns = pattern != NULL};
	const struct link l = named(name, kind);

	return pick_wants(&config, &l);
}

static void takes_veths_unless_told(void **state)
{
	(void)state;
	assert_true(wants(NULL, "x", "veth"));
	assert_true(wants(NULL, "x", "netkit"));
	assert_false(wants(NULL, "veth0", "bridge"));
	assert_false(wants(NULL, "eth0", ""));
}

static void takes_names_and_globs(void **state)
{
	(void)state;
	assert_true(wants("eth0", "eth0", ""));
	assert_false(wants("eth0", "eth01", ""));
	assert_false(wants("eth0", "x", "veth"));
	assert_true(wants("cali*", "cali12ab", "veth"));
	assert_true(wants("*", "lo", ""));
	assert_true(wants("eth[0-3]", "eth2", ""));
	assert_false(wants("eth[0-3]", "eth4", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_links),
		cmocka_unit_test(refuses_others),
		cmocka_unit_test(survives_long_names),
		cmocka_unit_test(survives_cuts),
		cmocka_unit_test(takes_veths_unless_told),
		cmocka_unit_test(takes_names_and_globs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
