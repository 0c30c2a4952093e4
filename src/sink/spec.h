/* SPDX-License-Identifier: MIT */
/*
 * What -o was given, taken apart: [FORMAT:]TARGET[?KEY=VALUE&...]. TARGET is a URL, SCHEME://[USER[:PASSWORD]@]HOSTS[/PATH],
 * or the name of a file. Percent-encoding (RFC 3986 section 2.1) is undone in a URL's parts and in values. A '?' in the name
 * of a file begins options only where KEY= follows.
 */
#ifndef PERISCO_SINK_SPEC_H
#define PERISCO_SINK_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPEC_OPTIONS_MAX 32

struct spec {
	char *text;             /* as it was given, but for secrets: for messages. SCHEME://... if one cannot tell where a secret ends */
	char *format;           /* "json" when there is a URL and no FORMAT */
	char *scheme;           /* of a URL; NULL: a file, or standard output */
	char *user, *password;  /* NULL: none */
	char *hosts;            /* of a URL: "host:port,host:port"; "" when there are none */
	char *path;             /* of a file; of a URL, what follows the hosts, without the '/' but for scheme unix. NULL: none */
	struct {
		char *key, *value;
		bool used;
	} options[SPEC_OPTIONS_MAX];
	size_t n_options;
};

/* Takes `text` apart. 0, -EINVAL or -ENOMEM with a line in `error`; release it in each case. */
int spec_parse(struct spec *ret, const char *text, char *error, size_t n);
void spec_release(struct spec *s);

/* One more option, KEY=VALUE as it stands. 0, -EINVAL or -ENOMEM with a line in `error`. */
int spec_add(struct spec *s, const char *option, char *error, size_t n);

/*
 * Are its hosts such, with commas between if `many` are allowed, each with a port if there must be one? 0, or -EINVAL with a
 * line in `error`.
 */
int spec_check_hosts(const struct spec *s, bool with_port, bool many, char *error, size_t n);

/* The value of an option, which is then known; `otherwise` when it was not given. Borrowed from the spec. */
const char *spec_get(struct spec *s, const char *key, const char *otherwise);

/* The first option that nobody asked for; NULL when there is none. */
const char *spec_unknown(const struct spec *s);

#endif
