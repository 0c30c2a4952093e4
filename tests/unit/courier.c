/* SPDX-License-Identifier: MIT */
/* A courier to a place that is slow, away or refuses: each record is delivered in order, or counted where it was lost. */
#include "sink/courier.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* A disk that hangs: nothing is written to it, or no file goes. */
static atomic_bool writes_hang, removals_hang;

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
	while (writes_hang)
		usleep(1000);
	return syscall(SYS_pwritev, fd, parts, n, at, 0);
}

int unlinkat(int dir, const char *name, int flags)
{
	while (removals_hang)
		usleep(1000);
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

#define BIT      2u
#define RECORD   100 /* bytes */
#define SEEN_MAX 200000

/* The place: what came there, and how it behaves. */
struct place {
	pthread_mutex_t lock;
	uint64_t seen[SEEN_MAX]; /* numbers of the records, as they came */
	size_t n;
	bool away;
	unsigned refuse_each;   /* refuses those whose number it divides; 0: none */
	unsigned open_each;     /* the first try of those whose number it divides is in vain; 0: of none */
	unsigned slow_us;
	atomic_bool hangs;      /* whatever is asked */
	bool tried[SEEN_MAX];
	_Atomic bool closed;
};

static char said[4096]; /* by threads that take turns */

static void say(const char *line)
{
	assert_int_equal(strncmp(line, "place: ", 7), 0);
	assert_true(strlen(said) + strlen(line) + 2 < sizeof(said));
	strcat(strcat(said, line + 7), "\n");
}

static int carry(void *self, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n)
{
	struct place *p = self;
	bool away;

	(void)hurry;
	assert_true(n > 0);
	if (p->slow_us)
		usleep(p->slow_us);
	while (p->hangs)
		usleep(10000);
	pthread_mutex_lock(&p->lock);
	away = p->away;
	for (size_t i = 0; i < n && !away; i++) {
		uint64_t number = items[i].number;

		assert_int_equal(items[i].n, RECORD);
		assert_int_equal(strtoull((const char *)items[i].p, NULL, 10), number);
		assert_int_equal(items[i].fate, FATE_OPEN);
		if (p->open_each && number % p->open_each == 0 && !p->tried[number]) {
			p->tried[number] = true;
			continue;
		}
		if (p->refuse_each)
			snprintf(why, why_n, "number %d is \033[31mbad", 0);
		items[i].fate = p->refuse_each && number % p->refuse_each == 0 ? FATE_REFUSED : FATE_DELIVERED;
		if (items[i].fate == FATE_DELIVERED)
			p->seen[p->n++] = number;
	}
	pthread_mutex_unlock(&p->lock);
	if (!away)
		return 0;
	snprintf(why, why_n, "nobody is there");
	return -ECONNREFUSED;
}

static void close_place(void *self)
{
	((struct place *)self)->closed = true;
}

static struct place *place_new(void)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	pthread_mutex_init(&p->lock, NULL);
	*said = 0;
	return p;
}

static void set_away(struct place *p, bool away)
{
	pthread_mutex_lock(&p->lock);
	p->away = away;
	pthread_mutex_unlock(&p->lock);
}

static struct courier *patient_courier_to(struct place *p, size_t queue, struct spool *spool, unsigned patience_ms)
{
	const struct courier_config config = {
		.name = "place", .bit = BIT, .queue = queue, .patience_ms = patience_ms, .spool = spool, .say = say,
	};
	const struct carrier carrier = {p, NULL, carry, close_place};
	struct courier *c = courier_new(&config, &carrier);

	assert_non_null(c);
	return c;
}

static struct courier *courier_to(struct place *p, size_t queue, struct spool *spool)
{
	return patient_courier_to(p, queue, spool, 0);
}

/* Puts records from .. from + n - 1, of which those in between are for somebody else. */
static void put(struct courier *c, uint64_t run, uint64_t from, size_t n)
{
	struct parcel *p = parcel_new(2 * n, 2 * n * RECORD);

	assert_non_null(p);
	p->run = run;
	for (size_t i = 0; i < 2 * n; i++) {
		char line[RECORD + 1];

		snprintf(line, sizeof(line), "%-*llu\n", RECORD - 1, (unsigned long long)(from + i / 2));
		memcpy(p->bytes + i * RECORD, line, RECORD);
		p->marks[i] = (struct mark){1, 2, from + i / 2, i & 1 ? BIT : 1, i * RECORD, RECORD};
	}
	courier_put(c, p);
	parcel_drop(p);
}

static void assert_conserved(const struct courier_counts *n)
{
	assert_int_equal(n->accepted + n->recovered, n->delivered + n->refused + n->dropped_full + n->dropped_spool +
							     n->dropped_exit + n->waiting + n->spooled);
}

/* The records from .. from + n - 1 came, once each and in order. */
static void assert_seen(const struct place *p, uint64_t from, size_t n)
{
	assert_int_equal(p->n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p->seen[i], from + i);
}

static void end(struct courier *c, unsigned deadline_ms, struct place *p, struct courier_counts *n)
{
	courier_close(c, deadline_ms, n);
	assert_conserved(n);
	assert_true(p->closed);
}

static void test_delivers_all_in_order(void **state)
{
	struct place *p = place_new();
	struct courier *c = courier_to(p, 64 << 20, NULL);
	struct courier_counts n;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		put(c, 9, i * 50, 50);
	end(c, 10000, p, &n);
	assert_int_equal(n.delivered, 50000);
	assert_int_equal(n.accepted, 50000);
	assert_int_equal(n.waiting + n.queue_bytes + n.retried, 0);
	assert_seen(p, 0, 50000);
	free(p);
}

static void test_tries_again_what_is_open_alone(void **state)
{
	struct place *p = place_new();
	struct courier *c = courier_to(p, 64 << 20, NULL);
	struct courier_counts n;
	bool *came = calloc(SEEN_MAX, 1);

	(void)state;
	p->open_each = 7;
	p->refuse_each = 5;
	put(c, 9, 0, 1000);
	end(c, 10000, p, &n);
	assert_int_equal(n.refused, 200);
	assert_int_equal(n.delivered, 800);
	assert_int_equal(n.retried, 143);
	assert_string_equal(said, "number 0 is ?[31mbad; what is refused is left out, and counted\n");
	for (size_t i = 0; i < p->n; i++) {
		assert_false(came[p->seen[i]]);
		came[p->seen[i]] = true;
	}
	free(came);
	free(p);
}

static void test_full_queue_drops_and_counts(void **state)
{
	struct place *p = place_new();
	struct courier *c = courier_to(p, 1 << 20, NULL);
	struct courier_counts n;

	(void)state;
	set_away(p, true);
	for (unsigned i = 0; i < 1000; i++)
		put(c, 9, i * 50, 50);
	courier_count(c, &n);
	assert_conserved(&n);
	assert_in_range(n.queue_bytes, 1 << 19, 1 << 20);
	assert_true(n.dropped_full > 40000);
	set_away(p, false);
	end(c, 10000, p, &n);
	assert_int_equal(n.delivered + n.dropped_full, 50000);
	assert_seen(p, 0, n.delivered);
	assert_non_null(strstr(said, "nobody is there; trying again\n"));
	assert_non_null(strstr(said, "the queue is full: records are dropped\n"));
	assert_non_null(strstr(said, "delivers again\n"));
	free(p);
}

static void test_time_is_up(void **state)
{
	struct place *p = place_new();
	struct courier *c = courier_to(p, 1 << 20, NULL);
	struct courier_counts n;

	(void)state;
	set_away(p, true);
	put(c, 9, 0, 50);
	put(c, 9, 50, 50);
	end(c, 50, p, &n);
	assert_int_equal(n.dropped_exit, 100);
	assert_int_equal(n.delivered, 0);
	free(p);
}

static void open_spool(struct spool **ret, const char *dir, uint64_t max)
{
	char error[256];

	assert_int_equal(spool_open(ret, dir, max, error, sizeof(error)), 0);
}

static void remove_dir(const char *dir)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* Away, more than the memory holds, back, away again at the end, and the next run delivers the rest: all in order. */
static void test_spool_loses_nothing(void **state)
{
	char dir[] = "/tmp/perisco-courier-XXXXXX";
	struct place *p = place_new();
	struct courier_counts n, later;
	struct spool *spool;
	struct courier *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	open_spool(&spool, dir, 1 << 30);
	c = patient_courier_to(p, 1 << 20, spool, 10000); /* the spooler may be late on a loaded host */
	for (unsigned i = 0; i < 1000; i++) {
		set_away(p, i % 500 >= 200);
		put(c, 9, i * 50, 50);
		usleep(100 + (i == 600) * 500000);
	}
	end(c, 50, p, &n);
	assert_int_equal(n.dropped_full + n.dropped_spool + n.dropped_exit, 0);
	assert_true(n.delivered > 0 && n.spooled > 0);

	set_away(p, false);
	p->closed = false;
	open_spool(&spool, dir, 1 << 30);
	c = courier_to(p, 1 << 20, spool);
	put(c, 10, 50000, 10);
	end(c, 10000, p, &later);
	assert_int_equal(later.recovered, n.spooled);
	assert_int_equal(later.delivered, n.spooled + 10);
	assert_seen(p, 0, 50010);
	remove_dir(dir);
	free(p);
}

static void test_full_spool_drops_and_counts(void **state)
{
	char dir[] = "/tmp/perisco-courier-XXXXXX";
	struct place *p = place_new();
	struct courier_counts n;
	struct spool *spool;
	struct courier *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	open_spool(&spool, dir, 1 << 20);
	c = courier_to(p, 1 << 20, spool);
	set_away(p, true);
	for (unsigned i = 0; i < 1000; i++) {
		put(c, 9, i * 50, 50);
		usleep(100);
	}
	end(c, 50, p, &n);
	assert_true(n.dropped_spool > 10000 && n.spooled > 5000);
	remove_dir(dir);
	free(p);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A try that is far away comes at once when the end begins. */
static void test_the_end_is_tried_at_once(void **state)
{
	struct place *p = place_new();
	struct courier *c = courier_to(p, 1 << 20, NULL);
	struct courier_counts n;
	uint64_t begun;

	(void)state;
	set_away(p, true);
	put(c, 9, 0, 50);
	sleep(4); /* the next one is in 1.6 s to 6.4 s */
	set_away(p, false);
	begun = now_ms();
	end(c, 3000, p, &n);
	assert_true(now_ms() - begun < 500);
	assert_int_equal(n.delivered, 50);
	free(p);
}

/* A carrier that never comes back costs two seconds, and no record that can be spooled. */
static void test_hangs(void **state)
{
	char dir[] = "/tmp/perisco-courier-XXXXXX";
	struct place *p = place_new();
	struct courier_counts n;
	struct spool *spool;
	struct courier *c;
	uint64_t begun;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (unsigned spooled = 0; spooled < 2; spooled++) {
		spool = NULL;
		if (spooled)
			open_spool(&spool, dir, 1 << 30);
		p->hangs = true;
		p->closed = false;
		c = courier_to(p, 1 << 20, spool);
		put(c, 9, 0, 50);
		usleep(50000);
		put(c, 9, 50, 50);
		begun = now_ms();
		courier_close(c, 100, &n);
		assert_in_range(now_ms() - begun, 2000, 2600);
		assert_conserved(&n);
		assert_int_equal(spooled ? n.spooled : n.dropped_exit, 100);
		p->hangs = false;
		while (!p->closed)
			usleep(1000);
		usleep(10000); /* it frees what it has */
	}
	p->n = 0;
	open_spool(&spool, dir, 1 << 30);
	end(courier_to(p, 1 << 20, spool), 5000, p, &n);
	assert_int_equal(n.recovered, 100);
	assert_seen(p, 0, 100);
	remove_dir(dir);
	free(p);
}

/* A spool that is full costs nothing as long as there is room in memory, and all comes in order. */
static void test_full_spool_leaves_the_queue(void **state)
{
	char dir[] = "/tmp/perisco-courier-XXXXXX";
	struct place *p = place_new();
	struct courier_counts n;
	struct spool *spool;
	struct courier *c;
	char *told;

	(void)state;
	assert_non_null(mkdtemp(dir));
	open_spool(&spool, dir, 1 << 20);
	c = courier_to(p, 10 << 20, spool);
	set_away(p, true);
	for (unsigned i = 0; i < 500; i++)
		put(c, 9, i * 50, 50);
	sleep(2);
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
	remove_dir(dir);
	free(p);
}

/* A disk that hangs at the end costs some seconds, and what was to be written to it. */
static void test_disk_hangs(void **state)
{
	char dir[] = "/tmp/perisco-courier-XXXXXX";
	struct place *p = place_new();
	struct courier_counts n;
	struct spool *spool;
	struct courier *c;
	uint64_t begun;

	(void)state;
	assert_non_null(mkdtemp(dir));
	open_spool(&spool, dir, 1 << 30);
	c = courier_to(p, 1 << 20, spool);
	set_away(p, true);
	put(c, 9, 0, 50);
	writes_hang = true;
	begun = now_ms();
	courier_close(c, 50, &n);
	assert_in_range(now_ms() - begun, 5000, 5500);
	assert_conserved(&n);
	assert_int_equal(n.dropped_exit, 50);
	writes_hang = false;
	usleep(50000); /* it frees what it has */
	remove_dir(dir);
	free(p);
}

/* The same while the thread notes what came. */
static void test_disk_hangs_when_all_is_done(void **state)
{
	char dir[] = "/tmp/perisco-courier-XXXXXX";
	struct place *p = place_new();
	struct courier_counts n;
	struct spool *spool;
	struct courier *c;
	uint64_t begun;

	(void)state;
	assert_non_null(mkdtemp(dir));
	open_spool(&spool, dir, 1 << 30);
	set_away(p, true);
	c = courier_to(p, 1 << 20, spool);
	put(c, 9, 0, 50);
	end(c, 50, p, &n);
	assert_int_equal(n.spooled, 50);
	set_away(p, false);
	removals_hang = true;
	open_spool(&spool, dir, 1 << 30);
	c = courier_to(p, 1 << 20, spool);
	do
		courier_count(c, &n);
	while (n.delivered < 50);
	put(c, 9, 50, 50);
	begun = now_ms();
	courier_close(c, 50, &n);
	assert_in_range(now_ms() - begun, 2000, 5500);
	assert_conserved(&n);
	assert_int_equal(n.delivered, 50);
	assert_int_equal(n.dropped_exit, 50);
	p->closed = false;
	removals_hang = false;
	while (!p->closed)
		usleep(1000);
	usleep(50000); /* it frees what it has */
	remove_dir(dir);
	free(p);
}

/* Of parcels that are nearly all for others little is kept. */
static void test_little_of_much(void **state)
{
	struct place *p = place_new();
	struct courier *c = courier_to(p, 1 << 20, NULL);
	struct courier_counts n;

	(void)state;
	set_away(p, true);
	for (unsigned i = 0; i < 100; i++) {
		struct parcel *parcel = parcel_new(2, 200000);

		memset(parcel->bytes, 'x', 200000);
		snprintf((char *)parcel->bytes, RECORD, "%u", i);
		parcel->run = 9;
		parcel->marks[0] = (struct mark){1, 2, i, BIT, 0, RECORD};
		parcel->marks[1] = (struct mark){1, 2, i, 1, RECORD, 200000 - RECORD};
		courier_put(c, parcel);
		parcel_drop(parcel);
	}
	courier_count(c, &n);
	assert_int_equal(n.waiting, 100);
	assert_true(n.queue_bytes < 50000);
	set_away(p, false);
	end(c, 5000, p, &n);
	assert_seen(p, 0, 100);
	free(p);
}

/* With patience nothing is dropped as long as it goes on, and not much time is lost when it does not. */
static void test_patience(void **state)
{
	struct place *p = place_new();
	struct courier *c = patient_courier_to(p, 100000, NULL, 300);
	struct courier_counts n;
	uint64_t begun = now_ms();

	(void)state;
	p->slow_us = 20000;
	for (unsigned i = 0; i < 400; i++)
		put(c, 9, i * 50, 50);
	set_away(p, true);
	for (unsigned i = 400; i < 500; i++)
		put(c, 9, i * 50, 50);
	assert_true(now_ms() - begun < 10000);
	set_away(p, false);
	end(c, 300, p, &n);
	assert_true(n.delivered >= 20000);
	assert_true(n.dropped_full > 0);
	assert_seen(p, 0, n.delivered);
	free(p);
}

/* Who answers late goes on: one try may take longer than the patience, at the end too. */
static void test_patience_with_one_try(void **state)
{
	struct place *p = place_new();
	struct courier *c = patient_courier_to(p, 100000, NULL, 100);
	struct courier_counts n;

	(void)state;
	p->slow_us = 400000;
	for (unsigned i = 0; i < 30; i++)
		put(c, 9, i * 50, 50);
	end(c, 100, p, &n);
	assert_seen(p, 0, 1500);
	free(p);
}

/* Who is away is waited for so long once, however often it is tried meanwhile; then at the end once more. */
static void test_patience_ends(void **state)
{
	struct place *p = place_new();
	struct courier *c = patient_courier_to(p, 100000, NULL, 1000);
	uint64_t begun = now_ms();
	struct courier_counts n;

	(void)state;
	set_away(p, true);
	for (unsigned i = 0; i < 60; i++)
		put(c, 9, i * 50, 50);
	assert_in_range(now_ms() - begun, 1000, 1400);
	begun = now_ms();
	end(c, 1000, p, &n);
	assert_in_range(now_ms() - begun, 1000, 1400);
	assert_int_equal(n.delivered, 0);
	free(p);
}

/* A place that comes and goes is told of, but not each time. */
static void test_flaps(void **state)
{
	struct place *p = place_new();
	struct courier *c = courier_to(p, 1 << 20, NULL);
	struct courier_counts n;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		set_away(p, true);
		put(c, 9, i * 50, 50);
		usleep(50000);
		set_away(p, false);
		do
			courier_count(c, &n);
		while (n.waiting);
	}
	end(c, 1000, p, &n);
	assert_string_equal(said, "nobody is there; trying again\ndelivers again\n");
	free(p);
}

static void damage_all(const char *dir)
{
	char command[256];

	snprintf(command, sizeof(command), "for f in %s/*.spool; do dd if=/dev/zero of=$f bs=$(stat -c %%s $f) count=1 conv=notrunc; done 2>&1 | cat",
		 dir);
	assert_int_equal(system(command), 0);
}

/* What cannot be read back is counted, and told. */
static void test_spoilt_spool(void **state)
{
	char dir[] = "/tmp/perisco-courier-XXXXXX";
	struct place *p = place_new();
	struct courier_counts n;
	struct spool *spool;
	struct courier *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	open_spool(&spool, dir, 1 << 30);
	c = courier_to(p, 1 << 20, spool);
	set_away(p, true);
	for (unsigned i = 0; i < 200; i++)
		put(c, 9, i * 50, 50);
	do
		courier_count(c, &n);
	while (n.queue_bytes > 1 << 20 || n.spooled < 1000);
	damage_all(dir);
	set_away(p, false);
	end(c, 10000, p, &n);
	assert_int_equal(n.spooled + n.waiting, 0);
	assert_true(n.dropped_spool > 0);
	assert_int_equal(n.delivered + n.dropped_spool + n.dropped_full, n.accepted);
	assert_non_null(strstr(said, "could not be read: they are left out"));
	remove_dir(dir);
	free(p);
}

static void spoil(const char *how, const char *dir)
{
	char command[256];

	snprintf(command, sizeof(command), how, dir);
	assert_int_equal(system(command), 0);
}

/* One bad parcel of an earlier run costs no other, and its records are counted. */
static void test_one_bad_parcel(void **state)
{
	char dir[] = "/tmp/perisco-courier-XXXXXX";
	struct place *p = place_new();
	struct courier_counts n;
	struct spool *spool;
	struct courier *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	open_spool(&spool, dir, 1 << 30);
	c = courier_to(p, 1 << 20, spool);
	set_away(p, true);
	put(c, 9, 0, 50);
	usleep(50000); /* that one is a batch */
	for (unsigned i = 1; i < 10; i++)
		put(c, 9, i * 50, 50);
	end(c, 50, p, &n);
	assert_int_equal(n.spooled, 500);
	spoil("f=$(ls %s/*.spool | tail -1); printf x | dd of=$f bs=1 seek=$(($(stat -c %%s $f) / 2 - 100)) conv=notrunc 2>&1 | cat", dir);
	set_away(p, false);
	open_spool(&spool, dir, 1 << 30);
	end(courier_to(p, 1 << 20, spool), 5000, p, &n);
	assert_int_equal(n.recovered, 500);
	assert_int_equal(n.delivered, 450);
	assert_int_equal(n.dropped_spool, 50);
	remove_dir(dir);
	free(p);
}

/* The end of what this run spooled is torn: its records are counted as soon as nothing else is left there. */
static void test_torn_end(void **state)
{
	char dir[] = "/tmp/perisco-courier-XXXXXX";
	struct place *p = place_new();
	struct courier_counts n;
	struct spool *spool;
	struct courier *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	open_spool(&spool, dir, 1 << 30);
	c = courier_to(p, 200000, spool);
	set_away(p, true);
	for (unsigned i = 0; i < 13; i++) {
		put(c, 9, i * 50, 50);
		usleep(20000);
	}
	spoil("for f in %s/*.spool; do truncate -s -3 $f; done", dir);
	set_away(p, false);
	do
		courier_count(c, &n);
	while (n.delivered < 600);
	assert_int_equal(n.spooled, 0);
	assert_int_equal(n.dropped_spool, 50);
	end(c, 5000, p, &n);
	assert_int_equal(n.delivered, 600);
	remove_dir(dir);
	free(p);
}

static void *watch_counts(void *arg)
{
	struct courier *_Atomic *watched = arg;
	struct courier *c;

	while ((c = *watched)) {
		struct courier_counts n;

		courier_count(c, &n);
		if (n.accepted + n.recovered != n.delivered + n.refused + n.dropped_full + n.dropped_spool + n.dropped_exit +
						n.waiting + n.spooled || n.spooled > n.accepted || n.waiting > n.accepted + n.recovered)
			return arg;
		usleep(50);
	}
	return NULL;
}

/* Conserved at every moment, whatever happens. */
static void test_conserved_at_every_moment(void **state)
{
	char dir[] = "/tmp/perisco-courier-XXXXXX";
	struct place *p = place_new();
	struct courier *_Atomic watched;
	struct courier *c;
	struct courier_counts n;
	struct spool *spool;
	pthread_t watcher;
	void *wrong;

	(void)state;
	assert_non_null(mkdtemp(dir));
	open_spool(&spool, dir, 4 << 20);
	watched = c = courier_to(p, 300000, spool);
	assert_int_equal(pthread_create(&watcher, NULL, watch_counts, &watched), 0);
	p->refuse_each = 11;
	p->open_each = 13;
	for (unsigned i = 0; i < 3000; i++) {
		set_away(p, i % 100 < 60);
		put(c, 9, i * 50, 50);
		usleep(200);
	}
	watched = NULL;
	pthread_join(watcher, &wrong);
	assert_null(wrong);
	set_away(p, false);
	end(c, 10000, p, &n);
	assert_int_equal(n.accepted, 150000);
	assert_true(n.refused > 0 && n.delivered > 0);
	remove_dir(dir);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivers_all_in_order),
		cmocka_unit_test(test_tries_again_what_is_open_alone),
		cmocka_unit_test(test_full_queue_drops_and_counts),
		cmocka_unit_test(test_time_is_up),
		cmocka_unit_test(test_spool_loses_nothing),
		cmocka_unit_test(test_full_spool_drops_and_counts),
		cmocka_unit_test(test_the_end_is_tried_at_once),
		cmocka_unit_test(test_full_spool_leaves_the_queue),
		cmocka_unit_test(test_hangs),
		cmocka_unit_test(test_disk_hangs),
		cmocka_unit_test(test_disk_hangs_when_all_is_done),
		cmocka_unit_test(test_little_of_much),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_patience_with_one_try),
		cmocka_unit_test(test_patience_ends),
		cmocka_unit_test(test_flaps),
		cmocka_unit_test(test_spoilt_spool),
		cmocka_unit_test(test_one_bad_parcel),
		cmocka_unit_test(test_torn_end),
		cmocka_unit_test(test_conserved_at_every_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
