/* SPDX-License-Identifier: MIT */
#include "output/view.h"

#include <errno.h>
#include <stdlib.h>

/* Fields whose value is a secret: their names in lower case, by length, and the letters that these end with. */
#define SAME   5
#define END(c) (1u << ((c) & 31))
static const struct {
	uint32_t ends;
	const char *names[SAME];
} secrets[] = {
	[6] = {END('e') | END('y'), {"cookie", "apikey"}},
	[7] = {END('2') | END('y'), {"cookie2", "api-key"}},
	[9] = {END('y') | END('n'), {"x-api-key", "job-token"}},
	[10] = {END('e') | END('y'), {"set-cookie", "x-auth-key"}},
	[11] = {END('2') | END('n'), {"set-cookie2", "x-api-token"}},
	[12] = {END('n'), {"x-auth-token", "x-csrf-token", "x-xsrf-token"}},
	[13] = {END('n'), {"authorization", "private-token", "x-vault-token"}},
	[14] = {END('n') | END('y'), {"x-access-token", "x-consul-token", "x-goog-api-key"}},
	[15] = {END('n') | END('t') | END('y') | END('h'), {"x-authorization", "x-client-secret", "x-functions-key", "x-registry-auth", "x-session-token"}},
	[16] = {END('a'), {"x-amzn-oidc-data"}},
	[19] = {END('n'), {"proxy-authorization"}},
	[20] = {END('n'), {"x-amz-security-token"}},
	[22] = {END('n'), {"x-shopify-access-token"}},
	[23] = {END('t') | END('n'), {"cf-access-client-secret", "cf-access-jwt-assertion", "x-amzn-oidc-accesstoken", "x-ms-token-aad-id-token"}},
	[24] = {END('n'), {"x-forwarded-access-token", "x-goog-iap-jwt-assertion"}},
	[25] = {END('y'), {"ocp-apim-subscription-key"}},
	[27] = {END('n'), {"x-ms-token-aad-access-token"}},
};

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

static __attribute__((noinline)) bool is_listed(const struct view *v, struct slice name)
{
	for (size_t i = 0; i < v->n_names; i++)
		if (slice_ieq(v->names[i], name))
			return true;
	return false;
}

bool view_wants(const struct view *v, struct slice name)
{
	return v->headers == HEADERS_ALL || (v->headers == HEADERS_LIST && is_listed(v, name));
}

static __attribute__((noinline)) bool is_secret(struct slice name)
{
	for (size_t i = 0; i < SAME && secrets[name.n].names[i]; i++)
		if (slice_ieq(name, slice_of(secrets[name.n].names[i], name.n)))
			return true;
	return false;
}

/* Nearly all names can be told by their length and last letter. */
bool view_hides(const struct view *v, struct slice name)
{
	if (v->show_secrets || name.n == 0 || name.n >= sizeof(secrets) / sizeof(secrets[0]))
		return false;
	return secrets[name.n].ends & END(name.p[name.n - 1]) && is_secret(name);
}
