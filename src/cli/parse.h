/* SPDX-License-Identifier: MIT */
/* From the command line and the environment to a configuration. */
#ifndef PERISCO_CLI_PARSE_H
#define PERISCO_CLI_PARSE_H

#include "cli/config.h"

/*
 * Fills in `c`, which config_init made. The command line wins over the environment, option by option; an empty variable is
 * as good as none, and one of an option that the command does not have is passed over. Reorders `argv` as getopt(3) does.
 * Returns 0, -EINVAL with a line in `error` (on what, what is wrong, what to do), or -ENOMEM. See c->ask for what to do then.
 */
int cli_parse(struct config *c, int argc, char **argv, char *const *env, char *error, size_t n);

/*
 * The next variable of the environment that looks like an option and is none, from *at on, which the call moves on: a
 * mistyped name should not be passed over in silence. NULL when there are no more. Names that Kubernetes makes for a service
 * called perisco (PERISCO_PORT_80_TCP, ...) or perisco-metrics are left out. `name` gets the name and is returned.
 */
#define CLI_STRAY_MAX 64
const char *cli_stray(char *const *env, size_t *at, char name[CLI_STRAY_MAX]);

#endif
