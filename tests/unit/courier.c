/* SPDX-License-Identifier: MIT */
/* A courier to a place that is slow, away or refuses: each record is delivered in order, or counted where it was lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../courier_rig.h"

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
	await_said("nobody is there; trying again\n");
	courier_count(c, &n);
	assert_conserved(&n);
	assert_in_range(n.queue_bytes, 1 << 19, 1 << 20);
	assert_true(n.dropped_full > 40000);
	set_away(p, false);
	end(c, 10000, p, &n);
	assert_int_equal(n.delivered + n.dropped_full, 50000);
	assert_seen(p, 0, n.delivered);
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
	await_calls(p, 7); /* the next one is in 3.2 s to 6.4 s */
	set_away(p, false);
	begun = clock_ms();
	end(c, 20000, p, &n);
	assert_true(clock_ms() - begun < 3000);
	assert_int_equal(n.delivered, 50);
	free(p);
}

/* A carrier that never comes back costs two seconds, and no record that can be spooled. */
static void test_hangs(void **state)
{
	struct place *p = place_new();
	struct courier_counts n;
	struct spool *spool;
	struct courier *c;
	uint64_t begun;

	(void)state;
	for (unsigned spooled = 0; spooled < 2; spooled++) {
		spool = NULL;
		if (spooled)
			spool = open_spool(1 << 30);
		p->hangs = true;
		p->closed = false;
		c = courier_to(p, 1 << 20, spool);
		put(c, 9, 0, 50);
		usleep(50000);
		put(c, 9, 50, 50);
		begun = clock_ms();
		courier_close(c, 100, &n);
		assert_in_range(clock_ms() - begun, 2000, 10000);
		assert_conserved(&n);
		assert_int_equal(spooled ? n.spooled : n.dropped_exit, 100);
		p->hangs = false;
		while (!p->closed)
			usleep(1000);
		if (spooled)
			await_release();
	}
	p->n = 0;
	end(courier_to(p, 1 << 20, open_spool(1 << 30)), 5000, p, &n);
	assert_int_equal(n.recovered, 100);
	assert_seen(p, 0, 100);
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
	struct courier *c = patient_courier_to(p, 100000, NULL, 3000);
	struct courier_counts n;
	uint64_t begun = clock_ms();

	(void)state;
	p->slow_us = 20000;
	for (unsigned i = 0; i < 400; i++)
		put(c, 9, i * 50, 50);
	set_away(p, true);
	for (unsigned i = 400; i < 500; i++)
		put(c, 9, i * 50, 50);
	assert_true(clock_ms() - begun < 30000);
	set_away(p, false);
	end(c, 3000, p, &n);
	assert_true(n.delivered >= 20000);
	assert_true(n.dropped_full > 0);
	assert_seen(p, 0, n.delivered);
	free(p);
}

/* Who answers late goes on: one try may take longer than the patience, at the end too. */
static void test_patience_with_one_try(void **state)
{
	struct place *p = place_new();
	struct courier *c = patient_courier_to(p, 100000, NULL, 500);
	struct courier_counts n;

	(void)state;
	p->slow_us = 1000000;
	for (unsigned i = 0; i < 15; i++)
		put(c, 9, i * 50, 50);
	end(c, 500, p, &n);
	assert_seen(p, 0, 750);
	free(p);
}

/* What is told is told whole, of however long a name. */
static void test_long_name(void **state)
{
	struct place *p = place_new();
	const struct carrier carrier = {p, NULL, carry, close_place};
	char name[3000] = "place: ";
	const struct courier_config config = {.name = name, .bit = BIT, .queue = 1 << 20, .say = say};
	struct courier *c;
	struct courier_counts n;

	(void)state;
	memset(name + strlen(name), 'x', sizeof(name) - 1 - strlen(name));
	set_away(p, true);
	c = courier_new(&config, &carrier);
	put(c, 9, 0, 1);
	await_said("x: nobody is there; trying again\n");
	end(c, 50, p, &n);
	free(p);
}

/* Who is away is waited for so long once, however often it is tried meanwhile; then at the end once more. */
static void test_patience_ends(void **state)
{
	struct place *p = place_new();
	struct courier *c = patient_courier_to(p, 100000, NULL, 1000);
	uint64_t begun = clock_ms();
	struct courier_counts n;

	(void)state;
	set_away(p, true);
	for (unsigned i = 0; i < 60; i++)
		put(c, 9, i * 50, 50);
	assert_in_range(clock_ms() - begun, 1000, 10000);
	begun = clock_ms();
	end(c, 1000, p, &n);
	assert_in_range(clock_ms() - begun, 1000, 10000);
	assert_int_equal(n.delivered, 0);
	free(p);
}

/* That it is waited for at the end is told. */
static void test_wait_is_told(void **state)
{
	struct place *p = place_new();
	struct courier *c = courier_to(p, 1 << 20, NULL);
	struct courier_counts n;

	(void)state;
	set_away(p, true);
	put(c, 9, 0, 50);
	end(c, 2500, p, &n);
	assert_int_equal(n.dropped_exit, 50);
	assert_non_null(strstr(said, "waiting up to 3 s for 50 records to be taken\n"));
	free(p);
}

/* A place that comes and goes is told of, but not each time; in the end it is told how it is. */
static void test_flaps(void **state)
{
	struct place *p = place_new();
	struct courier *c = courier_to(p, 1 << 20, NULL);
	struct courier_counts n;
	unsigned calls;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		set_away(p, true);
		calls = p->calls;
		put(c, 9, i * 50, 50);
		await_calls(p, calls + 1);
		set_away(p, false);
		do
			courier_count(c, &n);
		while (n.waiting);
	}
	p->at_it = true;
	calls = p->calls;
	put(c, 9, 250, 50);
	await_calls(p, calls + 3); /* it was told of the first of them, or will not be */
	assert_string_equal(said, "nobody is there; trying again\ndelivers again\n");
	await_said("there is no answer; trying again\n");
	end(c, 100, p, &n);
	assert_string_equal(said, "nobody is there; trying again\ndelivers again\nthere is no answer; trying again\n");
	free(p);
}

/* What the carrier has in hand itself is no try again, nor does it wait longer and longer to be asked about it. */
static void test_carrier_is_at_it(void **state)
{
	struct place *p = place_new();
	struct courier *c = courier_to(p, 1 << 20, NULL);
	struct courier_counts n;

	(void)state;
	p->at_it = true;
	put(c, 9, 0, 50);
	await_calls(p, 20); /* tries would be eight by then */
	assert_string_equal(said, "there is no answer; trying again\n");
	p->at_it = false;
	do
		courier_count(c, &n);
	while (n.waiting);
	end(c, 1000, p, &n);
	assert_int_equal(n.retried, 0);
	assert_seen(p, 0, 50);
	assert_string_equal(said, "there is no answer; trying again\ndelivers again\n");
	free(p);
}

/* Nor is it told to be away while it goes on. */
static void test_carrier_goes_on(void **state)
{
	struct place *p = place_new();
	struct courier *c = courier_to(p, 1 << 20, NULL);
	struct courier_counts n;

	(void)state;
	p->even_so = 5;
	p->at_it = true;
	put(c, 9, 0, 50);
	do
		courier_count(c, &n);
	while (n.waiting);
	end(c, 3000, p, &n);
	assert_int_equal(n.retried, 0);
	assert_seen(p, 0, 50);
	assert_string_equal(said, "");
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
	struct place *p = place_new();
	struct courier *_Atomic watched;
	struct courier *c;
	struct courier_counts n;
	pthread_t watcher;
	void *wrong;

	(void)state;
	watched = c = courier_to(p, 300000, open_spool(4 << 20));
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
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivers_all_in_order),
		cmocka_unit_test(test_tries_again_what_is_open_alone),
		cmocka_unit_test(test_full_queue_drops_and_counts),
		cmocka_unit_test(test_time_is_up),
		cmocka_unit_test(test_the_end_is_tried_at_once),
		TEST_IN_DIR(test_hangs),
		cmocka_unit_test(test_little_of_much),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_patience_with_one_try),
		cmocka_unit_test(test_patience_ends),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_wait_is_told),
		cmocka_unit_test(test_flaps),
		cmocka_unit_test(test_carrier_is_at_it),
		cmocka_unit_test(test_carrier_goes_on),
		TEST_IN_DIR(test_conserved_at_every_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
