/* SPDX-License-Identifier: MIT */
/* A courier, and the place that it brings records to, which is slow, away or refuses. Of cmocka, which is included before. */
#ifndef PERISCO_TESTS_COURIER_RIG_H
#define PERISCO_TESTS_COURIER_RIG_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "sink/courier.h"
#include "temp_dir.h"

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
	size_t most;            /* when so many came, it is away; 0: it is not */
	unsigned slow_us;
	atomic_bool hangs;      /* whatever is asked */
	atomic_bool at_it;      /* has all in hand, and delivers it later; */
	unsigned even_so;       /* ... so many of each batch at once */
	bool tried[SEEN_MAX];
	atomic_uint calls;      /* so often it was asked to take something */
	_Atomic bool closed;
};

static char said[4096];
static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER; /* for the threads of a courier */

static inline void say(const char *line)
{
	assert_int_equal(strncmp(line, "place: ", 7), 0);
	pthread_mutex_lock(&said_lock);
	assert_true(strlen(said) + strlen(line) + 2 < sizeof(said));
	strcat(strcat(said, line + 7), "\n");
	pthread_mutex_unlock(&said_lock);
}

static inline bool is_said(const char *words)
{
	bool yes;

	pthread_mutex_lock(&said_lock);
	yes = strstr(said, words);
	pthread_mutex_unlock(&said_lock);
	return yes;
}

/* It is told, sooner or later. */
static inline void await_said(const char *words)
{
	for (unsigned i = 0; i < 60000 && !is_said(words); i++)
		usleep(1000);
	assert_true(is_said(words));
}

static inline int carry(void *self, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n)
{
	struct place *p = self;
	bool away, at_it;

	(void)hurry;
	assert_true(n > 0);
	if (p->slow_us)
		usleep(p->slow_us);
	while (p->hangs)
		usleep(10000);
	pthread_mutex_lock(&p->lock);
	p->calls++;
	away = p->away;
	at_it = p->at_it;
	if (at_it)
		n = p->even_so < n ? p->even_so : n;
	for (size_t i = 0; i < n && !away; i++) {
		uint64_t number = items[i].number;

		away = p->most && p->n == p->most;
		if (away)
			break;
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
	if (!away && !at_it)
		return 0;
	snprintf(why, why_n, away ? "nobody is there" : "there is no answer");
	return away ? -ECONNREFUSED : -EINPROGRESS;
}

static inline void close_place(void *self)
{
	((struct place *)self)->closed = true;
}

static inline struct place *place_new(void)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	pthread_mutex_init(&p->lock, NULL);
	*said = 0;
	return p;
}

static inline void set_away(struct place *p, bool away)
{
	pthread_mutex_lock(&p->lock);
	p->away = away;
	pthread_mutex_unlock(&p->lock);
}

/* Waits until it was asked so often, which is to be within 20 seconds. */
static inline void await_calls(struct place *p, unsigned n)
{
	for (unsigned i = 0; i < 20000 && p->calls < n; i++)
		usleep(1000);
	assert_true(p->calls >= n);
}

static inline size_t count_seen(struct place *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->n;
	pthread_mutex_unlock(&p->lock);
	return n;
}

static inline struct courier *patient_courier_to(struct place *p, size_t queue, struct spool *spool, unsigned patience_ms)
{
	const struct courier_config config = {
		.name = "place", .bit = BIT, .queue = queue, .patience_ms = patience_ms, .spool = spool, .say = say,
	};
	const struct carrier carrier = {p, NULL, carry, close_place};
	struct courier *c = courier_new(&config, &carrier);

	assert_non_null(c);
	return c;
}

static inline struct courier *courier_to(struct place *p, size_t queue, struct spool *spool)
{
	return patient_courier_to(p, queue, spool, 0);
}

/* Puts records from .. from + n - 1, of which those in between are for somebody else. */
static inline void put(struct courier *c, uint64_t run, uint64_t from, size_t n)
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

static inline void assert_conserved(const struct courier_counts *n)
{
	assert_int_equal(n->accepted + n->recovered, n->delivered + n->refused + n->dropped_full + n->dropped_spool +
							     n->dropped_exit + n->waiting + n->spooled);
}

/* The records from .. from + n - 1 came, once each and in order. */
static inline void assert_seen(const struct place *p, uint64_t from, size_t n)
{
	assert_int_equal(p->n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p->seen[i], from + i);
}

static inline void end(struct courier *c, unsigned deadline_ms, struct place *p, struct courier_counts *n)
{
	courier_close(c, deadline_ms, n);
	assert_conserved(n);
	assert_true(p->closed);
}

/* The spool in the directory of the test. */
static inline struct spool *open_spool(uint64_t max)
{
	struct spool *spool;
	char error[256];

	assert_int_equal(spool_open(&spool, dir, max, error, sizeof(error)), 0);
	return spool;
}

/* Who was left alone with the spool gives it back, and frees what it has. */
static inline void await_release(void)
{
	struct spool *spool = NULL;
	char error[256];

	for (unsigned i = 0; i < 60000 && !spool; i++) {
		usleep(1000);
		spool_open(&spool, dir, 1 << 30, error, sizeof(error));
	}
	assert_non_null(spool);
	spool_close(spool);
}

#endif
