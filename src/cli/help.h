/* SPDX-License-Identifier: MIT */
/* The help texts, made of the option table; none of their lines is longer than 80 columns. */
#ifndef PERISCO_CLI_HELP_H
#define PERISCO_CLI_HELP_H

#include <stdio.h>

/* What `perisco` alone says: three lines. */
void help_usage(FILE *out);

/* The help of one command (enum command), or of perisco itself: 0. */
void help_command(unsigned command, FILE *out);

/* The environment variables, each with its option. */
void help_environment(FILE *out);

#endif
