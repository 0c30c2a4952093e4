/* SPDX-License-Identifier: MIT */
/* A courier with a spool: what memory does not hold is on disk, which may be full, spoilt or hang, and survives the run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "../courier_rig.h"

/* A disk that hangs: nothing is written to it, or read from it, or no file goes. */
static atomic_bool writes_hang, reads_hang, removals_hang;

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
	while (writes_hang)
		usleep(1000);
	return syscall(SYS_pwritev, fd, parts, n, at, 0);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	while (reads_hang)
		usleep(1000);
	return syscall(SYS_pread64, fd, p, n, at);
}

int unlinkat(int fd, const char *name, int flags)
{
	while (removals_hang)
		usleep(1000);
	return (int)syscall(SYS_unlinkat, fd, name, flags);
}

/* Away, more than the memory holds, back, away again at the end, and the next run delivers the rest: all in order. */
static void test_spool_loses_nothing(void **state)
{
	struct place *p = place_new();
	struct courier_counts n, later;
	struct courier *c;
	size_t came = 0;

	(void)state;
	c = patient_courier_to(p, 1 << 20, open_spool(1 << 30), 10000); /* the spooler may be late on a loaded host */
	for (unsigned i = 0; i < 1000; i++) {
		set_away(p, i % 500 >= 200);
		if (i == 499)
			came = count_seen(p);
		put(c, 9, i * 50, 50);
		usleep(100);
		while (i == 600 && count_seen(p) == came) /* some that were away come from the disk */
			usleep(1000);
	}
	end(c, 50, p, &n);
	assert_int_equal(n.dropped_full + n.dropped_spool + n.dropped_exit, 0);
	assert_true(n.delivered > 0 && n.spooled > 0);

	set_away(p, false);
	p->closed = false;
	c = courier_to(p, 1 << 20, open_spool(1 << 30));
	put(c, 10, 50000, 10);
	end(c, 10000, p, &later);
	assert_int_equal(later.recovered, n.spooled);
	assert_int_equal(later.delivered, n.spooled + 10);
	assert_seen(p, 0, 50010);
	free(p);
}

static void spoil(const char *how)
{
	char command[256];

	snprintf(command, sizeof(command), how, dir);
	assert_int_equal(system(command), 0);
}

/* What somebody removed while the place was away is not said to be left: the next run finds as much as was told. */
static void test_removed_files(void **state)
{
	struct place *p = place_new();
	struct courier_counts n, later;
	struct courier *c;

	(void)state;
	c = courier_to(p, 1 << 20, open_spool(1 << 30));
	set_away(p, true);
	for (unsigned i = 0; i < 400; i++) {
		put(c, 9, i * 50, 50);
		do
			courier_count(c, &n);
		while (n.queue_bytes > 1 << 19 && n.accepted > 5000);
		if (i == 300)
			spoil("rm %s/*.spool");
	}
	end(c, 50, p, &n);
	assert_in_range(n.dropped_spool, 1000, 15050);
	assert_true(n.spooled > 4000);
	set_away(p, false);
	p->closed = false;
	end(courier_to(p, 1 << 20, open_spool(1 << 30)), 10000, p, &later);
	assert_int_equal(later.recovered, n.spooled);
	assert_int_equal(later.delivered, n.spooled);
	free(p);
}

/* The first 50 records are a batch. */
static void put_first(struct courier *c)
{
	struct courier_counts n;

	put(c, 9, 0, 50);
	do
		courier_count(c, &n);
	while (!n.retried);
}

/* Nothing was taken from the spool when the place comes back. */
static void put_and_spool(struct courier *c)
{
	struct courier_counts n;

	put_first(c);
	for (unsigned i = 1; i < 200; i++)
		put(c, 9, i * 50, 50);
	do
		courier_count(c, &n);
	while (n.queue_bytes > 1 << 19 || n.spooled < 1000);
}

/* When the place comes back what is missing is told and counted at once. */
static void test_removed_files_are_told(void **state)
{
	struct place *p = place_new();
	struct courier_counts n;
	struct courier *c;

	(void)state;
	c = courier_to(p, 1 << 20, open_spool(1 << 30));
	set_away(p, true);
	put_and_spool(c);
	spoil("rm %s/*.spool");
	set_away(p, false);
	do
		courier_count(c, &n);
	while (n.waiting + n.spooled);
	assert_true(n.dropped_spool > 0);
	assert_non_null(strstr(said, "somebody removed files of the spool: "));
	end(c, 10000, p, &n);
	assert_int_equal(n.delivered + n.dropped_spool + n.dropped_full, n.accepted);
	assert_int_equal(n.spool_bytes, 0);
	free(p);
}

/* Nor is what was taken from the spool and not delivered said to be left there. */
static void test_removed_batch(void **state)
{
	struct place *p = place_new();
	struct courier_counts n;

	(void)state;
	set_away(p, true);
	for (unsigned run = 0; run < 2; run++) {
		struct courier *c = courier_to(p, 1 << 20, open_spool(1 << 30));

		if (run == 0)
			put(c, 9, 0, 50);
		do
			courier_count(c, &n);
		while (!n.waiting);
		if (run == 1)
			spoil("rm %s/*.spool");
		p->closed = false;
		end(c, 50, p, &n);
		assert_int_equal(run == 0 ? n.spooled : n.dropped_spool, 50);
		assert_int_equal(n.recovered, run * 50);
	}
	free(p);
}

/* Of a batch of several files the rest is left, and comes in the next run. */
static void test_removed_part_of_a_batch(void **state)
{
	struct place *p = place_new();
	struct courier_counts n, later;
	struct courier *c;

	(void)state;
	set_away(p, true);
	c = patient_courier_to(p, 1 << 20, open_spool(1 << 20), 10000); /* segments of 128K */
	for (unsigned i = 0; i < 60; i++)
		put(c, 9, i * 50, 50);
	end(c, 50, p, &n);
	assert_int_equal(n.spooled, 3000);
	p->closed = false;
	c = courier_to(p, 16 << 20, open_spool(1 << 20));
	do
		courier_count(c, &n);
	while (!n.waiting);
	assert_int_equal(n.waiting, 3000);
	spoil("cd %s; rm $(ls *.spool | sed -n 2p)");
	end(c, 50, p, &n);
	assert_in_range(n.dropped_spool, 500, 1500);
	p->closed = false;
	set_away(p, false);
	end(courier_to(p, 16 << 20, open_spool(1 << 20)), 10000, p, &later);
	assert_int_equal(later.delivered, 3000 - n.dropped_spool);
	free(p);
}

/* Run 9 leaves so many parcels in the spool, in segments of 128K. */
static void leave(struct place *p, unsigned parcels)
{
	struct courier *c = patient_courier_to(p, 1 << 20, open_spool(1 << 20), 10000);
	struct courier_counts n;

	set_away(p, true);
	put_first(c);
	for (unsigned i = 1; i < parcels; i++)
		put(c, 9, i * 50, 50);
	end(c, 50, p, &n);
	assert_int_equal(n.spooled, parcels * 50);
	p->closed = false;
	set_away(p, false);
}

/* The file that is removed had come already: nothing is lost. */
static void test_removed_after_it_came(void **state)
{
	struct place *p = place_new();
	struct courier_counts n, later;
	struct courier *c;

	(void)state;
	leave(p, 60);
	p->most = 1500;
	c = courier_to(p, 16 << 20, open_spool(1 << 20));
	while (count_seen(p) < 1500)
		usleep(1000);
	spoil("cd %s; rm $(ls *.spool | sed -n 1p)");
	end(c, 50, p, &n);
	assert_int_equal(n.dropped_spool, 0);
	assert_int_equal(n.recovered, 1500);
	p->closed = false;
	p->most = 0;
	end(courier_to(p, 16 << 20, open_spool(1 << 20)), 10000, p, &later);
	assert_in_range(p->n, 3000, 4500); /* what came of the batch may come again, where the file is there */
	for (unsigned i = 0; i < 1500; i++) {
		assert_int_equal(p->seen[i], i);
		assert_int_equal(p->seen[p->n - 1500 + i], 1500 + i);
	}
	free(p);
}

/* Of a batch of two runs the records of this one are gone: those of the other are left as they were found. */
static void test_removed_of_one_run(void **state)
{
	struct place *p = place_new();
	struct courier_counts n, later;
	struct courier *c;

	(void)state;
	leave(p, 80);
	p->hangs = true; /* with the first batch, of 64 parcels */
	p->most = 64 * 50;
	c = courier_to(p, 16 << 20, open_spool(1 << 20));
	put(c, 10, 4000, 50);
	do
		courier_count(c, &n);
	while (n.spooled < 50);
	p->hangs = false;
	do
		courier_count(c, &n);
	while (n.delivered < 64 * 50 || n.waiting < 17 * 50);
	spoil("cd %s; rm $(ls *.spool | tail -1)");
	end(c, 50, p, &n);
	assert_int_equal(n.delivered, 64 * 50);
	assert_int_equal(n.recovered, 64 * 50);
	assert_int_equal(n.spooled, 0);
	assert_int_equal(n.dropped_spool, 50);
	p->closed = false;
	p->most = 0;
	end(courier_to(p, 16 << 20, open_spool(1 << 20)), 10000, p, &later);
	assert_seen(p, 0, 4000);
	free(p);
}

static void test_full_spool_drops_and_counts(void **state)
{
	struct place *p = place_new();
	struct courier_counts n;
	struct courier *c;
	unsigned i = 0;

	(void)state;
	c = courier_to(p, 1 << 20, open_spool(1 << 20));
	set_away(p, true);
	for (; i < 20000 && !is_said("the spool takes no more: it is full\n"); i++) {
		put(c, 9, i * 50, 50);
		usleep(1000);
	}
	for (unsigned until = i + 800; i < until; i++)
		put(c, 9, i * 50, 50);
	end(c, 50, p, &n);
	assert_true(n.dropped_spool > 10000 && n.spooled > 5000);
	free(p);
}

/* When files are removed of a full spool, what waits finds the room at the end, however short that is after. */
static void test_room_at_the_end(void **state)
{
	struct place *p = place_new();
	struct courier_counts n, before;
	struct courier *c;

	(void)state;
	c = patient_courier_to(p, 1 << 20, open_spool(1 << 20), 10000);
	set_away(p, true);
	put_first(c);
	for (unsigned i = 1; i < 200; i++)
		put(c, 9, i * 50, 50);
	do
		courier_count(c, &before);
	while (before.spooled < 141 * 50); /* as many fit */
	await_said("the spool takes no more: it is full\n");
	spoil("rm %s/*.spool");
	end(c, 50, p, &n);
	assert_int_equal(n.dropped_spool, before.spooled);
	assert_int_equal(n.spooled, 10000 - before.spooled);
	p->closed = false;
	set_away(p, false);
	end(courier_to(p, 1 << 20, open_spool(1 << 20)), 10000, p, &before);
	assert_int_equal(before.delivered, n.spooled);
	free(p);
}

/* A spool that is full costs nothing as long as there is room in memory, and all comes in order. */
static void test_full_spool_leaves_the_queue(void **state)
{
	struct place *p = place_new();
	struct courier_counts n;
	struct courier *c;
	char *told;

	(void)state;
	c = courier_to(p, 10 << 20, open_spool(1 << 20));
	set_away(p, true);
	for (unsigned i = 0; i < 500; i++)
		put(c, 9, i * 50, 50);
	await_said("the spool takes no more: it is full\n");
	sleep(2); /* tried again, it is told no more */
	courier_count(c, &n);
	assert_true(n.spooled > 1000 && n.waiting > 10000);
	set_away(p, false);
	for (unsigned i = 500; i < 600; i++) {
		put(c, 9, i * 50, 50);
		usleep(10000);
	}
	end(c, 10000, p, &n);
	assert_int_equal(n.delivered, 30000);
	assert_seen(p, 0, 30000);
	told = strstr(said, "the spool takes no more: it is full\n");
	assert_non_null(told);
	assert_null(strstr(told + 1, "the spool takes no more"));
	free(p);
}

/* A disk that hangs at the end costs some seconds, and what was to be written to it. */
static void test_disk_hangs(void **state)
{
	struct place *p = place_new();
	struct courier_counts n;
	struct courier *c;
	uint64_t begun;

	(void)state;
	c = courier_to(p, 1 << 20, open_spool(1 << 30));
	set_away(p, true);
	put(c, 9, 0, 50);
	writes_hang = true;
	begun = clock_ms();
	courier_close(c, 50, &n);
	assert_in_range(clock_ms() - begun, 5000, 12000);
	assert_conserved(&n);
	assert_int_equal(n.dropped_exit, 50);
	writes_hang = false;
	await_release();
	free(p);
}

/* The same while the thread notes what came. */
static void test_disk_hangs_when_all_is_done(void **state)
{
	struct place *p = place_new();
	struct courier_counts n;
	struct courier *c;
	uint64_t begun;

	(void)state;
	set_away(p, true);
	c = courier_to(p, 1 << 20, open_spool(1 << 30));
	put(c, 9, 0, 50);
	end(c, 50, p, &n);
	assert_int_equal(n.spooled, 50);
	set_away(p, false);
	removals_hang = true;
	c = courier_to(p, 1 << 20, open_spool(1 << 30));
	do
		courier_count(c, &n);
	while (n.delivered < 50);
	put(c, 9, 50, 50);
	begun = clock_ms();
	courier_close(c, 50, &n);
	assert_in_range(clock_ms() - begun, 2000, 12000);
	assert_conserved(&n);
	assert_int_equal(n.delivered, 50);
	assert_int_equal(n.dropped_exit, 50);
	p->closed = false;
	removals_hang = false;
	while (!p->closed)
		usleep(1000);
	await_release();
	free(p);
}

/* The same while it reads: when it comes back the last counts stay as they were given. */
static void test_disk_hangs_when_it_is_read(void **state)
{
	struct place *p = place_new();
	struct courier_counts n, later;
	struct courier *c;

	(void)state;
	c = courier_to(p, 1 << 20, open_spool(1 << 30));
	set_away(p, true);
	put_and_spool(c);
	reads_hang = true; /* what is under way is delivered, and then the spool is read */
	set_away(p, false);
	do
		courier_count(c, &n);
	while (!n.delivered);
	courier_end(c, 50);
	courier_count(c, &n);
	assert_int_equal(n.waiting, 0);
	assert_true(n.spooled > 0);
	reads_hang = false;
	while (!p->closed)
		usleep(1000);
	courier_close(c, 50, &later);
	assert_memory_equal(&n, &later, offsetof(struct courier_counts, queue_bytes));
	await_release();
	free(p);
}

/* What cannot be read back is counted, and told. */
static void test_spoilt_spool(void **state)
{
	struct place *p = place_new();
	struct courier_counts n;
	struct courier *c;

	(void)state;
	c = courier_to(p, 1 << 20, open_spool(1 << 30));
	set_away(p, true);
	for (unsigned i = 0; i < 200; i++)
		put(c, 9, i * 50, 50);
	do
		courier_count(c, &n);
	while (n.queue_bytes > 1 << 20 || n.spooled < 1000);
	spoil("for f in %s/*.spool; do dd if=/dev/zero of=$f bs=$(stat -c %%s $f) count=1 conv=notrunc; done 2>&1 | cat");
	set_away(p, false);
	end(c, 10000, p, &n);
	assert_int_equal(n.spooled + n.waiting, 0);
	assert_true(n.dropped_spool > 0);
	assert_int_equal(n.delivered + n.dropped_spool + n.dropped_full, n.accepted);
	assert_non_null(strstr(said, "could not be read: they are left out"));
	free(p);
}

/* One bad parcel of an earlier run costs no other, and its records are counted. */
static void test_one_bad_parcel(void **state)
{
	struct place *p = place_new();
	struct courier_counts n;
	struct courier *c;

	(void)state;
	c = courier_to(p, 1 << 20, open_spool(1 << 30));
	set_away(p, true);
	put_first(c);
	for (unsigned i = 1; i < 10; i++)
		put(c, 9, i * 50, 50);
	end(c, 50, p, &n);
	assert_int_equal(n.spooled, 500);
	spoil("f=$(ls %s/*.spool | tail -1); printf x | dd of=$f bs=1 seek=$(($(stat -c %%s $f) / 2 - 100)) conv=notrunc 2>&1 | cat");
	set_away(p, false);
	end(courier_to(p, 1 << 20, open_spool(1 << 30)), 5000, p, &n);
	assert_int_equal(n.recovered, 500);
	assert_int_equal(n.delivered, 450);
	assert_int_equal(n.dropped_spool, 50);
	free(p);
}

/* The end of what this run spooled is torn: its records are counted as soon as nothing else is left there. */
static void test_torn_end(void **state)
{
	struct place *p = place_new();
	struct courier_counts n;
	struct courier *c;

	(void)state;
	c = patient_courier_to(p, 200000, open_spool(1 << 30), 10000);
	set_away(p, true);
	put_first(c);
	for (unsigned i = 1; i < 13; i++)
		put(c, 9, i * 50, 50);
	do
		courier_count(c, &n);
	while (n.waiting > 50);
	spoil("for f in %s/*.spool; do truncate -s -3 $f; done");
	set_away(p, false);
	do
		courier_count(c, &n);
	while (n.delivered < 600);
	assert_int_equal(n.spooled, 0);
	assert_int_equal(n.dropped_spool, 50);
	end(c, 5000, p, &n);
	assert_int_equal(n.delivered, 600);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_DIR(test_spool_loses_nothing),
		TEST_IN_DIR(test_removed_files),
		TEST_IN_DIR(test_removed_files_are_told),
		TEST_IN_DIR(test_removed_batch),
		TEST_IN_DIR(test_removed_part_of_a_batch),
		TEST_IN_DIR(test_removed_after_it_came),
		TEST_IN_DIR(test_removed_of_one_run),
		TEST_IN_DIR(test_full_spool_drops_and_counts),
		TEST_IN_DIR(test_room_at_the_end),
		TEST_IN_DIR(test_full_spool_leaves_the_queue),
		TEST_IN_DIR(test_disk_hangs),
		TEST_IN_DIR(test_disk_hangs_when_all_is_done),
		TEST_IN_DIR(test_disk_hangs_when_it_is_read),
		TEST_IN_DIR(test_spoilt_spool),
		TEST_IN_DIR(test_one_bad_parcel),
		TEST_IN_DIR(test_torn_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
