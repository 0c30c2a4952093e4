/* SPDX-License-Identifier: MIT */
/* Addresses as they are written, and the server: what it answers, and that no one who is slow keeps others out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "metrics/address.h"
#include "metrics/server.h"

static struct server *server;
static struct sockaddr_in at = {.sin_family = AF_INET};

static struct reply answer(void *ctx, const char *path)
{
	assert_ptr_equal(ctx, &at);
	if (strcmp(path, "/page") != 0)
		return (struct reply){0};
	return server_words(200, "text\n");
}

static int setup(void **state)
{
	char name[ADDRESS_MAX], error[256];
	struct address a;
	int fd;

	(void)state;
	assert_true(address_parse(&a, ":0"));
	fd = address_listen(&a, name, error, sizeof error);
	assert_true(fd >= 0);
	at.sin_port = htons((uint16_t)atoi(strrchr(name, ':') + 1));
	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	server = server_new(fd, answer, &at);
	return server ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	server_free(server);
	return 0;
}

static int knock(void)
{
	const struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

/* Everything up to the end of the connection; what was reset has ended too. */
static void hear(int fd, char *buf, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size - 1 && (got = recv(fd, buf + n, size - 1 - n, 0)) > 0)
		n += (size_t)got;
	buf[n] = '\0';
	close(fd);
}

static void ask(const char *request, const char *status, const char *body)
{
	char buf[4096];
	int fd = knock();

	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	hear(fd, buf, sizeof buf);
	if (strncmp(buf, "HTTP/1.1 ", 9) != 0 || strncmp(buf + 9, status, 3) != 0 || !strstr(buf, body))
		fail_msg("'%s' is answered with '%s'", request, buf);
}

#define HOST " HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_answers(void **state)
{
	(void)state;
	ask("GET /page" HOST, "200", "\r\n\r\ntext\n");
	ask("GET /page?x=1" HOST, "200", "\r\n\r\ntext\n");
	ask("HEAD /page" HOST, "200", "Content-Length: 5\r\n");
	ask("GET /" HOST, "404", "");
	ask("GET /page/" HOST, "404", "");
	ask("GET /../page" HOST, "404", "");
	ask("POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "405", "Allow: GET, HEAD\r\n");
	ask("DELETE /page" HOST, "405", "");
}

static void test_too_large(void **state)
{
	char *request = malloc(1 << 20), buf[256];
	int fd = knock();

	(void)state;
	memset(request, 'x', 1 << 20);
	memcpy(request, "GET /page", 9);
	send(fd, request, 1 << 20, MSG_NOSIGNAL);
	hear(fd, buf, sizeof buf);
	assert_null(strstr(buf, "200"));
	free(request);
	ask("GET /page" HOST, "200", "text");
}

/* Far more than it lets in, each with half a request; and still it answers at once. */
static void test_slow(void **state)
{
	uint64_t start = clock_ms();
	char buf[64];
	int fd[200];

	(void)state;
	for (size_t i = 0; i < sizeof fd / sizeof *fd; i++) {
		fd[i] = knock();
		send(fd[i], "GET /pa", 7, MSG_NOSIGNAL);
		if (i % 20 == 0)
			ask("GET /page" HOST, "200", "text");
	}
	ask("GET /page" HOST, "200", "text");
	assert_true(clock_ms() - start < SERVER_LIFE_MS);
	hear(fd[0], buf, sizeof buf); /* the oldest have gone, */
	assert_true(clock_ms() - start < SERVER_LIFE_MS);
	for (size_t i = 1; i < sizeof fd / sizeof *fd; i++)
		close(fd[i]);
}

/* It goes after its time, however often it says something. */
static void test_drips(void **state)
{
	struct timespec second = {.tv_sec = 1};
	uint64_t start = clock_ms();
	int fd = knock();

	(void)state;
	while (send(fd, "G", 1, MSG_NOSIGNAL) == 1 && clock_ms() - start < 3 * SERVER_LIFE_MS)
		nanosleep(&second, NULL);
	assert_true(clock_ms() - start < 2 * SERVER_LIFE_MS);
	close(fd);
}

static void test_ends_with_guests(void **state)
{
	int fd = knock();
	char buf[64];

	send(fd, "GET /pa", 7, MSG_NOSIGNAL);
	teardown(state);
	hear(fd, buf, sizeof buf);
	assert_string_equal(buf, "");
	assert_int_equal(setup(state), 0);
}

/* --- addresses --- */

static void check_address(const char *text, const char *host, const char *port)
{
	struct address a;

	if (!address_parse(&a, text))
		fail_msg("'%s' is refused", text);
	assert_string_equal(a.host, host);
	assert_string_equal(a.port, port);
}

static void test_addresses(void **state)
{
	static const char *const wrong[] = {"", ":", "x", "1:", "1:x", ":65536", "-1", "::1", "::1:90", "[::1]", "[::1:90", "[]:90", "[:90",
					    "a:1:2", "1 ", "99999999999999999999"};
	struct address a;

	(void)state;
	check_address("9090", "127.0.0.1", "9090");
	check_address(":9090", "127.0.0.1", "9090");
	check_address("0.0.0.0:65535", "0.0.0.0", "65535");
	check_address("localhost:1", "localhost", "1");
	check_address("[::1]:09", "::1", "9");
	check_address("[fe80::1%eth0]:80", "fe80::1%eth0", "80");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (address_parse(&a, wrong[i]))
			fail_msg("'%s' is taken", wrong[i]);
}

static void test_cannot_listen(void **state)
{
	char name[ADDRESS_MAX], error[256], port[16], text[32];
	struct address a;

	(void)state;
	snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
	assert_true(address_parse(&a, port));
	assert_int_equal(address_listen(&a, name, error, sizeof error), -EADDRINUSE);
	snprintf(text, sizeof text, "127.0.0.1, port %s", port);
	assert_non_null(strstr(error, text));
	assert_true(address_parse(&a, "198.51.100.1:0"));
	assert_int_equal(address_listen(&a, name, error, sizeof error), -EADDRNOTAVAIL);
	assert_true(address_parse(&a, "no.such.host.invalid:0"));
	assert_true(address_listen(&a, name, error, sizeof error) < 0);
	assert_non_null(strstr(error, "no.such.host.invalid"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers),          TEST(test_too_large),            TEST(test_slow),         TEST(test_drips),
		TEST(test_ends_with_guests), cmocka_unit_test(test_addresses), TEST(test_cannot_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
