/* SPDX-License-Identifier: MIT */
/* A directory for all tests of a group, which is to be empty at the end: setup and teardown of cmocka's, included before. */
#ifndef PERISCO_TESTS_EMPTY_DIR_H
#define PERISCO_TESTS_EMPTY_DIR_H

#include <stdlib.h>
#include <unistd.h>

static char directory[] = "/tmp/perisco-test-XXXXXX";

static inline int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static inline int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

#endif
