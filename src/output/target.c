/* SPDX-License-Identifier: MIT */
#include "output/target.h"

/* Where `c` is first, or the length of the slice. */
static size_t find(struct slice s, uint8_t c)
{
	const uint8_t *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

static bool is_scheme_char(uint8_t c, bool first)
{
	uint8_t lower = c | 0x20;

	if (lower >= 'a' && lower <= 'z')
		return true;
	return !first && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.');
}

/* The length of a scheme in front of "://" (RFC 3986 section 3.1); 0: there is none. */
static size_t scheme_length(struct slice s)
{
	size_t n = 0;

	while (n < s.n && is_scheme_char(s.p[n], n == 0))
		n++;
	return slice_starts(slice_from(s, n), SLICE("://")) ? n : 0;
}

/* The end of an authority: the first of "/?#". */
static size_t authority_length(struct slice s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#')
		n++;
	return n;
}

struct target target_parse(struct slice target)
{
	struct target t = {0};
	size_t scheme, n, at;

	if (target.n == 0)
		return t;
	if (target.p[0] == '/' || slice_eq(target, SLICE("*"))) {
		t.path = target;
		return t;
	}
	scheme = scheme_length(target);
	if (scheme == 0)
		return t;
	t.scheme = slice_first(target, scheme);
	target = slice_from(target, scheme + 3);
	n = authority_length(target);
	t.path = slice_from(target, n);
	for (at = n; at > 0 && target.p[at - 1] != '@'; at--)
		;
	t.authority = slice_of(target.p + at, n - at);
	return t;
}

struct slice target_bare_path(struct slice path)
{
	return slice_first(path, find(path, '?'));
}

struct slice request_authority(const struct message *request)
{
	struct target t;

	if (request->authority.n)
		return request->authority;
	if (request->target.n && request->target.p[0] != '/') {
		t = target_parse(request->target);
		if (t.authority.n)
			return t.authority;
		if (slice_eq(request->method, SLICE("CONNECT")))
			return request->target;
	}
	return fields_get(&request->headers, SLICE("host"));
}

struct slice authority_host(struct slice authority)
{
	size_t bracket = find(authority, ']');

	if (authority.n && authority.p[0] == '[' && bracket < authority.n)
		return slice_first(authority, bracket + 1);
	return slice_first(authority, find(authority, ':'));
}
