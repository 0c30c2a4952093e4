/* SPDX-License-Identifier: MIT */
/* One capture file: its bytes through a window, its format found out from the first of them, its packets one by one. */
#ifndef PERISCO_CAPTURE_READER_H
#define PERISCO_CAPTURE_READER_H

#include "capture/pcapfile.h"
#include "capture/pcapng.h"
#include "capture/window.h"

struct reader {
	struct window window;
	const char *path; /* borrowed; "-" is standard input */
	enum { FORMAT_UNKNOWN, FORMAT_PCAP, FORMAT_PCAPNG } format;
	struct pcapfile pcap;
	struct pcapng pcapng;
	size_t want;      /* bytes that must be there for the next step */
	uint64_t begins;  /* offset of the record in hand */
	uint64_t packets; /* handed out */
	int failed;       /* negative errno: why nothing more comes */
	const char *why;  /* of failed == -EBADMSG; static */
	const char *cure; /* a program that can unpack the file; static or NULL */
};

/* Opens the file with a buffer of `size` bytes. 0 or a negative errno, which reader_explain can tell. */
int reader_open(struct reader *r, const char *path, size_t size);

/* Frees all but the losses that were not told yet. May be called again. */
void reader_close(struct reader *r);

/*
 * The next packet out of what was read, borrowed until the next call. Returns 1; 0 at the end; -EAGAIN when reader_fill must
 * be called first; -EBADMSG when the file ends in the middle of something or is broken from here on.
 */
int reader_next(struct reader *r, struct packet *ret);

/* Reads on: see window_fill. */
int reader_fill(struct reader *r, int timeout_ms);

/* Was the file's header read and understood? */
bool reader_begun(const struct reader *r);

/* Reports losses that the file tells of, each once. Returns 0, or what `fn` returned when that was negative. */
int reader_losses(struct reader *r, loss_fn fn, void *ctx);

/* One line for people about a failure: what, on what, and what to do. */
void reader_explain(const struct reader *r, char *line, size_t n);

#endif
