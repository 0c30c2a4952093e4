/* SPDX-License-Identifier: MIT */
/* What the core counts: one line a counter, its name, the unit in its name as a metric, and what it means. */
#ifndef PERISCO_BASE_STATS_H
#define PERISCO_BASE_STATS_H

#include <stdint.h>

#define PERISCO_STATS(X)                                                                                               \
	X(packets, "", "packets read")                                                                                 \
	X(bytes, "", "bytes of these packets on the wire")                                                             \
	X(filtered, "", "packets that the filter refused")                                                             \
	X(not_tcp, "", "packets that carry no TCP")                                                                    \
	X(unknown_link, "", "packets of a link type that is not decoded")                                              \
	X(malformed, "", "packets with broken or cut headers")                                                         \
	X(fragments, "", "IP fragments held for reassembly")                                                           \
	X(fragments_lost, "", "IP fragments given up: incomplete in time, or no room")                                 \
	X(segments, "", "TCP segments")                                                                                \
	X(payload, "_bytes", "TCP payload bytes on the wire, each copy counted")                                       \
	X(delivered, "_bytes", "stream bytes handed to a decoder or skipped by one")                                   \
	X(ignored, "_bytes", "stream bytes of flows that no decoder wants")                                            \
	X(elided, "_bytes", "stream bytes of bodies that were left out, because nobody wanted them")                   \
	X(retransmitted, "_bytes", "payload bytes that were there already")                                            \
	X(copies, "_bytes", "payload bytes of packets that another capture point showed already")                      \
	X(out_of_order, "", "segments that came before one they follow")                                               \
	X(overlap_differs, "", "overlapping copies whose bytes differ; the first was kept")                            \
	X(lost_network, "_bytes", "stream bytes missing: never captured")                                              \
	X(lost_snaplen, "_bytes", "stream bytes missing: cut by the snapshot length")                                  \
	X(lost_ring, "_bytes", "stream bytes missing: the capture ring was full")                                      \
	X(lost_memory, "_bytes", "stream bytes missing: let go for want of memory")                                    \
	X(flows, "", "connections seen")                                                                               \
	X(flows_midstream, "", "connections whose SYN was not seen")                                                   \
	X(flows_alias, "", "connections seen twice, before and after address translation")                             \
	X(flows_timeout, "", "connections forgotten after a silence")                                                  \
	X(flows_evicted, "", "connections forgotten for want of memory")                                               \
	X(flows_counted, "", "connections that were only counted for some time, to stay within the CPU budget")        \
	X(exchanges, "", "exchanges found")                                                                            \
	X(exchanges_lost, "", "exchanges not recorded for want of memory")                                             \
	X(unanswered, "", "exchanges without a response")                                                              \
	X(orphans, "", "responses without a request")                                                                  \
	X(garbage, "_bytes", "bytes skipped to find the next message")                                                 \
	X(head_errors, "", "field lines that broke the grammar")                                                       \
	X(frame_errors, "", "frames of HTTP/2 that broke the rules")                                                   \
	X(heads_cut, "", "heads larger than the limit, cut")

struct stats {
#define X(name, unit, help) uint64_t name;
	PERISCO_STATS(X)
#undef X
};

#endif
