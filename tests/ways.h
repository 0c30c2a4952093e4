/* SPDX-License-Identifier: MIT */
/*
 * Conversations of HTTP/1 from packets to records, each in all ways: whole, byte by byte, split at every place, out of order and
 * with every packet twice. The records must be the same to the letter.
 */
#ifndef PERISCO_TESTS_WAYS_H
#define PERISCO_TESTS_WAYS_H

#include "engine_rig.h"

static struct talk *all;      /* the conversation as it is said */
static struct talk *other;    /* ... and in another way */

static inline int tear_up(void **state)
{
	(void)state;
	all = talk_new();
	other = talk_new();
	talk_open(all);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	free(all);
	free(other);
	return 0;
}

/* The records of a conversation, to be freed. */
static inline char *records(const struct talk *t, bool full, struct stats *stats)
{
	struct rig r = {.full = full, .config = {.body_keep = 20}};
	char *text;

	rig_open(&r);
	rig_play(&r, t);
	rig_finish(&r);
	*stats = *engine_stats(r.e);
	text = r.text;
	r.text = NULL;
	rig_close(&r);
	return text;
}

/* Adds a part of a shot; SYN goes with the first part, FIN with the last. */
static inline void add_part(struct talk *t, const struct shot *s, size_t from, size_t to)
{
	struct shot *part = &t->shots[t->n++];

	assert_in_range(t->n, 1, SHOTS_MAX);
	*part = *s;
	part->data = slice_of(s->data.p + from, to - from);
	part->seq += (uint32_t)from;
	if (to < s->data.n)
		part->flags &= (uint8_t)~TCP_FIN;
}

static inline void same_records(const char *way, unsigned i, size_t at, const char *want, const struct stats *stats)
{
	struct stats now;
	char *got = records(other, true, &now);

	if (strcmp(got, want) != 0)
		fail_msg("packet %u %s at %zu:\n%sinstead of\n%s", i, way, at, got, want);
	if (now.garbage != stats->garbage || now.head_errors != stats->head_errors)
		fail_msg("packet %u %s at %zu: counters differ", i, way, at);
	free(got);
	other->n = 0;
}

static inline void add_shots(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		other->shots[other->n++] = all->shots[i];
}

static inline void split_everywhere(const char *want, const struct stats *stats)
{
	for (unsigned i = 0; i < all->n; i++)
		for (size_t at = 1; at < all->shots[i].data.n; at += 1 + at / 200) {
			const struct shot *s = &all->shots[i];

			add_shots(0, i);
			add_part(other, s, 0, at);
			add_part(other, s, at, s->data.n);
			add_shots(i + 1, all->n);
			same_records("split", i, at, want, stats);
			add_shots(0, i);
			add_part(other, s, at, s->data.n);
			add_part(other, s, 0, at);
			add_shots(i + 1, all->n);
			if (!(s->flags & (TCP_SYN | TCP_FIN)))
				same_records("split and crossed", i, at, want, stats);
			other->n = 0;
		}
}

static inline void in_pieces(size_t size, bool backwards, const char *want, const struct stats *stats)
{
	for (unsigned i = 0; i < all->n; i++) {
		const struct shot *s = &all->shots[i];
		size_t parts = (s->data.n + size - 1) / size;

		if (parts < 2 || parts > 1000) {
			add_shots(i, i + 1);
			continue;
		}
		for (size_t k = 0; k < parts; k++) {
			size_t from = size * (backwards ? parts - 1 - k : k);

			add_part(other, s, from, from + size < s->data.n ? from + size : s->data.n);
		}
	}
	same_records(backwards ? "backwards" : "in pieces", 0, size, want, stats);
}

static inline void out_of_order(const char *want, const struct stats *stats)
{
	for (unsigned i = 3; i + 1 < all->n; i++) {
		add_shots(0, i);
		add_shots(i + 1, i + 2);
		add_shots(i, i + 1);
		add_shots(i + 2, all->n);
		same_records("overtaken", i, 0, want, stats);
	}
}

static inline void twice(const char *want, const struct stats *stats)
{
	for (unsigned i = 0; i < all->n; i++) {
		add_shots(i, i + 1);
		if (i > 1)
			add_shots(i - 2, i - 1);
		add_shots(i, i + 1);
	}
	same_records("twice", 0, 0, want, stats);
}

/* These records, in whatever pieces the conversation comes. */
static inline void expect_pieces(const char *brief)
{
	struct stats stats;
	char *text = records(all, false, &stats), *want = records(all, true, &stats);

	assert_string_equal(text, brief);
	split_everywhere(want, &stats);
	in_pieces(1, false, want, &stats);
	in_pieces(7, false, want, &stats);
	in_pieces(3, true, want, &stats);
	twice(want, &stats);
	free(text);
	free(want);
}

/* ... and in whatever order. */
static inline void expect(const char *brief)
{
	struct stats stats;
	char *want = records(all, true, &stats);

	expect_pieces(brief);
	out_of_order(want, &stats);
	free(want);
}

/* The same, and in full where a test wants all that is in a record. */
static inline void expect_part(const char *part)
{
	struct stats stats;
	char *text = records(all, true, &stats);

	if (!strstr(text, part))
		fail_msg("'%s' is not in\n%s", part, text);
	free(text);
}

static inline struct shot *client(const char *text)
{
	return talk_say(all, CLIENT, text);
}

static inline struct shot *server(const char *text)
{
	return talk_say(all, SERVER, text);
}

#endif
