/* SPDX-License-Identifier: MIT */
#include "sink/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/value.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define KEY     LETTERS "0123456789-._"
#define HOST    LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
#define SCHEME  LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-."

static int hex_of(char c)
{
	return !isxdigit((unsigned char)c) ? -1 : isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* A copy of the `n` bytes at `s`, without percent-encoding. NULL when out of memory. */
static char *decoded(const char *s, size_t n)
{
	char *ret = malloc(n + 1), *w = ret;

	if (!ret)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '%' && i + 2 < n && hex_of(s[i + 1]) >= 0 && hex_of(s[i + 2]) >= 0) {
			*w++ = (char)(hex_of(s[i + 1]) << 4 | hex_of(s[i + 2]));
			i += 2;
		} else {
			*w++ = s[i];
		}
	}
	*w = 0;
	return ret;
}

/* Sets *ret. 0 or -ENOMEM. */
static int take(char **ret, const char *s, size_t n)
{
	*ret = decoded(s, n);
	return *ret ? 0 : -ENOMEM;
}

static int copy(char **ret, const char *s, size_t n)
{
	*ret = strndup(s, n);
	return *ret ? 0 : -ENOMEM;
}

/* Where the options begin: at the first '?' that KEY= follows, or at the end. */
static const char *options_of(const char *text)
{
	for (const char *p = strchr(text, '?'); p; p = strchr(p + 1, '?')) {
		size_t key = strspn(p + 1, KEY);

		if (key && p[1 + key] == '=')
			return p;
	}
	return text + strlen(text);
}

static int parse_option(struct spec *s, const char *p, size_t n, int (*get)(char **ret, const char *s, size_t n))
{
	const char *is = memchr(p, '=', n);

	if (!is || is == p || s->n_options == SPEC_OPTIONS_MAX)
		return -EINVAL;
	s->n_options++;
	if (get(&s->options[s->n_options - 1].key, p, (size_t)(is - p)))
		return -ENOMEM;
	return get(&s->options[s->n_options - 1].value, is + 1, n - (size_t)(is + 1 - p));
}

static int parse_options(struct spec *s, const char *p)
{
	int r = 0;

	while (*p && r == 0) {
		size_t n = strcspn(++p, "&");

		r = parse_option(s, p, n, take);
		p += n;
	}
	return r;
}

static int parse_user(struct spec *s, const char *p, size_t n)
{
	const char *colon = memchr(p, ':', n);
	size_t user = colon ? (size_t)(colon - p) : n;

	if (take(&s->user, p, user))
		return -ENOMEM;
	return colon ? take(&s->password, colon + 1, n - user - 1) : 0;
}

/* NAME, NAME:PORT, ADDRESS, ADDRESS:PORT or [IPv6]:PORT */
static bool is_host(const char *p, size_t n, bool with_port)
{
	size_t host = *p == '[' ? 1 + strspn(p + 1, "0123456789abcdefABCDEF:.%" LETTERS) : strspn(p, HOST);
	bool closed = *p != '[' || (host > 1 && p[host] == ']');
	char port[8] = "";
	uint64_t number;

	host += *p == '[';
	if (!closed || !host || host > n)
		return false;
	if (host == n)
		return !with_port;
	if (p[host] != ':' || n - host - 1 >= sizeof(port))
		return false;
	memcpy(port, p + host + 1, n - host - 1);
	return value_number(port, &number) && number > 0 && number < 65536;
}

static bool are_hosts(const char *p, bool with_port, bool many)
{
	do {
		size_t n = strcspn(p, ",");

		if (!is_host(p, n, with_port) || (p[n] && !many))
			return false;
		p += n;
	} while (*p++);
	return true;
}

/*
 * A '/' or a '?' in a password is taken for the end of the hosts. May that be so, since there is an '@' in the `rest` behind them?
 * Not when it is in a value of an option, and all before is as it should be.
 */
static bool is_torn(const struct spec *s, const char *rest, const char *options)
{
	if (!strchr(rest, '@') || (!*s->hosts && !s->user))
		return false;
	return memchr(rest, '@', (size_t)(options - rest)) || !are_hosts(s->hosts, false, true) ||
	       (rest == options && (s->user || strcmp(s->scheme, "tcp") != 0));
}

/* Nothing but the scheme is to be told of the text. */
static int hide(struct spec *s)
{
	strcpy(strstr(s->text, "://") + 3, "...");
	return -EDOM;
}

/* [USER[:PASSWORD]@]HOSTS[/PATH]. 0, -ENOMEM, or -EDOM when one cannot tell where the password ends. */
static int parse_authority(struct spec *s, const char *p, size_t n)
{
	size_t authority = strcspn(p, "/");
	const char *at;
	int r = 0;

	authority = authority < n ? authority : n;
	at = memrchr(p, '@', authority);
	if (at) {
		r = parse_user(s, p, (size_t)(at - p));
		authority -= (size_t)(at + 1 - p);
		n -= (size_t)(at + 1 - p);
		p = at + 1;
	}
	r = r ? r : take(&s->hosts, p, authority);
	if (r == 0 && is_torn(s, p + authority, p + n))
		return hide(s);
	if (r || authority == n)
		return r;
	authority += s->hosts[0] != 0; /* unix:///run/x has no host, and its path begins with '/' */
	return take(&s->path, p + authority, n - authority);
}

static int parse_target(struct spec *s, const char *p, size_t n)
{
	size_t scheme = strspn(p, SCHEME);

	if (!scheme || scheme + 3 > n || strncmp(p + scheme, "://", 3) != 0)
		return n ? copy(&s->path, p, n) : 0;
	if (take(&s->scheme, p, scheme))
		return -ENOMEM;
	return parse_authority(s, p + scheme + 3, n - scheme - 3);
}

/* Is what follows KEY= none of anybody's business? */
static bool is_secret(const char *key, size_t n)
{
	static const char *const words[] = {"password", "secret", "token", "key.pem"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (memmem(key, n, words[i], strlen(words[i])))
			return true;
	return false;
}

/* The text up to the options, without the password. Returns the end of what is written. */
static char *print_target(char *w, const char *text, size_t n)
{
	const char *slashes = memmem(text, n, "://", 3), *end = text + n, *authority = slashes ? slashes + 3 : end;
	size_t length = strcspn(authority, "/");
	const char *at = memrchr(authority, '@', length < (size_t)(end - authority) ? length : (size_t)(end - authority));
	const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;

	if (!colon)
		return mempcpy(w, text, n);
	w = mempcpy(w, text, (size_t)(colon - text));
	return mempcpy(w, at, (size_t)(end - at));
}

/* The text without secrets. */
static int keep_text(struct spec *s, const char *text, const char *options)
{
	char *w = s->text = malloc(strlen(text) + sizeof("..."));

	if (!w)
		return -ENOMEM;
	w = print_target(w, text, (size_t)(options - text));
	while (*options) {
		size_t n = 1 + strcspn(options + 1, "&"), key = strcspn(options, "=");

		w = mempcpy(w, options, key < n && is_secret(options, key) ? key + 1 : n);
		options += n;
	}
	*w = 0;
	return 0;
}

static int parse(struct spec *s, const char *text)
{
	const char *options = options_of(text);
	size_t n = (size_t)(options - text), format = strspn(text, LETTERS);
	bool url = strncmp(text + strspn(text, SCHEME), "://", 3) == 0;
	bool named = !url && (format == n || text[format] == ':');
	const char *slashes = memmem(text, n, "://", 3);
	int r = keep_text(s, text, options);

	if (r == 0 && named)
		r = take(&s->format, text, format);
	else if (r == 0)
		r = url ? take(&s->format, "json", 4) : take(&s->format, text, slashes ? (size_t)(slashes - text) : n);
	format = named ? format + (format < n) : url ? 0 : n;
	r = r ? r : parse_target(s, text + format, n - format);
	return r ? r : parse_options(s, options);
}

int spec_parse(struct spec *ret, const char *text, char *error, size_t n)
{
	int r;

	*ret = (struct spec){0};
	r = parse(ret, text);
	if (r == -ENOMEM)
		snprintf(error, n, "out of memory");
	else if (r == -EDOM)
		snprintf(error, n, "'%s': write / ? and @ as %%2F %%3F and %%40 in a password or a path", ret->text);
	else if (r < 0)
		snprintf(error, n, "'%s': options are KEY=VALUE&..., %d at most", ret->text, SPEC_OPTIONS_MAX);
	return r == -EDOM ? -EINVAL : r;
}

int spec_add(struct spec *s, const char *option, char *error, size_t n)
{
	int r = parse_option(s, option, strlen(option), copy);

	if (r < 0)
		snprintf(error, n, r == -ENOMEM ? "out of memory" : "'%s' is not KEY=VALUE, or one too many", option);
	return r;
}

void spec_release(struct spec *s)
{
	free(s->text);
	free(s->format);
	free(s->scheme);
	free(s->user);
	free(s->password);
	free(s->hosts);
	free(s->path);
	for (size_t i = 0; i < s->n_options; i++) {
		free(s->options[i].key);
		free(s->options[i].value);
	}
}

int spec_check_hosts(const struct spec *s, bool with_port, bool many, char *error, size_t n)
{
	if (are_hosts(s->hosts ? s->hosts : "", with_port, many))
		return 0;
	snprintf(error, n, "'%s': '%s' is not HOST%s%s", s->text, s->hosts ? s->hosts : "", with_port ? ":PORT" : "[:PORT]",
		 many ? ",..." : "");
	return -EINVAL;
}

const char *spec_get(struct spec *s, const char *key, const char *otherwise)
{
	for (size_t i = 0; i < s->n_options; i++) {
		if (strcmp(s->options[i].key, key) != 0)
			continue;
		s->options[i].used = true;
		otherwise = s->options[i].value;
	}
	return otherwise;
}

const char *spec_unknown(const struct spec *s)
{
	for (size_t i = 0; i < s->n_options; i++)
		if (!s->options[i].used)
			return s->options[i].key;
	return NULL;
}
