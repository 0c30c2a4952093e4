/* SPDX-License-Identifier: MIT */
#include "capture/tc_follow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "capture/pick.h"
#include "packet/linktype.h"

static const char *const way_name[WAYS] = {[WAY_IN] = "in", [WAY_OUT] = "out"};

static void enqueue(struct follow *f, struct port *port, bool loopback)
{
	list_append(&f->queue[WAY_IN], &port->wait[WAY_IN]);
	f->waiting++;
	if (loopback) /* it shows each packet on the way out and at once on the way in */
		return;
	list_append(&f->queue[WAY_OUT], &port->wait[WAY_OUT]);
	f->waiting++;
}

static void forget(struct follow *f, struct port *port, bool gone)
{
	pick_say(&f->config, false, "%s: %s", port->iface.name, gone ? "gone" : "detached");
	for (enum way w = 0; w < WAYS; w++)
		f->waiting -= !list_empty(&port->wait[w]);
	ports_retire(&f->ports, port, ring_end(f->ring));
	if (gone)
		list_append(&f->leaving, &port->leaving);
	else
		hook_detach(&f->hooks, &port->hook, port->iface.index, false);
}

/* Nothing that hung at an interface that is gone hangs there any more. */
static void leave(struct follow *f, struct port *port)
{
	list_remove(&port->leaving);
	hook_detach(&f->hooks, &port->hook, port->iface.index, true);
	port->end = ring_end(f->ring);
}

static void welcome(struct follow *f, const struct link *link)
{
	int l3 = pick_l3(link), err;
	struct port *port = ports_find(&f->ports, link->index);

	if (port)
		leave(f, port);
	err = ports_add(&f->ports, link->index, link->name, l3, &port);
	if (err) {
		pick_say(&f->config, true, "%s: cannot be watched: %s", link->name, strerror(-err));
	} else if (l3 < 0) {
		port->failed = true;
		pick_say(&f->config, true, "%s: interfaces of type %u are not decoded", link->name, link->type);
	} else {
		port->veth = strcmp(link->kind, "veth") == 0;
		enqueue(f, port, link->flags & IFF_LOOPBACK);
	}
}

static void clean(struct follow *f, const struct link *link)
{
	unsigned n = clsact_clean(f->hooks.clsact, link->index);

	if (n)
		pick_say(&f->config, false, "%s: removed %u filters of a run that was killed", link->name, n);
}

/* Interfaces are known by their index; a name may change, and with it whether they are wanted. */
static void on_there(struct follow *f, const struct link *link)
{
	bool wanted = pick_wants(&f->config, link);
	struct port *port = ports_find(&f->ports, link->index);

	if (f->cleaning)
		clean(f, link);
	if (!port || port->gone) {
		if (wanted)
			welcome(f, link);
		port = ports_find(&f->ports, link->index);
	} else if (!wanted) {
		forget(f, port, false);
	} else if (strcmp(port->iface.name, link->name) != 0) {
		snprintf(port->iface.name, sizeof(port->iface.name), "%s", link->name);
	}
	if (port)
		port->listed = true;
}

static void sweep(struct follow *f, bool listed)
{
	struct list *l, *next;
	struct port *port;

	for (l = f->ports.live.next; l != &f->ports.live; l = next) {
		next = l->next;
		port = container_of(l, struct port, node);
		if (listed)
			port->listed = false;
		else if (!port->listed)
			forget(f, port, true);
	}
}

static void on_link(void *ctx, enum link_event event, const struct link *link)
{
	struct follow *f = ctx;
	struct port *port;

	switch (event) {
	case LINK_THERE:
		on_there(f, link);
		break;
	case LINK_GONE:
		port = ports_find(&f->ports, link->index);
		if (port && !port->gone)
			forget(f, port, true);
		break;
	case LINK_ALL:
		sweep(f, true);
		break;
	case LINK_DONE:
		sweep(f, false);
		break;
	}
}

/*
 * The way in by XDP, if it is asked for. Native mode would take segmentation offload from the other end of a veth, for a third
 * of the throughput. Where XDP cannot be had the other hook shows the same packets.
 */
static bool attach_xdp(struct follow *f, struct port *port)
{
	char how[160] = "its packets have no Ethernet header";
	int err = -EOPNOTSUPP;

	if (f->hooks.programs.xdp[MODE_NATIVE] <= 0)
		return false;
	if (port->iface.link != LINKTYPE_RAW)
		err = hook_attach_xdp(&f->hooks, &port->hook, port->iface.index, port->veth, how, sizeof(how));
	if (!err)
		pick_say(&f->config, false, "%s: attached to its way in by xdp, %s", port->iface.name, how);
	else if (err != -ENODEV)
		pick_say(&f->config, true, "%s: no xdp, but %s for its way in: %s", port->iface.name, hooks_name(&f->hooks), how);
	return !err;
}

static void attach(struct follow *f, struct port *port, enum way way)
{
	int err;

	if (way == WAY_IN && attach_xdp(f, port))
		return;
	err = hook_attach(&f->hooks, &port->hook, port->iface.index, port->iface.link == LINKTYPE_RAW, way);
	if (err == -ENODEV || err == -ENOENT) /* gone: we are about to be told */
		return;
	if (err) {
		port->failed = true;
		pick_say(&f->config, true, "%s: cannot attach to its way %s: %s", port->iface.name, way_name[way],
		    err == -EBUSY ? "it has an ingress qdisc in place of clsact" : strerror(-err));
		return;
	}
	if (hook_is_behind(&port->hook))
		pick_say(&f->config, true, "%s: a filter of another kind comes first on its way %s, and may hide packets",
		    port->iface.name, way_name[way]);
	pick_say(&f->config, false, "%s: attached to its way %s by %s", port->iface.name, way_name[way],
		   hooks_name(&f->hooks));
}

bool follow_step(struct follow *f)
{
	struct list *node;

	for (enum way w = 0; w < WAYS; w++) {
		if (list_empty(&f->queue[w]))
			continue;
		node = f->queue[w].next;
		list_remove(node);
		f->waiting--;
		attach(f, container_of(node - w, struct port, wait), w);
		return true;
	}
	if (list_empty(&f->leaving))
		return false;
	leave(f, container_of(f->leaving.next, struct port, leaving));
	return true;
}

bool follow_waits(const struct follow *f)
{
	return f->waiting || !list_empty(&f->leaving);
}

static bool watches(const void *ctx, const char *name)
{
	const struct follow *f = ctx;
	struct port *port;

	for (struct list *l = f->ports.live.next; l != &f->ports.live; l = l->next) {
		port = container_of(l, struct port, node);
		if (strcmp(port->iface.name, name) == 0)
			return !port->failed;
	}
	return false;
}

static int look_around(struct follow *f, char *error, size_t n)
{
	int err = links_open(&f->links, on_link, f);

	f->cleaning = true;
	if (!err)
		err = links_dump(f->links);
	f->cleaning = false;
	if (err)
		snprintf(error, n, "cannot list interfaces by rtnetlink: %s", strerror(-err));
	return err ? err : pick_check(&f->config, watches, f, error, n);
}

int follow_open(struct follow *f, const struct live_config *config, const struct hook_programs *programs, int tallies,
		const struct ring *ring, char *error, size_t n)
{
	int err;

	f->config = *config;
	f->ring = ring;
	list_init(&f->leaving);
	for (enum way w = 0; w < WAYS; w++)
		list_init(&f->queue[w]);
	err = hooks_init(&f->hooks, config->hook, programs);
	if (err == -EOPNOTSUPP && config->hook == HOOK_TCX) {
		snprintf(error, n, "cannot attach by tcx: it came with Linux 6.6; leave the choice to perisco");
		return err;
	}
	if (!err)
		err = ports_init(&f->ports, tallies);
	if (!err)
		return look_around(f, error, n);
	snprintf(error, n, "cannot prepare to attach programs: %s%s", strerror(-err),
		 err == -EPERM ? "; run as root or give CAP_NET_ADMIN" : "");
	return err;
}

void follow_close(struct follow *f)
{
	links_close(f->links);
	f->links = NULL;
	while (f->ports.live.next && !list_empty(&f->ports.live))
		forget(f, container_of(f->ports.live.next, struct port, node), false);
	while (f->leaving.next && !list_empty(&f->leaving))
		leave(f, container_of(f->leaving.next, struct port, leaving));
	ports_release(&f->ports);
	hooks_release(&f->hooks);
}
