/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/help.h"
#include "cli/parse.h"
#include "metrics/table.h"
#include "run.h"

/* A standard stream that is closed must not become a file of ours. */
static void hold_standard_streams(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDONLY)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd >= 0)
		close(fd);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	flockfile(stderr); /* threads of outputs speak too */
	fputs("perisco: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	funlockfile(stderr);
	va_end(ap);
}

static void warn_of_strays(void)
{
	char name[CLI_STRAY_MAX];

	for (size_t at = 0; cli_stray(environ, &at, name);)
		say("'%s' in the environment is no option of perisco", name);
}

static enum exit_code obey(const struct config *c)
{
	switch (c->ask) {
	case ASK_RUN:
		warn_of_strays();
		return run(c);
	case ASK_USAGE:
		help_usage(stderr);
		return EXIT_USAGE;
	case ASK_HELP:
		help_command(c->command, stdout);
		break;
	case ASK_ENVIRONMENT:
		help_environment(stdout);
		break;
	case ASK_METRICS:
		metrics_help(stdout);
		break;
	case ASK_VERSION:
		puts("perisco " PERISCO_VERSION);
		break;
	}
	return fflush(stdout) == 0 ? EXIT_FINE : EXIT_OUTPUT;
}

int main(int argc, char **argv)
{
	struct config config;
	char error[512];
	enum exit_code code;
	int err;

	hold_standard_streams();
	err = config_init(&config);
	if (!err)
		err = cli_parse(&config, argc, argv, environ, error, sizeof error);
	if (err)
		say("%s", err == -EINVAL ? error : "out of memory");
	code = !err ? obey(&config) : err == -EINVAL ? EXIT_USAGE : EXIT_OTHER;
	config_release(&config);
	return code;
}
