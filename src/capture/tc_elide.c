/* SPDX-License-Identifier: MIT */
#include "capture/tc_elide.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <string.h>

#include "event.h"

static struct half_key half_key(const struct flow_key *key, unsigned side)
{
	struct half_key k = {.sport = htons(key->port[side]), .dport = htons(key->port[!side])};

	memcpy(k.src, key->addr[side], sizeof(k.src));
	memcpy(k.dst, key->addr[!side], sizeof(k.dst));
	return k;
}

void elide_put(int map, const struct flow_key *key, unsigned side, const struct elision *e)
{
	const struct half_key k = half_key(key, side);
	const struct half h = {.until = e->until, .top = e->top, .seq0 = e->seq0, .begin = e->begin, .owner = e->ifindex,
				.owner_sees = e->ifindex != 0, .copies = UINT8_MAX};

	bpf_map_update_elem(map, &k, &h, BPF_ANY);
}

bool elide_take(int map, const struct flow_key *key, unsigned side, struct elision *ret)
{
	const struct half_key k = half_key(key, side);
	struct half h;

	if (bpf_map_lookup_elem(map, &k, &h) < 0 || (!h.until && h.seq0 != ret->seq0)) /* another connection has begun */
		return false;
	if (bpf_map_lookup_and_delete_elem(map, &k, &h) < 0)
		return false;
	*ret = (struct elision){.until = h.until, .top = h.top, .last_ns = h.last_ns, .seq0 = h.seq0};
	return true;
}
