/* SPDX-License-Identifier: MIT */
#include "sink/socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_MS 5000
#define STALL_MS   10000 /* nothing was taken for so long */
#define STEP_MS    50    /* between two looks at what is going on */
#define PARTS      256   /* items that are sent at once */
#define UNANSWERED 3     /* packets that were sent again without an answer: nobody is there */

struct place {
	char *path;        /* of a Unix socket; NULL: TCP */
	char *host, *port;
	int fd;            /* -1: not connected */
	uint64_t sent;     /* bytes of the items at hand that this connection got, ... */
	uint64_t taken;    /* ... and of these, what the other side has for certain: taken <= sent */
};

static void disconnect(struct place *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->sent = p->taken = 0;
}

/*
 * Waits for the events, or so long. 0, or the negative errno of a broken connection. One that the other side only ended its half of
 * is none: it may go on to read.
 */
static int step(const struct place *p, short events, int ms)
{
	struct pollfd fd = {.fd = p->fd, .events = events};
	socklen_t n = sizeof(int);
	int error = 0;

	if (poll(&fd, 1, ms) < 0 && errno != EINTR)
		return -errno;
	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error)
		return -error;
	return fd.revents & (POLLERR | POLLHUP) ? -EPIPE : 0;
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

/*
 * A connection to a port of this host that nobody listens at may be given that port itself, and then it reaches itself (RFC 9293
 * section 3.5, simultaneous open): nobody is there. It is reset, or it would keep the port from who wants to listen.
 */
static int refuse_self(struct place *p)
{
	const struct linger reset = {1, 0};
	struct sockaddr_storage here, there;
	socklen_t here_n = sizeof(here), there_n = sizeof(there);

	if (getsockname(p->fd, (struct sockaddr *)&here, &here_n) < 0 || getpeername(p->fd, (struct sockaddr *)&there, &there_n) < 0 ||
	    here_n != there_n || memcmp(&here, &there, here_n) != 0)
		return 0;
	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	disconnect(p);
	return -ECONNREFUSED;
}

/* Each address of the host, until one answers. */
static int connect_tcp(struct place *p, const atomic_bool *hurry)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found, *a;
	int r = -EHOSTUNREACH;

	if (getaddrinfo(p->host, p->port, &hints, &found) != 0)
		return -EHOSTUNREACH;
	for (a = found; a && r < 0; a = a->ai_next) {
		r = connect_to(p, a->ai_addr, a->ai_addrlen, hurry);
		r = r ? r : refuse_self(p);
	}
	freeaddrinfo(found);
	return r;
}

/* A connection that was closed while nobody spoke is no failure: there is another one to be had. */
static int reach(struct place *p, const atomic_bool *hurry, char *why, size_t n)
{
	int r;

	if (p->fd >= 0 && p->sent == 0 && step(p, 0, 0) < 0)
		disconnect(p);
	r = p->fd >= 0 ? 0 : p->path ? connect_unix(p, hurry) : connect_tcp(p, hurry);
	if (r < 0)
		snprintf(why, n, "cannot connect: %s", strerror(-r));
	return r;
}

/*
 * Looks how much of what was sent the other side has: with TCP its kernel acknowledges it; with a Unix socket the rest is held in no
 * more memory than what is told, and what was not read when the other side closed is let go, after poll(2) tells of that. Returns
 * what is still on its way, in bytes that go down as it goes on.
 */
static uint64_t look(struct place *p)
{
	int n = 0;

	if (ioctl(p->fd, SIOCOUTQ, &n) < 0 || n < 0 || (p->path && step(p, 0, 0) < 0))
		return p->sent - p->taken;
	if ((uint64_t)n < p->sent - p->taken)
		p->taken = p->sent - (uint64_t)n;
	return (uint64_t)n;
}

/* The item in which the byte `*at` lies, which then counts from its start. */
static size_t item_at(const struct item *items, uint64_t *at)
{
	size_t i = 0;

	while (*at >= items[i].n)
		*at -= items[i++].n;
	return i;
}

/* Sends from item `i`, byte `at` of it, on, as far as the socket takes it now. Bytes sent, or a negative errno. */
static ssize_t push(const struct place *p, const struct item *items, size_t n, size_t i, uint64_t at)
{
	struct iovec parts[PARTS];
	struct msghdr message = {.msg_iov = parts};
	ssize_t written;

	for (; i < n && message.msg_iovlen < PARTS; i++, at = 0)
		parts[message.msg_iovlen++] = (struct iovec){(void *)(uintptr_t)(items[i].p + at), items[i].n - at};
	written = sendmsg(p->fd, &message, MSG_NOSIGNAL | (i < n ? MSG_MORE : 0));
	if (written < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return written;
}

/* All that the socket takes now. 0 or a negative errno. */
static int push_all(struct place *p, const struct item *items, size_t n, uint64_t all)
{
	uint64_t at = p->sent;
	size_t i = at < all ? item_at(items, &at) : 0;

	while (p->sent < all) {
		ssize_t r = push(p, items, n, i, at);

		if (r <= 0)
			return (int)r;
		p->sent += (uint64_t)r;
		at += (uint64_t)r;
		i += p->sent < all ? item_at(items + i, &at) : 0;
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

/* Those whose bytes were taken have arrived. */
static void settle(struct place *p, struct item *items, size_t n)
{
	uint64_t at = 0;

	for (size_t i = 0; i < n && at + items[i].n <= p->taken; i++) {
		items[i].fate = FATE_DELIVERED;
		at += items[i].n;
	}
	p->sent -= at;
	p->taken -= at;
}

/* Is nobody there? A reader that does not read is: its kernel answers. */
static bool is_silent(const struct place *p)
{
	struct tcp_info info = {0};
	socklen_t n = sizeof(info);

	return !p->path && getsockopt(p->fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
	       info.tcpi_retransmits + info.tcpi_probes >= UNANSWERED && info.tcpi_last_ack_recv >= STALL_MS;
}

/* Sends until all is with the other side (0), nothing goes on (-EINPROGRESS), or it broke. */
static int pump(struct place *p, const struct item *items, size_t n, const atomic_bool *hurry)
{
	uint64_t all = bytes_of(items, n), left = UINT64_MAX, now;
	int ms = 1, r;

	for (int stalled = 0; stalled < STALL_MS && !*hurry; stalled += ms) {
		r = push_all(p, items, n, all);
		if (r < 0)
			return r;
		now = look(p) + all - p->sent;
		if (now == 0)
			return 0;
		stalled = now < left ? 0 : stalled;
		ms = p->sent < all ? STEP_MS : now < left ? 1 : ms * 2 < STEP_MS ? ms * 2 : STEP_MS;
		left = now;
		r = step(p, p->sent < all ? POLLOUT : 0, ms);
		if (r < 0)
			return r;
	}
	return is_silent(p) ? -ETIMEDOUT : -EINPROGRESS;
}

static int carry(struct place *p, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n)
{
	int r = reach(p, hurry, why, why_n);

	if (r < 0)
		return r;
	r = pump(p, items, n, hurry);
	look(p);
	settle(p, items, n);
	if (r == 0)
		return 0;
	snprintf(why, why_n, r == -EINPROGRESS ? "nothing is taken" : "the connection broke: %s", strerror(-r));
	if (r != -EINPROGRESS)
		disconnect(p);
	return r;
}

/* Was it closed, or at least a half of it, while nobody spoke? Which one only a try can tell. */
static bool is_doubtful(const struct place *p)
{
	struct pollfd fd = {.fd = p->fd, .events = POLLRDHUP};

	return p->fd >= 0 && p->sent == 0 && poll(&fd, 1, 0) == 1;
}

static int socket_carry(void *self, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n)
{
	struct place *p = self;
	bool doubtful = is_doubtful(p);
	int r = carry(p, items, n, hurry, why, why_n);

	return doubtful && p->fd < 0 && items[0].fate == FATE_OPEN && !*hurry ? carry(p, items, n, hurry, why, why_n) : r;
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
	const char *hosts = spec->hosts, *colon = strrchr(hosts, ':');
	bool bracketed = hosts[0] == '[';

	if (spec_check_hosts(spec, true, false, error, n) < 0 || spec->path || spec->user) {
		snprintf(error, n, "'%s': use tcp://HOST:PORT", spec->text);
		return -EINVAL;
	}
	p->host = strndup(hosts + bracketed, (size_t)(colon - hosts) - 2 * bracketed);
	p->port = strdup(colon + 1);
	return p->host && p->port ? 0 : -ENOMEM;
}

static int set_unix(struct place *p, const struct spec *spec, char *error, size_t n)
{
	if (!spec->path || !*spec->path || spec->user || *spec->hosts || strlen(spec->path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
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
