/* SPDX-License-Identifier: MIT */
/*
 * Keeps the programs attached to all interfaces that are wanted: those there at the start, and those that come.
 * Attaching by TCX waits for an RCU grace period each time, and closing a link for whoever changes interfaces now, so that is
 * done one program a step: first the ways in, they show each packet of every pod once.
 */
#ifndef PERISCO_CAPTURE_TC_FOLLOW_H
#define PERISCO_CAPTURE_TC_FOLLOW_H

#include "capture/link.h"
#include "capture/tc_port.h"

struct follow {
	struct live_config config;
	const struct ring *ring; /* borrowed */
	struct hooks hooks;
	struct ports ports;
	struct links *links;
	struct list queue[WAYS]; /* of port.wait */
	struct list leaving;     /* of port.leaving: they are gone, but their links are not closed yet */
	uint64_t waiting;        /* programs in the queues */
	bool cleaning;           /* the first dump: what dead runs left is removed */
};

/* Listens, and queues what is there. 0 or a negative errno with a line in `error`; close it in both cases. */
int follow_open(struct follow *f, const struct live_config *config, const struct hook_programs *programs, int tallies,
		const struct ring *ring, char *error, size_t n);

/* Takes every program off. */
void follow_close(struct follow *f);

/* Attaches or closes the next program; false when none waits. */
bool follow_step(struct follow *f);

/* Is there something to do for follow_step? */
bool follow_waits(const struct follow *f);

#endif
