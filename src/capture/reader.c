/* SPDX-License-Identifier: MIT */
#include "capture/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int reader_fail(struct reader *r, int err, const char *why)
{
	r->failed = err;
	r->why = why;
	return err;
}

static int open_path(const char *path)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return -EISDIR;
	}
	return fd;
}

int reader_open(struct reader *r, const char *path, size_t size)
{
	int fd = open_path(path), err;

	*r = (struct reader){.path = path, .window.fd = fd};
	if (fd < 0)
		return reader_fail(r, fd, NULL);
	if (isatty(fd))
		return reader_fail(r, -EBADMSG, "is a terminal: pipe a capture into it");
	err = window_init(&r->window, fd, size);
	return err < 0 ? reader_fail(r, err, NULL) : 0;
}

void reader_close(struct reader *r)
{
	window_release(&r->window);
	pcapng_release(&r->pcapng);
}

bool reader_begun(const struct reader *r)
{
	return r->pcap.header != 0 || r->pcapng.in_section;
}

/* --- packets --- */

static const struct magic {
	struct slice bytes;
	const char *why, *cure;
} foreign[] = {
	{SLICE("\x1f\x8b"), "is gzip compressed", "zcat"},
	{SLICE("\x28\xb5\x2f\xfd"), "is zstd compressed", "zstdcat"},
	{SLICE("\xfd"
	       "7zXZ"),
	 "is xz compressed", "xzcat"},
	{SLICE("BZh"), "is bzip2 compressed", "bzcat"},
	{SLICE("\x04\x22\x4d\x18"), "is lz4 compressed", "lz4cat"},
	{SLICE("snoop\0\0\0"), "is a snoop capture: convert it with editcap -F pcapng", NULL},
};

static const char *reader_foreign(struct reader *r, struct slice in)
{
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
		if (slice_starts(in, foreign[i].bytes)) {
			r->cure = foreign[i].cure;
			return foreign[i].why;
		}
	return in.n ? "is no capture file, neither pcap nor pcapng" : "is empty: not even the header of a capture is in it";
}

static enum parsed reader_format(struct reader *r, struct slice in, size_t *n)
{
	*n = 8;
	if (in.n < *n && !r->window.over)
		return PARSED_MORE;
	if (in.n >= 4 && pcapfile_is(in.p))
		r->format = FORMAT_PCAP;
	else if (in.n >= 4 && pcapng_is(in.p))
		r->format = FORMAT_PCAPNG;
	if (r->format == FORMAT_UNKNOWN) {
		r->why = reader_foreign(r, in);
		return PARSED_BROKEN;
	}
	*n = 0;
	return PARSED_OTHER;
}

static enum parsed reader_parse(struct reader *r, struct slice in, struct packet *ret, size_t *n)
{
	switch (r->format) {
	case FORMAT_PCAP:
		return pcapfile_next(&r->pcap, in, ret, n);
	case FORMAT_PCAPNG:
		return pcapng_next(&r->pcapng, in, ret, n);
	default:
		return reader_format(r, in, n);
	}
}

static const char *reader_why(const struct reader *r)
{
	return r->format == FORMAT_PCAP ? r->pcap.why : r->format == FORMAT_PCAPNG ? r->pcapng.why : r->why;
}

static int reader_more(struct reader *r, struct slice in, size_t want)
{
	r->want = want;
	if (!r->window.over)
		return -EAGAIN;
	if (in.n == 0 && r->window.skip == 0)
		return 0;
	return reader_fail(r, -EBADMSG, NULL);
}

/* Not inlined, so that the usual step needs no room for what the formats' parsers keep at hand. */
static __attribute__((noinline)) int reader_search(struct reader *r, struct packet *ret)
{
	size_t n;

	while (!r->failed) {
		struct slice in = window_bytes(&r->window);
		enum parsed parsed = reader_parse(r, in, ret, &n);

		if (parsed == PARSED_PACKET) {
			window_use(&r->window, n);
			r->packets++;
			return 1;
		}
		if (!r->window.skip)
			r->begins = window_offset(&r->window);
		if (parsed == PARSED_MORE)
			return reader_more(r, in, n);
		if (parsed == PARSED_BROKEN)
			reader_fail(r, -EBADMSG, reader_why(r));
		else
			window_use(&r->window, n);
	}
	return r->failed;
}

int reader_next(struct reader *r, struct packet *ret)
{
	size_t n = pcapfile_usual(&r->pcap, window_bytes(&r->window), ret);

	if (!n || r->failed)
		return reader_search(r, ret);
	r->window.at += n;
	r->packets++;
	return 1;
}

int reader_fill(struct reader *r, int timeout_ms)
{
	int err = window_fill(&r->window, r->want, timeout_ms);

	return err < 0 ? reader_fail(r, err, NULL) : err;
}

int reader_losses(struct reader *r, loss_fn fn, void *ctx)
{
	int err = 0;

	for (size_t i = 0; i < r->pcapng.n_losses && err >= 0; i++) {
		struct pcapng_loss *l = &r->pcapng.losses[i];

		l->loss.ifname = l->ifname;
		err = fn(ctx, &l->loss);
	}
	r->pcapng.n_losses = 0;
	return err < 0 ? err : 0;
}

/* --- complaints --- */

static const char *advice(int err)
{
	switch (-err) {
	case EACCES:
	case EPERM:
		return "; only its owner and root may read it";
	case EISDIR:
		return "; name the files in it";
	case EMFILE:
		return "; raise the limit (ulimit -n) or merge some files first (mergecap)";
	default:
		return "";
	}
}

/* The file's name for people: quoted, or what "-" stands for. */
static void reader_name(const struct reader *r, char *name, size_t n)
{
	if (strcmp(r->path, "-") == 0)
		snprintf(name, n, "standard input");
	else
		snprintf(name, n, "'%s'", r->path);
}

static void explain_content(const struct reader *r, const char *name, char *line, size_t n)
{
	unsigned long long at = r->begins, packets = r->packets;

	if (!reader_begun(r) && r->cure && strcmp(r->path, "-") == 0)
		snprintf(line, n, "%s %s: put %s in front of perisco", name, r->why, r->cure);
	else if (!reader_begun(r) && r->cure)
		snprintf(line, n, "%s %s: use %s %s | perisco replay -", name, r->why, r->cure, name);
	else if (!reader_begun(r) && r->why)
		snprintf(line, n, "%s %s", name, r->why);
	else if (r->why)
		snprintf(line, n, "%s is broken at byte %llu, after %llu packets: %s", name, at, packets, r->why);
	else
		snprintf(line, n, "%s ends in the middle of a record that begins at byte %llu, after %llu packets", name, at,
			 packets);
}

void reader_explain(const struct reader *r, char *line, size_t n)
{
	char name[160];

	reader_name(r, name, sizeof name);
	if (r->failed == -EBADMSG)
		explain_content(r, name, line, n);
	else
		snprintf(line, n, "cannot read %s: %s%s", name, strerror(-r->failed), advice(r->failed));
}
