/* SPDX-License-Identifier: MIT */
/* What a line of text says of an exchange in brackets. */
#include "output/text.h"

#define MESSAGE_CHARS 80 /* of a gRPC status */
#define CANCEL        8  /* RFC 9113 section 7 */

uint8_t *text_by_whom(uint8_t *w, int by)
{
	if (name_of_role(by))
		w = print_str(PRINT(w, " by "), name_of_role(by));
	return PRINT(w, "]");
}

uint8_t *text_ended(uint8_t *w, unsigned how, int by)
{
	return name_of_ended(how) ? text_by_whom(print_str(PRINT(w, " ["), name_of_ended(how)), by) : w;
}

/* "[reset CANCEL by client]"; nothing of a stream that was reset without an error when all had been said. */
static uint8_t *reset(uint8_t *w, const struct exchange_record *x)
{
	const char *name = name_of_reset(x->reset_code);

	if (x->ended == ENDED_WELL && x->reset_code == 0)
		return w;
	w = x->ended == ENDED_GOAWAY ? PRINT(w, " [goaway ") : PRINT(w, " [reset ");
	w = name ? print_str(w, name) : print_u64(w, x->reset_code);
	return text_by_whom(w, x->ended_by);
}

/* How the exchange, or the call, did not end well. */
static uint8_t *outcome(uint8_t *w, const struct exchange_record *x)
{
	bool cancelled = x->is_grpc && name_of_role(x->grpc.cancelled_by);

	if (x->is_grpc && x->grpc.has_timeout && x->grpc.timed_out)
		w = PRINT(w, " [timed out]");
	if (cancelled)
		w = text_by_whom(PRINT(w, " [cancelled"), x->grpc.cancelled_by);
	if (!x->was_reset)
		return text_ended(w, x->ended, x->ended_by);
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

uint8_t *text_remarks(uint8_t *w, const struct exchange_record *x)
{
	if (x->is_grpc)
		w = grpc_notes(w, x);
	else if (x->request.body_bytes)
		w = PRINT(print_size(PRINT(w, " [sent "), x->request.body_bytes), "]");
	if (x->pushed)
		w = PRINT(w, " [pushed]");
	w = interims(w, &x->response);
	if (name_of_turned(x->turned))
		w = PRINT(print_str(PRINT(w, " ["), name_of_turned(x->turned)), "]");
	return w;
}

uint8_t *text_troubles(uint8_t *w, const struct exchange_record *x)
{
	const struct message *q = &x->request, *a = &x->response;
	uint64_t unknown = (uint64_t)q->unknown_fields + a->unknown_fields;

	w = outcome(unseen(w, x), x);
	if (unknown)
		w = print_str(print_u64(PRINT(w, " ["), unknown), unknown == 1 ? " header unknown]" : " headers unknown]");
	return missing(missing(w, q, "request "), a, "");
}
