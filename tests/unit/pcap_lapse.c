/* SPDX-License-Identifier: MIT */
/* Packet files that cannot be written, for a while or ever: what is told of losses, and what is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "../file_limit.h"
#include "../pcapwrite_rig.h"
#include "capture/file.h"
#include "output/places.h"
#include "packet/pcapng_blocks.h"

static void say(const char *line)
{
	(void)line;
}

/* A file that nothing could be written to is no capture: it is not left behind. */
static void never_written(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		const struct pcapwrite_config config = {.path = i & 1 ? "a.pcap" : "a.pcapng", .say = say};
		struct pcapwrite *w = pcapwrite_open(&config, error, sizeof error);

		assert_non_null(w);
		put(w, 0, 900, 1);
		limit_files(0);
		assert_int_equal(pcapwrite_flush(w), -EFBIG);
		if (i & 2)
			assert_true(pcapwrite_suspend(w));
		assert_int_equal(pcapwrite_close(w), -EFBIG);
		limit_files(RLIM_INFINITY);
		assert_int_not_equal(access(config.path, F_OK), 0);
	}
}

static int sum_losses(void *ctx, const struct loss *l)
{
	static const char *const causes[] = PCAPNG_LOST_CAUSES;
	struct loss_record *sums = ctx;

	for (size_t i = 0; i < LOST_CAUSES; i++)
		if (strcmp(l->cause, causes[i]) == 0) {
			sums[i].packets += l->packets;
			sums[i].bytes += l->bytes;
		}
	return 0;
}

static int pass_over(void *ctx, const struct packet *p)
{
	(void)ctx;
	(void)p;
	return 0;
}

/* What was lost while the file cannot be written is told behind that, each cause with its own packets and bytes. */
static void losses_of_a_lapse(void **state)
{
	const struct pcapwrite_config config = {.path = "a.pcapng", .say = say};
	const char *path = config.path;
	struct pcapwrite *w = pcapwrite_open(&config, error, sizeof error);
	struct loss_record sums[LOST_CAUSES] = {0};
	struct source *s;

	(void)state;
	put(w, 0, 900, 1);
	limit_files(0);
	assert_int_equal(pcapwrite_flush(w), -EFBIG);
	assert_true(pcapwrite_suspend(w));
	pcapwrite_loss(w, 2, &(struct loss_record){"ring", 1000, 100000, 0}, 7, "veth7");
	pcapwrite_loss(w, 3, &(struct loss_record){"size", 1, 9000, 0}, 7, "veth7");
	pcapwrite_loss(w, 4, &(struct loss_record){"ring", 5, 500, 0}, 7, "veth7");
	pcapwrite_loss(w, 5, &(struct loss_record){"copy", 2, 300, 0}, 7, "veth7");
	limit_files(RLIM_INFINITY);
	assert_int_equal(pcapwrite_reopen(w), 0);
	assert_int_equal(pcapwrite_close(w), 0);
	s = file_open(&path, 1, error, sizeof error);
	assert_non_null(s);
	while (s->ops->poll(s, 0, pass_over, NULL) > 0)
		;
	s->ops->losses(s, sum_losses, sums);
	s->ops->close(s);
	unlink(path);
	for (size_t i = 0; i < LOST_CAUSES; i++) {
		static const uint64_t packets[] = {0, 1005, 2, 1}, bytes[] = {0, 100500, 300, 9000};

		assert_int_equal(sums[i].packets, packets[i]);
		assert_int_equal(sums[i].bytes, bytes[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_written),
		cmocka_unit_test(losses_of_a_lapse),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
