/* SPDX-License-Identifier: MIT */
#include "capture/tc_port.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LINK_ETHERNET 1   /* LINKTYPE_ETHERNET */
#define LINK_RAW      101 /* LINKTYPE_RAW */

static void tally_add(struct tally *to, const struct tally *t)
{
	to->packets += t->packets;
	to->bytes += t->bytes;
	for (int i = 0; i < LOST_CAUSES; i++) {
		to->lost[i] += t->lost[i];
		to->lost_bytes[i] += t->lost_bytes[i];
	}
	to->copies += t->copies;
	to->copy_bytes += t->copy_bytes;
	to->elided += t->elided;
	to->elided_bytes += t->elided_bytes;
}

static struct port *port_of(struct list *node)
{
	return container_of(node, struct port, node);
}

int ports_init(struct ports *p, int map)
{
	memset(p, 0, sizeof(*p));
	list_init(&p->live);
	list_init(&p->gone);
	for (unsigned i = 0; i < PORT_BUCKETS; i++)
		list_init(&p->bucket[i]);
	p->map = map;
	p->cpus = libbpf_num_possible_cpus();
	if (p->cpus < 0)
		return p->cpus;
	p->cpu = calloc((size_t)p->cpus, sizeof(*p->cpu));
	p->lost = calloc((size_t)p->cpus, sizeof(*p->lost));
	return p->cpu && p->lost ? 0 : -ENOMEM;
}

static void port_free(struct port *port)
{
	list_remove(&port->node);
	free(port->lost);
	free(port);
}

static void free_all(struct list *head)
{
	while (!list_empty(head))
		port_free(port_of(head->next));
}

void ports_release(struct ports *p)
{
	if (!p->live.next)
		return;
	free_all(&p->live);
	free_all(&p->gone);
	free(p->cpu);
	free(p->lost);
	p->cpu = NULL;
	p->lost = NULL;
}

struct port *ports_find(const struct ports *p, uint32_t ifindex)
{
	const struct list *head = &p->bucket[ifindex % PORT_BUCKETS];
	struct port *port;

	for (struct list *l = head->next; l != head; l = l->next) {
		port = container_of(l, struct port, chain);
		if (port->iface.index == ifindex)
			return port;
	}
	return NULL;
}

static struct port *port_new(struct ports *p, uint32_t ifindex)
{
	struct port *port = calloc(1, sizeof(*port));

	if (!port)
		return NULL;
	port->iface.index = ifindex;
	list_init(&port->node);
	list_append(&p->bucket[ifindex % PORT_BUCKETS], &port->chain);
	for (enum way w = 0; w < WAYS; w++)
		list_init(&port->wait[w]);
	list_init(&port->leaving);
	return port;
}

static int tally_new(struct ports *p, uint32_t ifindex, bool l3)
{
	for (int i = 0; i < p->cpus; i++)
		p->cpu[i] = (struct tally){.l3 = l3};
	return bpf_map_update_elem(p->map, &ifindex, p->cpu, BPF_ANY);
}

int ports_add(struct ports *p, uint32_t ifindex, const char *name, bool l3, struct port **ret)
{
	struct port *port;
	int err = tally_new(p, ifindex, l3);

	if (err)
		return err;
	port = ports_find(p, ifindex);
	if (!port)
		port = port_new(p, ifindex);
	if (!port) {
		bpf_map_delete_elem(p->map, &ifindex);
		return -ENOMEM;
	}
	for (int i = 0; port->lost && i < p->cpus * LOST_CAUSES; i++)
		port->lost[i].seen = port->lost[i].seen_bytes = 0;
	port->gone = port->failed = false;
	port->iface.link = l3 ? LINK_RAW : LINK_ETHERNET;
	snprintf(port->iface.name, sizeof(port->iface.name), "%s", name);
	list_remove(&port->node);
	list_append(&p->live, &port->node);
	*ret = port;
	return 0;
}

/* What was lost since the last reading is owed. */
static void port_owe(struct ports *p, struct port *port, int cpu)
{
	const struct tally *t = &p->cpu[cpu];
	struct port_lost *l = &port->lost[cpu * LOST_CAUSES];

	for (int i = 0; i < LOST_CAUSES; i++, l++) {
		p->lost[cpu] += t->lost[i] - l->seen;
		port->owed += t->lost[i] - l->seen;
		l->owed += t->lost[i] - l->seen;
		l->owed_bytes += t->lost_bytes[i] - l->seen_bytes;
		l->seen = t->lost[i];
		l->seen_bytes = t->lost_bytes[i];
	}
}

static uint64_t lost_of(const struct tally *t)
{
	uint64_t n = 0;

	for (int i = 0; i < LOST_CAUSES; i++)
		n += t->lost[i];
	return n;
}

static void port_read(struct ports *p, struct port *port)
{
	if (port->gone || bpf_map_lookup_elem(p->map, &port->iface.index, p->cpu) < 0)
		return;
	port->sum = port->before;
	for (int i = 0; i < p->cpus; i++)
		tally_add(&port->sum, &p->cpu[i]);
	if (!port->lost && lost_of(&port->sum))
		port->lost = calloc((size_t)p->cpus * LOST_CAUSES, sizeof(*port->lost));
	for (int i = 0; port->lost && i < p->cpus; i++)
		port_owe(p, port, i);
}

void ports_retire(struct ports *p, struct port *port, unsigned long end)
{
	port_read(p, port);
	bpf_map_delete_elem(p->map, &port->iface.index);
	port->before = port->sum;
	port->gone = true;
	port->end = end;
	for (enum way w = 0; w < WAYS; w++)
		list_remove(&port->wait[w]);
	list_remove(&port->node);
	list_append(&p->gone, &port->node);
}

void ports_reap(struct ports *p, const struct ring *ring)
{
	struct list *l, *next;
	struct port *port;

	for (l = p->gone.next; l != &p->gone; l = next) {
		next = l->next;
		port = port_of(l);
		if (!list_empty(&port->leaving) || !ring_passed(ring, port->end) || port->owed)
			continue;
		tally_add(&p->freed, &port->sum);
		list_remove(&port->chain);
		port_free(port);
	}
}

static int port_losses(struct ports *p, struct port *port, uint64_t ts_ns, loss_fn fn, void *ctx)
{
	static const char *const causes[LOST_CAUSES] = {[LOST_RING] = "ring", [LOST_COPY] = "copy", [LOST_SIZE] = "size"};
	struct loss loss = {.ts_ns = ts_ns, .ifindex = port->iface.index, .ifname = port->iface.name};
	int err = 0;

	port_read(p, port);
	for (int i = 0; port->owed && i < p->cpus * LOST_CAUSES && !err; i++) {
		struct port_lost *l = &port->lost[i];

		loss.cause = causes[i % LOST_CAUSES];
		loss.cpu = (uint32_t)i / LOST_CAUSES + 1;
		loss.packets = l->owed;
		loss.bytes = l->owed_bytes;
		port->owed -= l->owed;
		l->owed = l->owed_bytes = 0;
		err = loss.packets ? fn(ctx, &loss) : 0;
	}
	return err;
}

int ports_losses(struct ports *p, uint64_t ts_ns, loss_fn fn, void *ctx)
{
	struct list *const heads[] = {&p->gone, &p->live};
	int err;

	for (int i = 0; i < 2; i++) {
		for (struct list *l = heads[i]->next; l != heads[i]; l = l->next) {
			err = port_losses(p, port_of(l), ts_ns, fn, ctx);
			if (err)
				return err;
		}
	}
	return 0;
}

void ports_count(struct ports *p, struct counts *ret)
{
	struct tally all = p->freed;
	struct port *port;

	*ret = (struct counts){0};
	for (struct list *l = p->gone.next; l != &p->gone; l = l->next)
		tally_add(&all, &port_of(l)->sum);
	for (struct list *l = p->live.next; l != &p->live; l = l->next) {
		port = port_of(l);
		port_read(p, port);
		tally_add(&all, &port->sum);
		ret->interfaces += hook_any(&port->hook);
		ret->failed += port->failed;
	}
	ret->packets = all.packets;
	ret->bytes = all.bytes;
	ret->dropped = lost_of(&all);
	for (int i = 0; i < LOST_CAUSES; i++)
		ret->dropped_bytes += all.lost_bytes[i];
	ret->unread = all.lost[LOST_COPY];
	ret->oversize = all.lost[LOST_SIZE];
	ret->by_cpu = p->lost;
	ret->cpus = (unsigned)p->cpus;
	ret->copies = all.copies;
	ret->copy_bytes = all.copy_bytes;
	ret->elided = all.elided;
	ret->elided_bytes = all.elided_bytes;
}
