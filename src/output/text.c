/* SPDX-License-Identifier: MIT */
/*
 * One line a record, for people. A column is as wide as its widest value so far, within bounds: lines align, and a line
 * alone has no gaps. Text of the wire is shortened and made printable, so that a line stays below LINE bytes.
 */
#include <time.h>

#include "output/escape.h"
#include "output/format.h"
#include "output/names.h"
#include "output/print.h"
#include "output/target.h"

#define LINE          4096
#define TARGET_CHARS  60
#define NAME_CHARS    64 /* of a host or an interface */
#define TOKEN_CHARS   16 /* of a method or a protocol */
#define ENDS_WIDTH    46 /* two IPv4 addresses with ports at their longest */
#define REQUEST_WIDTH 48
#define STATUS_WIDTH  9  /* "NOT_FOUND", "CANCELLED" */
#define MESSAGE_CHARS 80 /* of a gRPC status */
#define CANCEL        8  /* RFC 9113 section 7 */

struct text {
	time_t second;    /* that `clock` shows */
	uint8_t clock[8]; /* "HH:MM:SS" */
	size_t ends, request, status; /* widths of columns */
};

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
	w = PRINT(print_bytes(w, t->clock, sizeof(t->clock)), ".");
	return PRINT(print_padded(w, ns % 1000000000 / 1000, 6), " ");
}

/* Fills the column that began at `start` up to the widest value so far. */
static uint8_t *fill(uint8_t *w, const uint8_t *start, size_t *widest, size_t max)
{
	size_t n = (size_t)(w - start);

	if (n > *widest)
		*widest = n < max ? n : max;
	return print_fill(w, ' ', n < *widest ? *widest - n : 0);
}

/* Sets what was printed from `start` on to the right of a column. */
static uint8_t *right(uint8_t *w, uint8_t *start, size_t width)
{
	size_t n = (size_t)(w - start), gap = n < width ? width - n : 0;

	memmove(start + gap, start, n);
	print_fill(start, ' ', gap);
	return w + gap;
}

static uint8_t *address(uint8_t *w, const struct flow_key *k, unsigned side)
{
	if (k->version == 4)
		w = print_ip(w, k->addr[side], 4);
	else
		w = PRINT(print_ip(PRINT(w, "["), k->addr[side], k->version), "]");
	return print_u64(PRINT(w, ":"), k->port[side]);
}

static uint8_t *ends(struct text *t, uint8_t *w, const struct endpoints *e)
{
	unsigned client = e->client != 0;
	uint8_t *start = w;

	w = address(w, &e->key, client);
	w = address(PRINT(w, " -> "), &e->key, !client);
	return PRINT(fill(w, start, &t->ends, ENDS_WIDTH), "  ");
}

/* Text of the wire, "-" when it is not known. */
static uint8_t *shown(uint8_t *w, struct slice s, size_t max)
{
	return s.n ? escape_text(w, s, max) : PRINT(w, "-");
}

/* "grpc greet.Greeter/SayHello" */
static uint8_t *call(struct text *t, uint8_t *w, const struct exchange_record *x)
{
	const struct grpc_record *g = &x->grpc;
	uint8_t *start = w;

	w = g->web ? PRINT(w, "grpc-web ") : PRINT(w, "grpc ");
	if (g->service.n || g->method.n)
		w = shown(PRINT(shown(w, g->service, TARGET_CHARS), "/"), g->method, TARGET_CHARS);
	else
		w = shown(w, x->request.target, TARGET_CHARS);
	return PRINT(fill(w, start, &t->request, REQUEST_WIDTH), "  ");
}

/* What was asked for: of HTTP/2's CONNECT, which has no target, the authority. */
static struct slice target(const struct message *m)
{
	return m->target.n == 0 && slice_eq(m->method, SLICE("CONNECT")) ? m->authority : m->target;
}

static uint8_t *request(struct text *t, uint8_t *w, const struct exchange_record *x)
{
	const struct message *m = &x->request;
	size_t protocol = strlen("HTTP/1.1");
	uint8_t *start = w;

	w = shown(w, m->protocol.n ? m->protocol : x->response.protocol, TOKEN_CHARS);
	w = PRINT(fill(w, start, &protocol, protocol), " ");
	w = shown(w, m->method, TOKEN_CHARS);
	if (m->seen)
		w = shown(PRINT(w, " "), target(m), TARGET_CHARS);
	return PRINT(fill(w, start, &t->request, REQUEST_WIDTH), "  ");
}

/* The status by which a reader judges: of the call, else of the response. */
static uint8_t *status(uint8_t *w, const struct exchange_record *x)
{
	const char *name = x->is_grpc ? name_of_grpc_status(x->grpc.status) : NULL;

	if (name)
		return print_str(w, name);
	if (x->is_grpc && x->grpc.status >= 0)
		return print_u64(w, (unsigned)x->grpc.status);
	return x->response.status && !x->is_grpc ? print_u64(w, x->response.status) : PRINT(w, "-");
}

/* "1/1 msgs": of the request, of the response. */
static uint8_t *messages(uint8_t *w, const struct grpc_record *g)
{
	w = g->counted[0] ? print_u64(w, g->messages[0]) : PRINT(w, "-");
	w = PRINT(w, "/");
	w = g->counted[1] ? print_u64(w, g->messages[1]) : PRINT(w, "-");
	return PRINT(w, " msgs");
}

static uint8_t *response(struct text *t, uint8_t *w, const struct exchange_record *x)
{
	uint8_t *start = w;

	if (t->status == 0)
		t->status = strlen("200");
	w = status(w, x);
	start = w = PRINT(fill(w, start, &t->status, STATUS_WIDTH), "  ");
	w = x->timed ? print_duration(w, x->latency_ns) : PRINT(w, "-");
	start = w = PRINT(right(w, start, 5), "  ");
	if (x->is_grpc)
		return messages(w, &x->grpc);
	w = x->response.seen ? print_size(w, x->response.body_bytes) : PRINT(w, "-");
	return right(w, start, 5);
}

/* The host that was asked for, when the rest of the line does not say it. */
static uint8_t *host(uint8_t *w, const struct endpoints *e, const struct message *m)
{
	struct slice authority = request_authority(m), name = authority_host(authority);
	unsigned server = e->client == 0;
	uint8_t ip[PRINT_IP_MAX + 2], *end;

	end = e->key.version == 4 ? ip : PRINT(ip, "[");
	end = print_ip(end, e->key.addr[server], e->key.version);
	end = e->key.version == 4 ? end : PRINT(end, "]");
	if (authority.n == 0 || authority.p == target(m).p || target_parse(m->target).authority.n ||
	    slice_eq(name, slice_of(ip, (size_t)(end - ip))))
		return w;
	return escape_text(PRINT(w, "  "), authority, NAME_CHARS);
}

/* Closes a note, with who it was. */
static uint8_t *by_whom(uint8_t *w, int by)
{
	if (name_of_role(by))
		w = print_str(PRINT(w, " by "), name_of_role(by));
	return PRINT(w, "]");
}

static uint8_t *ended(uint8_t *w, unsigned how, int by)
{
	return name_of_ended(how) ? by_whom(print_str(PRINT(w, " ["), name_of_ended(how)), by) : w;
}

/* "[reset CANCEL by client]"; nothing of a stream that was reset without an error when all had been said. */
static uint8_t *reset(uint8_t *w, const struct exchange_record *x)
{
	const char *name = name_of_reset(x->reset_code);

	if (x->ended == ENDED_WELL && x->reset_code == 0)
		return w;
	w = x->ended == ENDED_GOAWAY ? PRINT(w, " [goaway ") : PRINT(w, " [reset ");
	w = name ? print_str(w, name) : print_u64(w, x->reset_code);
	return by_whom(w, x->ended_by);
}

/* How the exchange, or the call, did not end well. */
static uint8_t *outcome(uint8_t *w, const struct exchange_record *x)
{
	bool cancelled = x->is_grpc && name_of_role(x->grpc.cancelled_by);

	if (x->is_grpc && x->grpc.has_timeout && x->grpc.timed_out)
		w = PRINT(w, " [timed out]");
	if (cancelled)
		w = by_whom(PRINT(w, " [cancelled"), x->grpc.cancelled_by);
	if (!x->was_reset)
		return ended(w, x->ended, x->ended_by);
	if (cancelled && x->reset_code == CANCEL && x->ended_by == x->grpc.cancelled_by)
		return w;
	return reset(w, x);
}

static uint8_t *missing(uint8_t *w, const struct message *m, const char *side)
{
	for (unsigned i = 0; i < m->missings && i < MISSING_MAX; i++) {
		const char *part = name_of_part(m->missing[i].part), *cause = name_of_cause(m->missing[i].cause);

		w = PRINT(w, " [-");
		w = m->missing[i].bytes ? PRINT(print_u64(w, m->missing[i].bytes), "B ") : PRINT(w, "? ");
		w = print_str(print_str(w, side), part ? part : "-");
		w = PRINT(print_str(PRINT(w, " "), cause ? cause : "-"), "]");
	}
	return w;
}

static uint8_t *interims(uint8_t *w, const struct message *m)
{
	if (m->interims == 0)
		return w;
	w = PRINT(w, " [interim");
	for (unsigned i = 0; i < m->interims && i < INTERIM_MAX; i++)
		w = print_u64(PRINT(w, " "), m->interim[i].status);
	return m->interims > INTERIM_MAX ? PRINT(w, " ...]") : PRINT(w, "]");
}

/* Which of it was not, or not yet, seen. */
static uint8_t *unseen(uint8_t *w, const struct exchange_record *x)
{
	const struct message *q = &x->request, *a = &x->response;

	if (!q->seen)
		w = PRINT(w, " [no request]");
	if (x->progress)
		return PRINT(w, " [goes on]");
	if (q->seen && !q->complete)
		w = PRINT(w, " [request incomplete]");
	if (a->seen && !a->complete)
		w = PRINT(w, " [response incomplete]");
	else if (!a->seen && !name_of_ended(x->ended))
		w = PRINT(w, " [no response]");
	return w;
}

/* What a call has to say besides its status. */
static uint8_t *grpc_notes(uint8_t *w, const struct exchange_record *x)
{
	const struct grpc_record *g = &x->grpc;

	if (g->status > 0 && g->message.n)
		w = escape_quoted(PRINT(w, " "), g->message, MESSAGE_CHARS);
	if (x->response.status && x->response.status != 200)
		w = PRINT(print_u64(PRINT(w, " [HTTP "), x->response.status), "]");
	return w;
}

/* What is out of the ordinary, each in brackets. */
static uint8_t *notes(uint8_t *w, const struct exchange_record *x)
{
	const struct message *q = &x->request, *a = &x->response;
	uint64_t unknown = (uint64_t)q->unknown_fields + a->unknown_fields;

	if (x->is_grpc)
		w = grpc_notes(w, x);
	else if (q->body_bytes)
		w = PRINT(print_size(PRINT(w, " [sent "), q->body_bytes), "]");
	if (x->pushed)
		w = PRINT(w, " [pushed]");
	w = interims(w, a);
	if (name_of_turned(x->turned))
		w = PRINT(print_str(PRINT(w, " ["), name_of_turned(x->turned)), "]");
	w = outcome(unseen(w, x), x);
	if (unknown)
		w = print_str(print_u64(PRINT(w, " ["), unknown), unknown == 1 ? " header unknown]" : " headers unknown]");
	return missing(missing(w, q, "request "), a, "");
}

static uint8_t *exchange(struct text *t, uint8_t *w, const struct record *r)
{
	const struct endpoints *e = &r->ends;
	uint8_t *start;

	w = r->exchange.is_grpc ? call(t, w, &r->exchange) : request(t, w, &r->exchange);
	w = response(t, w, &r->exchange);
	w = host(w, e, &r->exchange.request);
	start = w = PRINT(w, " ");
	if (e->translated)
		w = PRINT(address(PRINT(w, " [to "), &e->other, !e->other_client), "]");
	w = notes(w, &r->exchange);
	return w == start ? w - 1 : w;
}

static uint8_t *flow_side(uint8_t *w, const struct flow_record *f, int i)
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
	for (size_t k = 0; k < sizeof(notes) / sizeof(notes[0]); k++)
		if (notes[k].bytes)
			w = PRINT(print_str(print_u64(PRINT(w, " ["), notes[k].bytes), notes[k].what), "]");
	return w;
}

static uint8_t *flow(uint8_t *w, const struct flow_record *f)
{
	w = PRINT(w, "flow ");
	if (f->verdict)
		w = escape_text(PRINT(w, "not decoded: "), slice_str(f->verdict), NAME_CHARS);
	else
		w = shown(w, slice_str(f->protocol ? f->protocol : ""), NAME_CHARS);
	w = print_u64(PRINT(w, "  "), f->exchanges);
	w = f->exchanges == 1 ? PRINT(w, " exchange  ") : PRINT(w, " exchanges  ");
	w = print_duration(w, f->last_ns > f->first_ns ? f->last_ns - f->first_ns : 0);
	w = flow_side(flow_side(w, f, 0), f, 1);
	if (f->handshake_ns)
		w = print_duration(PRINT(w, "  handshake "), f->handshake_ns);
	if (!f->syn_seen)
		w = PRINT(w, " [start not seen]");
	return ended(w, f->ended, f->ended_by);
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
	return shown(PRINT(w, ": "), slice_str(l->cause ? l->cause : ""), NAME_CHARS);
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

static bool text_write(void *state, const struct view *view, const struct record *r, struct buf *out)
{
	uint8_t *w = buf_start(out, LINE);

	(void)view;
	if (!w)
		return false;
	w = time_of_day(state, w, r->ts_ns);
	if (r->kind == RECORD_EXCHANGE || r->kind == RECORD_FLOW)
		w = ends(state, w, &r->ends);
	if (r->kind == RECORD_EXCHANGE)
		w = exchange(state, w, r);
	else if (r->kind == RECORD_FLOW)
		w = flow(w, &r->flow);
	else if (r->kind == RECORD_LOSS)
		w = loss(w, r);
	else
		w = budget(w, &r->budget);
	buf_done(out, PRINT(w, "\n"));
	return true;
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
	.meet = text_meet,
};
