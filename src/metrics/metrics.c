/* SPDX-License-Identifier: MIT */
#include "metrics/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "metrics/page.h"
#include "metrics/server.h"

#define TELL_EVERY_MS 500
#define STUCK_MS      10000 /* without a turn */
#define FRESH_MS      1000  /* who asks within that gets the same page, ... */
#define PAGES_MAX     2u    /* ... and later too, while so many are being sent to who reads slowly */

struct sheet {
	struct metrics *metrics;
	struct page page;
	uint64_t made_ms;
	unsigned holders;
};

struct metrics {
	struct traffic *traffic;
	struct sheet *sheet;        /* the newest; it, and how many there are, are the server's thread's alone */
	unsigned sheets;
	struct server *server;
	_Atomic uint64_t turned_ms; /* CLOCK_MONOTONIC */
	uint64_t told_ms;           /* the run's own, */
	struct told next;           /* ... as is this, which becomes */
	pthread_mutex_t lock;
	struct told told;           /* ... this, with the lock, ... */
	bool begun;                 /* ... when anything was told yet; ... */
	void (*more)(void *ctx, struct told *t); /* ... at the end this has more to tell, with the lock; NULL: it is not the end */
	void *ctx;
};

/* --- the pages --- */

static bool write_page(struct metrics *m, struct page *p, struct told *told)
{
	struct traffic_view view;

	if (!told || !traffic_view(m->traffic, &view))
		return false;
	pthread_mutex_lock(&m->lock);
	if (m->more)
		m->more(m->ctx, &m->told);
	*told = m->told;
	pthread_mutex_unlock(&m->lock);
	page_traffic(p, &view);
	traffic_view_release(&view);
	page_told(p, told);
	page_process(p);
	return page_end(p);
}

static void sheet_drop(void *owner)
{
	struct sheet *s = owner;

	if (!s || --s->holders)
		return;
	s->metrics->sheets--;
	page_release(&s->page);
	free(s);
}

/* One holder is the metrics. NULL when out of memory. */
static struct sheet *sheet_new(struct metrics *m)
{
	struct sheet *s = calloc(1, sizeof *s);
	struct told *told = malloc(sizeof *told);
	bool done;

	if (!s) {
		free(told);
		return NULL;
	}
	*s = (struct sheet){.metrics = m, .made_ms = clock_ms(), .holders = 1};
	m->sheets++;
	page_begin(&s->page);
	done = write_page(m, &s->page, told);
	free(told);
	if (!done)
		sheet_drop(s);
	return done ? s : NULL;
}

static struct reply metrics_page(struct metrics *m)
{
	struct sheet *s = m->sheet;

	if (!s || (clock_ms() - s->made_ms >= FRESH_MS && m->sheets < PAGES_MAX)) {
		s = sheet_new(m);
		if (!s)
			return server_words(500, "out of memory\n");
		sheet_drop(m->sheet);
		m->sheet = s;
	}
	s->holders++;
	return (struct reply){200, s->page.buf.p, s->page.buf.n, sheet_drop, s};
}

static bool is_ending(struct metrics *m)
{
	bool ret;

	pthread_mutex_lock(&m->lock);
	ret = m->more;
	pthread_mutex_unlock(&m->lock);
	return ret;
}

static struct reply health(struct metrics *m)
{
	uint64_t turned = m->turned_ms;

	if (clock_ms() < turned + STUCK_MS || is_ending(m)) /* which has time limits of its own */
		return server_words(200, "ok\n");
	return server_words(503, "nothing was read, nor waited for, for 10 seconds\n");
}

static struct reply readiness(struct metrics *m)
{
	const char *awaited = NULL;

	pthread_mutex_lock(&m->lock);
	if (m->more)
		awaited = "ending: other hosts are still to take what waits for them\n";
	else if (!m->begun)
		awaited = "beginning: nothing was read yet, nor waited for\n";
	else if (!m->told.ready)
		awaited = "programs are still to be attached to interfaces\n";
	pthread_mutex_unlock(&m->lock);
	return awaited ? server_words(503, awaited) : server_words(200, "ok\n");
}

static struct reply answer(void *ctx, const char *path)
{
	static const struct {
		const char *path;
		struct reply (*reply)(struct metrics *m);
	} pages[] = {{"/metrics", metrics_page}, {"/healthz", health}, {"/readyz", readiness}};

	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
		if (strcmp(pages[i].path, path) == 0)
			return pages[i].reply(ctx);
	return (struct reply){0};
}

/* --- the run's side --- */

int metrics_open(struct metrics **ret, const struct address *at, char name[ADDRESS_MAX], char *error, size_t n)
{
	struct metrics *m = calloc(1, sizeof *m);
	uint64_t seed = 0;
	int fd;

	*ret = m;
	snprintf(error, n, "out of memory");
	if (!m)
		return -ENOMEM;
	pthread_mutex_init(&m->lock, NULL);
	m->turned_ms = clock_ms();
	if (getrandom(&seed, sizeof seed, 0) == sizeof seed)
		m->traffic = traffic_new(seed);
	fd = m->traffic ? address_listen(at, name, error, n) : -ENOMEM;
	m->server = fd >= 0 ? server_new(fd, answer, m) : NULL;
	if (m->server)
		return 0;
	if (fd >= 0)
		snprintf(error, n, "--metrics: out of memory or of threads");
	metrics_close(m);
	*ret = NULL;
	return fd < 0 ? fd : -ENOMEM;
}

void metrics_record(struct metrics *m, const struct record *r)
{
	traffic_record(m->traffic, r);
}

struct told *metrics_turn(struct metrics *m)
{
	uint64_t now = clock_ms();

	m->turned_ms = now;
	if (m->told_ms && now - m->told_ms < TELL_EVERY_MS)
		return NULL;
	m->told_ms = now;
	memset(&m->next, 0, sizeof m->next);
	return &m->next;
}

void metrics_tell(struct metrics *m)
{
	if (m->more ? pthread_mutex_lock(&m->lock) : pthread_mutex_trylock(&m->lock)) {
		m->told_ms = 0; /* at the next turn, then */
		return;
	}
	m->told = m->next;
	m->begun = true;
	pthread_mutex_unlock(&m->lock);
}

void metrics_end(struct metrics *m, void (*more)(void *ctx, struct told *t), void *ctx)
{
	pthread_mutex_lock(&m->lock);
	m->more = more;
	m->ctx = ctx;
	pthread_mutex_unlock(&m->lock);
	m->told_ms = 0;
}

void metrics_close(struct metrics *m)
{
	if (!m)
		return;
	server_free(m->server);
	sheet_drop(m->sheet);
	traffic_free(m->traffic);
	pthread_mutex_destroy(&m->lock);
	free(m);
}
