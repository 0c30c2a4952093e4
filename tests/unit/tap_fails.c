/* SPDX-License-Identifier: MIT */
/* Packets to a file that cannot be written, for a while or to the end: what is left is whole, and the rest is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "../file_limit.h"
#include "../tap_rig.h"

static void full_disk(void **state)
{
	struct tap *t = open_tap("/dev/full", 0);
	struct packet p = packet(1, NULL);

	(void)state;
	assert_non_null(t);
	assert_int_equal(put(t, 0, &p), 0);
	assert_int_equal(tap_flush(t), -ENOSPC);
	assert_string_equal(tap_error(t), "cannot write to '/dev/full': No space left on device");
	assert_int_equal(put(t, 0, &p), -ENOSPC);
	assert_int_equal(tap_close(t), -ENOSPC);
}

/* What is left after a failed write is a whole file. */
static void cut_behind_whole(void **state)
{
	struct tap *t = open_tap(file("x.pcapng"), 0);
	struct back *b;
	int err = 0;

	(void)state;
	limit_files(1000000);
	for (uint32_t i = 0; i < PACKETS && !err; i++) {
		struct packet p = packet(i, NULL);

		err = put(t, 0, &p);
	}
	assert_int_equal(err, -EFBIG);
	assert_int_equal(tap_close(t), -EFBIG);
	limit_files(RLIM_INFINITY);
	b = read_back(file("x.pcapng"));
	assert_int_equal(b->end, 0);
	assert_in_range(b->n, 300, 700);
	assert_in_range(b->bytes, 930000, 1000000); /* nothing whole is cut off */
	free(b);
}

static char said[1024];

static void say(const char *line)
{
	sprintf(said + strlen(said), "%s\n", line);
}

/* Puts packets from..to; those that fail are suspended. Returns how often that was. */
static unsigned put_all(struct tap *t, uint32_t from, uint32_t to)
{
	unsigned failures = 0;

	for (uint32_t i = from; i < to; i++) {
		struct packet p = packet(i, i % 2 ? &(struct iface){.index = 1, .name = "eth1"} : NULL);

		if (put(t, 0, &p) < 0) {
			failures++;
			assert_true(tap_suspend(t));
		}
	}
	return failures;
}

/* The disk is full, then it is not: what is missing is counted, and told in the file; nothing else is missing. */
static void full_for_a_while(const char *name, rlim_t room)
{
	const struct pcapwrite_config config = {.path = file(name), .say = say};
	struct tap *t = tap_open(&config, 0, error, sizeof error);
	struct tap_counts counts;
	uint64_t told = 0;
	struct back *b;

	said[0] = '\0';
	limit_files(room);
	assert_in_range(put_all(t, 0, PACKETS / 2), 1, 5);
	assert_true(tap_is_suspended(t) && tap_counts(t)->failed);
	limit_files(RLIM_INFINITY);
	assert_int_equal(tap_reopen(t), 0);
	counts = *tap_counts(t);
	assert_int_equal(put_all(t, PACKETS / 2, PACKETS), 0);
	assert_false(tap_is_suspended(t) || tap_counts(t)->failed);
	assert_int_equal(tap_counts(t)->unwritten, counts.unwritten);
	assert_int_equal(tap_flush(t), 0);
	counts = *tap_counts(t);
	assert_in_range(counts.unwritten, 100, PACKETS / 2);
	assert_int_equal(counts.written + counts.unwritten, PACKETS);
	assert_true(tap_close(t) < 0);
	assert_non_null(strstr(said, "its packets are dropped until that works again\n"));
	assert_non_null(strstr(said, " is written again\n"));
	assert_non_null(strstr(said, " dropped because it could not be written\n"));
	b = read_back(file(name));
	assert_int_equal(b->end, 0);
	assert_int_equal(b->n, counts.written);
	for (size_t i = 1; i < b->n; i++)
		assert_true(b->v[i - 1] < b->v[i]);
	for (size_t i = 0; i < b->n_losses; i++)
		told += b->losses[i].packets;
	assert_int_equal(told, strstr(name, "ng") ? counts.unwritten : 0);
	free(b);
}

static void goes_on(void **state)
{
	(void)state;
	for (rlim_t room = 0; room < 1000000; room += 49999) {
		full_for_a_while("x.pcapng", room);
		full_for_a_while("x.pcap", room);
	}
}

static char absent[128];
static int absences;

/* The directory of the file is made before the last one of so many tries. */
static bool make_absent(const void *ctx, const char *path, char *why, size_t n)
{
	(void)ctx, (void)path, (void)why, (void)n;
	return --absences || mkdir(absent, 0700) == 0;
}

/* The file works again between two packets of a flow: the first is missing, and nothing is left that failed. */
static void works_amid_flow(void **state)
{
	char path[128];
	const struct pcapwrite_config config = {.path = path, .say = say, .may = make_absent};
	struct packet p = packet(1, NULL);
	struct tap *t;

	(void)state;
	said[0] = '\0';
	snprintf(path, sizeof path, "%s", file("d/x.pcap"));
	snprintf(absent, sizeof absent, "%s", file("d"));
	absences = 1;
	t = tap_open(&config, 64 << 10, error, sizeof error);
	assert_non_null(t);
	limit_files(0);
	put(t, 1, &p);
	assert_int_equal(tap_match(t, 1), 0);
	assert_int_equal(tap_flush(t), -EFBIG);
	assert_true(tap_suspend(t));
	limit_files(RLIM_INFINITY);
	assert_true(unlink(path) == 0 && rmdir(absent) == 0);
	absences = 3;
	assert_int_equal(tap_reopen(t), -ENOENT);
	assert_true(tap_suspend(t));
	for (int i = 0; i < 3; i++)
		put(t, 2, &p);
	assert_int_equal(tap_reopen(t), 0);
	assert_int_equal(tap_match(t, 2), 0);
	assert_false(tap_is_suspended(t));
	assert_int_equal(written(t), 3); /* what waited has gone into the old file */
	assert_int_equal(tap_counts(t)->unwritten, 1);
	assert_int_equal(tap_close(t), -EFBIG);
	assert_true(unlink(path) == 0 && rmdir(absent) == 0);
}

/* A file that is made anew while the disk is full is not written again before it is. */
static void made_anew_in_vain(void **state)
{
	const struct pcapwrite_config config = {.path = file("x.pcap"), .say = say};
	struct tap *t = tap_open(&config, 0, error, sizeof error);
	struct back *b;

	(void)state;
	said[0] = '\0';
	limit_files(0);
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(put_all(t, i, i + 1), 0);
		assert_int_equal(tap_flush(t), -EFBIG);
		assert_true(tap_suspend(t));
		unlink(file("x.pcap"));
		assert_int_equal(tap_reopen(t), 0);
	}
	assert_null(strstr(said, "is written again"));
	limit_files(RLIM_INFINITY);
	assert_int_equal(put_all(t, 10, 20), 0);
	assert_int_equal(tap_flush(t), 0);
	assert_non_null(strstr(said, "is written again"));
	assert_int_equal(tap_counts(t)->written, 10);
	assert_int_equal(tap_counts(t)->unwritten, 10);
	assert_int_equal(tap_close(t), -EFBIG);
	b = read_back(file("x.pcap"));
	assert_int_equal(b->n, 10);
	free(b);
}

/* Files are removed while the disk is full: the one behind tells all that is missing, and who lost it. */
static void removed_in_vain(void **state)
{
	const struct pcapwrite_config config = {.path = file("x.pcapng"), .say = say};
	struct tap *t = tap_open(&config, 0, error, sizeof error);
	uint64_t by_file = 0, by_ring = 0;
	struct back *b;

	(void)state;
	said[0] = '\0';
	limit_files(150);
	for (uint32_t i = 0; i < 10; i++) {
		put_all(t, 10 * i, 10 * i + 10);
		tap_loss(t, 1, &(struct loss_record){"ring", 7, 700, 0}, 1, "eth1");
		if (tap_flush(t) < 0)
			assert_true(tap_suspend(t));
		unlink(file("x.pcapng"));
		assert_int_equal(tap_reopen(t), 0);
	}
	limit_files(RLIM_INFINITY);
	put_all(t, 100, 101);
	tap_end(t);
	assert_int_equal(tap_counts(t)->written, 1);
	assert_int_equal(tap_counts(t)->unwritten, 100);
	b = read_back(file("x.pcapng"));
	for (size_t i = 0; i < b->n_losses; i++)
		*(strcmp(b->losses[i].cause, "file") == 0 ? &by_file : &by_ring) += b->losses[i].packets;
	assert_int_equal(by_file, 100);
	assert_int_equal(by_ring, 70);
	tap_close(t);
	free(b);
}

/* It is still full at the end: what waited is counted, and the file whole. */
static void full_to_the_end(void **state)
{
	const struct pcapwrite_config config = {.path = file("x.pcapng"), .say = say};
	struct tap *t = tap_open(&config, 0, error, sizeof error);
	char want[64];
	struct back *b;

	(void)state;
	said[0] = '\0';
	limit_files(100000);
	assert_true(put_all(t, 0, PACKETS / 2) > 0);
	assert_int_equal(tap_close(t), -EFBIG);
	limit_files(RLIM_INFINITY);
	b = read_back(file("x.pcapng"));
	assert_int_equal(b->end, 0);
	assert_in_range(b->bytes, 90000, 100000);
	snprintf(want, sizeof want, ": %u dropped because", (unsigned)(PACKETS / 2 - b->n));
	assert_non_null(strstr(said, want));
	free(b);
}

static void gone_reader(void **state)
{
	struct packet p = packet(1, NULL);
	int fds[2];
	char path[64];
	struct tap *t;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fds[1]);
	t = open_tap(path, 0);
	close(fds[0]);
	assert_int_equal(put(t, 0, &p), 0);
	assert_int_equal(tap_flush(t), -EPIPE);
	assert_int_equal(tap_close(t), -EPIPE);
	close(fds[1]);
}

static void refusals(void **state)
{
	(void)state;
	assert_null(open_tap("/nowhere/at/all.pcap", 0));
	assert_string_equal(error, "cannot write to '/nowhere/at/all.pcap': No such file or directory");
	assert_null(open_tap("/tmp", 1 << 20));
	assert_string_equal(error, "cannot write to '/tmp': Is a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_disk),       cmocka_unit_test(cut_behind_whole), cmocka_unit_test(goes_on),
		cmocka_unit_test(full_to_the_end), cmocka_unit_test(works_amid_flow),  cmocka_unit_test(made_anew_in_vain),
		cmocka_unit_test(removed_in_vain), cmocka_unit_test(gone_reader),      cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
