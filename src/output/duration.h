/* SPDX-License-Identifier: MIT */
#ifndef PERISCO_OUTPUT_DURATION_H
#define PERISCO_OUTPUT_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A time as people write it: digits, perhaps a point and more digits, perhaps one of "s", "ms", "us", "ns"; without a unit,
 * milliseconds. False when it is none, or a billion units and more.
 */
bool duration_parse(const char *s, uint64_t *ns);

#endif
