/* SPDX-License-Identifier: MIT */
/* A directory for each test, which goes with all that is in it: setup and teardown of cmocka's, which is included before. */
#ifndef PERISCO_TESTS_TEMP_DIR_H
#define PERISCO_TESTS_TEMP_DIR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char dir[64];

static inline int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/perisco-test-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static inline int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

#define TEST_IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
