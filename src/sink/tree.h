/* SPDX-License-Identifier: MIT */
/* JSON that strangers send, by jansson, within bounds: the tree of a text may take eighty times its size. */
#ifndef PERISCO_SINK_TREE_H
#define PERISCO_SINK_TREE_H

#include <jansson.h>

/* The tree, which becomes the caller's; NULL when the text is no JSON, or the tree takes more than `most` bytes. Any thread. */
json_t *tree_parse(const char *text, size_t most);

#endif
