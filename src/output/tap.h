/* SPDX-License-Identifier: MIT */
/*
 * Keeps raw packets as pcap or pcapng (by the ending of the name), so that any run can be replayed and opened in Wireshark.
 * Without selection every packet given is written. With selection a flow's packets are held, in bounded memory, until an
 * exchange of the flow matches: then they are written, from the first on, and all later ones too. So the packets of one flow
 * are in order, but those of another may stand before them in the file although they are later.
 */
#ifndef PERISCO_OUTPUT_TAP_H
#define PERISCO_OUTPUT_TAP_H

#include "output/pcapwrite.h"

struct tap;

struct tap_counts {
	uint64_t written;   /* packets in the file, of those that were flushed */
	uint64_t unwritten; /* packets that are not, because it could not be written */
	bool failed;        /* it cannot be just now */
	uint64_t held;      /* packets waiting for a decision now */
	uint64_t forgotten; /* packets of flows that ended without a match */
	uint64_t let_go;    /* packets dropped undecided because memory was full: a flow that matches later lacks them */
};

/*
 * Opens a file, or the first of many; see pcapwrite.h. A pcap file has one link type, and a packet that does not fit is
 * -EINVAL. A pcapng file tells each packet's interface, direction and, in comments, what it brought; see also pcapng_blocks.h.
 * When a write fails, the file is cut behind its last whole packet and every later call fails too, but for tap_suspend.
 * `hold` is 0 to write everything, else the bytes that undecided packets may take. NULL with a line in `error`.
 */
struct tap *tap_open(const struct pcapwrite_config *config, size_t hold, char *error, size_t n);

/*
 * A packet; its flow is 0 when it is of none (then it is written only without selection). 0, a negative errno, or -ECANCELED: as
 * many files were written as were asked for.
 */
int tap_packet(struct tap *t, const struct brought *brought, const struct packet *pkt);

/* The capture has packets of this link type: see pcapwrite_link. */
void tap_link(struct tap *t, uint16_t link);

/* A packet of this time will come: the next file begins, if it is time for it. Returns as tap_packet does. */
int tap_turn(struct tap *t, uint64_t ts_ns);

/* Does the file tell what packets brought, and names? If so, what this exchange teaches of names is told. */
bool tap_tells(const struct tap *t);
int tap_exchange(struct tap *t, const struct record *exchange);

/* The flow is wanted: what is held of it goes out now, in the order it came, and its later packets go out at once. */
int tap_match(struct tap *t, uint64_t flow_id);

/* The flow is over. */
void tap_forget(struct tap *t, uint64_t flow_id);

/*
 * Packets that the capture dropped up to here: a pcapng file says so in a statistics block, and its replay reports the same
 * loss at the same place. `ifname` may be NULL.
 */
void tap_loss(struct tap *t, uint64_t ts_ns, const struct loss_record *loss, uint32_t ifindex, const char *ifname);

/*
 * After a call that failed: as pcapwrite_suspend. From then on a call succeeds without writing anything, but for one each second,
 * which tries to.
 */
bool tap_suspend(struct tap *t);
bool tap_is_suspended(const struct tap *t);

/* Begins the file anew if somebody moved it away; can that be? 0 or a negative errno. */
int tap_reopen(struct tap *t);
bool tap_can_reopen(const struct tap *t);

const struct tap_counts *tap_counts(struct tap *t);
const char *tap_error(const struct tap *t);
int tap_flush(struct tap *t);

/* The file is completed: what is counted is final. */
void tap_end(struct tap *t);

/* The same if it was not done, and tells what was missed. Returns 0 or the first negative errno. NULL is allowed. */
int tap_close(struct tap *t);

#endif
