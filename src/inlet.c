/* SPDX-License-Identifier: MIT */
#include "inlet.h"

#include <errno.h>

#include "capture/file.h"
#include "capture/live.h"
#include "run.h"

static void say_line(void *ctx, const char *line)
{
	(void)ctx;
	say("%s", line);
}

bool inlet_takes_all(const struct config *c)
{
	return c->write || c->snaplen || c->vantage == VANTAGE_BOTH;
}

static struct source *open_live(const struct config *c, struct filter *filter, enum exit_code *code, char *error, size_t n)
{
	const struct live_config live = {
		.patterns = (const char *const *)c->interfaces.v,
		.n_patterns = c->interfaces.n,
		.ring = c->ring,
		.hook = c->hook,
		.whole = inlet_takes_all(c),
		.last = c->vantage == VANTAGE_SERVER,
		.snaplen = (uint32_t)c->snaplen,
		.metered = c->cpu_budget_ns > 0,
		.filter = filter,
		.verbose = (int)c->verbose,
		.say = say_line,
	};
	int err = 0;
	struct source *source = live_open(&live, &err, error, n);

	switch (err) {
	case -EPERM:
		*code = EXIT_RIGHT;
		break;
	case -EOPNOTSUPP:
	case -EPFNOSUPPORT:
		*code = EXIT_KERNEL;
		break;
	default:
		*code = err == -ENODEV ? EXIT_INPUT : EXIT_OTHER;
	}
	return source;
}

enum exit_code inlet_open(struct source **ret, struct filter **filter, const struct config *c, char *error, size_t n)
{
	enum exit_code code = EXIT_INPUT;

	if (c->filter) {
		*filter = filter_new(c->filter, error, n);
		if (!*filter)
			return EXIT_USAGE;
	}
	if (c->command == COMMAND_WATCH)
		*ret = open_live(c, *filter, &code, error, n);
	else
		*ret = file_open((const char *const *)c->files.v, c->files.n, error, n);
	return *ret ? EXIT_FINE : code;
}
