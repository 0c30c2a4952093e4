/* SPDX-License-Identifier: MIT */
#include "sink/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define KEY     LETTERS "0123456789-._"

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

/* [USER[:PASSWORD]@]HOSTS[/PATH] */
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
	if (r || authority == n)
		return r;
	authority += s->hosts[0] != 0; /* unix:///run/x has no host, and its path begins with '/' */
	return take(&s->path, p + authority, n - authority);
}

static int parse_target(struct spec *s, const char *p, size_t n)
{
	size_t scheme = strspn(p, LETTERS "+");

	if (!scheme || scheme + 3 > n || strncmp(p + scheme, "://", 3) != 0)
		return n ? copy(&s->path, p, n) : 0;
	if (take(&s->scheme, p, scheme))
		return -ENOMEM;
	return parse_authority(s, p + scheme + 3, n - scheme - 3);
}

/* The text without the password. */
static int keep_text(struct spec *s, const char *text)
{
	const char *slashes = strstr(text, "://"), *at, *colon;
	size_t n;

	s->text = strdup(text);
	if (!s->text)
		return -ENOMEM;
	if (!slashes)
		return 0;
	n = strcspn(slashes + 3, "/?");
	at = memrchr(slashes + 3, '@', n);
	colon = at ? memchr(slashes + 3, ':', (size_t)(at - slashes - 3)) : NULL;
	if (colon)
		strcpy(s->text + (colon - text), at);
	return 0;
}

static int parse(struct spec *s, const char *text)
{
	const char *options = options_of(text);
	size_t n = (size_t)(options - text), format = strspn(text, LETTERS);
	bool url = strncmp(text + strspn(text, LETTERS "+"), "://", 3) == 0;
	bool named = !url && (format == n || text[format] == ':');
	int r = keep_text(s, text);

	if (r == 0 && named)
		r = take(&s->format, text, format);
	else if (r == 0)
		r = take(&s->format, url ? "json" : text, url ? 4 : n);
	format = named ? format + (format < n) : url ? 0 : n;
	r = r ? r : parse_target(s, text + format, n - format);
	return r ? r : parse_options(s, options);
}

int spec_parse(struct spec *ret, const char *text, char *error, size_t n)
{
	int r;

	*ret = (struct spec){0};
	r = parse(ret, text);
	if (r < 0)
		snprintf(error, n, r == -ENOMEM ? "out of memory" : "'%s': options are KEY=VALUE&...", text);
	return r;
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
