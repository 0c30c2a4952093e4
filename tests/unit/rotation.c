/* SPDX-License-Identifier: MIT */
/* Packet files, one after the other: when the next one begins, what they are called, and what is in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../file_limit.h"
#include "../pcapwrite_rig.h"
#include "capture/file.h"

#define BEGIN_NS (UINT64_C(1700000000) * 1000000000)

static int take_which(void *ctx, const struct packet *p)
{
	char *text = ctx;
	uint32_t which;

	memcpy(&which, p->data.p, sizeof which);
	sprintf(text + strlen(text), " %u", which);
	assert_int_equal(p->iface ? p->iface->link : p->link, LINKTYPE_ETHERNET);
	return 0;
}

/* "NAME: WHICH WHICH...\n" of a file that is read and removed. */
static void tell_file(const char *path, char *ret)
{
	struct source *s = file_open(&path, 1, error, sizeof error);

	assert_non_null(s);
	sprintf(ret, "%s:", path);
	while (s->ops->poll(s, 0, take_which, ret) > 0)
		;
	strcat(ret, "\n");
	s->ops->close(s);
	unlink(path);
}

static int is_file(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* All files that are there. */
static void assert_files(const char *expect)
{
	struct dirent **names;
	int n = scandir(".", &names, is_file, alphasort);
	char text[4096] = "";

	for (int i = 0; i < n; i++) {
		tell_file(names[i]->d_name, text + strlen(text));
		free(names[i]);
	}
	free(names);
	assert_string_equal(text, expect);
}

/* So many packets of 500 bytes, one a second. */
static int put_many(struct pcapwrite *w, uint32_t n)
{
	int err = 0;

	for (uint32_t i = 0; i < n && !err; i++)
		err = put(w, i, 500, BEGIN_NS + i * UINT64_C(1000000000));
	pcapwrite_close(w);
	return err;
}

static void by_size(void **state)
{
	(void)state;
	/* 24 + 2 * 500 is more than 1000: then the next file begins */
	put_many(open_file("a.pcap", (struct rotation){.size = 1000}), 5);
	assert_files("a.pcap: 0 1\na.pcap1: 2 3\na.pcap2: 4\n");
	put_many(open_file("a.pcap", (struct rotation){.size = 1024}), 4);
	assert_files("a.pcap: 0 1 2\na.pcap1: 3\n");
	put_many(open_file("a.pcap", (struct rotation){.size = 1000, .files = 2}), 9);
	assert_files("a.pcap0: 8\na.pcap1: 6 7\n");
	put_many(open_file("a.pcap", (struct rotation){.size = 1000, .files = 11}), 3);
	assert_files("a.pcap00: 0 1\na.pcap01: 2\n");
	put_many(open_file("a.pcap", (struct rotation){.size = 1000, .files = 1}), 5);
	assert_files("a.pcap: 4\n");
	put_many(open_file("a.pcapng", (struct rotation){.size = 1000}), 3);
	assert_files("a.pcapng: 0 1\na.pcapng1: 2\n");
	put_many(open_file("%H.pcap", (struct rotation){.size = 1000}), 1);
	assert_files("%H.pcap: 0\n");
}

static void by_time(void **state)
{
	(void)state;
	assert_int_equal(put_many(open_file("%H%M%S.pcap", (struct rotation){.seconds = 2}), 5), 0);
	assert_files("221320.pcap: 0 1\n221322.pcap: 2 3\n221324.pcap: 4\n");
	assert_int_equal(put_many(open_file("%H%M%S.pcap", (struct rotation){.seconds = 2, .files = 2}), 9), -ECANCELED);
	assert_files("221320.pcap: 0 1\n221322.pcap: 2 3\n");
	assert_int_equal(put_many(open_file("same.pcapng", (struct rotation){.seconds = 2}), 5), 0);
	assert_files("same.pcapng: 4\n");
	/* the first one began before its first packet; it is there at once */
	assert_int_equal(put_many(open_file("%S.pcap", (struct rotation){.seconds = 9, .begun = true, .begin_ns = BEGIN_NS - 8000000000}), 2), 0);
	assert_files("12.pcap: 0\n21.pcap: 1\n");
	/* nobody waits for time to go back */
	pcapwrite_close(open_file("%S.pcap", (struct rotation){.seconds = 9}));
	assert_files("");
}

/* 1970 is a time like any other: packets without one have it. */
static void without_time(void **state)
{
	struct pcapwrite *w = open_file("%S.pcapng", (struct rotation){.seconds = 2});

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(put(w, i, 500, i / 4 * UINT64_C(3000000000)), 0);
	pcapwrite_close(w);
	assert_files("00.pcapng: 0 1 2 3\n03.pcapng: 4\n");
}

static void by_both(void **state)
{
	(void)state;
	put_many(open_file("%S.", (struct rotation){.seconds = 4, .size = 1000}), 9);
	assert_files("20.: 0 1\n20.1: 2 3\n24.: 4 5\n24.1: 6 7\n28.: 8\n");
	put_many(open_file("%S.", (struct rotation){.seconds = 5, .size = 1000, .files = 2}), 8);
	assert_files("20.0: 4\n20.1: 2 3\n25.0: 5 6\n25.1: 7\n");
}

static void names_too_long(void **state)
{
	char path[6000];

	(void)state;
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_null(pcapwrite_open(&(struct pcapwrite_config){.path = path}, error, sizeof error));
	assert_non_null(strstr(error, "makes no name"));
	assert_null(pcapwrite_open(&(struct pcapwrite_config){.path = "%Y%%/x.pcap", .rotation = {.seconds = 1, .begun = true}},
				   error, sizeof error));
	assert_non_null(strstr(error, "'1970%/x.pcap'"));
}

/* Nothing is put over what must stay, however late its name comes up. */
static bool spare(const void *ctx, const char *path, char *why, size_t n)
{
	snprintf(why, n, "no");
	return strcmp(path, ctx) != 0;
}

static void spared(void **state)
{
	const struct pcapwrite_config config = {.path = "a", .rotation = {.size = 1000}, .may = spare, .ctx = "a1"};
	struct pcapwrite *w = pcapwrite_open(&config, error, sizeof error);

	(void)state;
	assert_int_equal(put(w, 0, 500, 1), 0);
	assert_int_equal(put(w, 1, 500, 1), 0);
	assert_int_equal(put(w, 2, 500, 1), -EEXIST);
	assert_string_equal(pcapwrite_error(w), "no");
	assert_int_equal(put(w, 3, 500, 1), -EEXIST); /* and so it stays */
	pcapwrite_close(w);
	assert_files("a: 0 1\n");
}

/* The next file cannot be made: nothing more is written, and nothing crashes. */
static void no_next_file(void **state)
{
	struct pcapwrite *w;

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	w = open_file("d/a.pcapng", (struct rotation){.size = 1000});
	assert_int_equal(put(w, 0, 1500, 1), 0);
	unlink("d/a.pcapng");
	rmdir("d");
	assert_int_equal(put(w, 1, 500, 1), -ENOENT);
	assert_int_equal(put(w, 2, 500, 1), -ENOENT);
	assert_int_equal(pcapwrite_loss(w, 1, &(struct loss_record){"ring", 5, 500, 0}, 9, "veth9"), -ENOENT);
	assert_int_equal(pcapwrite_reopen(w), 0);
	assert_non_null(strstr(pcapwrite_error(w), "'d/a.pcapng1'"));
	assert_int_equal(pcapwrite_close(w), -ENOENT);
}

static void say(const char *line)
{
	(void)line;
}

/* The disk is full while it is the turn of some files: those in which nothing is are not there. */
static void full_for_some(const char *path, const char *expect)
{
	const struct pcapwrite_config config = {.path = path, .rotation = {.seconds = 1}, .say = say};
	struct pcapwrite *w = pcapwrite_open(&config, error, sizeof error);

	for (uint32_t i = 0; i < 7; i++) {
		limit_files(i > 0 && i < 5 ? 0 : RLIM_INFINITY);
		if (put(w, i, 500, BEGIN_NS + i * UINT64_C(1000000000)) < 0 || pcapwrite_flush(w) < 0)
			assert_true(pcapwrite_suspend(w));
	}
	pcapwrite_close(w);
	assert_files(expect);
}

static void full_disk_by_time(void **state)
{
	(void)state;
	/* there is room for what waits for the last of them when that is left */
	full_for_some("%S.pcap", "20.pcap: 0\n24.pcap: 4\n25.pcap: 5\n26.pcap: 6\n");
	full_for_some("%S.pcapng", "20.pcapng: 0\n24.pcapng:\n25.pcapng: 5\n26.pcapng: 6\n");
}

static void moved(void **state)
{
	struct pcapwrite *w = open_file("a.pcapng", (struct rotation){0});

	(void)state;
	put(w, 0, 500, 1);
	assert_int_equal(pcapwrite_reopen(w), 0); /* nobody moved it */
	put(w, 1, 500, 1);
	rename("a.pcapng", "b.pcapng");
	assert_int_equal(pcapwrite_reopen(w), 0);
	put(w, 2, 500, 1);
	unlink("a.pcapng");
	assert_int_equal(pcapwrite_reopen(w), 0);
	put(w, 3, 500, 1);
	pcapwrite_close(w);
	assert_files("a.pcapng: 3\nb.pcapng: 0 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_size),
		cmocka_unit_test(by_time),
		cmocka_unit_test(without_time),
		cmocka_unit_test(by_both),
		cmocka_unit_test(names_too_long),
		cmocka_unit_test(spared),
		cmocka_unit_test(no_next_file),
		cmocka_unit_test(full_disk_by_time),
		cmocka_unit_test(moved),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
