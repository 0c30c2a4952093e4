/* SPDX-License-Identifier: MIT */
/* What of a record is shown: which field lines, and which of them without their value. */
#ifndef PERISCO_OUTPUT_VIEW_H
#define PERISCO_OUTPUT_VIEW_H

#include "base/slice.h"

/* All zero is the default: every field, no secrets. */
struct view {
	enum { HEADERS_ALL, HEADERS_NONE, HEADERS_LIST } headers;
	struct slice *names; /* for HEADERS_LIST; owned */
	size_t n_names;
	bool show_secrets;
};

/* What stands in the place of a secret. */
#define VIEW_REDACTED "REDACTED"

/* Reads "all", "none" or "name,name", in the place of what was there; 0, -EINVAL or -ENOMEM (then `v` is as it was). */
int view_headers(struct view *v, const char *spec);
void view_release(struct view *v);

/* Is this field to be shown at all? */
bool view_wants(const struct view *v, struct slice name);

/* Is the value of this field a secret that must not be shown? doc/records.md has the list of names. */
bool view_hides(const struct view *v, struct slice name);

#endif
