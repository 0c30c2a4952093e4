/* SPDX-License-Identifier: MIT */
/* What the user asked for: filled in from the command line and the environment, then only read. */
#ifndef PERISCO_CLI_CONFIG_H
#define PERISCO_CLI_CONFIG_H

#include "capture/live.h"
#include "output/output.h"
#include "output/rotation.h"
#include "output/select.h"
#include "output/view.h"

enum command { COMMAND_WATCH = 1, COMMAND_REPLAY = 2 };

/* What perisco says with its exit status. scripts and the manual know these numbers: only add. */
#define PERISCO_EXITS(X)                                                                          \
	X(EXIT_FINE, 0, "all went well, or whoever read our output has gone")                     \
	X(EXIT_OTHER, 1, "something else failed")                                                 \
	X(EXIT_USAGE, 2, "a wrong command, option, value or filter expression")                   \
	X(EXIT_INPUT, 3, "a file or an interface cannot be opened or read")                       \
	X(EXIT_BROKEN, 4, "a file is broken; the records of what could be read were given")       \
	X(EXIT_RIGHT, 5, "a right is missing")                                                    \
	X(EXIT_KERNEL, 6, "this kernel, or this build of perisco, lacks something")               \
	X(EXIT_OUTPUT, 7, "an output cannot be opened or written")

enum exit_code {
#define X(name, number, help) name = number,
	PERISCO_EXITS(X)
#undef X
};

#define WORKERS_MAX 64
#define FILES_MAX   1000000

/* A list of strings, owned. */
struct words {
	char **v;
	size_t n;
};

/* Appends a copy of the `n` bytes at `s`. 0 or -ENOMEM. */
int words_add(struct words *w, const char *s, size_t n);
void words_release(struct words *w);

struct config {
	enum { ASK_RUN, ASK_USAGE, ASK_HELP, ASK_ENVIRONMENT, ASK_METRICS, ASK_VERSION } ask;
	unsigned command;          /* an enum command; 0 only when help is asked for and no command was named */
	struct words files;        /* of replay */
	struct words interfaces;   /* of watch: names and globs; none: every veth */
	enum live_hook hook;       /* of watch */
	enum vantage vantage;      /* VANTAGE_UNKNOWN: the first point that shows a connection */
	uint64_t snaplen;          /* of watch, bytes; 0: all */
	char *filter;              /* NULL: every packet */
	struct select *select;     /* never NULL */
	struct view view;
	struct words outputs;      /* as in outputs_add */
	enum color color;
	struct words properties;   /* KEY=VALUE, of librdkafka */
	char *spool;               /* NULL: records do not wait on disk */
	uint64_t spool_max;        /* bytes, of each output */
	bool strict;
	char *metrics;             /* where the page for Prometheus is served, as address_parse has it; NULL: nowhere */
	char *write;               /* NULL: no packets are written */
	struct rotation rotation;  /* of what is written: only its limits */
	bool flows;
	uint64_t stream_interval_ns; /* 0: no records of what goes on */
	uint64_t body;             /* bytes to keep of each body */
	uint64_t count;            /* 0: no limit */
	uint64_t cpu_budget_ns;    /* of watch, CPU time a second; 0: none */
	uint64_t memory, ring;     /* bytes; ring 0: as live_open likes it */
	uint64_t workers;          /* from 1 to WORKERS_MAX */
	uint64_t verbose;
	bool quiet;
};

/* Everything at its default. 0 or -ENOMEM; release it in both cases. */
int config_init(struct config *c);
void config_release(struct config *c);

#endif
