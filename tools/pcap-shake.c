/* SPDX-License-Identifier: MIT */
/*
 * pcap-shake: what a network may do to a capture without changing what was said. TCP segments with payload are reordered,
 * doubled, lost and cut into smaller ones, by chance, but by the same chance for the same seed. Packets keep their time
 * stamps, so that a decoder which minds only these must give the same records (but for what is lost).
 *
 * A segment is late only as far as a network may make it: less than a second, never behind an acknowledgement of it, nor
 * behind a SYN, FIN or RST of its connection.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "capture/file.h"
#include "lib/craft.h"
#include "output/pcapwrite.h"
#include "packet/decode.h"

static const char help[] =
	"usage: pcap-shake [OPTION...] IN OUT    (\"-\": standard input, or output as pcapng; OUT is pcapng if it ends in .pcapng)\n"
	"\n"
	"  -s, --seed N         of the chances (1)\n"
	"  -r, --reorder RATE   segments that are late, 0 to 1\n"
	"  -d, --double RATE    segments that come twice\n"
	"  -l, --lose RATE      segments that do not come\n"
	"  -k, --distance K     late ones, and second ones, come at most K packets later (8)\n"
	"      --split N        cut segments into pieces of N bytes\n"
	"      --split-once N   cut segments that are longer in two, behind the first N bytes\n"
	"      --wild           late even behind acknowledgements\n";

#define LATE_MAX_NS UINT64_C(1000000000)

/* A packet that is to come later. */
struct held {
	struct list link;
	struct packet pkt;
	struct flow_key key;
	uint8_t side;
	uint32_t end;   /* sequence number behind it */
	unsigned after; /* packets that come first */
	uint8_t bytes[];
};

struct shake {
	double reorder, twice, lose;
	unsigned distance;
	uint32_t split;
	bool once, wild;
	uint64_t seed, random;
	struct decoder *decoder;
	struct pcapwrite *out;
	struct list held;
	uint64_t in, written, late, doubled, lost, pieces, whole;
};

/* splitmix64 */
static uint64_t draw(struct shake *s)
{
	uint64_t x = s->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static bool chance(struct shake *s, double rate)
{
	return (double)(draw(s) >> 11) / (double)(UINT64_C(1) << 53) < rate;
}

static unsigned distance(struct shake *s)
{
	return 1 + (unsigned)(draw(s) % s->distance);
}

static void put(struct shake *s, const struct packet *pkt)
{
	if (pcapwrite_packet(s->out, NULL, pkt) < 0) {
		fprintf(stderr, "pcap-shake: %s\n", pcapwrite_error(s->out));
		exit(1);
	}
	s->written++;
}

/* --- packets that come later --- */

static void hold(struct shake *s, const struct packet *pkt, const struct segment *seg)
{
	struct held *h = malloc(sizeof *h + pkt->data.n);

	if (!h) {
		fputs("pcap-shake: out of memory\n", stderr);
		exit(1);
	}
	h->pkt = *pkt;
	h->pkt.iface = pcapwrite_iface(s->out, pkt);
	h->pkt.data.p = memcpy(h->bytes, pkt->data.p, pkt->data.n);
	h->key = seg->key;
	h->side = seg->side;
	h->end = seg->seq + (uint32_t)seg->payload.n + seg->cut;
	h->after = distance(s);
	list_append(&s->held, &h->link);
}

static void let_out(struct shake *s, struct held *h)
{
	put(s, &h->pkt);
	list_remove(&h->link);
	free(h);
}

/* May a packet of that time, with `seg` in it if that is not NULL, only come after this one? */
static bool must_follow(const struct shake *s, const struct held *h, uint64_t ts_ns, const struct segment *seg)
{
	if (ts_ns >= h->pkt.ts_ns + LATE_MAX_NS)
		return true;
	if (s->wild || !seg || memcmp(&h->key, &seg->key, sizeof h->key) != 0)
		return false;
	if (seg->flags & (TCP_SYN | TCP_FIN | TCP_RST))
		return true;
	return seg->side != h->side && seg->flags & TCP_ACK && (int32_t)(seg->ack - h->end) >= 0;
}

/* That packet comes next: lets out what must come before it. */
static void let_out_before(struct shake *s, uint64_t ts_ns, const struct segment *seg)
{
	for (struct list *at = s->held.next, *next; at != &s->held; at = next) {
		next = at->next;
		if (must_follow(s, container_of(at, struct held, link), ts_ns, seg))
			let_out(s, container_of(at, struct held, link));
	}
}

/* A packet has come: lets out those that waited long enough. */
static void tick(struct shake *s)
{
	for (struct list *at = s->held.next, *next; at != &s->held; at = next) {
		struct held *h = container_of(at, struct held, link);

		next = at->next;
		if (--h->after == 0)
			let_out(s, h);
	}
}

/* --- one packet --- */

/* A segment with payload, or a piece of one. */
static void shake_piece(struct shake *s, const struct packet *pkt, const struct segment *seg)
{
	let_out_before(s, pkt->ts_ns, seg);
	if (chance(s, s->lose)) {
		s->lost++;
		return;
	}
	if (chance(s, s->reorder)) {
		s->late++;
		hold(s, pkt, seg);
		return;
	}
	put(s, pkt);
	tick(s);
	if (chance(s, s->twice)) {
		s->doubled++;
		hold(s, pkt, seg);
	}
}

/* One piece of a segment: the headers of the whole, other numbers. */
static void shake_cut(struct shake *s, const struct packet *pkt, const struct craft *whole, struct segment seg, uint32_t at,
		      uint32_t n)
{
	static struct craft c;
	struct packet piece = *pkt;
	size_t headers = whole->tcp + (whole->bytes[whole->tcp + 12] >> 4) * 4u;
	bool last = at + n == seg.payload.n;

	c = *whole;
	c.n = headers + n;
	memcpy(c.bytes + headers, seg.payload.p + at, n);
	craft_put32(c.bytes + c.tcp + 4, seg.seq + at);
	if (!last)
		c.bytes[c.tcp + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	craft_finish(&c);
	seg.flags = c.bytes[c.tcp + 13];
	seg.seq += at;
	seg.payload = slice_of(seg.payload.p + at, n);
	piece.data = slice_of(c.bytes, c.n);
	piece.wire_len = (uint32_t)c.n;
	shake_piece(s, &piece, &seg);
}

/* Can it be cut? Then *c is the packet with its headers found. */
static bool is_divisible(const struct packet *pkt, const struct segment *seg, struct craft *c)
{
	return !seg->cut && !seg->reassembled && !(seg->flags & (TCP_SYN | TCP_URG)) && craft_from(c, pkt) &&
	       pkt->data.p + c->tcp + (c->bytes[c->tcp + 12] >> 4) * 4u == seg->payload.p;
}

static void shake_segment(struct shake *s, const struct packet *pkt, const struct segment *seg)
{
	static struct craft whole;
	uint32_t total = (uint32_t)seg->payload.n;

	if (!s->split || total <= s->split) {
		shake_piece(s, pkt, seg);
		return;
	}
	if (!is_divisible(pkt, seg, &whole)) {
		s->whole++;
		shake_piece(s, pkt, seg);
		return;
	}
	for (uint32_t at = 0, n; at < total; at += n, s->pieces++) {
		n = s->once && at ? total - at : s->split;
		if (n > total - at)
			n = total - at;
		shake_cut(s, pkt, &whole, *seg, at, n);
	}
}

static int shake_packet(void *ctx, const struct packet *pkt)
{
	struct shake *s = ctx;
	struct segment seg;
	enum decoded decoded = packet_decode(s->decoder, pkt, &seg);

	s->in++;
	if (decoded == DECODED_TCP && seg.payload.n && !seg.reassembled) {
		shake_segment(s, pkt, &seg);
		return 0;
	}
	let_out_before(s, pkt->ts_ns, decoded == DECODED_TCP ? &seg : NULL);
	put(s, pkt);
	tick(s);
	return 0;
}

static int shake_loss(void *ctx, const struct loss *loss)
{
	const struct loss_record record = {loss->cause, loss->packets, loss->bytes, loss->cpu};
	struct shake *s = ctx;

	return pcapwrite_loss(s->out, loss->ts_ns, &record, loss->ifindex, loss->ifname);
}

/* --- the whole --- */

static double rate(const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !(v >= 0 && v <= 1)) {
		fprintf(stderr, "pcap-shake: '%s' is no rate from 0 to 1\n", text);
		exit(2);
	}
	return v;
}

static uint64_t number(const char *text, uint64_t most)
{
	char *end;
	uint64_t v = strtoull(text, &end, 0);

	if (*text < '0' || *text > '9' || *end || v > most) {
		fprintf(stderr, "pcap-shake: '%s' is no number, or too large\n", text);
		exit(2);
	}
	return v;
}

enum { OPT_SPLIT = 256, OPT_SPLIT_ONCE, OPT_WILD };

static void parse(struct shake *s, int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", required_argument, NULL, 's'},
		{"reorder", required_argument, NULL, 'r'},
		{"double", required_argument, NULL, 'd'},
		{"lose", required_argument, NULL, 'l'},
		{"distance", required_argument, NULL, 'k'},
		{"split", required_argument, NULL, OPT_SPLIT},
		{"split-once", required_argument, NULL, OPT_SPLIT_ONCE},
		{"wild", no_argument, NULL, OPT_WILD},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "s:r:d:l:k:h", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			s->seed = number(optarg, UINT64_MAX);
			break;
		case 'r':
			s->reorder = rate(optarg);
			break;
		case 'd':
			s->twice = rate(optarg);
			break;
		case 'l':
			s->lose = rate(optarg);
			break;
		case 'k':
			s->distance = (unsigned)number(optarg, 1000);
			break;
		case OPT_SPLIT_ONCE:
		case OPT_SPLIT:
			s->split = (uint32_t)number(optarg, UINT32_MAX);
			s->once = c == OPT_SPLIT_ONCE;
			break;
		case OPT_WILD:
			s->wild = true;
			break;
		default:
			fputs(help, c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (argc - optind != 2 || !s->distance) {
		fputs(help, stderr);
		exit(2);
	}
}

static int run(struct shake *s, struct source *in)
{
	int err;

	while ((err = in->ops->poll(in, -1, shake_packet, s)) > 0)
		in->ops->losses(in, shake_loss, s);
	in->ops->losses(in, shake_loss, s);
	let_out_before(s, UINT64_MAX, NULL);
	if (err < 0)
		fprintf(stderr, "pcap-shake: %s\n", in->error);
	in->ops->close(in);
	return err;
}

int main(int argc, char **argv)
{
	struct shake s = {.distance = 8, .seed = 1};
	struct pool *pool = pool_new(16 << 20, NULL, NULL);
	struct stats stats = {0};
	struct source *in;
	char error[256];
	int err;

	parse(&s, argc, argv);
	s.random = s.seed;
	list_init(&s.held);
	in = file_open((const char *const[]){argv[optind]}, 1, error, sizeof error);
	s.out = in ? pcapwrite_open(&(struct pcapwrite_config){.path = argv[optind + 1]}, error, sizeof error) : NULL;
	s.decoder = pool ? decoder_new(pool, &stats) : NULL;
	if (!s.out || !s.decoder) {
		fprintf(stderr, "pcap-shake: %s\n", in && s.out ? "out of memory" : error);
		return 1;
	}
	err = run(&s, in);
	if (pcapwrite_flush(s.out) < 0) {
		fprintf(stderr, "pcap-shake: %s\n", pcapwrite_error(s.out));
		err = -EIO;
	}
	pcapwrite_close(s.out);
	decoder_free(s.decoder);
	pool_free(pool);
	fprintf(stderr,
		"pcap-shake: seed %llu: %llu packets became %llu: %llu pieces, %llu late, %llu doubled, %llu lost; "
		"%llu segments could not be cut\n",
		(unsigned long long)s.seed, (unsigned long long)s.in, (unsigned long long)s.written, (unsigned long long)s.pieces,
		(unsigned long long)s.late, (unsigned long long)s.doubled, (unsigned long long)s.lost,
		(unsigned long long)s.whole);
	return err < 0;
}
