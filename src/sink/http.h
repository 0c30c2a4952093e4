/* SPDX-License-Identifier: MIT */
/* Requests to an HTTP server that has several addresses, by libcurl. One thread at a time. */
#ifndef PERISCO_SINK_HTTP_H
#define PERISCO_SINK_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "sink/spec.h"

struct http;

/* What the hosts have in common. */
struct http_place {
	bool https;
	unsigned port;    /* where none is given */
	const char *root; /* in front of the path of each request: "/there", or "" */
};

/*
 * Makes the client. Of the spec: hosts as spec_check_hosts allows them (several are taken in turn, when one does not answer), user
 * and password, or one of the options api-key-file, bearer-file (whose first line is the secret; read at each request, so that it
 * may be renewed), and ca (a file of certificates). 0, or a negative errno with a line in `error`.
 */
int http_open(struct http **ret, struct spec *spec, const struct http_place *place, char *error, size_t n);

/* What is sent. */
struct http_request {
	const char *method, *path; /* the path with its query */
	const char *type;          /* of the body */
	const void *body;
	size_t n;                  /* 0: no body */
	bool gzip;
	size_t most;               /* bytes that the body of the response may have, 16 MiB in any case */
};

/*
 * Sends it, and waits for the whole response, at most 30 s and not long once `*hurry` is true (NULL: never). Returns the
 * status, or a negative errno with a line in `why` when there is none: -EMSGSIZE when the body of the response is larger than
 * it may be, -ECONNRESET when the connection broke, which may have been the response to a request that is too large. The body is
 * in *body (ended by a zero), which is valid until the next request.
 */
int http_request(struct http *h, const struct http_request *r, const atomic_bool *hurry, const char **body, char *why, size_t n);

/* How many addresses there are. */
size_t http_hosts(const struct http *h);

/* The next request goes to the next address. */
void http_next_host(struct http *h);

/* NULL is allowed. */
void http_close(struct http *h);

#endif
