/* SPDX-License-Identifier: MIT */
/* What of a record is shown: which field lines, and which of their values are secrets. */
#ifndef PERISCO_OUTPUT_VIEW_H
#define PERISCO_OUTPUT_VIEW_H

#include "base/slice.h"

struct view {
	enum { HEADERS_ALL, HEADERS_NONE, HEADERS_LIST } headers;
	struct slice *names; /* for HEADERS_LIST; owned */
	size_t n_names;
	bool show_secrets;
};

/* Reads "all", "none" or "name,name"; 0, -EINVAL or -ENOMEM. */
int view_headers(struct view *v, const char *spec);
void view_release(struct view *v);

/* Is this field to be shown at all? */
bool view_wants(const struct view *v, struct slice name);

/* Is its value a secret that must not be shown (Authorization, Cookie, Set-Cookie, Proxy-Authorization, X-Api-Key, ...)? */
bool view_hides(const struct view *v, struct slice name);

#endif
