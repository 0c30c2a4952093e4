/* SPDX-License-Identifier: MIT */
/*
 * bench-heap FORMAT FILE: replays a capture and counts the calls that take memory from the heap while its second half is
 * read. That is the steady state, in which there should be none.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/file.h"
#include "engine/engine.h"
#include "output/output.h"

static uint64_t calls;

#define NEXT(function)                                                \
	static __typeof__(function) *next;                            \
	if (!next)                                                    \
		next = (__typeof__(next))dlsym(RTLD_NEXT, #function); \
	calls++

void *malloc(size_t n)
{
	NEXT(malloc);
	return next(n);
}

void *calloc(size_t n, size_t size)
{
	NEXT(calloc);
	return next(n, size);
}

void *realloc(void *p, size_t n)
{
	NEXT(realloc);
	return next(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	NEXT(aligned_alloc);
	return next(align, n);
}

struct replay {
	struct engine *engine;
	struct outputs *outputs;
	uint64_t packets, half, calls;
};

static __attribute__((noreturn)) void die(const char *why)
{
	fprintf(stderr, "bench-heap: %s\n", why);
	exit(1);
}

static void on_record(void *ctx, const struct record *record)
{
	struct replay *r = ctx;

	outputs_write(r->outputs, record);
}

static int on_packet(void *ctx, const struct packet *pkt)
{
	struct replay *r = ctx;

	if (r->packets++ == r->half)
		r->calls = calls;
	if (r->engine)
		engine_packet(r->engine, pkt);
	return 0;
}

static void read_all(struct replay *r, const char *path)
{
	char error[256];
	struct source *s = file_open(&path, 1, error, sizeof error);

	if (!s)
		die(error);
	r->packets = 0;
	while (s->ops->poll(s, 0, on_packet, r) > 0)
		outputs_flush(r->outputs);
	if (*s->error)
		die(s->error);
	r->calls = calls - r->calls;
	s->ops->close(s);
}

int main(int argc, char **argv)
{
	static const struct view view;
	static const struct outputs_config outputs = {.view = &view};
	static const struct engine_config config;
	struct replay r = {0};
	struct engine_hooks hooks = {.ctx = &r, .record = on_record};
	char spec[64], error[256];

	if (argc != 3)
		return fputs("usage: bench-heap FORMAT FILE\n", stderr), 2;
	snprintf(spec, sizeof spec, strcmp(argv[1], "null") == 0 ? "%s" : "%s:/dev/null", argv[1]);
	r.outputs = outputs_new(&outputs);
	if (!r.outputs || outputs_add(r.outputs, spec, error, sizeof error) < 0)
		die("no such output");
	read_all(&r, argv[2]);
	r.half = r.packets / 2;
	r.engine = engine_new(&config, &hooks);
	if (!r.engine)
		die("out of memory");
	read_all(&r, argv[2]);
	engine_free(r.engine);
	outputs_close(r.outputs);
	fprintf(stderr, "%" PRIu64 " calls\n%" PRIu64 " packets\n", r.calls, r.packets - r.half);
	return 0;
}
