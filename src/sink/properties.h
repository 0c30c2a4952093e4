/* SPDX-License-Identifier: MIT */
/* What librdkafka is told: the properties of a target and of -X, over defaults of our own. */
#ifndef PERISCO_SINK_PROPERTIES_H
#define PERISCO_SINK_PROPERTIES_H

#include <librdkafka/rdkafka.h>

#include "sink/spec.h"

/*
 * The properties of a target, its hosts, its user and every option of it that nobody else asked for. The caller's; NULL with a
 * line in `error` when one is not librdkafka's, or does not go together with another.
 */
rd_kafka_conf_t *properties_of(struct spec *spec, char *error, size_t n);

/* Sets one. 0, or -EINVAL with a line in `error`. */
int properties_set(rd_kafka_conf_t *conf, const char *key, const char *value, char *error, size_t n);

/* The value of one in digits or words, written to the `n` bytes at `value`; cut when it is longer, "" when there is none. */
const char *properties_get(const rd_kafka_conf_t *conf, const char *key, char *value, size_t n);

#endif
