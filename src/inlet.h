/* SPDX-License-Identifier: MIT */
/* Where packets come from: interfaces or files, and what of them is wanted. */
#ifndef PERISCO_INLET_H
#define PERISCO_INLET_H

#include "capture/filter.h"
#include "capture/source.h"
#include "cli/config.h"

/* Is every packet of every point wanted, so that nothing may be left out? */
bool inlet_takes_all(const struct config *c);

/*
 * Opens the source, and the filter if there is one (else *filter stays NULL). EXIT_FINE, or another with a line in `error`; close what
 * is there in both cases.
 */
enum exit_code inlet_open(struct source **ret, struct filter **filter, const struct config *c, char *error, size_t n);

#endif
