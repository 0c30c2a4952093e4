/* SPDX-License-Identifier: MIT */
/*
 * To Kafka: kafka://[USER:PASSWORD@]HOST[:PORT],.../TOPIC?PROPERTY=VALUE&..., with librdkafka's properties, but for those
 * with which nobody would hear what becomes of records (doc/outputs.md). A record is a message: its key is the flow (16 hex
 * digits), so that those of a flow stay in order, its header "perisco-id" tells one that comes twice, its time stamp is the
 * record's.
 */
#ifndef PERISCO_SINK_KAFKA_H
#define PERISCO_SINK_KAFKA_H

#include "sink/courier.h"
#include "sink/spec.h"

/* Makes the client; whether a broker is there is seen later. 0, or a negative errno with a line in `error`. */
int kafka_open(struct carrier *ret, struct spec *spec, char *error, size_t n);

#endif
