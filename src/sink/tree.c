/* SPDX-License-Identifier: MIT */
#include "sink/tree.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

static _Thread_local size_t room = SIZE_MAX; /* for what this thread parses */

static void *take(size_t n)
{
	if (n > room)
		return NULL;
	room -= n;
	return malloc(n);
}

static void set_up(void)
{
	json_set_alloc_funcs(take, free);
}

json_t *tree_parse(const char *text, size_t most)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	json_t *ret;

	pthread_once(&once, set_up);
	room = most;
	ret = json_loads(text, 0, NULL);
	room = SIZE_MAX;
	return ret;
}
