/* SPDX-License-Identifier: MIT */
/*
 * bench-make: captures to measure with, as large as you like and the same bytes everywhere.
 *   bench-make KIND MEGABYTES OUT      OUT "-" is standard output
 * Segments are as Linux sends them: with time stamps, data acknowledging data, every other full segment acknowledged.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/craft.h"
#include "output/pcapwrite.h"
#include "packet/linktype.h"

enum { CLIENT, SERVER };
enum { FIN = TCP_FIN, SYN = TCP_SYN, PSH = TCP_PSH, ACK = TCP_ACK };
enum { MSS = 1448, OPTIONS = 12, RECORD_HEADER = 16, CONNS = 64, BATCH = 16, CHUNK = 16384 };

struct conn {
	uint8_t addr[2][16];
	uint16_t port[2];
	uint32_t seq[2]; /* of the next byte a side sends */
	uint32_t number;
};

/* What is to be sent at once, and cut into segments. */
struct speech {
	size_t n;
	char text[96 << 10];
};

static struct pcapwrite *out;
static struct craft packet = {.version = 4};
static struct speech speech;
static uint64_t now = UINT64_C(1704110400000000000), written, exchanges;
static uint32_t conns;

static __attribute__((noreturn)) void die(const char *why)
{
	fprintf(stderr, "bench-make: %s\n", why);
	exit(1);
}

/* --- packets --- */

static void put_options(uint8_t *p)
{
	static const uint8_t usual[4] = {1, 1, 8, 10};

	memcpy(p, usual, sizeof usual);
	craft_put32(p + 4, (uint32_t)(now / 1000000));
	craft_put32(p + 8, (uint32_t)(now / 1000000));
}

static void capture(void)
{
	struct packet pkt = {.ts_ns = now, .wire_len = (uint32_t)packet.n, .link = LINKTYPE_ETHERNET,
			     .data = slice_of(packet.bytes, packet.n)};

	if (pcapwrite_packet(out, NULL, &pkt) < 0)
		die(pcapwrite_error(out));
	written += RECORD_HEADER + packet.n;
	now += 5000;
}

static void segment(struct conn *c, int side, uint8_t flags, struct slice data)
{
	static const uint16_t untagged[2];
	uint8_t *tcp;

	packet.n = 0;
	craft_link(&packet, LINKTYPE_ETHERNET, c->addr[side], c->addr[!side], untagged);
	craft_ip(&packet, c->addr[side], c->addr[!side], (uint16_t)c->seq[side]);
	packet.tcp = packet.n;
	tcp = craft_add(&packet, TCP_HEADER + OPTIONS);
	craft_put16(tcp, c->port[side]);
	craft_put16(tcp + 2, c->port[!side]);
	craft_put32(tcp + 4, c->seq[side]);
	craft_put32(tcp + 8, flags & ACK ? c->seq[!side] : 0);
	tcp[12] = (TCP_HEADER + OPTIONS) / 4 << 4;
	tcp[13] = flags;
	craft_put16(tcp + 14, 502);
	put_options(tcp + TCP_HEADER);
	if (data.n)
		memcpy(craft_add(&packet, data.n), data.p, data.n);
	craft_finish(&packet);
	capture();
	c->seq[side] += (uint32_t)data.n + (flags & (SYN | FIN) ? 1 : 0);
}

static void empty(struct conn *c, int side, uint8_t flags)
{
	segment(c, side, flags, slice_of(NULL, 0));
}

/* The `n`th connection there is; its client's address and port follow from that. */
static void handshake(struct conn *c)
{
	uint32_t n = conns++;

	*c = (struct conn){.port = {(uint16_t)(20000 + n % 40000), 8080}, .number = n};
	for (int side = 0; side < 2; side++) {
		memcpy(c->addr[side] + 10, "\xff\xff\x0a\x01", 4);
		c->seq[side] = (n * 2 + (uint32_t)side + 1) * 2654435761u;
	}
	craft_put16(c->addr[CLIENT] + 14, 257 + n / 40000);
	craft_put16(c->addr[SERVER] + 14, 2);
	empty(c, CLIENT, SYN);
	empty(c, SERVER, SYN | ACK);
	empty(c, CLIENT, ACK);
}

static void goodbye(struct conn *c)
{
	empty(c, SERVER, FIN | ACK);
	empty(c, CLIENT, FIN | ACK);
	empty(c, SERVER, ACK);
}

/* --- messages --- */

/* Sends what was said, in segments; each second full one is acknowledged, as is the last if nothing answers it. */
static void send(struct conn *c, int side, bool answered)
{
	unsigned full = 0;

	for (size_t at = 0; at < speech.n;) {
		struct slice data = slice_first(slice_of(speech.text + at, speech.n - at), MSS);
		bool last = (at += data.n) == speech.n;

		segment(c, side, last ? ACK | PSH : ACK, data);
		if (data.n == MSS && ++full % 2 == 0 && !last)
			empty(c, !side, ACK);
		if (last && !answered)
			empty(c, !side, ACK);
	}
	speech.n = 0;
}

#define SAY(...) (speech.n += (size_t)snprintf(speech.text + speech.n, sizeof speech.text - speech.n, __VA_ARGS__))

static void say_fill(size_t n)
{
	memset(speech.text + speech.n, 'x', n);
	speech.n += n;
}

static void say_request(void)
{
	uint64_t n = exchanges++;

	SAY("GET /api/v1/items/%" PRIu64 "?page=%" PRIu64 "&size=20 HTTP/1.1\r\n", n * 7919 % 100000, n % 50);
	SAY("Host: shop.example.com:8080\r\n"
	    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101\r\n"
	    "Accept: application/json, text/plain, */*\r\n"
	    "Accept-Encoding: gzip, deflate\r\n"
	    "X-Request-Id: %016" PRIx64 "\r\n\r\n",
	    n * 0x9e3779b97f4a7c15);
}

/* The head of a response up to its framing. */
static void say_head(void)
{
	SAY("HTTP/1.1 200 OK\r\n"
	    "Server: nginx/1.22.1\r\n"
	    "Date: Mon, 01 Jan 2024 12:%02" PRIu64 ":%02" PRIu64 " GMT\r\n"
	    "Content-Type: application/json\r\n"
	    "Cache-Control: no-store\r\n",
	    exchanges / 60 % 60, exchanges % 60);
}

static void say_response(const char *connection)
{
	static size_t said;
	size_t body = 16 + ++said * 31 % 120;

	say_head();
	SAY("Connection: %s\r\nContent-Length: %zu\r\n\r\n", connection, body);
	say_fill(body);
}

/* --- captures --- */

/* On connections that stay, each waits for its answer; others talk in between. */
static void make_small(uint64_t size)
{
	static struct conn conn[CONNS];

	for (uint64_t n = 0; written < size || n % CONNS; n++) {
		struct conn *asks = &conn[n % CONNS], *answers = &conn[(n + CONNS / 2) % CONNS];

		if (n < CONNS)
			handshake(asks);
		say_request();
		send(asks, CLIENT, true);
		if (n < CONNS / 2)
			continue;
		say_response("keep-alive");
		send(answers, SERVER, true);
	}
	for (unsigned i = CONNS / 2; i < CONNS; i++) {
		say_response("keep-alive");
		send(&conn[i], SERVER, false);
	}
}

/* Many requests at once, and then all the answers: messages begin and end anywhere in segments. */
static void make_pipelined(uint64_t size)
{
	static struct conn conn[CONNS];

	for (uint64_t n = 0; written < size; n++) {
		struct conn *c = &conn[n % CONNS];

		if (n < CONNS)
			handshake(c);
		for (unsigned i = 0; i < BATCH; i++)
			say_request();
		send(c, CLIENT, true);
		for (unsigned i = 0; i < BATCH; i++)
			say_response("keep-alive");
		send(c, SERVER, false);
	}
}

/* A connection for each exchange. */
static void make_short(uint64_t size)
{
	struct conn c;

	while (written < size) {
		handshake(&c);
		say_request();
		send(&c, CLIENT, false);
		say_response("close");
		send(&c, SERVER, false);
		goodbye(&c);
	}
}

/* Content of some megabytes, its length said before or chunk by chunk; eight connections at a time. */
static void make_large(uint64_t size)
{
	static struct conn conn[8];
	unsigned chunks = 256;

	for (unsigned i = 0; i < 8; i++)
		handshake(&conn[i]);
	while (written < size) {
		for (unsigned i = 0; i < 8; i++) {
			say_request();
			send(&conn[i], CLIENT, true);
			say_head();
			if (i % 2)
				SAY("Transfer-Encoding: chunked\r\n\r\n");
			else
				SAY("Content-Length: %u\r\n\r\n", chunks * CHUNK);
			send(&conn[i], SERVER, false);
		}
		for (unsigned k = 0; k <= chunks; k++)
			for (unsigned i = 0; i < 8; i++) {
				if (i % 2)
					SAY("%x\r\n", k < chunks ? CHUNK : 0);
				if (k < chunks)
					say_fill(CHUNK);
				if (i % 2)
					SAY("\r\n");
				send(&conn[i], SERVER, false);
			}
	}
}

/* 100,000 connections that stay, after an exchange each. */
static void make_open(uint64_t size)
{
	struct conn c;

	(void)size;
	while (conns < 100000) {
		handshake(&c);
		say_request();
		send(&c, CLIENT, true);
		say_response("keep-alive");
		send(&c, SERVER, false);
	}
}

static const struct kind {
	const char *name;
	void (*make)(uint64_t size);
} kinds[] = {
	{"small", make_small}, {"pipelined", make_pipelined}, {"short", make_short}, {"large", make_large}, {"open", make_open},
};

int main(int argc, char **argv)
{
	char error[256];

	if (argc != 4)
		return fputs("usage: bench-make KIND MEGABYTES OUT\n", stderr), 2;
	out = pcapwrite_open(&(struct pcapwrite_config){.path = argv[3]}, error, sizeof error);
	if (!out)
		die(error);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			kinds[i].make(strtoull(argv[2], NULL, 10) * 1000000);
	if (!exchanges)
		die("a capture is small, pipelined, short, large or open");
	if (pcapwrite_close(out) < 0)
		die("the capture could not be written");
	return 0;
}
