/* SPDX-License-Identifier: MIT */
/*
 * A small HTTP server, of GET alone, on a thread of its own. A connection is for one request and lives for some seconds; when there
 * are too many the oldest goes, so that no one who is slow keeps others out.
 */
#ifndef PERISCO_METRICS_SERVER_H
#define PERISCO_METRICS_SERVER_H

#include <stdint.h>

#include "base/slice.h"

#define SERVER_CLIENTS 8u    /* at the same time */
#define SERVER_LIFE_MS 10000 /* of a connection */

/* What a path has to say. */
struct reply {
	unsigned status;  /* of HTTP */
	const void *body; /* stays as it is until it is released */
	size_t n;
	void (*release)(void *owner); /* called when the body is sent, by the server's thread or server_free; NULL: it is static */
	void *owner;
};

/* A static text. */
struct reply server_words(unsigned status, const char *text);

struct server;

/*
 * Serves on a socket that listens, which becomes the server's. `answer` is called by its thread; status 0 means that there is no
 * such path. NULL when out of memory or threads: the socket is closed then.
 */
struct server *server_new(int fd, struct reply (*answer)(void *ctx, const char *path), void *ctx);

/* Ends it, and every connection. NULL is allowed. */
void server_free(struct server *s);

#endif
