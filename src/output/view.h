/* SPDX-License-Identifier: MIT */
/* What of a record is shown: which field lines, and what in them and in targets is a secret. */
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

/* What the value of a field may hold that must not be shown; doc/records.md has the lists. */
enum secrecy {
	SECRECY_NONE,
	SECRECY_ALL, /* it is a secret as a whole (Authorization, Cookie, ...) */
	SECRECY_URI, /* it is a URI, perhaps with secrets in it (Location, Referer, ...) */
};
enum secrecy view_secrecy(const struct view *v, struct slice name);

/*
 * The next secret in a request target or URI at or behind offset `from`, which is 0 or the end of the one before: the
 * userinfo, or the value of a parameter like access_token in its query or fragment. Empty when there is none, or they
 * are shown.
 */
struct slice view_next_secret(const struct view *v, struct slice uri, size_t from);

#endif
