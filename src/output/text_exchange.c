/* SPDX-License-Identifier: MIT */
/* The line of an exchange: who asked whom, for what, the answer. The target gives way first where there is little room. */
#include "output/target.h"
#include "output/text.h"

#define TARGET_CHARS  60
#define TOKEN_CHARS   16 /* of a method or a protocol */
#define SHORTEST      8  /* that escape_text can make something */
#define REQUEST_WIDTH 48
#define REQUEST_LEAST (SHORTEST + 1 + SHORTEST) /* behind the protocol */
#define STATUS_WIDTH  9                         /* "NOT_FOUND", "CANCELLED" */
#define STATUS_SHORT  13
#define DETAILS_MAX   128
#define TROUBLES_MAX  1024

/* Sets what was printed from `start` on to the right of a column. */
static uint8_t *right(uint8_t *w, uint8_t *start, size_t width)
{
	size_t n = (size_t)(w - start), gap = n < width ? width - n : 0;

	memmove(start + gap, start, n);
	print_fill(start, ' ', gap);
	return w + gap;
}

/* "greet.Greeter/SayHello" in at most `max` characters; the method when that is too few for both. */
static uint8_t *procedure(uint8_t *w, const struct grpc_record *g, size_t max)
{
	uint8_t method[TARGET_CHARS];
	bool both = max >= REQUEST_LEAST;
	size_t room = smaller(TARGET_CHARS, both ? max - SHORTEST - 1 : max);
	size_t n = (size_t)(text_shown(method, g->method, room) - method);

	if (both)
		w = PRINT(text_shown(w, g->service, smaller(TARGET_CHARS, max - n - 1)), "/");
	return print_bytes(w, method, n);
}

/* "grpc greet.Greeter/SayHello" */
static uint8_t *call(struct text *t, uint8_t *w, const struct exchange_record *x, size_t room)
{
	const struct grpc_record *g = &x->grpc;
	uint8_t *start = w;

	if (text_has(t, FOR_CLIENT))
		w = g->web ? PRINT(w, "grpc-web ") : PRINT(w, "grpc ");
	room = room > (size_t)(w - start) + SHORTEST ? room - (size_t)(w - start) : SHORTEST;
	if (g->service.n || g->method.n)
		return procedure(w, g, room);
	return text_shown(w, x->request.target, smaller(TARGET_CHARS, room));
}

/* What was asked for: of HTTP/2's CONNECT, which has no target, the authority. */
static struct slice target(const struct message *m)
{
	return m->target.n == 0 && slice_eq(m->method, SLICE("CONNECT")) ? m->authority : m->target;
}

/* "HTTP/1.1 GET /index.html" */
static uint8_t *demand(struct text *t, uint8_t *w, const struct exchange_record *x, size_t room)
{
	const struct message *m = &x->request;
	size_t protocol = strlen("HTTP/1.1"), token = room > 2 * TOKEN_CHARS + SHORTEST ? TOKEN_CHARS : SHORTEST, used;
	uint8_t *start = w, *method;

	if (text_has(t, FOR_CLOCK)) {
		w = text_shown(w, m->protocol.n ? m->protocol : x->response.protocol, token);
		w = PRINT(text_fill(w, start, &protocol, protocol), " ");
	}
	method = w;
	w = text_shown(w, m->method, token);
	paint_part(&t->paint, method, w, PAINT_BOLD);
	used = (size_t)(w - start) + 1;
	room = room > used + SHORTEST ? room - used : SHORTEST;
	return m->seen ? text_shown(PRINT(w, " "), target(m), smaller(TARGET_CHARS, room)) : w;
}

/* In a column, with `rest` columns behind it. */
static uint8_t *request(struct text *t, uint8_t *w, const struct exchange_record *x, size_t rest)
{
	size_t room = text_room(t, w);
	uint8_t *start = w;

	room = room > rest ? room - rest : 0;
	w = x->is_grpc ? call(t, w, x, room) : demand(t, w, x, room);
	return PRINT(text_fill(w, start, &t->request, smaller(REQUEST_WIDTH, room)), "  ");
}

/* The status by which a reader judges: of the call, else of the response. */
static uint8_t *status(const struct text *t, uint8_t *w, const struct exchange_record *x)
{
	const char *name = x->is_grpc ? name_of_grpc_status(x->grpc.status) : NULL;

	if (name)
		return escape_text(w, slice_str(name), text_has(t, FOR_CLOCK) ? strlen(name) : STATUS_SHORT);
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

/* What follows the status. */
static uint8_t *response(const struct text *t, uint8_t *w, const struct exchange_record *x)
{
	uint8_t *start = w;

	w = x->timed ? print_duration(w, x->latency_ns) : PRINT(w, "-");
	w = right(w, start, 5);
	if (!text_has(t, FOR_PORT))
		return w;
	start = w = PRINT(w, "  ");
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

/* Remarks that leave no room for troubles are cut. */
static uint8_t *squeeze(uint8_t *remarks, uint8_t *w, size_t room)
{
	if ((size_t)(w - remarks) <= room)
		return w;
	return room > strlen("...") ? PRINT(remarks + room - strlen("..."), "...") : remarks;
}

static uint8_t *notes(struct text *t, uint8_t *w, const struct record *r, struct slice troubles)
{
	size_t room = text_room(t, w), n = smaller(troubles.n, room);
	uint8_t *start, *remarks = w;

	w = host(w, &r->ends, &r->exchange.request);
	start = w = PRINT(w, " ");
	if (r->ends.translated)
		w = PRINT(text_address(PRINT(w, " [to "), &r->ends.other, !r->ends.other_client, PRINT_IP_MAX, true), "]");
	w = text_remarks(w, &r->exchange);
	w -= w == start && !troubles.n;
	start = w = squeeze(remarks, w, room - n);
	w = print_bytes(w, troubles.p, n);
	if (n < troubles.n)
		w = n > strlen("...") ? PRINT(w - strlen("..."), "...") : start;
	paint_part(&t->paint, start, w, PAINT_WRONG);
	return w;
}

/* What it takes to show something of a request, and what stands between it and the status. */
static size_t request_least(const struct text *t)
{
	return REQUEST_LEAST + strlen("  ") + (text_has(t, FOR_CLOCK) ? strlen("HTTP/1.1 ") : 0);
}

/* The columns that the request leaves to those parts of the line that tell more. */
static size_t behind_request(const struct text *t, const uint8_t *w, size_t details, size_t troubles)
{
	size_t room = text_room(t, w), least = details + request_least(t);

	return strlen("  ") + details + smaller(troubles, room > least ? room - least : 0);
}

uint8_t *text_exchange(struct text *t, uint8_t *w, const struct record *r)
{
	const struct exchange_record *x = &r->exchange;
	uint8_t details[DETAILS_MAX], troubles[TROUBLES_MAX], *end = details;
	size_t said, n, troubles_n = (size_t)(text_troubles(troubles, x) - troubles);

	if (t->status == 0)
		t->status = strlen("200");
	end = status(t, details, x);
	said = (size_t)(end - details);
	end = PRINT(text_fill(end, details, &t->status, STATUS_WIDTH), "  ");
	end = response(t, end, x);
	n = (size_t)(end - details);
	w = text_ends(t, w, &r->ends, n + request_least(t));
	w = request(t, w, x, behind_request(t, w, n, troubles_n));
	paint_part(&t->paint, w, w + said, x->is_grpc ? paint_of_grpc(x->grpc.status) : paint_of_status(x->response.status));
	return notes(t, print_bytes(w, details, n), r, slice_of(troubles, troubles_n));
}
