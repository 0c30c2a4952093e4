/* SPDX-License-Identifier: MIT */
/*
 * Every metric that the page has: one line each, from which come the page, `perisco help metrics` and doc/metrics.md. Names and
 * units are as Prometheus' naming conventions have them; labels are given to the page in the order they have here. Labels that
 * Prometheus' own targets use (service, pod, instance, job, namespace) are no names for ours.
 */
#ifndef PERISCO_METRICS_TABLE_H
#define PERISCO_METRICS_TABLE_H

#include <stdio.h>

#include "base/stats.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_SUMMARY };

#define HTTP_LABELS "server_address", "server_port", "method", "status_class"
#define GRPC_LABELS "server_address", "server_port", "grpc_service", "grpc_method", "grpc_status"

/* What else the core counts is in base/stats.h. */
#define PERISCO_METRICS(X)                                                                                            \
	X(HTTP_REQUESTS, COUNTER, "perisco_http_requests_total",                                                      \
	  "HTTP exchanges that are over, but for gRPC calls", HTTP_LABELS)                                            \
	X(HTTP_DURATION, HISTOGRAM, "perisco_http_request_duration_seconds",                                          \
	  "first byte of the request to last byte of the response, where both were seen", HTTP_LABELS)                \
	X(HTTP_LATENCY, SUMMARY, "perisco_http_response_latency_seconds",                                             \
	  "first byte of the request to first byte of the response, where both were seen", HTTP_LABELS)               \
	X(GRPC_REQUESTS, COUNTER, "perisco_grpc_requests_total", "gRPC calls that are over", GRPC_LABELS)             \
	X(GRPC_DURATION, HISTOGRAM, "perisco_grpc_request_duration_seconds",                                          \
	  "first byte of the request to last byte of the response, where both were seen", GRPC_LABELS)                \
	X(GRPC_LATENCY, SUMMARY, "perisco_grpc_response_latency_seconds",                                             \
	  "first byte of the request to first byte of the response, where both were seen", GRPC_LABELS)               \
	X(ENDED, COUNTER, "perisco_exchanges_ended_total",                                                            \
	  "exchanges and calls of the two above, by how they ended", "how")                                           \
	X(SETS, GAUGE, "perisco_traffic_sets", "label sets now, but for the one called other", "protocol")            \
	X(FORGOTTEN, COUNTER, "perisco_traffic_forgotten_total",                                                      \
	  "exchanges of label sets that left the page, silent for an hour while others wanted their place", "protocol") \
	X(CONNECTIONS, GAUGE, "perisco_connections", "connections in the table")                                      \
	X(IGNORED_NOW, GAUGE, "perisco_ignored_connections", "of these, not decoded", "reason")                       \
	X(IGNORED, COUNTER, "perisco_ignored_connections_total", "connections that were not decoded", "reason")       \
	X(MEMORY, GAUGE, "perisco_memory_bytes",                                                                      \
	  "memory, by who holds it: connections, ring, outputs' queues", "owner")                                     \
	X(MEMORY_LIMIT, GAUGE, "perisco_memory_limit_bytes", "what connections may hold: --memory")                   \
	X(INTERFACES, GAUGE, "perisco_interfaces", "interfaces that are captured at")                                 \
	X(UNATTACHED, GAUGE, "perisco_interfaces_failed", "interfaces that could not be attached to")                 \
	X(ATTACHING, GAUGE, "perisco_programs_waiting", "programs that are still to be attached")                     \
	X(OFFERED, COUNTER, "perisco_capture_packets_total", "packets that the kernel had for perisco")               \
	X(OFFERED_BYTES, COUNTER, "perisco_capture_bytes_total",                                                      \
	  "bytes of these: TCP payload as far as it was told apart")                                                  \
	X(DROPPED, COUNTER, "perisco_capture_dropped_packets_total",                                                  \
	  "of these, not delivered: ring is full, copy failed, size is too large, file: by whoever wrote it", "cause") \
	X(DROPPED_BYTES, COUNTER, "perisco_capture_dropped_bytes_total", "bytes of those, as far as known")           \
	X(DROPPED_CPU, COUNTER, "perisco_capture_cpu_dropped_packets_total",                                          \
	  "the same packets, by the CPU that had them", "cpu")                                                        \
	X(COPIES, COUNTER, "perisco_capture_duplicate_packets_total",                                                 \
	  "packets left out because another interface showed them")                                                   \
	X(COPIES_BYTES, COUNTER, "perisco_capture_duplicate_bytes_total", "their payload")                            \
	X(ELIDED, COUNTER, "perisco_capture_elided_packets_total",                                                    \
	  "packets left out because nobody wants their payload")                                                      \
	X(ELIDED_BYTES, COUNTER, "perisco_capture_elided_bytes_total",                                                \
	  "payload left out, of these and of packets that were cut")                                                  \
	X(RING, GAUGE, "perisco_capture_ring_size_bytes", "the buffer from the kernel")                               \
	X(RING_USED, GAUGE, "perisco_capture_ring_used_bytes", "of it, filled; 0 where that is not known")            \
	X(RING_PEAK, GAUGE, "perisco_capture_ring_peak_bytes", "of it, the most that was filled since the start")     \
	X(WRITTEN, COUNTER, "perisco_written_packets_total", "packets written to the file of --write")                \
	X(UNWRITTEN, COUNTER, "perisco_unwritten_packets_total",                                                      \
	  "packets for it that are missing there: it could not be written, or has another link type")                 \
	X(HELD, GAUGE, "perisco_held_packets", "packets that wait to be written or not")                              \
	X(LET_GO, COUNTER, "perisco_held_packets_dropped_total", "of such packets, dropped for want of memory")       \
	X(OUT_ACCEPTED, COUNTER, "perisco_output_records_total", "records for another host", "output")                \
	X(OUT_DELIVERED, COUNTER, "perisco_output_delivered_records_total", "of these, taken by it", "output")        \
	X(OUT_RETRIED, COUNTER, "perisco_output_retried_records_total",                                               \
	  "tries beyond the first; librdkafka's own are not counted", "output")                                       \
	X(OUT_DROPPED, COUNTER, "perisco_output_dropped_records_total",                                               \
	  "records that never arrive, by cause: refused (by the host), queue or spool (full, or it fails), "          \
	  "disk (full, or it fails: the output is a file), end (the time was up)", "output", "cause")                 \
	X(OUT_RECOVERED, COUNTER, "perisco_output_recovered_records_total",                                           \
	  "records found in the spool of a run before", "output")                                                     \
	X(OUT_WAITING, GAUGE, "perisco_output_waiting_records", "records that wait in memory", "output")              \
	X(OUT_SPOOLED, GAUGE, "perisco_output_spooled_records", "records that wait in the spool", "output")           \
	X(OUT_QUEUE_BYTES, GAUGE, "perisco_output_queue_bytes", "what waits in memory", "output")                     \
	X(OUT_SPOOL_BYTES, GAUGE, "perisco_output_spool_bytes", "what waits in the spool", "output")                  \
	X(DETAIL, GAUGE, "perisco_detail", "1: so much is decoded now, to stay within the CPU budget", "level")       \
	X(DETAIL_SECONDS, COUNTER, "perisco_detail_seconds_total",                                                    \
	  "time with so much detail; of a run with --cpu-budget", "level")                                            \
	X(BUDGET, GAUGE, "perisco_cpu_budget_ratio", "CPU time a second that may be taken: --cpu-budget; 0: any")     \
	X(BUILD, GAUGE, "perisco_build_info", "1", "version")                                                         \
	X(CPU, COUNTER, "process_cpu_seconds_total", "CPU time of the process, user and system")                      \
	X(RESIDENT, GAUGE, "process_resident_memory_bytes", "its memory")                                             \
	X(VIRTUAL, GAUGE, "process_virtual_memory_bytes", "its address space")                                        \
	X(START, GAUGE, "process_start_time_seconds", "when it began, Unix time")                                     \
	X(FDS, GAUGE, "process_open_fds", "its open files")                                                           \
	X(FDS_MAX, GAUGE, "process_max_fds", "how many it may open")

enum metric_id {
#define X(id, ...) METRIC_##id,
	PERISCO_METRICS(X)
#undef X
#define X(name, unit, help) METRIC_STAT_##name,
	PERISCO_STATS(X)
#undef X
	METRICS
};

#define METRIC_LABELS_MAX 5

struct metric {
	enum metric_type type;
	const char *name, *help;
	const char *labels[METRIC_LABELS_MAX + 1]; /* NULL behind the last */
};

extern const struct metric metrics[METRICS];

/* "counter", "gauge", ... */
const char *metric_type_name(enum metric_type type);

/* The whole table, as Markdown. */
void metrics_help(FILE *out);

#endif
