/* SPDX-License-Identifier: MIT */
#include "capture/tc_clsact.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME_PREFIX "perisco."
#define NAME_MADE   ".made" /* behind the name of a run: it made the qdisc too */
#define HANDLE      0x5eed  /* the first one that is free from here */
#define HANDLES     16
#define PRIOS       8
#define FOUND_MAX   16

struct clsact {
	struct nl_sock *sk;
	int holder;          /* the socket that bears the name */
	char name[24];       /* of this run */
	struct found *found; /* by the query under way */
};

/* What a query came upon. */
struct found {
	int ifindex;      /* looked for at */
	char qdisc[16];   /* the kind of the one at the place of clsact */
	unsigned filters; /* all of them */
	unsigned n;       /* of these, ours */
	struct {
		struct clsact_filter id;
		char name[32];
	} ours[FOUND_MAX];
};

static int errno_of(int nle)
{
	switch (-nle) {
	case NLE_EXIST:
		return -EEXIST;
	case NLE_NODEV:
		return -ENODEV;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	default:
		return nle < 0 ? -EINVAL : 0;
	}
}

/* Binds an abstract socket to the name: a descriptor, or a negative errno: -EADDRINUSE if its run lives. */
static int hold_name(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	memcpy(addr.sun_path + 1, name, n);
	if (bind(fd, (struct sockaddr *)&addr, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static bool run_is_dead(const char *filter_name)
{
	char name[32];
	char *made;
	int fd;

	snprintf(name, sizeof(name), "%s", filter_name);
	made = strstr(name, NAME_MADE);
	if (made)
		*made = '\0';
	fd = hold_name(name);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void on_filter(struct found *f, const struct tcmsg *t, struct nlattr *const *tb)
{
	struct nlattr *opt[TCA_BPF_MAX + 1];

	f->filters++;
	if (!t->tcm_handle || f->n == FOUND_MAX || !tb[TCA_KIND] || nla_strcmp(tb[TCA_KIND], "bpf") != 0)
		return;
	if (!tb[TCA_OPTIONS] || nla_parse_nested(opt, TCA_BPF_MAX, tb[TCA_OPTIONS], NULL) < 0 || !opt[TCA_BPF_NAME])
		return;
	if (strncmp(nla_get_string(opt[TCA_BPF_NAME]), NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
		return;
	nla_strlcpy(f->ours[f->n].name, opt[TCA_BPF_NAME], sizeof(f->ours[f->n].name));
	f->ours[f->n].id = (struct clsact_filter){
		.handle = t->tcm_handle,
		.prio = (uint16_t)(t->tcm_info >> 16),
		.made = strstr(f->ours[f->n].name, NAME_MADE) != NULL,
	};
	f->n++;
}

static int on_message(struct nl_msg *msg, void *ctx)
{
	struct clsact *c = ctx;
	struct nlmsghdr *h = nlmsg_hdr(msg);
	struct nlattr *tb[TCA_MAX + 1];
	const struct tcmsg *t;

	if (!c->found || nlmsg_parse(h, sizeof(*t), tb, TCA_MAX, NULL) < 0)
		return NL_OK;
	t = nlmsg_data(h);
	if (t->tcm_ifindex != c->found->ifindex) /* qdiscs are listed for all interfaces */
		return NL_OK;
	if (h->nlmsg_type == RTM_NEWTFILTER)
		on_filter(c->found, t, tb);
	else if (h->nlmsg_type == RTM_NEWQDISC && t->tcm_parent == TC_H_CLSACT && tb[TCA_KIND])
		nla_strlcpy(c->found->qdisc, tb[TCA_KIND], sizeof(c->found->qdisc));
	return NL_OK;
}

static struct nl_msg *message(int type, int flags, const struct tcmsg *t)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg && nlmsg_append(msg, (void *)t, sizeof(*t), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* Sends and waits for the answer; takes the message. */
static int command(struct clsact *c, struct nl_msg *msg)
{
	return msg ? errno_of(nl_send_sync(c->sk, msg)) : -ENOMEM;
}

/* Lists what there is, and collects what is looked for. */
static int query(struct clsact *c, int type, const struct tcmsg *t, struct found *ret)
{
	struct nl_msg *msg = message(type, NLM_F_DUMP, t);
	int err;

	memset(ret, 0, sizeof(*ret));
	ret->ifindex = t->tcm_ifindex;
	if (!msg)
		return -ENOMEM;
	c->found = ret;
	err = nl_send_auto(c->sk, msg);
	if (err >= 0)
		err = nl_recvmsgs_default(c->sk);
	c->found = NULL;
	nlmsg_free(msg);
	return err < 0 ? errno_of(err) : 0;
}

static struct tcmsg qdisc_of(uint32_t ifindex)
{
	return (struct tcmsg){
		.tcm_ifindex = (int)ifindex,
		.tcm_parent = TC_H_CLSACT,
		.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
	};
}

static struct tcmsg filter_of(uint32_t ifindex, enum way way, uint16_t prio, uint32_t handle)
{
	return (struct tcmsg){
		.tcm_ifindex = (int)ifindex,
		.tcm_handle = handle,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, way == WAY_IN ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS),
		.tcm_info = TC_H_MAKE((uint32_t)prio << 16, prio ? htons(ETH_P_ALL) : 0),
	};
}

static int add_qdisc(struct clsact *c, uint32_t ifindex)
{
	struct tcmsg t = qdisc_of(ifindex);
	struct nl_msg *msg = message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &t);

	if (msg)
		nla_put_string(msg, TCA_KIND, "clsact");
	return command(c, msg);
}

/* A qdisc is at the place of clsact. The older "ingress" takes filters for the way out, but feeds them the way in. */
static int check_qdisc(struct clsact *c, uint32_t ifindex, enum way way)
{
	struct tcmsg t = qdisc_of(ifindex);
	struct found found;
	int err = query(c, RTM_GETQDISC, &t, &found);

	if (err)
		return err;
	if (!found.qdisc[0]) /* gone in between */
		return -ENODEV;
	return way == WAY_IN || strcmp(found.qdisc, "clsact") == 0 ? 0 : -EBUSY;
}

static int add_filter(struct clsact *c, uint32_t ifindex, enum way way, int prog_fd, const struct clsact_filter *id)
{
	struct tcmsg t = filter_of(ifindex, way, id->prio, id->handle);
	struct nl_msg *msg = message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &t);
	struct nlattr *options;
	char name[32];

	if (!msg)
		return -ENOMEM;
	snprintf(name, sizeof(name), "%s%s", c->name, id->made ? NAME_MADE : "");
	nla_put_string(msg, TCA_KIND, "bpf");
	options = nla_nest_start(msg, TCA_OPTIONS);
	nla_put_u32(msg, TCA_BPF_FD, (uint32_t)prog_fd);
	nla_put_string(msg, TCA_BPF_NAME, name);
	nla_put_u32(msg, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	if (options)
		nla_nest_end(msg, options);
	return command(c, msg);
}

static int del_filter(struct clsact *c, uint32_t ifindex, enum way way, const struct clsact_filter *id)
{
	struct tcmsg t = filter_of(ifindex, way, id->prio, id->handle);
	struct nl_msg *msg = message(RTM_DELTFILTER, 0, &t);

	if (msg)
		nla_put_string(msg, TCA_KIND, "bpf");
	return command(c, msg);
}

static int find_filters(struct clsact *c, uint32_t ifindex, enum way way, struct found *ret)
{
	struct tcmsg t = filter_of(ifindex, way, 0, 0);

	return query(c, RTM_GETTFILTER, &t, ret);
}

static void del_qdisc_if_empty(struct clsact *c, uint32_t ifindex)
{
	struct tcmsg t = qdisc_of(ifindex);
	struct found found;

	for (enum way w = 0; w < WAYS; w++)
		if (find_filters(c, ifindex, w, &found) < 0 || found.filters)
			return;
	command(c, message(RTM_DELQDISC, 0, &t));
}

/* At one priority the newest filter is the first. A priority with filters of another kind or protocol refuses ours. */
static int add_first(struct clsact *c, uint32_t ifindex, enum way way, int prog_fd, struct clsact_filter *id)
{
	int err = -EINVAL;

	for (id->prio = 1; id->prio <= PRIOS && err == -EINVAL; id->prio++) {
		id->handle = HANDLE;
		do
			err = add_filter(c, ifindex, way, prog_fd, id);
		while (err == -EEXIST && ++id->handle < HANDLE + HANDLES);
	}
	id->prio--;
	return err == -ENOENT ? -EOPNOTSUPP : err;
}

static int prepare_qdisc(struct clsact *c, uint32_t ifindex, enum way way, bool *ret_made)
{
	int err = add_qdisc(c, ifindex);

	*ret_made = !err;
	if (err == -EEXIST)
		return check_qdisc(c, ifindex, way);
	return err == -ENOENT ? -EOPNOTSUPP : err;
}

int clsact_attach(struct clsact *c, uint32_t ifindex, enum way way, int prog_fd, struct clsact_filter filters[WAYS])
{
	struct clsact_filter *f = &filters[way];
	int err = 0;

	memset(f, 0, sizeof(*f));
	if (!filters[WAY_IN].made && !filters[WAY_OUT].made)
		err = prepare_qdisc(c, ifindex, way, &f->made);
	if (!err)
		err = add_first(c, ifindex, way, prog_fd, f);
	if (!err)
		return 0;
	if (f->made)
		del_qdisc_if_empty(c, ifindex);
	memset(f, 0, sizeof(*f));
	return err;
}

void clsact_detach(struct clsact *c, uint32_t ifindex, struct clsact_filter filters[WAYS])
{
	bool made = false;

	for (enum way w = 0; w < WAYS; w++) {
		if (filters[w].prio && !del_filter(c, ifindex, w, &filters[w])) /* else its qdisc is not ours any more */
			made |= filters[w].made;
		filters[w] = (struct clsact_filter){0};
	}
	if (made)
		del_qdisc_if_empty(c, ifindex);
}

unsigned clsact_clean(struct clsact *c, uint32_t ifindex)
{
	struct found found;
	unsigned cleaned = 0;
	bool made = false;

	for (enum way w = 0; w < WAYS; w++) {
		if (find_filters(c, ifindex, w, &found) < 0)
			continue;
		for (unsigned i = 0; i < found.n; i++) {
			if (!run_is_dead(found.ours[i].name) || del_filter(c, ifindex, w, &found.ours[i].id) < 0)
				continue;
			made |= found.ours[i].id.made;
			cleaned++;
		}
	}
	if (made)
		del_qdisc_if_empty(c, ifindex);
	return cleaned;
}

int clsact_open(struct clsact **ret)
{
	struct clsact *c = calloc(1, sizeof(*c));
	uint32_t number = 0;
	int err = -ENOMEM;

	*ret = NULL;
	if (!c)
		return err;
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		number = (uint32_t)getpid();
	snprintf(c->name, sizeof(c->name), NAME_PREFIX "%08x", number);
	c->holder = hold_name(c->name);
	c->sk = nl_socket_alloc();
	if (c->holder < 0 || !c->sk || nl_connect(c->sk, NETLINK_ROUTE) < 0) {
		err = c->holder < 0 ? c->holder : -EIO;
		clsact_close(c);
		return err;
	}
	nl_socket_modify_cb(c->sk, NL_CB_VALID, NL_CB_CUSTOM, on_message, c);
	*ret = c;
	return 0;
}

void clsact_close(struct clsact *c)
{
	if (!c)
		return;
	if (c->holder >= 0)
		close(c->holder);
	nl_socket_free(c->sk);
	free(c);
}
