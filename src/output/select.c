/* SPDX-License-Identifier: MIT */
#include "output/select.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "output/duration.h"
#include "output/glob.h"
#include "output/statuses.h"
#include "output/target.h"

/* A growing list of strings that it owns. */
struct strings {
	struct slice *v;
	size_t n;
};

/* An IPv6 prefix; IPv4 is v4-mapped. */
struct prefix {
	uint8_t addr[16];
	unsigned bits;
};

struct select {
	struct strings methods, services, hosts, paths;
	struct strings names, values; /* of header conditions, in pairs; a value with p == NULL is any */
	bool any_status, any_latency;
	struct statuses statuses;
	uint64_t min_latency_ns;
	struct prefix *prefixes;
	size_t n_prefixes;
};

static int strings_add(struct strings *l, struct slice s)
{
	struct slice *more = reallocarray(l->v, l->n + 1, sizeof(*more));
	uint8_t *copy = NULL;

	if (!more)
		return -ENOMEM;
	l->v = more;
	if (s.p) {
		copy = malloc(s.n + 1);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, s.p, s.n);
	}
	more[l->n++] = slice_of(copy, s.n);
	return 0;
}

static void strings_release(struct strings *l)
{
	for (size_t i = 0; i < l->n; i++)
		free((void *)l->v[i].p);
	free(l->v);
}

struct select *select_new(void)
{
	return calloc(1, sizeof(struct select));
}

void select_free(struct select *s)
{
	if (!s)
		return;
	strings_release(&s->methods);
	strings_release(&s->services);
	strings_release(&s->hosts);
	strings_release(&s->paths);
	strings_release(&s->names);
	strings_release(&s->values);
	free(s->prefixes);
	free(s);
}

static int add_method(struct select *s, struct slice item)
{
	return item.n ? strings_add(&s->methods, item) : -EINVAL;
}

static int add_status(struct select *s, struct slice item)
{
	int r = statuses_add(&s->statuses, item);

	s->any_status |= r == 0;
	return r;
}

/* "ADDRESS" or "ADDRESS/BITS". */
static bool prefix_parse(struct slice s, struct prefix *ret)
{
	char text[64], *slash, *end = "";
	unsigned long bits, max = 128;

	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	*(char *)mempcpy(text, s.p, s.n) = 0;
	slash = strchr(text, '/');
	if (slash)
		*slash = 0;
	*ret = (struct prefix){.addr = {[10] = 0xff, [11] = 0xff}};
	if (inet_pton(AF_INET, text, ret->addr + 12) == 1)
		max = 32;
	else if (inet_pton(AF_INET6, text, ret->addr) != 1)
		return false;
	bits = slash ? strtoul(slash + 1, &end, 10) : max;
	ret->bits = (unsigned)(bits + 128 - max);
	return bits <= max && !*end && !(slash && (slash[1] < '0' || slash[1] > '9'));
}

static int add_cidr(struct select *s, struct slice item)
{
	struct prefix prefix, *more;

	if (!prefix_parse(item, &prefix))
		return -EINVAL;
	more = reallocarray(s->prefixes, s->n_prefixes + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->prefixes = more;
	more[s->n_prefixes++] = prefix;
	return 0;
}

static int add_each(struct select *s, const char *list, int (*add)(struct select *, struct slice))
{
	for (int r;; list++) {
		size_t n = strcspn(list, ",");

		r = add(s, slice_trim(slice_of(list, n)));
		list += n;
		if (r < 0 || !*list)
			return r;
	}
}

static int add_methods(struct select *s, const char *value)
{
	return add_each(s, value, add_method);
}

static int add_statuses(struct select *s, const char *value)
{
	return add_each(s, value, add_status);
}

static int add_cidrs(struct select *s, const char *value)
{
	return add_each(s, value, add_cidr);
}

static int add_service(struct select *s, const char *value)
{
	return *value ? strings_add(&s->services, slice_str(value)) : -EINVAL;
}

static int add_host(struct select *s, const char *value)
{
	return *value ? strings_add(&s->hosts, slice_str(value)) : -EINVAL;
}

static int add_path(struct select *s, const char *value)
{
	return *value ? strings_add(&s->paths, slice_str(value)) : -EINVAL;
}

static int add_latency(struct select *s, const char *value)
{
	uint64_t ns;

	if (!duration_parse(value, &ns))
		return -EINVAL;
	if (!s->any_latency || ns < s->min_latency_ns)
		s->min_latency_ns = ns;
	s->any_latency = true;
	return 0;
}

static int add_header(struct select *s, const char *value)
{
	size_t length = strcspn(value, ":");
	struct slice name = slice_trim(slice_of(value, length)), glob = {NULL, 0};
	int r;

	if (name.n == 0)
		return -EINVAL;
	if (value[length])
		glob = slice_trim(slice_str(value + length + 1));
	r = strings_add(&s->values, glob);
	return r < 0 ? r : strings_add(&s->names, name);
}

static const struct condition {
	const char *what;
	int (*add)(struct select *, const char *);
	const char *use;
} conditions[] = {
	{"method", add_methods, "names like GET or SayHello, separated by commas"},
	{"service", add_service, "a pattern like greet.* or *.Greeter"},
	{"host", add_host, "a pattern like *.example.com"},
	{"path", add_path, "a pattern like /api/*"},
	{"status", add_statuses, "404, 5xx, 500-599, NOT_FOUND or grpc:1-16, separated by commas"},
	{"min-latency", add_latency, "a time like 250ms, 1.5s or 80us"},
	{"header", add_header, "a name, or a name and a pattern like 'content-type: text/*'"},
	{"cidr", add_cidrs, "addresses or prefixes like 10.0.0.0/8, separated by commas"},
};

int select_add(struct select *s, const char *what, const char *value, char *error, size_t n)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		const struct condition *c = &conditions[i];
		int r;

		if (strcmp(what, c->what) != 0)
			continue;
		r = c->add(s, value);
		if (r == -EINVAL)
			snprintf(error, n, "bad %s '%s': use %s", what, value, c->use);
		else if (r < 0)
			snprintf(error, n, "out of memory");
		return r;
	}
	snprintf(error, n, "unknown condition '%s'", what);
	return -EINVAL;
}

bool select_any(const struct select *s)
{
	return s->methods.n || s->services.n || s->hosts.n || s->paths.n || s->names.n || s->n_prefixes ||
	       s->any_status || s->any_latency;
}

/* Methods are told apart by case (RFC 9110 section 9.1), but "get" may well mean GET. */
static bool is_upper_of(struct slice upper, struct slice s)
{
	for (size_t i = 0; i < s.n && i < upper.n; i++)
		if (upper.p[i] != (s.p[i] >= 'a' && s.p[i] <= 'z' ? s.p[i] & ~0x20 : s.p[i]))
			return false;
	return upper.n == s.n;
}

/* Of the request, or of the call. */
static bool match_method(const struct select *s, const struct exchange_record *x)
{
	struct slice method = x->request.method, call = x->is_grpc ? x->grpc.method : slice_of(NULL, 0);

	for (size_t i = 0; i < s->methods.n; i++) {
		struct slice wanted = s->methods.v[i];

		if (slice_eq(wanted, method) || is_upper_of(method, wanted) || slice_eq(wanted, call))
			return true;
	}
	return s->methods.n == 0;
}

static bool match_service(const struct select *s, const struct exchange_record *x)
{
	for (size_t i = 0; x->is_grpc && x->grpc.service.n && i < s->services.n; i++)
		if (glob_match(s->services.v[i], x->grpc.service, false))
			return true;
	return s->services.n == 0;
}

/* Does an authority, or a glob on one, name a port? A colon alone does not: IPv6 addresses have many. */
static bool has_port(struct slice authority)
{
	return authority_host(authority).n < authority.n;
}

static bool match_host(const struct select *s, const struct message *m)
{
	struct slice authority, host;

	if (s->hosts.n == 0)
		return true;
	authority = request_authority(m);
	host = authority_host(authority);
	for (size_t i = 0; authority.n && i < s->hosts.n; i++)
		if (glob_match(s->hosts.v[i], has_port(s->hosts.v[i]) ? authority : host, true))
			return true;
	return false;
}

static bool match_path(const struct select *s, struct slice target)
{
	struct slice path;

	if (s->paths.n == 0)
		return true;
	path = target_parse(target).path;
	for (size_t i = 0; path.n && i < s->paths.n; i++)
		if (glob_match(s->paths.v[i], path, false) || glob_match(s->paths.v[i], target_bare_path(path), false))
			return true;
	return false;
}

static bool match_fields(struct slice name, struct slice glob, const struct fields *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (slice_ieq(field_name(f, i), name) && (!glob.p || glob_match(glob, field_value(f, i), true)))
			return true;
	return false;
}

static bool match_header(const struct select *s, const struct exchange_record *x)
{
	for (size_t i = 0; i < s->names.n; i++) {
		struct slice name = s->names.v[i], glob = s->values.v[i];

		if (match_fields(name, glob, &x->request.headers) || match_fields(name, glob, &x->response.headers) ||
		    match_fields(name, glob, &x->request.trailers) || match_fields(name, glob, &x->response.trailers))
			return true;
	}
	return s->names.n == 0;
}

static bool in_prefix(const struct prefix *p, const uint8_t addr[16])
{
	unsigned bytes = p->bits / 8, bits = p->bits % 8;

	return memcmp(p->addr, addr, bytes) == 0 && (bits == 0 || (p->addr[bytes] ^ addr[bytes]) >> (8 - bits) == 0);
}

static bool match_server(const struct select *s, const struct endpoints *e)
{
	for (size_t i = 0; i < s->n_prefixes; i++)
		if (in_prefix(&s->prefixes[i], e->key.addr[e->client == 0]) ||
		    (e->translated && in_prefix(&s->prefixes[i], e->other.addr[e->other_client == 0])))
			return true;
	return s->n_prefixes == 0;
}

static bool match_latency(const struct select *s, const struct exchange_record *x)
{
	return !s->any_latency || (x->timed && x->latency_ns >= s->min_latency_ns);
}

static bool match_exchange(const struct select *s, const struct exchange_record *x)
{
	return (!s->any_status || statuses_have(&s->statuses, x)) && match_latency(s, x) && match_method(s, x) &&
	       match_service(s, x) && match_path(s, x->request.target) && match_host(s, &x->request) && match_header(s, x);
}

bool select_match(const struct select *s, const struct record *r)
{
	if (r->kind == RECORD_LOSS || r->kind == RECORD_BUDGET)
		return true;
	if (!match_server(s, &r->ends))
		return false;
	return r->kind == RECORD_FLOW || match_exchange(s, &r->exchange);
}
