/* SPDX-License-Identifier: MIT */
#include "output/view.h"

#include <errno.h>
#include <stdlib.h>

/* Fields whose value is a secret: their names in lower case, by length. */
#define SAME 5
static const char *const secrets[][SAME] = {
	[6] = {"cookie", "apikey"},
	[7] = {"cookie2", "api-key"},
	[9] = {"x-api-key", "job-token"},
	[10] = {"set-cookie", "x-auth-key"},
	[11] = {"set-cookie2", "x-api-token"},
	[12] = {"x-auth-token", "x-csrf-token", "x-xsrf-token"},
	[13] = {"authorization", "private-token", "x-vault-token"},
	[14] = {"x-access-token", "x-consul-token", "x-goog-api-key"},
	[15] = {"x-authorization", "x-client-secret", "x-functions-key", "x-registry-auth", "x-session-token"},
	[16] = {"x-amzn-oidc-data"},
	[19] = {"proxy-authorization"},
	[20] = {"x-amz-security-token"},
	[22] = {"x-shopify-access-token"},
	[23] = {"cf-access-client-secret", "cf-access-jwt-assertion", "x-amzn-oidc-accesstoken", "x-ms-token-aad-id-token"},
	[24] = {"x-forwarded-access-token", "x-goog-iap-jwt-assertion"},
	[25] = {"ocp-apim-subscription-key"},
	[27] = {"x-ms-token-aad-access-token"},
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

bool view_wants(const struct view *v, struct slice name)
{
	if (v->headers != HEADERS_LIST)
		return v->headers == HEADERS_ALL;
	for (size_t i = 0; i < v->n_names; i++)
		if (slice_ieq(v->names[i], name))
			return true;
	return false;
}

bool view_hides(const struct view *v, struct slice name)
{
	uint8_t last;

	if (v->show_secrets || name.n == 0 || name.n >= sizeof(secrets) / sizeof(secrets[0]))
		return false;
	last = ascii_lower(name.p[name.n - 1]);
	for (size_t i = 0; i < SAME && secrets[name.n][i]; i++)
		if (secrets[name.n][i][name.n - 1] == last && slice_ieq(name, slice_of(secrets[name.n][i], name.n)))
			return true;
	return false;
}
