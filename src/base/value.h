/* SPDX-License-Identifier: MIT */
/* Numbers as people write them on a command line. */
#ifndef PERISCO_BASE_VALUE_H
#define PERISCO_BASE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits and nothing else. False when it is no such number, or does not fit. */
bool value_number(const char *s, uint64_t *ret);

/* Bytes: digits, then nothing or one of k, M, G (powers of 1024, either case, "Mi" and "MiB" too). False as above. */
bool value_size(const char *s, uint64_t *ret);

/* A share of one, in percent: "10%", "150", "0.5%"; in 1000ths of a percent, at most UINT32_MAX. False when it is no such thing. */
bool value_percent(const char *s, uint64_t *ret);

/* A time in seconds: digits and one of s, m, h, d. False as above, and of none. */
bool value_seconds(const char *s, uint64_t *ret);

/* "1", "yes", "true", "on" or "0", "no", "false", "off", in any case. False when it is none of these. */
bool value_bool(const char *s, bool *ret);

#endif
