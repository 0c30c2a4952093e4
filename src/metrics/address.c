/* SPDX-License-Identifier: MIT */
#include "metrics/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/value.h"

#define LOOPBACK "127.0.0.1"
#define BACKLOG  64

bool address_parse(struct address *ret, const char *text)
{
	const char *colon = strrchr(text, ':'), *host = text;
	size_t n = colon ? (size_t)(colon - text) : 0;
	uint64_t port;

	if (n && text[0] == '[') {
		if (text[n - 1] != ']' || n < 3)
			return false;
		host++;
		n -= 2;
	} else if (n && memchr(text, ':', n)) {
		return false;
	}
	if (n >= sizeof ret->host || !value_number(colon ? colon + 1 : text, &port) || port > UINT16_MAX)
		return false;
	snprintf(ret->host, sizeof ret->host, "%.*s", n ? (int)n : (int)strlen(LOOPBACK), n ? host : LOOPBACK);
	snprintf(ret->port, sizeof ret->port, "%u", (unsigned)port);
	return true;
}

/* A file descriptor or a negative errno. */
static int listen_at(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void name_of(int fd, char name[ADDRESS_MAX])
{
	struct sockaddr_storage at;
	socklen_t n = sizeof at;
	char host[256] = "", port[32] = "";

	if (getsockname(fd, (struct sockaddr *)&at, &n) == 0)
		getnameinfo((struct sockaddr *)&at, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(name, ADDRESS_MAX, at.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int address_listen(const struct address *a, char name[ADDRESS_MAX], char *error, size_t n)
{
	const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	int r = getaddrinfo(a->host, a->port, &hints, &found), fd;

	if (r) {
		snprintf(error, n, "--metrics: '%s' is no address of this host: %s", a->host, gai_strerror(r));
		return -EADDRNOTAVAIL;
	}
	fd = listen_at(found);
	freeaddrinfo(found);
	if (fd >= 0)
		name_of(fd, name);
	else
		snprintf(error, n, "--metrics: cannot listen at %s, port %s: %s", a->host, a->port, strerror(-fd));
	return fd;
}
