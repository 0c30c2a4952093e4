/* SPDX-License-Identifier: MIT */
/*
 * Which trace a request belongs to: W3C Trace Context ("traceparent") and Zipkin's B3, in one field ("b3") or in two
 * ("x-b3-traceid", "x-b3-spanid").
 */
#ifndef PERISCO_OUTPUT_TRACE_H
#define PERISCO_OUTPUT_TRACE_H

#include "record.h"

#define TRACE_ID_DIGITS 32
#define SPAN_ID_DIGITS  16

/* Both are hex digits in lower case and not all zero. */
struct trace {
	uint8_t trace_id[TRACE_ID_DIGITS]; /* one of 16 digits (B3) has zeros in front */
	uint8_t span_id[SPAN_ID_DIGITS];   /* of the sender */
};

/*
 * What the request's headers say: the first of the three forms above that is there and valid to the letter. A field that
 * comes twice, or breaks its grammar anywhere, says nothing. False when nothing is left; then `ret` is not set.
 */
bool trace_of(const struct fields *headers, struct trace *ret);

#endif
