/* SPDX-License-Identifier: MIT */
/* Files that are rotated, compressed and moved away: no line is cut, none is lost but those of files that are too many. */
#include "sink/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "../file_limit.h"
#include "../temp_dir.h"

static char path[128], error[256];
static bool no_cuts, no_rename, cut_before;

/* Somebody may cut the file at the last moment, once. */
ssize_t write(int fd, const void *p, size_t n)
{
	if (cut_before)
		syscall(SYS_ftruncate, fd, 0);
	cut_before = false;
	return syscall(SYS_write, fd, p, n);
}

int ftruncate(int fd, off_t n)
{
	if (!no_cuts)
		return (int)syscall(SYS_ftruncate, fd, n);
	errno = EIO;
	return -1;
}

/* The file itself stays, as one does that is mounted there; older ones go. */
int rename(const char *from, const char *to)
{
	if (!no_rename || strcmp(from, path) != 0)
		return renameat(AT_FDCWD, from, AT_FDCWD, to);
	errno = EBUSY;
	return -1;
}

static struct sink *open_sink(const char *name, const struct sink_rotation *rotation)
{
	struct sink *s;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(sink_open(&s, path, rotation, error, sizeof(error)), 0);
	return s;
}

/* Writes lines "NUMBER ...\n" of up to 60 bytes, from .. from + n - 1, in blocks of 10. */
static void write_lines(struct sink *s, unsigned from, unsigned n)
{
	char block[1024];
	size_t at = 0;

	for (unsigned i = from; i < from + n; i++) {
		at += (size_t)sprintf(block + at, "%u %0*d\n", i, (int)(i % 50 + 1), 0);
		if (i % 10 == 9 || i + 1 == from + n) {
			assert_int_equal(sink_write(s, block, at), 0);
			at = 0;
		}
	}
}

/* The lines of a file: the first number in *first, and how many there are, one after the other. -1: there is no such file. */
static int read_lines(const char *name, unsigned *first)
{
	char command[256], line[128];
	unsigned next = 0;
	int n = 0;
	FILE *f;

	snprintf(command, sizeof(command), "%s/%s", dir, name);
	if (access(command, R_OK) < 0)
		return -1;
	snprintf(command, sizeof(command), "%s %s/%s", strstr(name, ".zst") ? "zstd -dcqq" : "cat", dir, name);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned number = (unsigned)strtoul(line, NULL, 10);

		assert_true(!n || number == next);
		assert_int_equal(line[strlen(line) - 1], '\n');
		*first = n++ ? *first : number;
		next = number + 1;
	}
	pclose(f);
	return n;
}

static void rotated(const char *name, const char *pattern, uint64_t size)
{
	const struct sink_rotation rotation = {.size = size, .keep = 3};
	struct sink *s = open_sink(name, &rotation);
	unsigned first, expected = 1000;
	struct stat st;
	char old[64];

	write_lines(s, 0, 1000);
	assert_int_equal(sink_close(s), 0);
	for (unsigned age = 0; age <= 3; age++) {
		char file[192];
		int n;

		snprintf(old, sizeof(old), pattern, age);
		n = read_lines(age ? old : name, &first);
		assert_true(n > 0);
		assert_int_equal(first + (unsigned)n, expected);
		expected = first;
		snprintf(file, sizeof(file), "%s/%s", dir, age ? old : name);
		assert_int_equal(stat(file, &st), 0);
		assert_true((uint64_t)st.st_size <= size);
	}
	snprintf(old, sizeof(old), pattern, 4);
	assert_int_equal(read_lines(old, &first), -1);
}

static void test_rotated(void **state)
{
	(void)state;
	rotated("x.json", "x.json.%u", 2000);
}

static void test_rotated_and_compressed(void **state)
{
	(void)state;
	if (system("zstd --version >/dev/null 2>&1"))
		skip();
	rotated("x.json.zst", "x.json.%u.zst", 700);
}

/* What zstd shows of a file that is still written to: all of it, however large the writes are. */
static void test_compressed_is_readable(void **state)
{
	static const size_t sizes[] = {10, 5000, 100000, 128 << 10, 256 << 10};
	static char block[(256 << 10) + 64];
	unsigned first, lines = 0;
	struct sink *s;

	(void)state;
	if (system("zstd --version >/dev/null 2>&1"))
		skip();
	s = open_sink("x.zst", NULL);
	for (size_t i = 0; i < 60; i++) {
		size_t n = 0;

		for (; n < sizes[i % 5]; lines++)
			n += (size_t)sprintf(block + n, "%u %x\n", lines, lines * 2654435761u);
		assert_int_equal(sink_write(s, block, n), 0);
		assert_int_equal(read_lines("x.zst", &first), (int)lines);
	}
	assert_int_equal(sink_close(s), 0);
}

static void test_what_was_there_is_the_one_before(void **state)
{
	const struct sink_rotation rotation = {.size = 1 << 20, .keep = 2};
	unsigned first;

	(void)state;
	for (unsigned run = 0; run < 4; run++) {
		struct sink *s = open_sink("x", &rotation);

		write_lines(s, run * 10, 10);
		assert_int_equal(sink_close(s), 0);
	}
	assert_int_equal(read_lines("x", &first), 10);
	assert_int_equal(first, 30);
	assert_int_equal(read_lines("x.2", &first), 10);
	assert_int_equal(first, 10);
	assert_int_equal(read_lines("x.3", &first), -1);
}

static void test_by_time(void **state)
{
	const struct sink_rotation rotation = {.every = 1, .keep = 9};
	struct sink *s = open_sink("x", &rotation);
	unsigned first;

	(void)state;
	write_lines(s, 0, 10);
	sleep(2);
	write_lines(s, 10, 10);
	assert_int_equal(sink_close(s), 0);
	assert_int_equal(read_lines("x", &first), 10);
	assert_int_equal(first, 10);
	assert_int_equal(read_lines("x.1", &first), 10);
}

static void test_a_line_too_long_is_alone(void **state)
{
	const struct sink_rotation rotation = {.size = 100, .keep = 9};
	struct sink *s = open_sink("x", &rotation);
	char line[301];
	struct stat st;

	(void)state;
	memset(line, 'x', sizeof(line));
	line[300] = '\n';
	assert_int_equal(sink_write(s, "a\n", 2), 0);
	assert_int_equal(sink_write(s, line, sizeof(line)), 0);
	assert_int_equal(sink_write(s, "b\n", 2), 0);
	assert_int_equal(sink_close(s), 0);
	snprintf(path, sizeof(path), "%s/x.1", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 301);
}

/* To try it again and again costs no more files than to try it once. */
static void test_a_rotation_that_fails(void **state)
{
	const struct sink_rotation rotation = {.size = 100, .keep = 3};
	struct sink *s = open_sink("x", &rotation);
	char line[101];
	unsigned first;

	(void)state;
	memset(line, 'x', sizeof(line));
	line[99] = '\n';
	for (unsigned i = 0; i < 4; i++) {
		line[0] = (char)('0' + i);
		assert_int_equal(sink_write(s, line, 100), 0);
	}
	no_rename = true;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(sink_write(s, line, 100), -EBUSY);
		assert_int_equal(sink_retry(s), 0);
	}
	no_rename = false;
	line[0] = '4';
	assert_int_equal(sink_write(s, line, 100), 0);
	assert_int_equal(sink_close(s), 0);
	assert_int_equal(read_lines("x", &first), 1);
	assert_int_equal(first, 4);
	for (unsigned age = 1; age <= 3; age++) {
		char name[8];

		snprintf(name, sizeof(name), "x.%u", age);
		assert_int_equal(read_lines(name, &first), 1);
		assert_int_equal(first, 4 - age);
	}
}

static void test_moved_away(void **state)
{
	struct sink *s = open_sink("x", NULL);
	char moved[128];
	unsigned first;

	(void)state;
	assert_true(sink_can_reopen(s));
	write_lines(s, 0, 10);
	snprintf(moved, sizeof(moved), "%s/y", dir);
	assert_int_equal(rename(path, moved), 0);
	write_lines(s, 10, 10);
	assert_int_equal(sink_reopen(s), 0);
	write_lines(s, 20, 10);
	assert_int_equal(sink_reopen(s), 0);
	write_lines(s, 30, 10);
	assert_int_equal(sink_close(s), 0);
	assert_int_equal(read_lines("y", &first), 20);
	assert_int_equal(read_lines("x", &first), 20);
	assert_int_equal(first, 20);
}

/* What is no regular file keeps its name, and a link does: it may be /dev/stdout. */
static void test_only_a_file_is_rotated(void **state)
{
	const struct sink_rotation rotation = {.size = 10, .keep = 2};
	const char *const names[] = {"fifo", "link", "."};
	struct stat st;
	struct sink *s;

	(void)state;
	assert_int_equal(sink_open(&s, "-", &rotation, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "standard output"));
	assert_int_equal(symlink("/dev/null", strcat(strcpy(path, dir), "/link")), 0);
	assert_int_equal(mkfifo(strcat(strcpy(path, dir), "/fifo"), 0600), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		assert_int_equal(sink_open(&s, path, &rotation, error, sizeof(error)), -EINVAL);
		assert_null(s);
		assert_int_equal(lstat(path, &st), 0);
		assert_false(S_ISREG(st.st_mode));
	}
}

/* Somebody put something else in its place meanwhile: that is not renamed, nor waited for. */
static void test_a_file_that_is_one_no_more(void **state)
{
	const struct sink_rotation rotation = {.size = 10, .keep = 2};
	struct stat st;

	(void)state;
	for (int reopen = 0; reopen < 2; reopen++) {
		struct sink *s = open_sink("x", &rotation);

		write_lines(s, 0, 1);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(mkfifo(path, 0600), 0);
		assert_int_equal(reopen ? sink_reopen(s) : sink_write(s, "123456789\n", 10), -EINVAL);
		assert_int_equal(stat(path, &st), 0);
		assert_true(S_ISFIFO(st.st_mode));
		sink_close(s);
		assert_int_equal(unlink(path), 0);
	}
}

/* --- a disk that is full for a while, here a limit for any file, which says so too --- */

/* As write_lines, but that it fails: returns how many lines are kept, after one more try. */
static unsigned fill(struct sink *s, unsigned from, unsigned n)
{
	char block[8192] = {0};
	unsigned kept = 0;
	size_t at = 0;

	for (unsigned i = from; i < from + n; i++)
		at += (size_t)sprintf(block + at, "%u %0*d\n", i, (int)(i * i % 50 + 1), 0);
	assert_int_equal(sink_write(s, block, at), -EFBIG);
	assert_true(sink_kept(s) < at && (!sink_kept(s) || block[sink_kept(s) - 1] == '\n'));
	for (size_t i = 0; i < sink_kept(s); i++)
		kept += block[i] == '\n';
	return kept;
}

static uint64_t size_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return (uint64_t)st.st_size;
}

/* As many lines as are kept are there, whatever the room, and after that those that are written later. */
static void fills(const char *name, unsigned room, bool cuts)
{
	char command[192];
	unsigned first, kept;
	struct sink *s = open_sink(name, NULL);
	uint64_t size;

	write_lines(s, 0, 10);
	size = size_of(path);
	limit_files(size + room);
	no_cuts = !cuts;
	kept = fill(s, 10, 90);
	if (size_of(path) > size + sink_kept(s))
		assert_int_equal(sink_retry(s), cuts ? -EFBIG : -EIO);
	no_cuts = false;
	if (sink_retry(s) == 0)
		assert_int_equal(sink_write(s, "a line that has no room at all, as long as it is, for there is less of it\n", 74), -EFBIG);
	limit_files(RLIM_INFINITY);
	assert_int_equal(sink_retry(s), 0);
	write_lines(s, 10 + kept, 90);
	assert_int_equal(sink_close(s), 0);
	assert_int_equal(read_lines(name, &first), 100 + kept);
	snprintf(command, sizeof(command), "%s %s", strstr(name, ".zst") ? "zstd -tq" : "test -f", path);
	assert_int_equal(system(command), 0);
}

static void test_fills(void **state)
{
	(void)state;
	for (unsigned room = 0; room < 90; room++) {
		fills("x", room, true);
		fills("x", room, false);
	}
}

static void test_fills_compressed(void **state)
{
	(void)state;
	if (system("zstd --version >/dev/null 2>&1"))
		skip();
	for (unsigned room = 0; room < 40; room++) {
		fills("x.zst", room, true);
		fills("x.zst", room, false);
	}
}

/* The first block of all, and the first of a file that was moved away with a frame that could not be ended. */
static void test_fills_at_the_begin(void **state)
{
	char command[192];
	struct sink *s;
	unsigned first;

	(void)state;
	if (system("zstd --version >/dev/null 2>&1"))
		skip();
	s = open_sink("x.zst", NULL);
	limit_files(5);
	assert_int_equal(fill(s, 0, 10), 0);
	limit_files(RLIM_INFINITY);
	assert_int_equal(sink_retry(s), 0);
	write_lines(s, 0, 10);
	limit_files(0);
	assert_int_equal(fill(s, 10, 10), 0);
	snprintf(command, sizeof(command), "mv %s/x.zst %s/y.zst", dir, dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(sink_retry(s), -EFBIG);
	limit_files(RLIM_INFINITY);
	assert_int_equal(sink_retry(s), 0);
	write_lines(s, 10, 10);
	assert_int_equal(sink_close(s), 0);
	assert_int_equal(read_lines("y.zst", &first), 10);
	assert_int_equal(read_lines("x.zst", &first), 10);
	assert_int_equal(first, 10);
	snprintf(command, sizeof(command), "zstd -tq %s/x.zst", dir);
	assert_int_equal(system(command), 0);
}

/* Bytes of the file, and of the disk for it. */
static uint64_t bytes_of(const char *name, uint64_t *ret_disk)
{
	char file[256];
	struct stat st;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	assert_int_equal(stat(file, &st), 0);
	*ret_disk = (uint64_t)st.st_blocks * 512;
	return (uint64_t)st.st_size;
}

/* Who writes much gets disk ahead on ext4, but keeps no more than was written: neither when the file is closed nor when it rotates. */
static void test_disk_ahead_is_given_back(void **state)
{
	enum { LINE = 100, BLOCK = 256 << 10, BLOCKS = 10 };
	const struct sink_rotation rotation = {.size = 4 * BLOCK, .keep = 9};
	static char block[BLOCK / LINE * LINE];
	const char *const names[] = {"x", "x.1", "x.2", "y"};
	uint64_t n, disk;
	struct sink *s;

	(void)state;
	memset(block, 'x', sizeof(block));
	for (size_t at = LINE; at <= sizeof(block); at += LINE)
		block[at - 1] = '\n';
	s = open_sink("x", &rotation);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(sink_write(s, block, sizeof(block)), 0);
	assert_int_equal(sink_close(s), 0);
	s = open_sink("y", NULL);
	assert_int_equal(sink_write(s, block, sizeof(block)), 0);
	assert_int_equal(bytes_of("y", &disk), sizeof(block));
	assert_int_equal(sink_reopen(s), 0);
	assert_int_equal(sink_close(s), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		n = bytes_of(names[i], &disk);
		assert_true(n >= sizeof(block) && n % LINE == 0);
		assert_true(disk < n + BLOCK);
	}
}

/* As logrotate does with copytruncate: the disk has no more of it than its bytes, and some ahead. */
static void test_cut_by_others(void **state)
{
	enum { BLOCK = 256 << 10, BLOCKS = 20, AHEAD = 2 << 20 };
	static char block[BLOCK];
	struct statfs fs;
	uint64_t disk;
	struct sink *s;

	(void)state;
	assert_int_equal(statfs(dir, &fs), 0);
	if (fs.f_type != EXT4_SUPER_MAGIC)
		skip(); /* others may get more on their own */
	memset(block, 'x', sizeof(block));
	block[BLOCK - 1] = '\n';
	s = open_sink("x", NULL);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(sink_write(s, block, sizeof(block)), 0);
	assert_int_equal(truncate(path, 0), 0);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(sink_write(s, block, sizeof(block)), 0);
	assert_int_equal(bytes_of("x", &disk), BLOCKS * BLOCK);
	assert_true(disk < BLOCKS * BLOCK + AHEAD);
	assert_int_equal(sink_close(s), 0);
}

/* It begins anew then, whatever its name, and what was in it counts no more for its size. */
static void cut_and_gone_on(const char *name, const char *old, bool reopen)
{
	const struct sink_rotation rotation = {.size = 4000, .keep = 2};
	struct sink *s = open_sink(name, &rotation);
	unsigned first;

	for (unsigned i = 0; i < 4; i++) {
		write_lines(s, i * 20, 20);
		assert_int_equal(truncate(path, 0), 0);
		if (reopen)
			assert_int_equal(sink_reopen(s), 0);
	}
	write_lines(s, 60, 20);
	cut_before = true;
	write_lines(s, 80, 20);
	write_lines(s, 100, 20);
	assert_int_equal(sink_close(s), 0);
	assert_int_equal(read_lines(name, &first), 40);
	assert_int_equal(first, 80);
	assert_int_equal(read_lines(old, &first), -1);
}

static void test_cut_and_gone_on(void **state)
{
	(void)state;
	cut_and_gone_on("x", "x.1", false);
	cut_and_gone_on("y", "y.1", true);
	if (system("zstd --version >/dev/null 2>&1"))
		skip();
	cut_and_gone_on("x.zst", "x.1.zst", false);
	cut_and_gone_on("y.zst", "y.1.zst", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_DIR(test_rotated),
		TEST_IN_DIR(test_rotated_and_compressed),
		TEST_IN_DIR(test_compressed_is_readable),
		TEST_IN_DIR(test_what_was_there_is_the_one_before),
		TEST_IN_DIR(test_by_time),
		TEST_IN_DIR(test_a_line_too_long_is_alone),
		TEST_IN_DIR(test_a_rotation_that_fails),
		TEST_IN_DIR(test_moved_away),
		TEST_IN_DIR(test_only_a_file_is_rotated),
		TEST_IN_DIR(test_a_file_that_is_one_no_more),
		TEST_IN_DIR(test_fills),
		TEST_IN_DIR(test_fills_compressed),
		TEST_IN_DIR(test_fills_at_the_begin),
		TEST_IN_DIR(test_disk_ahead_is_given_back),
		TEST_IN_DIR(test_cut_by_others),
		TEST_IN_DIR(test_cut_and_gone_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
