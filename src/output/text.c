/* SPDX-License-Identifier: MIT */
/*
 * One line a record, for people. A column is as wide as its widest value so far, within bounds: lines align, and a line
 * alone has no gaps. Text of the wire is shortened and made printable, so that a line stays below LINE bytes. On a terminal
 * it is coloured, and no wider than that.
 */
#include "output/format.h"
#include "output/text.h"

#define LINE       4096
#define ENDS_WIDTH 46 /* two IPv4 addresses with ports at their longest */
#define ADDRESS    8  /* characters of one at least */

/* Local time, as tcpdump prints it. */
static uint8_t *time_of_day(struct text *t, uint8_t *w, uint64_t ns)
{
	time_t second = (time_t)(ns / 1000000000);
	uint8_t *c = t->clock;
	struct tm tm = {0};

	if (second != t->second || !*c) {
		localtime_r(&second, &tm);
		c = PRINT(print_padded(c, (unsigned)tm.tm_hour, 2), ":");
		c = PRINT(print_padded(c, (unsigned)tm.tm_min, 2), ":");
		print_padded(c, (unsigned)tm.tm_sec, 2);
		t->second = second;
	}
	w = print_bytes(w, t->clock, sizeof(t->clock));
	if (text_has(t, FOR_CLOCK))
		w = print_padded(PRINT(w, "."), ns % 1000000000 / 1000, 6);
	paint_part(&t->paint, t->line, w, PAINT_DIM);
	return PRINT(w, " ");
}

uint8_t *text_fill(uint8_t *w, const uint8_t *start, size_t *widest, size_t max)
{
	size_t n = (size_t)(w - start), width;

	if (n > *widest)
		*widest = smaller(n, max);
	width = smaller(*widest, max);
	return print_fill(w, ' ', n < width ? width - n : 0);
}

uint8_t *text_address(uint8_t *w, const struct flow_key *k, unsigned side, size_t max, bool port)
{
	uint8_t ip[PRINT_IP_MAX];
	struct slice s = slice_of(ip, (size_t)(print_ip(ip, k->addr[side], k->version) - ip));

	w = k->version == 4 ? w : PRINT(w, "[");
	w = s.n <= max ? print_bytes(w, s.p, s.n) : escape_text(w, s, max);
	w = k->version == 4 ? w : PRINT(w, "]");
	return port ? print_u64(PRINT(w, ":"), k->port[side]) : w;
}

static uint8_t *both_ends(const struct text *t, uint8_t *w, const struct endpoints *e, size_t max)
{
	unsigned client = e->client != 0;

	if (text_has(t, FOR_CLIENT))
		w = PRINT(text_address(w, &e->key, client, max, text_has(t, FOR_PORT)), " -> ");
	return text_address(w, &e->key, !client, max, true);
}

/* How long an address may be when the ends have `room` together. */
static size_t share(const struct text *t, size_t room)
{
	size_t each = text_has(t, FOR_CLIENT) ? (room - smaller(room, strlen(" -> "))) / 2 : room;

	return each > strlen("[]:65535") + ADDRESS ? each - strlen("[]:65535") : ADDRESS;
}

uint8_t *text_ends(struct text *t, uint8_t *w, const struct endpoints *e, size_t rest)
{
	size_t room = text_room(t, w);
	uint8_t *start = w;

	rest += strlen("  ");
	room = room > rest ? room - rest : 0;
	w = both_ends(t, start, e, PRINT_IP_MAX);
	if ((size_t)(w - start) > room)
		w = both_ends(t, start, e, share(t, room));
	return PRINT(text_fill(w, start, &t->ends, smaller(ENDS_WIDTH, room)), "  ");
}

static uint8_t *flow_side(struct text *t, uint8_t *w, const struct flow_record *f, int i)
{
	const struct {
		uint64_t bytes;
		const char *what;
	} notes[] = {
		{f->side[i].retransmitted, "B retransmitted"}, {f->side[i].lost_network, "B lost network"},
		{f->side[i].lost_ring, "B lost ring"},         {f->side[i].lost_snaplen, "B lost snaplen"},
		{f->side[i].lost_memory, "B lost memory"},
	};

	w = i == 0 ? PRINT(w, "  client ") : PRINT(w, "  server ");
	w = print_size(w, f->side[i].bytes);
	for (size_t k = 0; k < sizeof(notes) / sizeof(notes[0]); k++) {
		uint8_t *start = w;

		if (!notes[k].bytes)
			continue;
		w = PRINT(print_str(print_u64(PRINT(w, " ["), notes[k].bytes), notes[k].what), "]");
		paint_part(&t->paint, start, w, k ? PAINT_WRONG : NULL);
	}
	return w;
}

static uint8_t *flow(struct text *t, uint8_t *w, const struct flow_record *f)
{
	w = PRINT(w, "flow ");
	if (f->verdict)
		w = escape_text(PRINT(w, "not decoded: "), slice_str(f->verdict), NAME_CHARS);
	else
		w = text_shown(w, slice_str(f->protocol ? f->protocol : ""), NAME_CHARS);
	w = print_u64(PRINT(w, "  "), f->exchanges);
	w = f->exchanges == 1 ? PRINT(w, " exchange  ") : PRINT(w, " exchanges  ");
	w = print_duration(w, f->last_ns > f->first_ns ? f->last_ns - f->first_ns : 0);
	w = flow_side(t, flow_side(t, w, f, 0), f, 1);
	if (f->handshake_ns)
		w = print_duration(PRINT(w, "  handshake "), f->handshake_ns);
	if (!f->syn_seen)
		w = PRINT(w, " [start not seen]");
	return text_ended(w, f->ended, f->ended_by);
}

static uint8_t *loss(uint8_t *w, const struct record *r)
{
	const struct loss_record *l = &r->loss;

	w = print_u64(PRINT(w, "!! lost "), l->packets);
	w = l->packets == 1 ? PRINT(w, " packet") : PRINT(w, " packets");
	if (l->bytes)
		w = print_size(PRINT(w, ", "), l->bytes);
	if (r->ends.ifname && *r->ends.ifname)
		w = escape_text(PRINT(w, ", on "), slice_str(r->ends.ifname), NAME_CHARS);
	else if (r->ends.ifindex)
		w = print_u64(PRINT(w, ", on interface "), r->ends.ifindex);
	if (l->cpu)
		w = print_u64(PRINT(w, ", on cpu "), l->cpu - 1);
	return text_shown(PRINT(w, ": "), slice_str(l->cause ? l->cause : ""), NAME_CHARS);
}

static uint8_t *budget(uint8_t *w, const struct budget_record *b)
{
	static const char *const now[DETAILS] = {
		[DETAIL_WHOLE] = "everything again",
		[DETAIL_HEADS] = "bodies are left out",
		[DETAIL_LINES] = "all but first lines are left out",
		[DETAIL_COUNTS] = "connections are only counted, all but one in ",
	};

	w = print_duration(PRINT(w, "!! CPU time a second: "), b->spent_ns);
	w = print_duration(PRINT(w, " of "), b->limit_ns);
	w = print_str(PRINT(w, ": "), now[b->detail]);
	return b->detail == DETAIL_COUNTS ? print_u64(w, b->one_in) : w;
}

static uint8_t *line(struct text *t, uint8_t *w, const struct record *r)
{
	uint8_t *start = w;

	switch (r->kind) {
	case RECORD_EXCHANGE:
		return text_exchange(t, w, r);
	case RECORD_FLOW:
		return flow(t, text_ends(t, w, &r->ends, 0), &r->flow);
	case RECORD_LOSS:
		w = loss(w, r);
		break;
	default:
		w = budget(w, &r->budget);
	}
	paint_part(&t->paint, start, w, r->kind == RECORD_LOSS ? PAINT_BAD : PAINT_WRONG);
	return w;
}

/* A line that is too long all the same is cut at its end. */
static uint8_t *cut(const struct text *t, uint8_t *w)
{
	if (!t->columns || (size_t)(w - t->line) <= t->columns)
		return w;
	return PRINT(t->line + t->columns - strlen("..."), "...");
}

static bool text_write(void *state, const struct view *view, const struct record *r, struct buf *out)
{
	struct text *t = state;
	uint8_t *w = buf_start(out, LINE + PAINT_MAX);

	(void)view;
	if (!w)
		return false;
	t->line = w;
	t->paint.n = 0;
	w = cut(t, line(t, time_of_day(t, w, r->ts_ns), r));
	if (t->color)
		w = paint_line(&t->paint, w);
	buf_done(out, PRINT(w, "\n"));
	return true;
}

static void text_look(void *state, const struct look *look)
{
	struct text *t = state;

	t->color = look->color;
	t->columns = look->columns && look->columns < COLUMNS_MIN ? COLUMNS_MIN : look->columns;
}

static void both_to_wider(size_t *a, size_t *b)
{
	*a = *b = *a > *b ? *a : *b;
}

static void text_meet(void *state, void *known)
{
	struct text *t = state, *k = known;

	both_to_wider(&t->ends, &k->ends);
	both_to_wider(&t->request, &k->request);
	both_to_wider(&t->status, &k->status);
}

const struct format format_text = {
	.name = "text",
	.help = "one aligned line a record",
	.state_size = sizeof(struct text),
	.write = text_write,
	.look = text_look,
	.meet = text_meet,
};
