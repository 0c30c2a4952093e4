/* SPDX-License-Identifier: MIT */
/*
 * pcap-make: from a conversation that a person can read to a capture of it. The language is what `help` below says; the
 * same script gives the same bytes everywhere.
 *
 * Lines of one side in a row are one message (a write(2) of the sender). A message becomes segments of at most mss bytes,
 * and the other side acknowledges it with an empty segment. What the lines "lost", "late" and the like say is done to the
 * segments of the next message, which are counted from 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/h2.h"
#include "packet/linktype.h"

static const char help[] =
	"usage: pcap-make SCRIPT OUT      (\"-\": standard input, or output as pcapng; OUT is pcapng if it ends in .pcapng)\n"
	"\n"
	"  conn 10.0.0.1:51234 -> 10.0.0.2:80      a connection, with its handshake\n"
	"  c| GET / HTTP/1.1                       the client sends a line of text; CR LF is added\n"
	"  c| Host: example.com\n"
	"  c|\n"
	"  s> \"HTTP/1.1 200 OK\\r\\n\" \"x\" * 3000     the server sends strings (\\r \\n \\t \\0 \\xHH), repeated, or hex "
	"(0d0a)\n"
	"  wait 1.5ms                              time passes\n"
	"  fin s                                   and the other side acknowledges it\n"
	"\n"
	"Lines of one side in a row are one message; an empty line ends it. # begins a comment.\n"
	"\n"
	"HTTP/2: a line is a frame (capitals are RFC 9113's)\n"
	"  c: PREFACE                              the client's first bytes\n"
	"  c: HEADERS 1 END_STREAM :method=GET :path=/ \"user-agent=a b\"\n"
	"  s: DATA 1 END_STREAM \"strings\" 0d0a      also CONTINUATION, and types by number (0x0b 1 flags=0x1 \"x\")\n"
	"  s: DATA 1 grpc \"one\" grpcz \"two\"        messages of gRPC: their length goes before them; z: compressed\n"
	"  c: SETTINGS HEADER_TABLE_SIZE=0 99=1    SETTINGS ACK, PING \"12345678\", WINDOW_UPDATE 0 65535\n"
	"  c: RST_STREAM 1 CANCEL                  GOAWAY 5 NO_ERROR \"why\", PRIORITY 1 priority=0,16\n"
	"  s: PUSH_PROMISE 1 2 :method=GET         on stream 1 for stream 2\n"
	"Between stream and content there may be flags, and\n"
	"      pad=N                 padding\n"
	"      priority=[!]STREAM,WEIGHT\n"
	"      cut=N                 frames of at most N bytes of content; a header block goes on in CONTINUATION\n"
	"      open                  a header block without END_HEADERS\n"
	"      table=N               the encoder's table has this size from now on, and the block says so\n"
	"      never                 the fields are never indexed\n"
	"      raw                   strings and hex, not fields: the block as it is\n"
	"\n"
	"connections\n"
	"  conn [NAME] A:PORT -> B:PORT [WORD...]  IPv6 in brackets; the words are\n"
	"      mss=1460 isn=1000,2000 (client's, server's) vlan=10[,20] window=65535\n"
	"      mid     no handshake: the capture begins in the middle\n"
	"      only=c  only the client's packets are captured (only=s: the server's)\n"
	"      fast    no handshake yet: the first message of the client goes with its SYN\n"
	"      mute    nothing is acknowledged but by `ack`\n"
	"  on NAME, or NAME.c> and NAME.s| before a line: which connection is meant; else the one named last\n"
	"\n"
	"what befalls the segments of the next message (all of them, or those with the numbers given)\n"
	"  lost [N...]            they are sent but not captured\n"
	"  twice [N...]           captured twice\n"
	"  late K [N...]          captured K packets later\n"
	"  cut BYTES              only so many bytes of each packet are captured\n"
	"  fragment BYTES         IP fragments with at most so many bytes of payload\n"
	"  flags LETTERS          these TCP flags (FSRPAU) are set, too\n"
	"  quiet                  not acknowledged by an empty segment\n"
	"\n"
	"segments by hand (c or s says who sends)\n"
	"  c@OFFSET> DATA         at this offset of the stream, +N and -N from where it is now: retransmissions, overlaps\n"
	"  ack c [OFFSET]         an empty segment that acknowledges all, or all before an offset of the other stream\n"
	"  probe c                a keep-alive probe, and its answer\n"
	"  window c N             an empty segment; the window is N from now on\n"
	"  syn c, fin c, rst c    SYN (SYN and ACK of the server), FIN, RST\n"
	"  frame DATA             a packet as it is, link layer and all\n"
	"\n"
	"the capture\n"
	"  link ethernet          or raw sll sll2 null loop ppp: before the first packet\n"
	"  start TIME             seconds since 1970, or 2024-01-01T12:00:00Z (the default)\n"
	"  step 100us             between a packet and the next\n"
	"  snap BYTES             no more of any packet is captured; 0: all\n"
	"  iface NAME INDEX [c|s] pcapng: where it is captured; the host's end of the client's or the server's link\n";

static struct conn *conn_find(struct talk *t, const char *name)
{
	for (size_t i = t->n_conns; i > 0; i--)
		if (strcmp(t->conns[i - 1].name, name) == 0)
			return &t->conns[i - 1];
	talk_die(t, "no connection is called '%s'", name);
}

/* --- statements: each takes what follows its name --- */

static void endpoint(struct talk *t, struct conn *c, int side, char *w)
{
	bool six = *w == '[';
	char *colon = strrchr(w, ':'), *end = six ? strchr(w, ']') : colon;

	if (!colon || !end || (six && end + 1 != colon))
		talk_die(t, "'%s' is not ADDRESS:PORT", w);
	*end = '\0';
	c->port[side] = (uint16_t)number(t, colon + 1);
	if (side == SERVER && c->version != (six ? 6 : 4))
		talk_die(t, "one end speaks IPv4, the other IPv6");
	c->version = six ? 6 : 4;
	if (!six)
		memcpy(c->addr[side] + 10, "\xff\xff", 2);
	if (inet_pton(six ? AF_INET6 : AF_INET, w + six, c->addr[side] + (six ? 0 : 12)) != 1)
		talk_die(t, "'%s' is no address", w);
}

/* "KEY=A[,B]": B is A when it is not given. */
static void pair(struct talk *t, char *text, uint64_t v[2])
{
	char *comma = strchr(text, ',');

	if (comma)
		*comma = '\0';
	v[0] = number(t, text);
	v[1] = comma ? number(t, comma + 1) : v[0];
}

static void conn_word(struct talk *t, struct conn *c, char *w, bool *mid)
{
	char *value = strchr(w, '=');
	uint64_t v[2];

	if (strcmp(w, "mid") == 0) {
		*mid = true;
	} else if (strcmp(w, "fast") == 0) {
		c->fast = true;
	} else if (strcmp(w, "mute") == 0) {
		c->mute = true;
	} else if (value && strncmp(w, "only=", 5) == 0) {
		c->only = side_of(t, value + 1);
	} else if (value && strncmp(w, "vlan=", 5) == 0) {
		bool two = strchr(value, ',');

		pair(t, value + 1, v);
		c->tags[0] = (uint16_t)v[0];
		c->tags[1] = two ? (uint16_t)v[1] : 0;
	} else if (value && strncmp(w, "mss=", 4) == 0) {
		c->mss = (uint32_t)number(t, value + 1);
	} else if (value && strncmp(w, "window=", 7) == 0) {
		c->window[0] = c->window[1] = (uint32_t)number(t, value + 1);
	} else if (value && strncmp(w, "isn=", 4) == 0) {
		pair(t, value + 1, v);
		c->isn[0] = (uint32_t)v[0];
		c->isn[1] = (uint32_t)v[1];
	} else {
		talk_die(t, "'%s' is no word for a connection", w);
	}
	if (!c->mss)
		talk_die(t, "a segment carries a byte at least");
}

static void do_conn(struct talk *t, char *p)
{
	struct conn *c = &t->conns[t->n_conns];
	char *w = need(t, &p, "the client's ADDRESS:PORT");
	bool mid = false;

	if (t->n_conns++ == CONNS_MAX)
		talk_die(t, "more than %d connections", CONNS_MAX);
	*c = (struct conn){.mss = 1460, .isn = {1000, 2000}, .window = {65535, 65535}, .only = -1};
	if (!strchr(w, ':')) {
		snprintf(c->name, sizeof c->name, "%s", w);
		w = need(t, &p, "the client's ADDRESS:PORT");
	}
	endpoint(t, c, CLIENT, w);
	if (strcmp(need(t, &p, "'->'"), "->") != 0)
		talk_die(t, "'->' is missing");
	endpoint(t, c, SERVER, need(t, &p, "the server's ADDRESS:PORT"));
	while ((w = word(&p)))
		conn_word(t, c, w, &mid);
	t->on = c;
	if (!mid && !c->fast)
		conn_handshake(t, c);
}

static struct conn *on(struct talk *t)
{
	if (!t->on)
		talk_die(t, "there is no connection yet");
	return t->on;
}

static void do_on(struct talk *t, char *p)
{
	t->on = conn_find(t, need(t, &p, "the connection's name"));
}

static uint64_t segments(struct talk *t, char *p)
{
	uint64_t set = 0;
	char *w;

	while ((w = word(&p))) {
		uint64_t n = number(t, w);

		if (n < 1 || n > 63)
			talk_die(t, "segments are counted from 1 to 63");
		set |= UINT64_C(1) << n;
	}
	return set ? set : 1;
}

static void do_lost(struct talk *t, char *p)
{
	t->fate.lost = segments(t, p);
}

static void do_twice(struct talk *t, char *p)
{
	t->fate.twice = segments(t, p);
}

static void do_late(struct talk *t, char *p)
{
	t->fate.late_by = (unsigned)number(t, need(t, &p, "how many packets come first"));
	if (!t->fate.late_by)
		talk_die(t, "late by no packet is not late");
	t->fate.late = segments(t, p);
}

static void do_cut(struct talk *t, char *p)
{
	t->fate.cut = (uint32_t)number(t, need(t, &p, "how many bytes"));
}

static void do_fragment(struct talk *t, char *p)
{
	t->fate.fragment = (uint32_t)number(t, need(t, &p, "how many bytes"));
}

static void do_flags(struct talk *t, char *p)
{
	static const char letters[] = "FSRPAU";
	const char *at;

	for (const char *w = need(t, &p, "the flags"); *w; w++) {
		at = strchr(letters, *w);
		if (!at)
			talk_die(t, "'%c' is none of the flags %s", *w, letters);
		t->fate.flags |= (uint8_t)(1u << (at - letters));
	}
}

static void do_quiet(struct talk *t, char *p)
{
	(void)p;
	t->fate.quiet = true;
}

static int side(struct talk *t, char **p)
{
	return side_of(t, need(t, p, "c or s"));
}

static void do_ack(struct talk *t, char *p)
{
	struct conn *c = on(t);
	int s = side(t, &p);
	char *w = word(&p);

	c->acked[s] = w ? number(t, w) : c->at[!s];
	conn_empty(t, c, s, ACK);
}

static void do_probe(struct talk *t, char *p)
{
	struct conn *c = on(t);
	int s = side(t, &p);

	conn_segment(t, c, s, ACK, (int64_t)c->at[s] - 1, slice_of(NULL, 0), 0);
	conn_empty(t, c, !s, ACK);
}

static void do_window(struct talk *t, char *p)
{
	struct conn *c = on(t);
	int s = side(t, &p);

	c->window[s] = (uint32_t)number(t, need(t, &p, "the window"));
	conn_empty(t, c, s, ACK);
}

static void do_syn(struct talk *t, char *p)
{
	conn_syn(t, on(t), side(t, &p), slice_of(NULL, 0), 0);
}

static void do_fin(struct talk *t, char *p)
{
	conn_fin(t, on(t), side(t, &p));
}

static void do_rst(struct talk *t, char *p)
{
	conn_empty(t, on(t), side(t, &p), RST | ACK);
}

static void do_frame(struct talk *t, char *p)
{
	items(t, p);
	talk_capture(t, CLIENT, 0, slice_of(t->speech.p, t->speech.n));
	t->speech.n = 0;
}

static void do_wait(struct talk *t, char *p)
{
	t->now += duration(t, need(t, &p, "how long"));
}

static void do_step(struct talk *t, char *p)
{
	t->step = duration(t, need(t, &p, "how long"));
}

static void do_start(struct talk *t, char *p)
{
	char *w = need(t, &p, "the time"), *end;
	struct tm tm = {0};

	end = strptime(w, "%Y-%m-%dT%H:%M:%SZ", &tm);
	t->now = (end && !*end ? (uint64_t)timegm(&tm) : number(t, w)) * 1000000000;
}

static void do_snap(struct talk *t, char *p)
{
	t->snap = (uint32_t)number(t, need(t, &p, "how many bytes"));
}

static void do_link(struct talk *t, char *p)
{
	static const struct {
		const char *name;
		uint16_t link;
	} links[] = {{"ethernet", LINKTYPE_ETHERNET},
		     {"raw", LINKTYPE_RAW},
		     {"sll", LINKTYPE_LINUX_SLL},
		     {"sll2", LINKTYPE_LINUX_SLL2},
		     {"null", LINKTYPE_NULL},
		     {"loop", LINKTYPE_LOOP},
		     {"ppp", LINKTYPE_PPP}};
	const char *w = need(t, &p, "the link type");

	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (strcmp(w, links[i].name) == 0) {
			t->link = links[i].link;
			return;
		}
	talk_die(t, "'%s' is no link type that is made here", w);
}

static void do_iface(struct talk *t, char *p)
{
	char *w;

	t->has_iface = true;
	snprintf(t->iface.name, sizeof t->iface.name, "%s", need(t, &p, "the interface's name"));
	t->iface.index = (uint32_t)number(t, need(t, &p, "the interface's index"));
	w = word(&p);
	t->near = w ? side_of(t, w) : -1;
}

static const struct statement {
	const char *name;
	void (*run)(struct talk *t, char *rest);
} statements[] = {
	{"conn", do_conn},   {"on", do_on},       {"lost", do_lost},         {"twice", do_twice},
	{"late", do_late},   {"cut", do_cut},     {"fragment", do_fragment}, {"flags", do_flags},
	{"quiet", do_quiet}, {"ack", do_ack},     {"probe", do_probe},       {"window", do_window},
	{"syn", do_syn},     {"fin", do_fin},     {"rst", do_rst},           {"frame", do_frame},
	{"wait", do_wait},   {"step", do_step},   {"start", do_start},       {"snap", do_snap},
	{"link", do_link},   {"iface", do_iface},
};

static void statement(struct talk *t, char *p)
{
	const char *name = word(&p);

	for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
		if (strcmp(name, statements[i].name) == 0) {
			statements[i].run(t, p);
			return;
		}
	talk_die(t, "'%s' is no statement; pcap-make --help tells them all", name);
}

/* "12" is an offset of the stream, "+3" and "-5" count from where it is. */
static int64_t offset(struct talk *t, const struct conn *c, int s, const char *w)
{
	int64_t v;

	if (*w != '+' && *w != '-')
		return (int64_t)number(t, w);
	v = (int64_t)number(t, w + 1);
	return (int64_t)c->at[s] + (*w == '+' ? v : -v);
}

/* "[NAME.]c[@OFFSET]| text", "...> items" or "...: frame". False when the line is none of a message. */
static bool data_line(struct talk *t, char *line)
{
	char *mark = line + strcspn(line, "|>: \t"), kind = *mark, *at, *dot;
	struct speech *m = &t->speech;
	int s;

	if (!kind || !strchr("|>:", kind))
		return false;
	*mark++ = '\0';
	dot = strchr(line, '.');
	if (dot) {
		*dot = '\0';
		t->on = conn_find(t, line);
		line = dot + 1;
	}
	at = strchr(line, '@');
	if (at)
		*at++ = '\0';
	s = side_of(t, line);
	if (at || m->placed || m->conn != on(t) || m->side != s)
		speech_end(t);
	m->conn = t->on;
	m->side = s;
	m->placed = at;
	m->offset = at ? offset(t, t->on, s, at) : 0;
	if (kind == '>') {
		items(t, mark);
	} else if (kind == ':') {
		h2_line(t, mark);
	} else {
		mark += *mark == ' ';
		speech_add(t, mark, strlen(mark));
		speech_add(t, "\r\n", 2);
	}
	return true;
}

static void read_line(struct talk *t, char *line)
{
	t->line++;
	line[strcspn(line, "\n")] = '\0';
	line = skip_space(line);
	if (*line == '#' || data_line(t, line))
		return;
	speech_end(t);
	if (*line)
		statement(t, line);
}

int main(int argc, char **argv)
{
	static struct talk t = {.now = UINT64_C(1704110400000000000), .step = 100000, .link = LINKTYPE_ETHERNET, .near = -1};
	char *line = NULL, error[256];
	size_t room = 0;
	FILE *in;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(help, stdout) < 0;
	if (argc != 3)
		return fputs(help, stderr), 2;
	t.name = argv[1];
	in = strcmp(t.name, "-") == 0 ? stdin : fopen(t.name, "r");
	if (!in)
		talk_die(&t, "%s", strerror(errno));
	t.out = pcapwrite_open(&(struct pcapwrite_config){.path = argv[2]}, error, sizeof error);
	if (!t.out)
		talk_die(&t, "%s", error);
	while (getline(&line, &room, in) > 0)
		read_line(&t, line);
	talk_end(&t);
	if (pcapwrite_flush(t.out) < 0)
		talk_die(&t, "%s", pcapwrite_error(t.out));
	pcapwrite_close(t.out);
	free(line);
	fclose(in);
	return 0;
}
