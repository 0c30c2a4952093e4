/* SPDX-License-Identifier: MIT */
#include "capture/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <sys/socket.h>

#define EVENTS_BUFFER (4 << 20) /* bytes of events that may wait for us */
#define BATCH         256       /* datagrams a links_read */
#define DUMPS         5         /* tries to dump while links come and go */

struct links {
	struct nl_sock *events, *dump;
	link_fn fn;
	void *ctx;
	bool lost; /* the kernel dropped messages: once the socket is empty, dump */
};

bool link_parse(const struct nlmsghdr *h, enum link_event *ret_event, struct link *ret)
{
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	const struct ifinfomsg *ifi;

	if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) ||
	    nlmsg_parse((struct nlmsghdr *)h, sizeof(*ifi), tb, IFLA_MAX, NULL) < 0)
		return false;
	ifi = nlmsg_data(h);
	if (ifi->ifi_family != AF_UNSPEC)
		return false;
	*ret_event = h->nlmsg_type == RTM_NEWLINK ? LINK_THERE : LINK_GONE;
	*ret = (struct link){.index = (uint32_t)ifi->ifi_index, .type = ifi->ifi_type, .flags = ifi->ifi_flags};
	if (tb[IFLA_IFNAME])
		nla_strlcpy(ret->name, tb[IFLA_IFNAME], sizeof(ret->name));
	if (tb[IFLA_LINKINFO] && nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) >= 0 &&
	    info[IFLA_INFO_KIND])
		nla_strlcpy(ret->kind, info[IFLA_INFO_KIND], sizeof(ret->kind));
	return true;
}

static int on_message(struct nl_msg *msg, void *ctx)
{
	struct links *l = ctx;
	enum link_event event;
	struct link link;

	if (link_parse(nlmsg_hdr(msg), &event, &link))
		l->fn(l->ctx, event, &link);
	return NL_OK;
}

static struct nl_sock *open_socket(struct links *l)
{
	struct nl_sock *sk = nl_socket_alloc();

	if (!sk)
		return NULL;
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, on_message, l);
	if (nl_connect(sk, NETLINK_ROUTE) < 0) {
		nl_socket_free(sk);
		return NULL;
	}
	return sk;
}

static int subscribe(struct nl_sock *sk)
{
	int size = EVENTS_BUFFER;

	nl_socket_disable_seq_check(sk);
	if (setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		nl_socket_set_buffer_size(sk, size, 0);
	if (nl_socket_set_nonblocking(sk) < 0 || nl_socket_add_membership(sk, RTNLGRP_LINK) < 0)
		return -EIO;
	return 0;
}

int links_open(struct links **ret, link_fn fn, void *ctx)
{
	struct links *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	*ret = NULL;
	if (!l)
		return err;
	l->fn = fn;
	l->ctx = ctx;
	l->events = open_socket(l);
	l->dump = open_socket(l);
	if (l->events && l->dump)
		err = subscribe(l->events);
	if (err) {
		links_close(l);
		return err;
	}
	*ret = l;
	return 0;
}

void links_close(struct links *l)
{
	if (!l)
		return;
	nl_socket_free(l->events);
	nl_socket_free(l->dump);
	free(l);
}

int links_fd(const struct links *l)
{
	return nl_socket_get_fd(l->events);
}

static int dump_once(struct links *l)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP);
	int err = -NLE_NOMEM;

	if (msg && nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO) == 0 &&
	    nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) == 0)
		err = nl_send_auto(l->dump, msg);
	nlmsg_free(msg);
	return err < 0 ? err : nl_recvmsgs_default(l->dump);
}

int links_dump(struct links *l)
{
	int err = -NLE_DUMP_INTR;

	l->fn(l->ctx, LINK_ALL, NULL);
	for (int i = 0; i < DUMPS && err == -NLE_DUMP_INTR; i++)
		err = dump_once(l);
	l->lost = err == -NLE_DUMP_INTR; /* still not consistent: once more with the next event */
	if (l->lost)
		return 0;
	if (err < 0)
		return -EIO;
	l->fn(l->ctx, LINK_DONE, NULL);
	return 0;
}

/*
 * After it dropped a message the kernel drops more, without a word, until the socket was read empty. So first read all
 * there is, then dump.
 */
int links_read(struct links *l)
{
	int err = 0;

	for (int i = 0; i < BATCH && err != -NLE_AGAIN; i++) {
		err = nl_recvmsgs_default(l->events);
		if (err == -NLE_NOMEM)
			l->lost = true;
		else if (err < 0 && err != -NLE_AGAIN && err != -NLE_INTR)
			return -EIO;
	}
	return err == -NLE_AGAIN && l->lost ? links_dump(l) : 0;
}
