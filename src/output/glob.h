/* SPDX-License-Identifier: MIT */
/*
 * Patterns over bytes: '*' is any run, also an empty one, '?' any one byte, '\' quotes; no sets, and no byte is
 * special.
 */
#ifndef PERISCO_OUTPUT_GLOB_H
#define PERISCO_OUTPUT_GLOB_H

#include "base/slice.h"

/* Does the whole of `s` match? `fold` makes no difference of the case of ASCII letters. */
bool glob_match(struct slice glob, struct slice s, bool fold);

#endif
