/* SPDX-License-Identifier: MIT */
/*
 * bench-floor: what a replay can not be cheaper than, to compare with.
 *   libpcap FILE   a loop of libpcap that looks at no packet
 *   llhttp FILE    headers are walked, and what is in order goes to llhttp, with callbacks that do nothing: one pass, no
 *                  copy, no reassembly, no records; for Ethernet, IPv4 and pcap files of this machine only
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <llhttp.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/craft.h"

enum { BUFFER = 256 << 10, FILE_HEADER = 24, RECORD_HEADER = 16, ETHERNET_HEADER = 14, SLOTS = 1 << 20 };

static uint64_t packets, bytes, exchanges;

static __attribute__((noreturn)) void die(const char *what, const char *why)
{
	fprintf(stderr, "bench-floor: %s: %s\n", what, why);
	exit(1);
}

static void on_pcap(u_char *ctx, const struct pcap_pkthdr *h, const u_char *data)
{
	(void)ctx;
	(void)data;
	packets++;
	bytes += h->len;
}

static void libpcap(const char *path)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = pcap_open_offline(path, error);

	if (!p)
		die(path, error);
	if (pcap_loop(p, -1, on_pcap, NULL) < 0)
		die(path, pcap_geterr(p));
	pcap_close(p);
}

/* --- one direction of a connection, found by its addresses and ports --- */

struct flow {
	uint64_t key[2];
	uint32_t next;
	bool begun, broken;
	llhttp_t parser;
};

static struct flow *flows; /* the first is none */
static uint32_t *slots, n_flows;
static llhttp_settings_t settings;

static int on_span(llhttp_t *p, const char *at, size_t n)
{
	(void)p;
	(void)at;
	(void)n;
	return 0;
}

static int on_message_complete(llhttp_t *p)
{
	exchanges += p->type == HTTP_RESPONSE;
	return 0;
}

static struct flow *flow_find(const uint64_t key[2])
{
	uint64_t at = (key[0] ^ key[1] * 0x9e3779b97f4a7c15) * 0xc2b2ae3d27d4eb4f >> 32;
	uint32_t *slot;
	struct flow *f;

	for (;; at++) {
		slot = &slots[at % SLOTS];
		f = &flows[*slot];
		if (!*slot)
			break;
		if (f->key[0] == key[0] && f->key[1] == key[1])
			return f;
	}
	if (n_flows == SLOTS / 2)
		die("too many connections", "");
	*slot = ++n_flows;
	f = &flows[n_flows];
	f->key[0] = key[0];
	f->key[1] = key[1];
	return f;
}

static void flow_feed(struct flow *f, struct slice in)
{
	if (!f->begun) {
		llhttp_init(&f->parser, slice_starts(in, SLICE("HTTP/")) ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
		llhttp_set_lenient_keep_alive(&f->parser, 1);
		f->begun = true;
	}
	f->broken = f->broken || llhttp_execute(&f->parser, (const char *)in.p, in.n) != HPE_OK;
}

/* A segment in order is parsed, of an old one what is new; where bytes are missing it goes on without them. */
static void on_segment(struct flow *f, const uint8_t *tcp, struct slice in)
{
	uint32_t seq = craft_get32(tcp + 4), old;

	if (tcp[13] & TCP_SYN) {
		f->next = seq + 1;
		f->begun = f->broken = false;
		return;
	}
	if (!in.n)
		return;
	old = f->begun ? f->next - seq : 0;
	if ((int32_t)old < 0)
		old = 0;
	in = slice_from(in, old);
	f->next = seq + old + (uint32_t)in.n;
	if (in.n)
		flow_feed(f, in);
}

static void on_packet(struct slice data)
{
	const uint8_t *ip = data.p + ETHERNET_HEADER, *tcp;
	size_t header, total;
	uint64_t key[2];

	packets++;
	bytes += data.n;
	if (data.n < ETHERNET_HEADER + IP4_HEADER + TCP_HEADER || craft_get16(data.p + 12) != 0x0800 || ip[9] != 6)
		return;
	header = (ip[0] & 15u) * 4;
	tcp = ip + header;
	total = craft_get16(ip + 2);
	header += (tcp[12] >> 4) * 4u;
	if (total < header || ETHERNET_HEADER + total > data.n)
		return;
	memcpy(&key[0], ip + 12, 8);
	key[1] = craft_get32(tcp);
	on_segment(flow_find(key), tcp, slice_of(ip + header, total - header));
}

/* --- the file --- */

static size_t fill(int fd, const char *path, uint8_t *buffer, size_t n)
{
	ssize_t got = read(fd, buffer, n);

	if (got < 0)
		die(path, strerror(errno));
	return (size_t)got;
}

/* Packets that are whole in these bytes; returns how many bytes they took. */
static size_t walk(struct slice in)
{
	size_t at = 0;
	uint32_t n;

	while (in.n - at >= RECORD_HEADER) {
		memcpy(&n, in.p + at + 8, sizeof n);
		if (in.n - at - RECORD_HEADER < n)
			break;
		on_packet(slice_of(in.p + at + RECORD_HEADER, n));
		at += RECORD_HEADER + n;
	}
	return at;
}

static void llhttp(const char *path)
{
	uint8_t *buffer = malloc(BUFFER);
	int fd = open(path, O_RDONLY);
	size_t have, got, used;

	flows = calloc(SLOTS / 2 + 1, sizeof *flows);
	slots = calloc(SLOTS, sizeof *slots);
	if (fd < 0 || !buffer || !flows || !slots)
		die(path, strerror(errno));
	llhttp_settings_init(&settings);
	settings.on_url = settings.on_header_field = settings.on_header_value = settings.on_body = on_span;
	settings.on_message_complete = on_message_complete;
	have = fill(fd, path, buffer, FILE_HEADER);
	if (have < FILE_HEADER)
		die(path, "no pcap file");
	for (have = 0; (got = fill(fd, path, buffer + have, BUFFER - have)) > 0;) {
		have += got;
		used = walk(slice_of(buffer, have));
		have -= used;
		memmove(buffer, buffer + used, have);
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "libpcap") == 0)
		libpcap(argv[2]);
	else if (argc == 3 && strcmp(argv[1], "llhttp") == 0)
		llhttp(argv[2]);
	else
		return fputs("usage: bench-floor libpcap|llhttp FILE\n", stderr), 2;
	fprintf(stderr, "%" PRIu64 " exchanges\n%" PRIu64 " packets\n%" PRIu64 " bytes\n", exchanges, packets, bytes);
	return 0;
}
