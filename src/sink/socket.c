/* SPDX-License-Identifier: MIT */
#include "sink/socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_MS 5000
#define STALL_MS   10000 /* nothing was taken for so long */
#define STEP_MS    50    /* between two looks at what is going on */

struct place {
	char *path;        /* of a Unix socket; NULL: TCP */
	char *host, *port;
	int fd;            /* -1: not connected */
	uint64_t sent;     /* bytes of the items at hand that this connection got */
};

static void disconnect(struct place *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->sent = 0;
}

/* Waits for the events, or so long. 0, or the negative errno of a broken connection. */
static int step(const struct place *p, short events, int ms)
{
	struct pollfd fd = {.fd = p->fd, .events = (short)(events | POLLRDHUP)};
	socklen_t n = sizeof(int);
	int error = 0;

	if (poll(&fd, 1, ms) < 0 && errno != EINTR)
		return -errno;
	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error)
		return -error;
	return fd.revents & (POLLERR | POLLHUP | POLLRDHUP) ? -EPIPE : 0;
}

static int connect_to(struct place *p, const struct sockaddr *addr, socklen_t n, const atomic_bool *hurry)
{
	int r = 0;

	p->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -errno;
	if (connect(p->fd, addr, n) < 0 && errno != EINPROGRESS)
		r = -errno;
	for (int waited = 0; r == 0; waited += STEP_MS) {
		struct pollfd fd = {.fd = p->fd, .events = POLLOUT};

		r = step(p, POLLOUT, STEP_MS);
		if (r == 0 && poll(&fd, 1, 0) == 1)
			return 0;
		if (r == 0 && (waited >= CONNECT_MS || (hurry && *hurry)))
			r = -ETIMEDOUT;
	}
	disconnect(p);
	return r;
}

static int connect_unix(struct place *p, const atomic_bool *hurry)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(addr.sun_path, p->path);
	return connect_to(p, (struct sockaddr *)&addr, sizeof(addr), hurry);
}

/* Each address of the host, until one answers. */
static int connect_tcp(struct place *p, const atomic_bool *hurry)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found, *a;
	int r = -EHOSTUNREACH;

	if (getaddrinfo(p->host, p->port, &hints, &found) != 0)
		return -EHOSTUNREACH;
	for (a = found; a && r < 0; a = a->ai_next)
		r = connect_to(p, a->ai_addr, a->ai_addrlen, hurry);
	freeaddrinfo(found);
	return r;
}

static int reach(struct place *p, const atomic_bool *hurry, char *why, size_t n)
{
	int r = p->fd >= 0 ? 0 : p->path ? connect_unix(p, hurry) : connect_tcp(p, hurry);

	if (r < 0)
		snprintf(why, n, "cannot connect: %s", strerror(-r));
	return r;
}

/* Bytes that were sent and that the other side's kernel does not have yet. */
static uint64_t unacknowledged(const struct place *p)
{
	int n = 0;

	return !p->path && ioctl(p->fd, SIOCOUTQ, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

/* The items' bytes from p->sent on, as far as the socket takes them now. Bytes sent, or a negative errno. */
static ssize_t push(struct place *p, const struct item *items, size_t n)
{
	uint64_t at = 0;
	ssize_t written;

	for (size_t i = 0; i < n; at += items[i++].n) {
		uint64_t skip = p->sent - at;

		if (at + items[i].n <= p->sent)
			continue;
		written = send(p->fd, items[i].p + skip, items[i].n - skip, MSG_NOSIGNAL | (i + 1 < n ? MSG_MORE : 0));
		if (written < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		return written;
	}
	return 0;
}

static uint64_t bytes_of(const struct item *items, size_t n)
{
	uint64_t ret = 0;

	for (size_t i = 0; i < n; i++)
		ret += items[i].n;
	return ret;
}

/* Those that lie in the first `taken` bytes have arrived. Returns the bytes of these. */
static uint64_t settle(struct item *items, size_t n, uint64_t taken)
{
	uint64_t at = 0;

	for (size_t i = 0; i < n && at + items[i].n <= taken; i++) {
		items[i].fate = FATE_DELIVERED;
		at += items[i].n;
	}
	return at;
}

/* Sends until all is with the other side, nothing goes on, or it broke. */
static int pump(struct place *p, const struct item *items, size_t n, const atomic_bool *hurry)
{
	uint64_t all = bytes_of(items, n), left = all, now;
	int ms = 0;
	ssize_t r = 0;

	for (int stalled = 0; stalled < STALL_MS && !*hurry;) {
		while (p->sent < all && (r = push(p, items, n)) > 0)
			p->sent += (uint64_t)r;
		if (r < 0)
			return (int)r;
		now = all - p->sent + unacknowledged(p);
		if (now == 0)
			return 0;
		stalled = now < left ? 0 : stalled + ms;
		left = now;
		ms = p->sent < all ? STEP_MS : 1;
		r = step(p, p->sent < all ? POLLOUT : 0, ms);
		if (r < 0)
			return (int)r;
	}
	return -ETIMEDOUT;
}

static int socket_carry(void *self, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n)
{
	struct place *p = self;
	uint64_t unsure;
	int r = reach(p, hurry, why, why_n);

	if (r < 0)
		return r;
	r = pump(p, items, n, hurry);
	unsure = r < 0 ? unacknowledged(p) : 0;
	p->sent -= settle(items, n, p->sent > unsure ? p->sent - unsure : 0);
	if (r == 0)
		return 0;
	snprintf(why, why_n, r == -ETIMEDOUT ? "nothing is taken" : "the connection broke: %s", strerror(-r));
	if (r != -ETIMEDOUT)
		disconnect(p);
	return r;
}

static int socket_probe(void *self, char *why, size_t n)
{
	return reach(self, NULL, why, n);
}

static void socket_close(void *self)
{
	struct place *p = self;

	disconnect(p);
	free(p->path);
	free(p->host);
	free(p->port);
	free(p);
}

static int set_tcp(struct place *p, const struct spec *spec, char *error, size_t n)
{
	const char *hosts = spec->hosts ? spec->hosts : "", *colon = strrchr(hosts, ':');
	bool bracketed = hosts[0] == '[' && colon && colon > hosts && colon[-1] == ']';

	if (!colon || colon == hosts || !colon[1] || spec->path) {
		snprintf(error, n, "'%s': use tcp://HOST:PORT", spec->text);
		return -EINVAL;
	}
	p->host = strndup(hosts + bracketed, (size_t)(colon - hosts) - 2 * bracketed);
	p->port = strdup(colon + 1);
	return p->host && p->port ? 0 : -ENOMEM;
}

static int set_unix(struct place *p, const struct spec *spec, char *error, size_t n)
{
	if (!spec->path || (spec->hosts && *spec->hosts) || strlen(spec->path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		snprintf(error, n, "'%s': use unix:///PATH, of some 100 bytes at most", spec->text);
		return -EINVAL;
	}
	p->path = strdup(spec->path);
	return p->path ? 0 : -ENOMEM;
}

int socket_open(struct carrier *ret, struct spec *spec, char *error, size_t n)
{
	struct place *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		snprintf(error, n, "out of memory");
		return -ENOMEM;
	}
	p->fd = -1;
	r = strcmp(spec->scheme, "unix") == 0 ? set_unix(p, spec, error, n) : set_tcp(p, spec, error, n);
	if (r == -ENOMEM)
		snprintf(error, n, "out of memory");
	*ret = (struct carrier){p, socket_probe, socket_carry, socket_close};
	if (r < 0)
		socket_close(p);
	return r;
}
