/* SPDX-License-Identifier: MIT */
/* Parcels on disk: in order, bounded, whole after a restart, and what is torn is left out. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "../file_limit.h"
#include "../spool_rig.h"

/* A disk that fails: nothing can be read, or no file gets shorter. */
static bool no_reads, no_cuts;

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	if (!no_reads)
		return syscall(SYS_pread64, fd, p, n, at);
	errno = EIO;
	return -1;
}

int ftruncate(int fd, off_t n)
{
	if (!no_cuts)
		return (int)syscall(SYS_ftruncate, fd, n);
	errno = EIO;
	return -1;
}

static void test_first_in_first_out(void **state)
{
	struct spool *s = open_spool(BIG);

	(void)state;
	assert_true(spool_is_empty(s));
	for (unsigned i = 0; i < 1000; i++)
		put(s, 1, 10 * i, 10, 4000, 0); /* more than one segment */
	assert_false(spool_is_empty(s));
	for (unsigned i = 0; i < 1000; i++) {
		take(s, 10 * i, 10);
		if (i % 7 == 0)
			assert_int_equal(spool_done(s), 0);
	}
	take(s, 0, 0);
	assert_int_equal(spool_done(s), 0);
	assert_int_equal(spool_bytes(s), 0);
	assert_int_equal(spool_unreadable(s), 0);
	spool_close(s);
}

static void test_restart_takes_what_was_not_done(void **state)
{
	struct spool *s = open_spool(BIG);

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		put(s, 1, 10 * i, 10, 20, 0);
	take(s, 0, 10);
	take(s, 10, 10);
	assert_int_equal(spool_done(s), 0);
	take(s, 20, 10);
	spool_close(s);

	s = open_spool(BIG);
	put(s, 2, 60, 10, 20, 0);
	for (unsigned i = 2; i < 7; i++)
		take(s, 10 * i, 10);
	take(s, 0, 0);
	assert_int_equal(spool_unreadable(s), 0);
	spool_close(s);
}

static void test_put_back_comes_first(void **state)
{
	struct spool *s = open_spool(BIG);
	struct parcel *p = parcel_of(1, 100, 2, 5);

	(void)state;
	put(s, 1, 0, 10, 20, 0);
	take(s, 0, 10);
	assert_int_equal(spool_done(s), 0);
	put(s, 1, 10, 10, 20, 0);
	assert_int_equal(spool_put_back(s, p), 0);
	p->marks[1].sinks = BIT;
	parcel_drop(p);
	spool_close(s);
	s = open_spool(BIG);
	assert_int_equal(spool_take(s, BIT, &p), 0);
	assert_int_equal(p->marks[0].number, 100);
	parcel_drop(p);
	take(s, 10, 10);
	take(s, 0, 0);
	spool_close(s);
}

static void test_bounded(void **state)
{
	struct spool *s = open_spool(100000);
	unsigned fit = 0;
	struct parcel *p = parcel_of(1, 0, 10, 1000);

	(void)state;
	while (spool_put(s, p, BIT) == 0)
		fit++;
	assert_in_range(fit, 17, 20); /* of some 5 KB each */
	assert_int_equal(spool_put(s, p, BIT), -ENOSPC);
	for (unsigned i = 0; i < fit; i++)
		take(s, 0, 10);
	assert_int_equal(spool_done(s), 0);
	assert_int_equal(spool_put(s, p, BIT), 0);
	parcel_drop(p);
	spool_close(s);
}

/* Cuts the only segment to `size` bytes, or alters the byte there. */
static void damage(off_t size, bool cut)
{
	char path[128], byte;
	int fd;

	snprintf(path, sizeof(path), "%s/%016llx.spool", dir, (1ULL << 32) + 1);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	if (cut)
		assert_int_equal(ftruncate(fd, size), 0);
	else {
		assert_int_equal(pread(fd, &byte, 1, size), 1);
		byte = (char)~byte;
		assert_int_equal(pwrite(fd, &byte, 1, size), 1);
	}
	close(fd);
}

static void test_torn_and_altered(void **state)
{
	struct stat st;
	char path[128];
	struct spool *s;

	(void)state;
	for (unsigned cut = 0; cut < 2; cut++) {
		s = open_spool(BIG);
		put(s, 1, 10, 10, 20, 0);
		put(s, 1, 20, 10, 20, 0);
		spool_close(s);
		snprintf(path, sizeof(path), "%s/%016llx.spool", dir, (1ULL << 32) + 1);
		assert_int_equal(stat(path, &st), 0);
		damage(st.st_size - 3, cut);
		s = open_spool(BIG);
		put(s, 2, 30, 10, 20, 0);
		take(s, 10, 10);
		take(s, 30, 10);
		take(s, 0, 0);
		assert_int_equal(spool_unreadable(s), st.st_size / 2 - (cut ? 3 : 0));
		spool_close(s);
		assert_int_equal(teardown(NULL), 0);
		assert_int_equal(mkdir(dir, 0700), 0);
	}
}

/* Makes a spool anew, of three parcels of which the first was done. Returns the size of its segment. */
static off_t three_parcels(void)
{
	struct spool *s;
	struct stat st;
	char path[128];

	assert_int_equal(teardown(NULL), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	s = open_spool(BIG);
	for (unsigned i = 0; i < 3; i++)
		put(s, 1, 10 * i + 10, 4, 3, 0);
	take(s, 10, 4);
	assert_int_equal(spool_done(s), 0);
	spool_close(s);
	snprintf(path, sizeof(path), "%s/%016llx.spool", dir, (1ULL << 32) + 1);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* Takes all there is: parcels of the three, each as it was and in order. Returns how many. */
static unsigned take_all(struct spool *s)
{
	unsigned n = 0, next = 0;
	struct parcel *p;

	while (spool_take(s, BIT, &p) == 0 && p) {
		assert_int_equal(p->n_marks, 2);
		assert_true(p->marks[0].number >= next && p->marks[0].number % 10 == 0);
		assert_int_equal(strtoul((char *)p->bytes + p->marks[0].at, NULL, 10), p->marks[0].number);
		next = (unsigned)p->marks[0].number + 10;
		parcel_drop(p);
		n++;
	}
	return n;
}

/* Of a parcel of which this byte is altered: all but the magic number and the two lengths. */
static bool is_length_known(off_t at)
{
	return at >= 4 && (at < 16 || at >= 32);
}

/* Whatever byte of a segment is altered, or wherever it is cut: what comes is as it was, and what does not is counted. */
static void test_each_byte(void **state)
{
	off_t size = three_parcels();

	(void)state;
	for (off_t at = 0; at < size; at++)
		for (unsigned cut = 0; cut < 2; cut++) {
			struct spool *s;
			unsigned n;
			bool known;

			three_parcels();
			damage(at, cut);
			s = open_spool(BIG);
			n = take_all(s);
			known = is_length_known(at % (size / 3));
			assert_int_equal(n, at < size / 3 ? (cut ? 0 : 2) : at < 2 * size / 3 ? !cut && known : 1);
			if (!cut && at >= size / 3) {
				assert_int_equal(spool_unreadable(s), (2 - n) * size / 3);
				assert_int_equal(spool_lost(s, true), known ? 2 : 0);
			}
			assert_int_equal(spool_lost(s, false), 0);
			put(s, 2, 40, 4, 3, 0);
			take(s, 40, 4);
			spool_close(s);
		}
}

/* Without a note of what was done all of it comes again. */
static void test_note_altered(void **state)
{
	char path[128];

	(void)state;
	for (off_t at = 0; at < 24; at++) {
		struct spool *s;
		int fd;

		three_parcels();
		snprintf(path, sizeof(path), "%s/head", dir);
		fd = open(path, O_RDWR);
		assert_int_equal(pwrite(fd, "\xee", 1, at), 1);
		close(fd);
		s = open_spool(BIG);
		assert_int_equal(take_all(s), 3);
		spool_close(s);
	}
}

/* A file that can grow no more is as a disk that is full: a parcel is there whole or not at all. */
static void test_disk_full(void **state)
{
	struct spool *s = open_spool(BIG);
	unsigned fit = 0;

	(void)state;
	limit_files(20000);
	for (unsigned i = 0; i < 40; i++) {
		struct parcel *p = parcel_of(1, 10 * i, 10, 200);

		fit += spool_put(s, p, BIT) == 0;
		parcel_drop(p);
	}
	limit_files(RLIM_INFINITY);
	assert_in_range(fit, 10, 39);
	put(s, 1, 10 * fit, 10, 200, 0);
	for (unsigned i = 0; i <= fit; i++)
		take(s, 10 * i, 10);
	take(s, 0, 0);
	spool_close(s);
}

/* What cannot be read now may be later: it is not given up. */
static void test_unreadable_for_now(void **state)
{
	struct spool *s = open_spool(BIG);
	struct parcel *p;

	(void)state;
	put(s, 1, 0, 10, 20, 0);
	put(s, 1, 10, 10, 20, 0);
	take(s, 0, 10);
	no_reads = true;
	assert_int_equal(spool_take(s, BIT, &p), -EIO);
	assert_int_equal(spool_done(s), 0);
	assert_int_equal(spool_take(s, BIT, &p), -EIO);
	no_reads = false;
	take(s, 10, 10);
	take(s, 0, 0);
	assert_int_equal(spool_unreadable(s), 0);
	spool_close(s);
}

/* What did not fit and cannot be taken away counts as what it takes. */
static void test_torn_bytes_count(void **state)
{
	struct spool *s = open_spool(BIG);
	struct stat st;
	char path[128];

	(void)state;
	put(s, 1, 0, 10, 200, 0);
	limit_files(2000);
	no_cuts = true;
	put(s, 1, 10, 10, 200, -ENOSPC);
	no_cuts = false;
	limit_files(RLIM_INFINITY);
	snprintf(path, sizeof(path), "%s/%016llx.spool", dir, (1ULL << 32) + 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 2000);
	assert_int_equal(spool_bytes(s), 2000);
	put(s, 1, 20, 10, 200, 0);
	take(s, 0, 10);
	take(s, 20, 10);
	assert_int_equal(spool_done(s), 0);
	assert_int_equal(spool_bytes(s), 0);
	spool_close(s);
}

static void test_untake(void **state)
{
	struct spool *s = open_spool(BIG);

	(void)state;
	put(s, 1, 0, 10, 20, 0);
	put(s, 1, 10, 10, 20, 0);
	take(s, 0, 10);
	take(s, 10, 10);
	assert_true(spool_is_empty(s));
	spool_untake(s);
	assert_false(spool_is_empty(s));
	take(s, 10, 10);
	take(s, 0, 0);
	spool_close(s);
}

/* What was delivered makes room, though more comes all the time. */
static void test_room_is_made(void **state)
{
	struct spool *s = open_spool(100000);

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		put(s, 1, 10 * i, 10, 1000, 0);
		if (i < 4)
			continue;
		take(s, 10 * (i - 4), 10);
		assert_int_equal(spool_done(s), 0);
	}
	spool_close(s);
}

static void test_one_process_at_a_time(void **state)
{
	struct spool *s = open_spool(BIG), *other;
	char error[256];

	(void)state;
	assert_int_equal(spool_open(&other, dir, BIG, error, sizeof(error)), -EBUSY);
	assert_non_null(strstr(error, "another process"));
	assert_null(other);
	assert_int_equal(spool_open(&other, "/proc/no/where", BIG, error, sizeof(error)), -ENOENT);
	spool_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_DIR(test_first_in_first_out),
		TEST_IN_DIR(test_restart_takes_what_was_not_done),
		TEST_IN_DIR(test_put_back_comes_first),
		TEST_IN_DIR(test_bounded),
		TEST_IN_DIR(test_torn_and_altered),
		TEST_IN_DIR(test_each_byte),
		TEST_IN_DIR(test_note_altered),
		TEST_IN_DIR(test_disk_full),
		TEST_IN_DIR(test_unreadable_for_now),
		TEST_IN_DIR(test_torn_bytes_count),
		TEST_IN_DIR(test_untake),
		TEST_IN_DIR(test_room_is_made),
		TEST_IN_DIR(test_one_process_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
