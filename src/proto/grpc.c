/* SPDX-License-Identifier: MIT */
#include "proto/exchange.h"

#include "proto/h2frame.h"

#define FLAG_COMPRESSED 0x01
#define FLAG_TRAILERS 0x80            /* of gRPC-Web */
#define STATUS_CANCELLED 1
#define STATUS_DEADLINE_EXCEEDED 4
#define SECOND UINT64_C(1000000000)

/* --- messages ------------------------------------------------------------------------------------------------------- */

/* The trailers of gRPC-Web are the content of its last message. */
static void keep_trailers(struct grpc *g, const struct grpc_side *s, struct slice data)
{
	size_t room = GRPC_TRAILERS_MAX - g->trailers_n;

	if (!(s->prefix[0] & FLAG_TRAILERS) || s != &g->side[1])
		return;
	data = slice_first(data, room);
	memcpy(g->trailers + g->trailers_n, data.p, data.n);
	g->trailers_n += (uint16_t)data.n;
}

static void count_message(struct grpc_side *s, const uint8_t *prefix)
{
	s->messages++;
	s->bytes += h2_u32(prefix + 1);
	s->compressed += prefix[0] & FLAG_COMPRESSED;
}

static void message_begin(struct grpc *g, struct grpc_side *s)
{
	s->prefix_n = 0;
	s->left = h2_u32(s->prefix + 1);
	if (!g->web || !(s->prefix[0] & FLAG_TRAILERS))
		count_message(s, s->prefix);
}

/* Not inlined, nor is read_text(): most content is one whole message, and needs neither. */
static __attribute__((noinline)) void read_messages(struct grpc *g, struct grpc_side *s, struct slice data)
{
	while (data.n) {
		struct slice part = slice_first(data, s->left);

		if (g->web)
			keep_trailers(g, s, part);
		data = slice_from(data, part.n);
		s->left -= (uint32_t)part.n;
		if (s->left)
			return;
		part = slice_first(data, sizeof(s->prefix) - s->prefix_n);
		memcpy(s->prefix + s->prefix_n, part.p, part.n);
		s->prefix_n += (uint8_t)part.n;
		data = slice_from(data, part.n);
		if (s->prefix_n == sizeof(s->prefix))
			message_begin(g, s);
	}
}

static int sextet(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Base64 in pieces, each of which may be padded (RFC 4648 section 4). */
static __attribute__((noinline)) void read_text(struct grpc *g, struct grpc_side *s, struct slice data)
{
	for (size_t i = 0; i < data.n; i++) {
		int v = sextet(data.p[i]);
		uint8_t byte;

		if (v < 0) { /* padding ends a piece; what is no digit is nothing */
			s->sextets = data.p[i] == '=' ? 0 : s->sextets;
			continue;
		}
		s->bits = s->bits << 6 | (uint32_t)v;
		s->sextets = (s->sextets + 1) % 4;
		if (s->sextets == 1)
			continue;
		byte = (uint8_t)(s->bits >> (s->sextets == 2 ? 4 : s->sextets == 3 ? 2 : 0));
		read_messages(g, s, slice_of(&byte, 1));
	}
}

/* Is it one whole message, as most content of calls is? */
static bool is_message(const struct grpc *g, const struct grpc_side *s, struct slice data)
{
	size_t prefix_n = sizeof(s->prefix);

	return !g->web && !s->left && !s->prefix_n && data.n >= prefix_n && h2_u32(data.p + 1) == data.n - prefix_n;
}

void grpc_content(struct grpc *g, unsigned side, struct slice data)
{
	struct grpc_side *s = &g->side[side];

	if (s->doubt)
		return;
	if (is_message(g, s, data))
		count_message(s, data.p);
	else if (s->text)
		read_text(g, s, data);
	else
		read_messages(g, s, data);
}

void grpc_gap(struct grpc *g, unsigned side, uint64_t n)
{
	struct grpc_side *s = g ? &g->side[side] : NULL;

	if (s && !s->text && n <= s->left)
		s->left -= (uint32_t)n;
	else if (s)
		s->doubt = true;
}

/* --- what a call was ------------------------------------------------------------------------------------------------ */

/* "application/grpc", perhaps "-web" or "-web-text", and what follows: "+proto", ";charset=...". */
static bool is_call(struct slice type, bool *web, bool *text)
{
	if (!slice_starts(type, SLICE("application/grpc")))
		return false;
	type = slice_from(type, strlen("application/grpc"));
	*web = slice_starts(type, SLICE("-web"));
	if (*web)
		type = slice_from(type, strlen("-web"));
	*text = *web && slice_starts(type, SLICE("-text"));
	if (*text)
		type = slice_from(type, strlen("-text"));
	return !type.n || type.p[0] == '+' || type.p[0] == ';' || type.p[0] == ' ';
}

void grpc_type(struct conn *c, struct exchange *x, unsigned side, struct slice type)
{
	bool web = false, text = false;

	if (!is_call(type, &web, &text))
		return;
	if (!x->grpc) {
		x->grpc = conn_alloc(c, sizeof(*x->grpc));
		if (!x->grpc)
			return;
		memset(x->grpc, 0, offsetof(struct grpc, trailers));
	}
	x->grpc->web |= web;
	x->grpc->side[side].begun = true;
	x->grpc->side[side].text = text;
}

/* "/package.Service/Method" */
static void split_path(struct slice path, struct grpc_record *ret)
{
	const uint8_t *slash = path.n > 1 ? memrchr(path.p + 1, '/', path.n - 1) : NULL;

	if (!slash || path.p[0] != '/')
		return;
	ret->service = slice_of(path.p + 1, (size_t)(slash - path.p) - 1);
	ret->method = slice_from(path, (size_t)(slash + 1 - path.p));
}

static bool read_number(struct slice s, size_t digits, uint64_t *ret)
{
	*ret = 0;
	if (!s.n || s.n > digits)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*ret = *ret * 10 + s.p[i] - '0';
	}
	return true;
}

/* A field of the trailers that gRPC-Web sends as content: "name: value\r\n". */
static struct slice web_trailer(const struct grpc *g, struct slice name)
{
	struct slice in = slice_of(g->trailers, g->trailers_n);

	while (in.n) {
		const uint8_t *lf = memchr(in.p, '\n', in.n);
		struct slice line = slice_first(in, lf ? (size_t)(lf - in.p) : in.n);

		if (line.n > name.n && line.p[name.n] == ':' && slice_ieq(slice_first(line, name.n), name))
			return slice_trim_line(slice_from(line, name.n + 1));
		in = slice_from(in, line.n + 1);
	}
	return (struct slice){NULL, 0};
}

/* What a side's fields say of the call: "grpc-encoding", "grpc-timeout"; "grpc-status", "grpc-message". */
struct said {
	struct slice encoding, timeout, status, message;
};

/* In trailers, or in the header section when there are none (Trailers-Only): the later one counts. */
static struct said read_fields(const struct draft *d)
{
	struct fields all = {d->text, d->fields, d->fields_n};
	struct said ret = {.status = {NULL, 0}};

	for (uint32_t i = 0; i < all.n; i++) {
		struct slice name = field_name(&all, i);

		if (name.n < 11 || name.n > 13 || ascii_lower(name.p[0]) != 'g')
			continue;
		if (slice_ieq(name, SLICE("grpc-status")))
			ret.status = field_value(&all, i);
		else if (slice_ieq(name, SLICE("grpc-message")))
			ret.message = field_value(&all, i);
		else if (slice_ieq(name, SLICE("grpc-timeout")))
			ret.timeout = field_value(&all, i);
		else if (slice_ieq(name, SLICE("grpc-encoding")))
			ret.encoding = field_value(&all, i);
	}
	return ret;
}

/*
 * Percent-decoded ("Percent-Encoded" in the protocol document), behind the rest of the text, which may move; what is no escape
 * stays.
 */
static struct slice decode_message(struct conn *c, struct draft *d, struct slice s)
{
	uint32_t at = d->text_n, end;
	size_t from = s.p >= d->text && s.p < d->text + at ? (size_t)(s.p - d->text) : SIZE_MAX;

	for (size_t i = 0; i < s.n; i++) {
		const uint8_t *p = (from == SIZE_MAX ? s.p : d->text + from) + i;
		int high = *p == '%' && i + 2 < s.n ? ascii_hex(p[1]) : -1, low = high >= 0 ? ascii_hex(p[2]) : -1;
		uint8_t byte = low >= 0 ? (uint8_t)(high << 4 | low) : *p;

		draft_text(c, d, &byte, 1);
		i += low >= 0 ? 2 : 0;
	}
	end = d->text_n;
	d->text_n = at; /* lent: nothing is added to it before the record is written */
	return slice_of(d->text + at, end - at);
}

/* "100m": digits and a unit. False: there is none that makes sense, or it is longer than 584 years. */
static bool read_timeout(struct slice s, uint64_t *ns)
{
	static const struct {
		char unit;
		uint64_t ns;
	} units[] = {{'H', 3600 * SECOND}, {'M', 60 * SECOND}, {'S', SECOND}, {'m', 1000000}, {'u', 1000}, {'n', 1}};

	if (s.n < 2 || !read_number(slice_first(s, s.n - 1), 8, ns))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == s.p[s.n - 1]) {
			*ns = *ns > UINT64_MAX / units[i].ns ? 0 : *ns * units[i].ns;
			return *ns;
		}
	return false;
}

/* The client's clock starts a little before its first byte is seen. */
static bool is_exceeded(uint64_t elapsed_ns, uint64_t timeout_ns, bool given_up)
{
	uint64_t slack = given_up ? timeout_ns / 50 + SECOND / 1000 : 0;

	return elapsed_ns >= timeout_ns || timeout_ns - elapsed_ns <= slack;
}

void grpc_fill(struct conn *c, struct exchange *x, uint64_t now_ns, struct exchange_record *r)
{
	struct grpc_record *g = &r->grpc;
	struct said asked = read_fields(&x->request), said = read_fields(&x->response);
	uint64_t n, first_ns = x->request.first_ns;
	int by = r->was_reset && r->reset_code == H2_CANCEL ? r->ended_by : -1;

	r->is_grpc = x->grpc || said.status.p;
	if (!r->is_grpc)
		return;
	if (x->grpc && x->grpc->web && !said.status.p) {
		said.status = web_trailer(x->grpc, SLICE("grpc-status"));
		said.message = web_trailer(x->grpc, SLICE("grpc-message"));
	}
	split_path(draft_place(&x->request, x->request.start.value, x->request.start.value_len), g);
	g->status = read_number(said.status, 4, &n) ? (int)n : -1;
	g->message = said.message;
	if (said.message.n && memchr(said.message.p, '%', said.message.n)) {
		g->message = decode_message(c, &x->response, said.message);
		said = read_fields(&x->response);
	}
	g->encoding[0] = asked.encoding;
	g->encoding[1] = said.encoding;
	g->has_timeout = first_ns && read_timeout(asked.timeout, &g->timeout_ns);
	g->timed_out = g->has_timeout && (g->status == STATUS_DEADLINE_EXCEEDED ||
					  is_exceeded(now_ns > first_ns ? now_ns - first_ns : 0, g->timeout_ns, by == 0));
	g->in_time = g->has_timeout && !g->timed_out && (x->response.complete || r->was_reset);
	g->cancelled_by = (int8_t)(by < 0 && g->status == STATUS_CANCELLED ? 1 : by);
	g->web = x->grpc && x->grpc->web;
	for (unsigned i = 0; i < 2 && x->grpc; i++) {
		const struct grpc_side *s = &x->grpc->side[i];

		g->counted[i] = s->begun && !s->doubt;
		g->messages[i] = s->messages;
		g->bytes[i] = s->bytes;
		g->compressed[i] = s->compressed;
	}
	g->kind = (uint8_t)((g->messages[0] > 1 ? GRPC_CLIENT_STREAMING : 0) | (g->messages[1] > 1 ? GRPC_SERVER_STREAMING : 0));
	if (g->kind != GRPC_BIDI_STREAMING && !(g->counted[0] && g->counted[1]))
		g->kind = GRPC_KIND_UNKNOWN;
}
