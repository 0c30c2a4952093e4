/* SPDX-License-Identifier: MIT */
/*
 * Engines on threads. The caller's thread decodes packets and passes each segment on to the engine that has its connection; a
 * thread for each engine does the rest. However many there are, the same records are made (of connections for which memory
 * suffices): the order of those of different connections is all that changes. One alone needs no thread, and is the engine itself.
 *
 * The kernel has one ring for all, whose order tells which point showed a connection first, and which worker is whose is found out
 * here: what is in tunnels and fragments the programs do not see, and what is behind address translation has other ends there. It
 * costs a tenth of what decoding small exchanges costs, a fifth with a connection for each; and the order of more rings would have to
 * be found again.
 *
 * All functions are for the thread that made them.
 */
#ifndef PERISCO_WORKERS_WORKERS_H
#define PERISCO_WORKERS_WORKERS_H

#include "engine/engine.h"

#define WORKERS_MEMORY ((size_t)2 << 20) /* the least for each, if there is more than one */

struct workers;

/*
 * `config` is that of one engine that would do it all: its memory is shared out, packets on their way included. Each hook is called
 * with the `ctx` of the thread that calls: ctx[0] is the caller's, and ctx[i] that of the i'th of n, if n is more than 1; what these
 * share is theirs to guard. `rest` is called by each of the n when no packet is at hand or it is time, and at its end. Returns 0 or a negative
 * errno, -EINVAL when there is less than n * WORKERS_MEMORY.
 */
int workers_new(struct workers **ret, unsigned n, const struct engine_config *config, const struct engine_hooks *hooks,
		void *const ctx[], void (*rest)(void *ctx));
/* Waits for what is on its way. NULL is allowed. */
void workers_free(struct workers *w);

/* As engine.h has them. That of which something is on its way waits until there is room. */
void workers_packet(struct workers *w, const struct packet *pkt);
void workers_tick(struct workers *w, uint64_t now_ns);
void workers_loss(struct workers *w, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname);

void workers_detail(struct workers *w, enum detail detail);

/* No packet is at hand just now: what is on its way need not wait for more. */
void workers_push(struct workers *w);

/* The input is over: returns when every record is made. */
void workers_finish(struct workers *w);

/* As engine.h has them: of all together, as far as they are. */
struct stats workers_stats(struct workers *w);
unsigned workers_ignored(struct workers *w, struct ignored ret[IGNORED_MAX]);
size_t workers_flows(struct workers *w);
size_t workers_memory(struct workers *w);

#endif
