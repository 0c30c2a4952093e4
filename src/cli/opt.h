/* SPDX-License-Identifier: MIT */
/*
 * The option table: the command line, the environment and the help text are all read from it, so that they cannot disagree.
 * A new option is one line here, a field in struct config, and an entry in doc/perisco.1.
 */
#ifndef PERISCO_CLI_OPT_H
#define PERISCO_CLI_OPT_H

#include "cli/config.h"

/* Sections of the help text. */
enum opt_group { OPT_INPUT, OPT_SELECT, OPT_SHOW, OPT_SEND, OPT_LIMITS, OPT_TALK, OPT_GROUPS };

struct opt {
	const char *name;
	char letter;         /* 0: none */
	const char *arg;     /* what its value is called; NULL: it takes none */
	unsigned commands;   /* enum command, several or-ed */
	enum opt_group group;
	/*
	 * Puts a value into `c`; `value` is NULL for an option that takes none and comes from the command line. Returns 0,
	 * -EINVAL with what is wrong with the value in `error`, or -ENOMEM.
	 */
	int (*set)(struct config *c, const struct opt *o, const char *value, char *error, size_t n);
	size_t at;           /* what `set` fills in: an offset into struct config; not all need it */
	bool words;          /* in the environment, its value may be several, separated by spaces */
	const char *help;
};

extern const struct opt opts[];
extern const size_t opts_n;

/* One command and what it is given besides options. */
struct command_info {
	const char *name;
	enum command command;
	const char *synopsis, *help;
};

extern const struct command_info commands[];
extern const size_t commands_n;

/* NULL when there is none of this name. */
const struct command_info *command_find(const char *name);

/* The entry of one command, which must exist. */
const struct command_info *command_of(unsigned command);

/* The name of the option's environment variable, "PERISCO_MIN_LATENCY"; "" for help and version, which have none. */
#define OPT_ENV_PREFIX "PERISCO_"
#define OPT_ENV_MAX    40
const char *opt_env(const struct opt *o, char buf[OPT_ENV_MAX]);

#endif
