/* SPDX-License-Identifier: MIT */
/* Gathers what a run tells of itself for the metrics page. */
#ifndef PERISCO_TELL_H
#define PERISCO_TELL_H

#include "capture/source.h"
#include "metrics/told.h"
#include "output/output.h"
#include "workers/workers.h"

/* Fills in what is not there yet: `t` is all zero but for the summary and the limit of memory. */
void tell(struct told *t, struct source *source, struct workers *workers, const struct outputs *outputs);

#endif
