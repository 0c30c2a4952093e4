/* SPDX-License-Identifier: MIT */
/* A sample exchange and where its text goes, for each test. Of cmocka, which is included before. */
#ifndef PERISCO_TESTS_TEXT_RIG_H
#define PERISCO_TESTS_TEXT_RIG_H

#include <stdlib.h>
#include <time.h>

#include "output/format.h"
#include "sample.h"

static struct sample s;
static struct view view;
static struct buf out;
static void *columns;

static inline int set_up(void **state)
{
	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	sample_exchange(&s);
	view = (struct view){0};
	out = buf_of(1 << 20);
	columns = calloc(1, format_text.state_size);
	return columns ? 0 : -1;
}

static inline int tear_down(void **state)
{
	(void)state;
	sample_release(&s);
	buf_release(&out);
	free(columns);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

#endif
