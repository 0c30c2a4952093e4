/* SPDX-License-Identifier: MIT */
/* Somebody removes, moves or replaces the files of a spool: what is lost with them is known, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../spool_rig.h"

static void remove_segments(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm %s/*.spool", dir);
	assert_int_equal(system(command), 0);
}

static void remove_segment(uint64_t segment)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%016llx.spool", dir, (unsigned long long)segment);
	assert_int_equal(unlink(path), 0);
}

/* What somebody removed is known by its number of records, takes no room any more, and what is put later is not lost with it. */
static void test_removed_by_hand(void **state)
{
	struct spool *s = open_spool(100000);

	(void)state;
	for (unsigned i = 0; i < 15; i++)
		put(s, 1, 10 * i, 10, 1000, 0); /* in several segments */
	take(s, 0, 10);
	assert_int_equal(spool_missing(s), 0);
	remove_segments();
	for (unsigned i = 15; i < 30; i++)
		put(s, 1, 10 * i, 10, 1000, 0); /* there is room */
	take(s, 10, 10); /* of the file that is open */
	for (unsigned i = 15; i < 30; i++)
		take(s, 10 * i, 10);
	take(s, 0, 0);
	assert_int_equal(spool_lost(s, false), 13 * 5);
	assert_int_equal(spool_done(s), 0);
	assert_int_equal(spool_bytes(s), 0);
	assert_int_equal(spool_missing(s), 0);
	put(s, 1, 300, 10, 1000, 0);
	put(s, 1, 310, 10, 1000, 0);
	take(s, 300, 10);
	remove_segments();
	assert_int_equal(spool_missing(s), 5);
	assert_int_equal(spool_missing(s), 0);
	spool_close(s);
}

/* There is room for what is put back, too. */
static void test_removed_and_put_back(void **state)
{
	struct spool *s = open_spool(100000);
	struct parcel *p = parcel_of(1, 0, 10, 1000), *own = parcel_pick(p, BIT);

	(void)state;
	while (spool_bytes(s) + parcel_stored(own) <= 100000)
		put(s, 1, 0, 10, 1000, 0);
	remove_segments();
	assert_int_equal(spool_put_back(s, own), 0);
	assert_int_equal(spool_bytes(s), parcel_stored(own));
	take(s, 0, 10);
	parcel_drop(own);
	parcel_drop(p);
	spool_close(s);
}

/* Nor has who looks for them to wait until it is looked again what room there is. */
static void test_removed_and_looked_for(void **state)
{
	struct spool *s = open_spool(100000);
	struct parcel *p = parcel_of(1, 0, 10, 1000);
	unsigned fit = 0;

	(void)state;
	while (spool_put(s, p, BIT) == 0) /* it was looked at the end */
		fit++;
	remove_segments();
	assert_int_equal(spool_missing(s), fit * 5);
	assert_int_equal(spool_put(s, p, BIT), 0);
	parcel_drop(p);
	spool_close(s);
}

/* The spool of the next run, when a shell did this to its file $f between two parcels. */
static struct spool *spool_after(const char *command)
{
	struct spool *s = open_spool(100000);
	char script[256];

	put(s, 1, 0, 10, 1000, 0);
	snprintf(script, sizeof(script), "for f in %s/*.spool; do %s; done", dir, command);
	assert_int_equal(system(script), 0);
	put(s, 1, 10, 10, 1000, 0);
	spool_close(s);
	return open_spool(100000);
}

/* What somebody moved away gets nothing more: the next run does not find it. */
static void test_moved_away(void **state)
{
	struct spool *s = spool_after("mv $f $f.old");

	(void)state;
	take(s, 10, 10);
	take(s, 0, 0);
	spool_close(s);
}

/* Nor does what took its place: it is another file than the one that is open. */
static void test_moved_back(void **state)
{
	struct spool *s = spool_after("cp $f $f.old; mv $f.old $f");

	(void)state;
	take(s, 0, 10);
	take(s, 10, 10);
	take(s, 0, 0);
	spool_close(s);
}

/* A parcel says of which segment it is, and whether that is there can be asked. */
static void test_segment_of_a_parcel(void **state)
{
	struct spool *s = open_spool(100000);
	struct parcel *p, *later;

	(void)state;
	for (unsigned i = 0; i < 15; i++)
		put(s, 1, 10 * i, 10, 1000, 0); /* in several segments */
	assert_int_equal(spool_take(s, BIT, &p), 0);
	for (unsigned i = 1; i < 14; i++)
		take(s, 10 * i, 10);
	assert_int_equal(spool_take(s, BIT, &later), 0);
	assert_true(p->segment < later->segment);
	remove_segment(p->segment);
	assert_true(spool_lacks(s, p->segment));
	assert_false(spool_lacks(s, later->segment));
	parcel_drop(p);
	parcel_drop(later);
	spool_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_DIR(test_removed_by_hand),
		TEST_IN_DIR(test_removed_and_put_back),
		TEST_IN_DIR(test_removed_and_looked_for),
		TEST_IN_DIR(test_moved_away),
		TEST_IN_DIR(test_moved_back),
		TEST_IN_DIR(test_segment_of_a_parcel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
