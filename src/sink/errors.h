/* SPDX-License-Identifier: MIT */
/* What librdkafka's errors say of a message. */
#ifndef PERISCO_SINK_ERRORS_H
#define PERISCO_SINK_ERRORS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

/* Will it never be taken? It, or another of its batch. RD_KAFKA_RESP_ERR__QUEUE_FULL: when it has the queue for itself. */
bool errors_refuse(rd_kafka_resp_err_t err);

/* Was it too large, alone or with its batch? */
bool errors_too_large(rd_kafka_resp_err_t err);

/* Is the topic not there? */
bool errors_no_topic(rd_kafka_resp_err_t err);

/* Does it say why? Not when it was given back because that was asked for, or for something else, or its time was up. */
bool errors_explain(rd_kafka_resp_err_t err);

#endif
