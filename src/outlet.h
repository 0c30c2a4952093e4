/* SPDX-License-Identifier: MIT */
/*
 * What becomes of records and packets: which are selected and how many, the outputs, the packet file, and the first thing that
 * goes wrong with them. All threads share it; each writes records through outputs of its own.
 */
#ifndef PERISCO_OUTLET_H
#define PERISCO_OUTLET_H

#include <pthread.h>

#include "cli/config.h"
#include "metrics/metrics.h"
#include "output/output.h"
#include "output/tap.h"

struct outlet {
	const struct config *config;
	struct outputs_config outputs_config;
	struct outputs *outputs;
	struct metrics *metrics; /* NULL: nobody wants any */
	struct tap *tap;         /* NULL: no packets are written */
	bool tap_flows;          /* it gets the flows of selected exchanges, else every packet, which is for one thread alone */
	bool tap_linked;         /* it knows a link type */
	bool tap_tells;          /* it is told what packets and exchanges teach, which two threads cannot without a lock */
	struct brought brought;  /* by the packet at hand, in the thread that reads */
	pthread_mutex_t lock;    /* held to use the tap, but by outlet_packet */
	_Atomic uint64_t shown;  /* exchanges that were selected */
	_Atomic bool done;       /* there is enough of exchanges or packet files, or no more can be written */
	_Atomic int err;         /* the first failure, a reader's leave only if it is alone; nothing is written after it */
	bool complained;         /* of it */
};

/*
 * Opens the outputs and the packet file that are asked for; what is selected is counted in `metrics`, which may be NULL. `hold` is
 * the memory for packets of flows that are not decided yet; 0: every packet is wanted. EXIT_FINE, or another with a line in `error`;
 * close it in both cases.
 */
enum exit_code outlet_open(struct outlet *o, const struct config *config, struct metrics *metrics, size_t hold, char *error,
			   size_t n);

/* Is enough written, or can no more be? */
bool outlet_is_done(const struct outlet *o);

/* A record, if it is selected, through the outputs of the thread that has it. */
void outlet_record(struct outlet *o, struct outputs *mine, const struct record *record);
/* Files that somebody moved away are made anew, in the thread that reads; can any be? */
void outlet_reopen(struct outlet *o);
bool outlet_can_reopen(const struct outlet *o);
/* Records that other hosts refused, that found no room on the way to them, or on a disk, each counted for each output. */
uint64_t outlet_dropped(const struct outlet *o);
/* What is written of them is to be seen now. */
void outlet_flush(struct outlet *o, struct outputs *mine);

/* For the packet file: does it want to know of flows? A packet of one; the flow is over. */
bool outlet_wants_segments(const struct outlet *o);
void outlet_segment(struct outlet *o, const struct packet *pkt, const struct brought *brought);
void outlet_flow_end(struct outlet *o, uint64_t flow_id);
/*
 * For the packet file, in the thread that reads: any packet, if every one is wanted, before and behind what the engine makes of it
 * (false: it is not wanted any more, nor by the engine); a loss; what is written is to be seen now.
 */
bool outlet_turn(struct outlet *o, const struct packet *pkt);
void outlet_packet(struct outlet *o, const struct packet *pkt);
void outlet_loss(struct outlet *o, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname);
void outlet_flush_packets(struct outlet *o);
/* There are no more packets: completes their file, behind which their counts are final. */
void outlet_end_packets(struct outlet *o);

/* All zero without a packet file. */
struct tap_counts outlet_tap_counts(struct outlet *o);

/*
 * Nothing is written any more: closes the packet file, and gives other hosts the time to take what waits. Their counts may be asked
 * by another thread meanwhile.
 */
void outlet_end(struct outlet *o);
/* Completes and closes what is open; whoever shares the outputs has closed his. Says so if that fails. May be called again. */
void outlet_close(struct outlet *o);

#endif
