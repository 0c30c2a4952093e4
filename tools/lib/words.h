/* SPDX-License-Identifier: MIT */
/* The words of a script. What makes no sense ends the program: see talk_die. */
#ifndef PERISCO_TOOLS_WORDS_H
#define PERISCO_TOOLS_WORDS_H

#include "talk.h"

char *skip_space(char *p);

/* Cuts the next word off the line; NULL when there is none. */
char *word(char **p);

/* The same, but there must be one: `what` is what is missing otherwise. */
char *need(struct talk *t, char **p, const char *what);

uint64_t number(const struct talk *t, const char *w);

/* "10ns", "80us", "1.5ms", "2s" in nanoseconds. */
uint64_t duration(const struct talk *t, const char *w);

/* "c" or "s". */
int side_of(const struct talk *t, const char *w);

/* Appends to the message a "string" with escapes, or hexadecimal digits, perhaps * N; returns where the next one begins. */
char *item(struct talk *t, char *p);

/* The same for all of the line. */
void items(struct talk *t, char *p);

#endif
