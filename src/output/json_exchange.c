/* SPDX-License-Identifier: MIT */
/* The exchange in JSON: two messages, what they were together, and what of them is missing. */
#include "output/json.h"
#include "output/names.h"
#include "output/target.h"

/* What lies between a string and `limit` may be read too. */
static inline uint8_t *field_line(struct buf *b, uint8_t *w, const struct view *view, struct slice name,
				  struct slice value, const uint8_t *limit)
{
	w = room(b, w, ESCAPE_JSON_MAX(name.n) + ESCAPE_JSON_MAX(value.n));
	if (!w)
		return NULL;
	w = escape_json_within(PRINT(w, "{\"key\":\""), name, limit);
	w = PRINT(w, "\",\"value\":\"");
	w = view_hides(view, name) ? PRINT(w, VIEW_REDACTED) : escape_json_within(w, value, limit);
	return PRINT(w, "\"},");
}

static uint8_t *field_lines(struct buf *b, uint8_t *w, const struct view *view, const struct fields *f)
{
	const struct fields lines = *f; /* for the compiler: what is written cannot change it */
	const uint8_t *limit = f->n ? f->text + f->v[f->n - 1].value + f->v[f->n - 1].value_len : NULL;

	for (uint32_t i = 0; w && i < lines.n; i++) {
		struct slice name = field_name(&lines, i);

		if (view->headers == HEADERS_ALL || view_wants(view, name))
			w = field_line(b, w, view, name, field_value(&lines, i), limit);
	}
	return w ? CLOSE_LIST(w) : NULL;
}

static uint8_t *body(struct buf *b, uint8_t *w, struct slice s)
{
	if (s.n == 0)
		return w;
	if (escape_is_text(s))
		return TEXT(b, w, "body", s);
	w = room(b, w, (s.n + 2) / 3 * 4);
	if (!w)
		return NULL;
	w = print_base64(PRINT(w, "\"body_base64\":\""), s);
	return PRINT(w, "\",");
}

static uint8_t *request_start(struct buf *b, uint8_t *w, const struct message *m)
{
	w = TEXT(b, w, "method", m->method);
	return w ? TEXT(b, w, "url", m->target) : NULL;
}

/* What of a request does not stand in the original shape. */
static uint8_t *request_more(struct buf *b, uint8_t *w, const struct message *m)
{
	struct slice scheme = m->scheme.n ? m->scheme : target_parse(m->target).scheme;

	w = TEXT(b, w, "authority", request_authority(m));
	return w ? TEXT(b, w, "scheme", scheme) : NULL;
}

/* Were its field lines seen? None at all are a list without elements, unless some are known to be missing. */
static bool has_fields(const struct message *m)
{
	bool whole = true;

	for (unsigned i = 0; i < m->missings && i < MISSING_MAX; i++)
		whole &= m->missing[i].part != PART_HEADERS;
	return whole || m->headers.n;
}

static uint8_t *message(struct buf *b, uint8_t *w, const struct view *view, const struct message *m, bool request)
{
	w = TEXT(b, PRINT(w, "{\"Record\":{\"Http\":{"), "protocol", m->protocol);
	if (w && request)
		w = request_start(b, w, m);
	else if (w && m->status)
		w = NUMBER(w, "code", m->status);
	if (w && view->headers != HEADERS_NONE && !(m->left_out & 1u << PART_HEADERS) && has_fields(m))
		w = field_lines(b, PRINT(w, "\"headers\":["), view, &m->headers);
	if (w && view->headers != HEADERS_NONE && !(m->left_out & 1u << PART_TRAILERS) && m->trailers.n)
		w = field_lines(b, PRINT(w, "\"trailers\":["), view, &m->trailers);
	if (w)
		w = request ? request_more(b, w, m) : TEXT(b, w, "reason", m->reason);
	if (!w)
		return NULL;
	if (m->first_ns && m->last_ns >= m->first_ns)
		w = NUMBER(w, "duration_ns", m->last_ns - m->first_ns);
	if (m->unknown_fields)
		w = NUMBER(w, "unknown_headers", m->unknown_fields);
	w = NUMBER(w, "body_bytes", m->body_bytes);
	w = NUMBER(w, "wire_bytes", m->wire_bytes);
	if (!m->complete)
		w = FLAG(w, "complete", false);
	w = body(b, w, m->body);
	return w ? PRINT(close_with(w, '}'), "}},") : NULL;
}

/* Interim responses, with their time after the first byte of the request. */
static uint8_t *interims(uint8_t *w, const struct exchange_record *x)
{
	const struct message *m = &x->response;

	w = PRINT(w, "\"interim\":[");
	for (unsigned i = 0; i < m->interims && i < INTERIM_MAX; i++) {
		w = NUMBER(PRINT(w, "{"), "code", m->interim[i].status);
		if (x->request.first_ns && m->interim[i].ts_ns >= x->request.first_ns)
			w = NUMBER(w, "after_ns", m->interim[i].ts_ns - x->request.first_ns);
		w = CLOSE(w);
	}
	w = CLOSE_LIST(w);
	return m->interims > INTERIM_MAX ? NUMBER(w, "interims", m->interims) : w;
}

uint8_t *json_ended(uint8_t *w, unsigned how, int by)
{
	if (!name_of_ended(how))
		return w;
	w = WORD(OPEN(w, "ended"), "how", name_of_ended(how));
	return CLOSE(WORD(w, "by", name_of_role(by)));
}

static uint8_t *grpc_request(struct buf *b, uint8_t *w, const struct grpc_record *g)
{
	if (g->counted[0]) {
		w = NUMBER(w, "request_messages", g->messages[0]);
		w = NUMBER(w, "request_message_bytes", g->bytes[0]);
		if (g->compressed[0])
			w = NUMBER(w, "request_compressed", g->compressed[0]);
	}
	return TEXT(b, w, "request_encoding", g->encoding[0]);
}

static uint8_t *grpc_response(struct buf *b, uint8_t *w, const struct grpc_record *g)
{
	if (g->counted[1]) {
		w = NUMBER(w, "response_messages", g->messages[1]);
		w = NUMBER(w, "response_message_bytes", g->bytes[1]);
		if (g->compressed[1])
			w = NUMBER(w, "response_compressed", g->compressed[1]);
	}
	return TEXT(b, w, "response_encoding", g->encoding[1]);
}

/* How the call came out. */
static uint8_t *grpc_outcome(struct buf *b, uint8_t *w, const struct grpc_record *g)
{
	if (g->status >= 0) {
		w = NUMBER(w, "status", (unsigned)g->status);
		w = WORD(w, "status_name", name_of_grpc_status(g->status));
	}
	if (g->has_timeout) {
		w = NUMBER(w, "timeout_ns", g->timeout_ns);
		if (g->timed_out || g->in_time)
			w = FLAG(w, "timed_out", g->timed_out);
	}
	w = WORD(w, "cancelled_by", name_of_role(g->cancelled_by));
	return TEXT(b, w, "message", g->message);
}

static uint8_t *grpc(struct buf *b, uint8_t *w, const struct grpc_record *g)
{
	w = TEXT(b, OPEN(w, "grpc"), "service", g->service);
	w = w ? TEXT(b, w, "method", g->method) : NULL;
	w = w ? grpc_outcome(b, w, g) : NULL;
	w = w ? grpc_request(b, w, g) : NULL;
	w = w ? grpc_response(b, w, g) : NULL;
	if (!w)
		return NULL;
	if (g->counted[0] || g->counted[1])
		w = WORD(w, "kind", name_of_grpc_kind(g->kind));
	if (g->web)
		w = FLAG(w, "web", true);
	return CLOSE(w);
}

/* What HTTP/2 has to say of its stream. */
static uint8_t *stream(uint8_t *w, const struct exchange_record *x)
{
	if (x->stream_id)
		w = NUMBER(w, "stream_id", x->stream_id);
	if (x->pushed)
		w = FLAG(w, "pushed", true);
	if (x->was_reset) {
		w = NUMBER(w, "reset_code", x->reset_code);
		w = WORD(w, "reset_name", name_of_reset(x->reset_code));
	}
	return x->progress ? FLAG(w, "progress", true) : w;
}

uint8_t *json_exchange(struct buf *b, uint8_t *w, const struct view *view, const struct exchange_record *x)
{
	w = OPEN(w, "l7");
	if (x->timed) {
		w = NUMBER(w, "latency_ns", x->latency_ns);
		w = NUMBER(w, "duration_ns", x->duration_ns);
	}
	if (x->request.seen)
		w = message(b, KEY(w, "request"), view, &x->request, true);
	if (w && x->response.seen)
		w = message(b, KEY(w, "response"), view, &x->response, false);
	w = room(b, w, 0);
	if (!w)
		return NULL;
	if (x->response.interims)
		w = interims(w, x);
	w = stream(w, x);
	if (x->is_grpc)
		w = room(b, grpc(b, w, &x->grpc), 0);
	if (!w)
		return NULL;
	w = json_ended(w, x->ended, x->ended_by);
	w = WORD(w, "turned", name_of_turned(x->turned));
	return CLOSE(w);
}

static uint8_t *missing_of(uint8_t *w, const struct message *m, const char *side)
{
	for (unsigned i = 0; i < m->missings && i < MISSING_MAX; i++) {
		w = WORD(PRINT(w, "{"), "side", side);
		w = WORD(w, "part", name_of_part(m->missing[i].part));
		w = WORD(w, "cause", name_of_cause(m->missing[i].cause));
		if (m->missing[i].bytes)
			w = NUMBER(w, "bytes", m->missing[i].bytes);
		w = CLOSE(w);
	}
	for (unsigned part = 0; m->left_out >> part; part++) {
		if (!(m->left_out >> part & 1))
			continue;
		w = WORD(PRINT(w, "{"), "side", side);
		w = WORD(w, "part", name_of_part(part));
		w = CLOSE(WORD(w, "cause", "budget"));
	}
	return w;
}

uint8_t *json_missing(uint8_t *w, const struct exchange_record *x)
{
	if (!x->request.missings && !x->response.missings && !x->request.left_out && !x->response.left_out)
		return w;
	w = missing_of(PRINT(w, "\"missing\":["), &x->request, "request");
	w = missing_of(w, &x->response, "response");
	return CLOSE_LIST(w);
}

