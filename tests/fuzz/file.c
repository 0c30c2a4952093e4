/* SPDX-License-Identifier: MIT */
/* A capture file of any bytes: packets lie within it, and it reads the same whole and piece by piece. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "capture/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void mix(uint64_t *sum, uint64_t v)
{
	*sum = (*sum ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	*sum ^= *sum >> 29;
}

static int mix_loss(void *ctx, const struct loss *l)
{
	mix(ctx, l->packets ^ l->ifindex ^ l->ts_ns);
	return 0;
}

static void mix_packet(uint64_t *sum, const struct packet *p, const uint8_t *from, const uint8_t *to)
{
	assert(p->data.p >= from && p->data.p + p->data.n <= to && p->wire_len >= p->data.n);
	for (size_t i = 0; i < p->data.n; i++)
		mix(sum, p->data.p[i]);
	mix(sum, p->ts_ns);
	mix(sum, (uint64_t)p->wire_len << 32 | (uint64_t)p->link << 16 | p->dir);
	mix(sum, p->iface ? p->iface->index + strlen(p->iface->name) : 0);
}

/* Reads with a window over the bytes themselves that grows by `step`; returns a sum of all that was read. */
static uint64_t read_in_steps(uint8_t *bytes, size_t n, size_t step)
{
	struct reader r = {.path = "x", .window = {.buf = bytes, .size = n, .fd = -1}};
	struct window *w = &r.window;
	struct packet p;
	uint64_t sum = 0, skip;
	char line[256];
	int end;

	while ((end = reader_next(&r, &p)) > 0 || end == -EAGAIN) {
		if (end > 0) {
			mix_packet(&sum, &p, bytes, bytes + w->end);
			continue;
		}
		assert(!w->over && r.want <= RECORD_MAX);
		w->over = w->end == n;
		w->end += n - w->end < step ? n - w->end : step;
		skip = w->skip;
		w->skip = 0;
		window_use(w, skip);
	}
	if (end < 0)
		reader_explain(&r, line, sizeof line);
	reader_losses(&r, mix_loss, &sum);
	pcapng_release(&r.pcapng);
	mix(&sum, (uint64_t)end);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *bytes = memcpy(malloc(n + !n), data, n);

	assert(read_in_steps(bytes, n, n + !n) == read_in_steps(bytes, n, 1 + n % 7));
	free(bytes);
	return 0;
}
