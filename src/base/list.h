/* SPDX-License-Identifier: MIT */
/* An intrusive, circular, doubly linked list. The head is a node of its own: `list_init(&head)`. */
#ifndef PERISCO_BASE_LIST_H
#define PERISCO_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
	node->prev = at->prev;
	node->next = at;
	at->prev->next = node;
	at->prev = node;
}

/* Appends at the tail of the list that `head` names. */
static inline void list_append(struct list *head, struct list *node)
{
	list_insert_before(head, node);
}

/* Takes a node out; it is left as a list of its own, so that removing twice does no harm. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#endif
