/* SPDX-License-Identifier: MIT */
#include "metrics/server.h"

#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define REQUEST_MAX ((size_t)16 << 10) /* with all its fields */
#define TURN_MS     1000               /* at most, between looks at who is too slow */

struct client {
	int fd; /* -1: none */
	uint64_t number; /* counted up as they come */
	uint64_t since_ms;
	bool ended;
};

struct server {
	struct reply (*answer)(void *ctx, const char *path);
	void *ctx;
	struct MHD_Daemon *daemon;
	int stop, epoll; /* an eventfd; the daemon's own */
	pthread_t thread;
	bool runs;
	bool left;        /* a connection has ended: the library lets others in at its next turn */
	uint64_t clients; /* so far */
	struct client client[2 * SERVER_CLIENTS]; /* those that are ended take their time to go */
};

/* --- connections --- */

/* The library sees the end of the stream, and closes it. */
static void client_end(struct client *c)
{
	shutdown(c->fd, SHUT_RDWR);
	c->ended = true;
}

/* Ends those that have lived for too long, and the oldest while there are too many. */
static void end_clients(struct server *s)
{
	const size_t n = sizeof s->client / sizeof *s->client;
	uint64_t now = clock_ms();
	struct client *oldest;
	unsigned live;

	do {
		oldest = NULL;
		live = 0;
		for (struct client *c = s->client; c < s->client + n; c++) {
			if (c->fd < 0 || c->ended)
				continue;
			live++;
			if (!oldest || c->number < oldest->number)
				oldest = c;
		}
		if (!oldest || (live <= SERVER_CLIENTS && now - oldest->since_ms < SERVER_LIFE_MS))
			return;
		client_end(oldest);
	} while (true);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct server *s = cls;
	struct client *c = s->client;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		c = *context;
		c->fd = -1;
		s->left = true;
		return;
	}
	while (c->fd >= 0) /* the library lets no more in than there is room for */
		c++;
	*c = (struct client){
		.fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
		.number = s->clients++,
		.since_ms = clock_ms(),
	};
	*context = c;
	end_clients(s);
}

/* --- requests --- */

static void keep(void *owner)
{
	(void)owner;
}

static enum MHD_Result reply(struct MHD_Connection *connection, struct reply r)
{
	MHD_ContentReaderFreeCallback release = r.release ? r.release : keep;
	void *body = (void *)(uintptr_t)r.body; /* which the library only reads */
	struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(r.n, body, release, r.owner);
	enum MHD_Result ret;

	if (!response) {
		release(r.owner);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (r.status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	ret = MHD_queue_response(connection, r.status, response);
	MHD_destroy_response(response);
	return ret;
}

struct reply server_words(unsigned status, const char *text)
{
	return (struct reply){.status = status, .body = text, .n = strlen(text)};
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
				  const char *version, const char *upload, size_t *upload_n, void **context)
{
	struct server *s = cls;
	struct reply r;

	(void)version, (void)upload, (void)upload_n, (void)context;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply(connection, server_words(MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD alone\n"));
	r = s->answer(s->ctx, url);
	return reply(connection, r.status ? r : server_words(MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /readyz\n"));
}

/* --- life --- */

/* Without connections there is nothing to wait for but the first. */
static int turn_ms(struct server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;
	bool left = s->left;

	s->left = false;
	if (left)
		return 0;
	if (MHD_get_timeout(s->daemon, &ms) != MHD_YES)
		return -1;
	return ms < TURN_MS ? (int)ms : TURN_MS;
}

static void *serve(void *ctx)
{
	struct server *s = ctx;
	struct pollfd fds[] = {{.fd = s->stop, .events = POLLIN}, {.fd = s->epoll, .events = POLLIN}};

	while (!(fds[0].revents & POLLIN)) {
		if (poll(fds, 2, turn_ms(s)) < 0)
			fds[0].revents = 0;
		MHD_run(s->daemon);
		end_clients(s);
	}
	return NULL;
}

/* Signals are for the thread that reads: they wake it up. */
static bool start(struct server *s)
{
	sigset_t all, before;

	s->epoll = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	s->runs = pthread_create(&s->thread, NULL, serve, s) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return s->runs;
}

struct server *server_new(int fd, struct reply (*answer)(void *ctx, const char *path), void *ctx)
{
	struct server *s = calloc(1, sizeof *s);

	if (!s) {
		close(fd);
		return NULL;
	}
	s->answer = answer;
	s->ctx = ctx;
	for (size_t i = 0; i < sizeof s->client / sizeof *s->client; i++)
		s->client[i].fd = -1;
	s->stop = eventfd(0, EFD_CLOEXEC);
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned)(2 * SERVER_CLIENTS), MHD_OPTION_CONNECTION_TIMEOUT,
				     (unsigned)(SERVER_LIFE_MS / 1000), MHD_OPTION_CONNECTION_MEMORY_LIMIT, REQUEST_MAX,
				     MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
	if (!s->daemon)
		close(fd);
	if (s->stop >= 0 && s->daemon && start(s))
		return s;
	server_free(s);
	return NULL;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	if (s->runs) {
		eventfd_write(s->stop, 1);
		pthread_join(s->thread, NULL);
	}
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	if (s->stop >= 0)
		close(s->stop);
	free(s);
}
