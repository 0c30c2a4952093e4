/* SPDX-License-Identifier: MIT */
#include "proto/grpc.h"

void grpc_data(struct grpc_side *g, struct slice data)
{
	while (data.n && !g->doubt) {
		size_t n = data.n < g->left ? data.n : g->left;

		data = slice_from(data, n);
		g->left -= (uint32_t)n;
		while (data.n && !g->left && g->prefix_n < sizeof(g->prefix)) {
			g->prefix[g->prefix_n++] = data.p[0];
			data = slice_from(data, 1);
		}
		if (g->prefix_n < sizeof(g->prefix))
			continue;
		g->prefix_n = 0;
		g->left = (uint32_t)g->prefix[1] << 24 | (uint32_t)g->prefix[2] << 16 | (uint32_t)g->prefix[3] << 8 | g->prefix[4];
		g->messages++;
		g->bytes += g->left;
		g->compressed |= g->prefix[0] & 1;
	}
}

void grpc_gap(struct grpc_side *g, uint64_t n)
{
	if (n <= g->left)
		g->left -= (uint32_t)n;
	else
		g->doubt = true;
}

static bool is_grpc(const struct draft *d)
{
	struct slice type = draft_header(d, SLICE("content-type"));

	return slice_starts(type, SLICE("application/grpc")) && !slice_starts(type, SLICE("application/grpc-web"));
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

static int read_status(struct slice s)
{
	int n = 0;

	if (!s.n || s.n > 4)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		n = n * 10 + s.p[i] - '0';
	}
	return n;
}

/* In the trailers, or in the header section when there are none (Trailers-Only). */
static struct slice trailing(const struct draft *d, struct slice name)
{
	struct fields trailers = {d->text, d->fields + d->headers_n, d->in_trailers ? d->fields_n - d->headers_n : 0};
	struct slice v = fields_get(&trailers, name);

	return v.p ? v : draft_header(d, name);
}

static int hex(uint8_t c)
{
	c = ascii_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded (the protocol document's "Percent-Encoded"), behind the rest of the text; what is no escape stays. */
static struct slice decode_message(struct conn *c, struct draft *d, struct slice s)
{
	uint8_t out[1024];
	size_t n = 0, at = d->text_n;

	for (size_t i = 0; i < s.n && n < sizeof(out); i++) {
		int high = s.p[i] == '%' && i + 2 < s.n ? hex(s.p[i + 1]) : -1, low = high >= 0 ? hex(s.p[i + 2]) : -1;

		out[n++] = low >= 0 ? (uint8_t)(high << 4 | low) : s.p[i];
		i += low >= 0 ? 2 : 0;
	}
	draft_text(c, d, out, n);
	return slice_of(d->text + at, d->text_n - at);
}

void grpc_fill(struct conn *c, struct exchange *x, const struct grpc_side side[2], struct exchange_record *r)
{
	struct grpc_record *g = &r->grpc;

	r->is_grpc = is_grpc(&x->request) || is_grpc(&x->response) || trailing(&x->response, SLICE("grpc-status")).p;
	if (!r->is_grpc)
		return;
	split_path(slice_of(x->request.text + x->request.start.value, x->request.start.value_len), g);
	g->status = read_status(trailing(&x->response, SLICE("grpc-status")));
	g->message = decode_message(c, &x->response, trailing(&x->response, SLICE("grpc-message")));
	for (unsigned i = 0; i < 2; i++) {
		g->counted[i] = !side[i].doubt && (i ? x->response.seen : x->request.seen);
		g->messages[i] = side[i].messages;
		g->bytes[i] = side[i].bytes;
	}
	g->kind = (uint8_t)((side[0].messages > 1 ? GRPC_CLIENT_STREAMING : 0) | (side[1].messages > 1 ? GRPC_SERVER_STREAMING : 0));
}
