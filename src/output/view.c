/* SPDX-License-Identifier: MIT */
#include "output/view.h"

#include <errno.h>
#include <stdlib.h>

#include "output/target.h"

/* Names by their length, so that most are told apart without a look at them. */
#define LONGEST 32
#define SAME    6
struct name {
	const char *s; /* lower case; NULL: no more of this length */
	enum secrecy secrecy;
};
typedef const struct name name_table[LONGEST + 1][SAME + 1];

#define ALL(name) {name, SECRECY_ALL}
#define URI(name) {name, SECRECY_URI}

static name_table fields = {
	[6] = {ALL("cookie"), ALL("apikey")},
	[7] = {ALL("cookie2"), ALL("api-key"), URI("referer")},
	[8] = {URI("location")},
	[9] = {ALL("x-api-key"), ALL("job-token")},
	[10] = {ALL("set-cookie"), ALL("x-auth-key")},
	[11] = {ALL("set-cookie2"), ALL("x-api-token")},
	[12] = {ALL("x-auth-token"), ALL("x-csrf-token"), ALL("x-xsrf-token")},
	[13] = {ALL("authorization"), ALL("private-token"), ALL("x-vault-token"), URI("x-rewrite-url")},
	[14] = {ALL("x-access-token"), ALL("x-consul-token"), ALL("x-goog-api-key"), URI("x-original-uri"),
		URI("x-original-url")},
	[15] = {ALL("x-authorization"), ALL("x-client-secret"), ALL("x-functions-key"), ALL("x-registry-auth"),
		ALL("x-session-token"), URI("x-forwarded-uri")},
	[16] = {ALL("x-amzn-oidc-data"), URI("content-location")},
	[19] = {ALL("proxy-authorization")},
	[20] = {ALL("x-amz-security-token")},
	[22] = {ALL("x-shopify-access-token")},
	[23] = {ALL("cf-access-client-secret"), ALL("cf-access-jwt-assertion"), ALL("x-amzn-oidc-accesstoken"),
		ALL("x-ms-token-aad-id-token")},
	[24] = {ALL("x-forwarded-access-token"), ALL("x-goog-iap-jwt-assertion")},
	[25] = {ALL("ocp-apim-subscription-key")},
	[27] = {ALL("x-ms-token-aad-access-token")},
};

/* Parameters of a query or fragment (RFC 6750 section 2.3, RFC 6749, and what clouds sign their URLs with). */
static name_table parameters = {
	[3] = {ALL("jwt"), ALL("pwd"), ALL("sig")},
	[5] = {ALL("token")},
	[6] = {ALL("apikey"), ALL("passwd"), ALL("secret")},
	[7] = {ALL("api_key"), ALL("api-key")},
	[8] = {ALL("password"), ALL("id_token")},
	[9] = {ALL("signature")},
	[10] = {ALL("auth_token")},
	[12] = {ALL("access_token")},
	[13] = {ALL("client_secret"), ALL("private_token"), ALL("refresh_token"), ALL("session_token")},
	[15] = {ALL("x-amz-signature")},
	[16] = {ALL("x-goog-signature")},
	[20] = {ALL("x-amz-security-token")},
};

static enum secrecy look_up(name_table table, struct slice name)
{
	uint8_t last;

	if (name.n == 0 || name.n > LONGEST)
		return SECRECY_NONE;
	last = ascii_lower(name.p[name.n - 1]);
	for (const struct name *t = table[name.n]; t->s; t++)
		if ((uint8_t)t->s[name.n - 1] == last && slice_ieq(name, slice_of(t->s, name.n)))
			return t->secrecy;
	return SECRECY_NONE;
}

static int names_parse(struct view *v, const char *spec)
{
	v->headers = HEADERS_LIST;
	for (;;) {
		struct slice name = slice_of(spec, strcspn(spec, ",")), *more;

		if (name.n == 0)
			return -EINVAL;
		more = reallocarray(v->names, v->n_names + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		v->names = more;
		more[v->n_names].n = name.n;
		more[v->n_names].p = (uint8_t *)strndup(spec, name.n);
		if (!more[v->n_names].p)
			return -ENOMEM;
		v->n_names++;
		spec += name.n;
		if (!*spec)
			return 0;
		spec++;
	}
}

int view_headers(struct view *v, const char *spec)
{
	struct view fresh = {.show_secrets = v->show_secrets};
	int r = 0;

	if (strcmp(spec, "none") == 0)
		fresh.headers = HEADERS_NONE;
	else if (strcmp(spec, "all") != 0)
		r = names_parse(&fresh, spec);
	if (r < 0) {
		view_release(&fresh);
		return r;
	}
	view_release(v);
	*v = fresh;
	return 0;
}

void view_release(struct view *v)
{
	for (size_t i = 0; i < v->n_names; i++)
		free((void *)v->names[i].p);
	free(v->names);
	v->names = NULL;
	v->n_names = 0;
}

bool view_wants(const struct view *v, struct slice name)
{
	if (v->headers != HEADERS_LIST)
		return v->headers == HEADERS_ALL;
	for (size_t i = 0; i < v->n_names; i++)
		if (slice_ieq(v->names[i], name))
			return true;
	return false;
}

enum secrecy view_secrecy(const struct view *v, struct slice name)
{
	return v->show_secrets ? SECRECY_NONE : look_up(fields, name);
}

/* Delimiters (RFC 3986 section 2.2), as a set of bits: they are all below 64. */
#define BIT(c)    (1ULL << (c))
#define QUERY     (BIT('?') | BIT('#'))
#define VALUE_END (BIT('&') | BIT('#'))
#define PARAMETER (QUERY | BIT('&') | BIT(';'))

/* The first byte at or behind `at` that is in the set, or the end. */
static size_t seek(struct slice s, size_t at, uint64_t set)
{
	while (at < s.n && !(s.p[at] < 64 && set >> s.p[at] & 1))
		at++;
	return at;
}

/* The value of the first secret parameter that begins behind `from`: up to the next '&' or '#', and not empty. */
static struct slice next_parameter(struct slice uri, size_t from)
{
	size_t at = seek(uri, 0, QUERY), name, end;

	for (at = seek(uri, at > from ? at : from, PARAMETER); at < uri.n; at = seek(uri, at, PARAMETER)) {
		name = at + 1;
		at = seek(uri, name, PARAMETER | BIT('='));
		if (at == uri.n || uri.p[at] != '=' || look_up(parameters, slice_of(uri.p + name, at - name)) == SECRECY_NONE)
			continue;
		end = seek(uri, ++at, VALUE_END);
		if (end > at)
			return slice_of(uri.p + at, end - at);
	}
	return slice_of(uri.p + uri.n, 0);
}

struct slice view_next_secret(const struct view *v, struct slice uri, size_t from)
{
	struct slice userinfo = {NULL, 0};

	if (uri.n == 0 || v->show_secrets)
		return slice_of(uri.p, 0);
	if (from == 0)
		userinfo = target_parse(uri).userinfo;
	return userinfo.n ? userinfo : next_parameter(uri, from);
}
