/* SPDX-License-Identifier: MIT */
/*
 * To Elasticsearch or OpenSearch, by the bulk API: elasticsearch[+https]://[USER:PASSWORD@]HOST[:PORT],.../[PREFIX/]INDEX?OPTIONS.
 * INDEX is a data stream, or, with strftime's conversions of the day ("perisco-%Y.%m.%d"), the name of indices; PREFIX is a path
 * that stands in front of the API's own. The id of a document is that of the record, so that one that is sent twice is there once.
 *
 * Options, besides those of http_open: template=no (the index template is not put), gzip=no.
 */
#ifndef PERISCO_SINK_ELASTIC_H
#define PERISCO_SINK_ELASTIC_H

#include "sink/courier.h"
#include "sink/spec.h"

/* Makes the client; whether a server is there is seen later. 0, or a negative errno with a line in `error`. */
int elastic_open(struct carrier *ret, struct spec *spec, char *error, size_t n);

#endif
