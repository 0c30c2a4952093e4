/* SPDX-License-Identifier: MIT */
/*
 * Keeps the programs attached to all interfaces that are wanted: those there at the start, and those that come.
 * Attaching by TCX waits for an RCU grace period each time, so it is done one program a step, all the ways in first:
 * they show each packet of every pod once.
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
	uint64_t waiting;
	bool cleaning;           /* the first dump: what dead runs left is removed */
};

/* Listens, and queues what is there. 0 or a negative errno with a line in `error`; close it in both cases. */
int follow_open(struct follow *f, const struct live_config *config, const struct hook_programs *programs, int tallies,
		const struct ring *ring, char *error, size_t n);

/* Takes every program off. */
void follow_close(struct follow *f);

/* Attaches the next program; false when none waits. */
bool follow_step(struct follow *f);

#endif
