/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupted, moved;

static void on_signal(int signal)
{
	interrupted = signal;
}

static void on_hangup(int signal)
{
	(void)signal;
	moved = true;
}

void signals_catch(void)
{
	const struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND}, ignore = {.sa_handler = SIG_IGN};
	struct sigaction hangup;

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}

void signals_take_hangup(void)
{
	const struct sigaction again = {.sa_handler = on_hangup};

	sigaction(SIGHUP, &again, NULL);
}

bool signals_end(void)
{
	return interrupted;
}

bool signals_moved(void)
{
	bool ret = moved;

	if (ret)
		moved = false;
	return ret;
}
