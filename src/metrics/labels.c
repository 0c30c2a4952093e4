/* SPDX-License-Identifier: MIT */
#include "metrics/labels.h"

#include "output/names.h"

static const struct slice methods[] = {
	SLICE_INIT("GET"),     SLICE_INIT("POST"),  SLICE_INIT("PUT"),   SLICE_INIT("DELETE"), SLICE_INIT("HEAD"),
	SLICE_INIT("OPTIONS"), SLICE_INIT("PATCH"), SLICE_INIT("TRACE"), SLICE_INIT("CONNECT"),
	SLICE_INIT("other"),   SLICE_INIT("unknown"),
};
enum { METHOD_OTHER = 9, METHOD_UNKNOWN };

enum http_status { HTTP_NONE, HTTP_1XX, HTTP_5XX = HTTP_1XX + 4, HTTP_OTHER, HTTP_UNKNOWN };
enum grpc_status { GRPC_LAST = 16, GRPC_OTHER, GRPC_NONE, GRPC_UNKNOWN };
_Static_assert(GRPC_UNKNOWN < LABELS_STATUSES, "room for all of them");

static unsigned method_of(struct slice method)
{
	unsigned i = 0;

	if (!method.n)
		return METHOD_UNKNOWN;
	while (i < METHOD_OTHER && !slice_eq(methods[i], method))
		i++;
	return i;
}

/* Did we lose sight of it before it was over? */
static bool is_out_of_sight(const struct exchange_record *x)
{
	switch (x->ended) {
	case ENDED_OPEN:
	case ENDED_EVICTED:
	case ENDED_REPLACED:
	case ENDED_LOST:
	case ENDED_BUDGET:
		return true;
	default:
		return x->response.missings > 0;
	}
}

static unsigned http_status(const struct exchange_record *x)
{
	unsigned class = x->response.status / 100;

	if (!x->response.seen)
		return is_out_of_sight(x) ? HTTP_UNKNOWN : HTTP_NONE;
	if (!x->response.status)
		return HTTP_UNKNOWN;
	return class >= 1 && class <= 5 ? HTTP_1XX + class - 1 : HTTP_OTHER;
}

static unsigned grpc_status(const struct exchange_record *x)
{
	if (x->grpc.status < 0)
		return is_out_of_sight(x) ? GRPC_UNKNOWN : GRPC_NONE;
	return x->grpc.status <= GRPC_LAST ? (unsigned)x->grpc.status : GRPC_OTHER;
}

/* Names of protobuf are ASCII. */
static bool is_name(struct slice s, size_t max)
{
	for (size_t i = 0; i < s.n && i < max; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	return s.n <= max;
}

static uint8_t put_name(char *to, struct slice s, size_t max)
{
	s = !s.n ? SLICE("unknown") : is_name(s, max) ? s : SLICE("other");
	memcpy(to, s.p, s.n);
	return (uint8_t)s.n;
}

static void put_server(const struct endpoints *e, struct labels *ret)
{
	const struct flow_key *key = e->translated ? &e->other : &e->key;
	unsigned server = !(e->translated ? e->other_client : e->client);

	memcpy(ret->addr, key->addr[server], sizeof ret->addr);
	ret->port = key->port[server];
	ret->version = (uint8_t)key->version;
}

void labels_of(const struct record *r, struct labels *ret)
{
	const struct exchange_record *x = &r->exchange;

	memset(ret, 0, LABELS_HEAD);
	put_server(&r->ends, ret);
	ret->kind = x->is_grpc ? LABELS_GRPC : LABELS_HTTP;
	if (x->is_grpc) {
		ret->status = (uint8_t)grpc_status(x);
		ret->service_n = put_name(ret->service, x->grpc.service, sizeof ret->service);
		ret->name_n = put_name(ret->name, x->grpc.method, sizeof ret->name);
	} else {
		ret->status = (uint8_t)http_status(x);
		ret->method = (uint8_t)method_of(x->request.method);
	}
}

const char *labels_http_method(unsigned method)
{
	return (const char *)methods[method].p;
}

const char *labels_status(enum labels_kind kind, unsigned status)
{
	static const char *const http[] = {
		[HTTP_NONE] = "none", "1xx", "2xx", "3xx", "4xx", "5xx", [HTTP_OTHER] = "other", [HTTP_UNKNOWN] = "unknown",
	};

	if (kind == LABELS_HTTP)
		return status < sizeof http / sizeof *http ? http[status] : NULL;
	switch (status) {
	case GRPC_OTHER:
		return "other";
	case GRPC_NONE:
		return "none";
	case GRPC_UNKNOWN:
		return "unknown";
	default:
		return name_of_grpc_status((int)status);
	}
}
