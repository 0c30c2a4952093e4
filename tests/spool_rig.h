/* SPDX-License-Identifier: MIT */
/* Parcels of numbered records that go into a spool in the test's directory, and come back. Of cmocka, which is included before. */
#ifndef PERISCO_TESTS_SPOOL_RIG_H
#define PERISCO_TESTS_SPOOL_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/spool.h"
#include "temp_dir.h"

#define BIT 4u
#define BIG ((uint64_t)1 << 30)

/* A parcel of records "NUMBER FILL\n", of which those with an odd number are for another sink. */
static inline struct parcel *parcel_of(uint64_t run, unsigned from, unsigned n, size_t fill)
{
	struct parcel *p = parcel_new(n, n * (fill + 16));
	size_t at = 0;

	assert_non_null(p);
	p->run = run;
	for (unsigned i = 0; i < n; i++) {
		int length = sprintf((char *)p->bytes + at, "%u %0*d\n", from + i, (int)fill, 0);

		p->marks[i] = (struct mark){7, 8, from + i, (from + i) & 1 ? 2 : BIT, at, (size_t)length};
		at += (size_t)length;
	}
	p->n = at;
	return p;
}

static inline void put(struct spool *s, uint64_t run, unsigned from, unsigned n, size_t fill, int want)
{
	struct parcel *p = parcel_of(run, from, n, fill);

	assert_int_equal(spool_put(s, p, BIT), want);
	parcel_drop(p);
}

static inline struct spool *open_spool(uint64_t max)
{
	struct spool *s;
	char error[256];

	assert_int_equal(spool_open(&s, dir, max, error, sizeof(error)), 0);
	return s;
}

/* The next parcel has the even records of from .. from + n - 1; n 0: there is none. */
static inline void take(struct spool *s, unsigned from, unsigned n)
{
	struct parcel *p;

	assert_int_equal(spool_take(s, BIT, &p), 0);
	if (!n) {
		assert_null(p);
		return;
	}
	assert_non_null(p);
	assert_int_equal(p->n_marks, n / 2);
	for (unsigned i = 0; i < n / 2; i++) {
		assert_int_equal(p->marks[i].number, from + 2 * i);
		assert_int_equal(p->marks[i].sinks, BIT);
		assert_int_equal(strtoul((char *)p->bytes + p->marks[i].at, NULL, 10), from + 2 * i);
		assert_int_equal(p->bytes[p->marks[i].at + p->marks[i].n - 1], '\n');
	}
	parcel_drop(p);
}

#endif
