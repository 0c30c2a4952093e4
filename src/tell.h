/* SPDX-License-Identifier: MIT */
/* Gathers what a run tells of itself: for the summary and progress, and for the metrics page. */
#ifndef PERISCO_TELL_H
#define PERISCO_TELL_H

#include "capture/source.h"
#include "metrics/told.h"
#include "outlet.h"
#include "output/summary.h"
#include "workers/workers.h"

/* What the run itself knows is still to be added: `filtered` by it, `file_lost`, `budget`. */
struct summary tell_summary(struct source *source, struct workers *workers, struct outlet *outlet);

/* Fills in what is not there yet: `t` is all zero but for the summary and the limit of memory. */
void tell(struct told *t, struct source *source, struct workers *workers, struct outputs *outputs);

/* What became of the records of `outputs` up to now, again. Any thread. */
void tell_outputs(void *outputs, struct told *t);

#endif
