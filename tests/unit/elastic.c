/* SPDX-License-Identifier: MIT */
/* What becomes of records for whatever an answer says: a server here gives each answer that there may be. */
#include "sink/elastic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../still_clock.h"
#include "base/clock.h"

#define ITEMS 4

/* For a status: there is no answer, but the connection is reset, at once, soon or late by the clock, or closed. */
#define RESET 0
#define SOON  1
#define LATE  2
#define CLOSE 3

struct turn {
	int status;
	const char *body;
};

/* The server: one connection at a time. It gives the answer, but for the template, and remembers the last request. */
static struct {
	int listener;
	pthread_mutex_t lock; /* held to change or use what follows */
	unsigned port, requests;
	int status;
	const char *body;
	size_t body_n;
	const struct turn *turns; /* instead of that, the first ones */
	size_t n_turns;
	char last[65536];
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool read_request(FILE *f)
{
	size_t length = 0;
	char line[4096];

	if (!fgets(server.last, sizeof(server.last), f))
		return false;
	while (fgets(line, sizeof(line), f) && strcmp(line, "\r\n") != 0)
		sscanf(line, "Content-Length: %zu", &length);
	length = fread(server.last + strlen(server.last), 1, length < 60000 ? length : 60000, f);
	server.last[strcspn(server.last, "\n") + 1 + length] = 0;
	return true;
}

static void reset(int fd)
{
	const struct linger now = {1, 0};

	if (server.status == LATE || server.status == SOON)
		stands_ms += server.status == LATE ? 2100 : 1100;
	if (server.status != CLOSE)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void *serve(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(server.listener, NULL, NULL);
		FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");

		while (read_request(in)) {
			pthread_mutex_lock(&server.lock);
			if (server.requests < server.n_turns) {
				server.status = server.turns[server.requests].status;
				server.body = server.turns[server.requests].body;
				server.body_n = strlen(server.body);
			}
			server.requests++;
			if (server.status <= CLOSE) {
				reset(fd);
				pthread_mutex_unlock(&server.lock);
				break;
			}
			fprintf(out, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\n\r\n", server.status, server.body_n);
			fwrite(server.body, 1, server.body_n, out);
			fflush(out);
			pthread_mutex_unlock(&server.lock);
		}
		fclose(in);
		fclose(out);
	}
	return NULL;
}

static int start(void **state)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(addr);
	pthread_t thread;

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* who hears enough hangs up */
	server.listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(server.listener, (struct sockaddr *)&addr, n) < 0 || listen(server.listener, 5) < 0 ||
	    getsockname(server.listener, (struct sockaddr *)&addr, &n) < 0)
		return -1;
	server.port = ntohs(addr.sin_port);
	return pthread_create(&thread, NULL, serve, NULL);
}

static void answer(int status, const char *body, size_t n)
{
	pthread_mutex_lock(&server.lock);
	server.status = status;
	server.body = body;
	server.body_n = n;
	server.requests = 0;
	pthread_mutex_unlock(&server.lock);
}

static struct carrier open_carrier(const char *options)
{
	struct carrier ret;
	struct spec spec;
	char text[256], error[256];

	snprintf(text, sizeof(text), "elasticsearch://127.0.0.1:%u/x%s", server.port, options);
	assert_int_equal(spec_parse(&spec, text, error, sizeof(error)), 0);
	assert_int_equal(elastic_open(&ret, &spec, error, sizeof(error)), 0);
	spec_release(&spec);
	return ret;
}

static void make_items(struct item items[ITEMS])
{
	static const uint8_t line[] = "{\"ts\":1}\n";

	for (unsigned i = 0; i < ITEMS; i++)
		items[i] = (struct item){line, sizeof(line) - 1, 7, 1664880849000000001, 0xabc, i, FATE_OPEN};
}

/* The fates of the items as letters, and the line that is told. */
static int carry(struct carrier *c, char fates[ITEMS + 1], char *why, size_t n)
{
	struct item items[ITEMS];
	atomic_bool hurry = false;
	int r;

	make_items(items);
	*why = 0;
	r = c->carry(c->self, items, ITEMS, &hurry, why, n);
	for (unsigned i = 0; i < ITEMS; i++) {
		assert_in_range(items[i].fate, FATE_OPEN, FATE_REFUSED);
		fates[i] = "odr"[items[i].fate];
	}
	fates[ITEMS] = 0;
	return r;
}

static void assert_fates(const char *options, int status, const char *body, const char *want)
{
	struct carrier c = open_carrier(options);
	char fates[ITEMS + 1], why[256];
	int r;

	answer(status, body, strlen(body));
	r = carry(&c, fates, why, sizeof(why));
	c.close(c.self); /* or the server would wait for it */
	assert_string_equal(fates, want);
	assert_true(strchr(want, 'o') ? r < 0 : r == 0);
	assert_true(*why || strcmp(want, "dddd") == 0);
}

/* An error of Elasticsearch, as a whole answer and of a record. */
#define ERROR(type, reason) "\"error\":{\"root_cause\":[{}],\"type\":\"" type "\",\"reason\":\"" reason "\"}"
#define E(type, reason) "{" ERROR(type, reason) ",\"status\":400}"
#define F(type, reason) "{\"create\":{\"status\":400," ERROR(type, reason) "}}"
#define I(status) "{\"create\":{\"status\":" status "}}"

static void test_answers(void **state)
{
	static const char no[] = "?template=no";

	(void)state;
	assert_fates(no, 200, "{\"errors\":false,\"items\":[" I("201") "," I("200") "," I("409") "," I("201") "]}", "dddd");
	assert_fates(no, 200, "{\"errors\":false,\"items\":[" I("201") "," I("429") "," I("400") "," I("503") "]}", "doro");
	assert_fates(no, 200, "{\"items\":[" I("401") "," I("403") "," I("404") "," I("408") "]}", "oooo");
	assert_fates(no, 200, "{\"items\":[" I("0") "," I("-1") "," I("4294967496") "," I("\"201\"") "]}", "oooo");
	assert_fates(no, 200, "{\"items\":[" I("201") "," I("201") "," I("201") "]}", "oooo");
	assert_fates(no, 200, "{\"items\":[" I("201") "," I("201") "," I("201") "," I("201") "," I("201") "]}", "oooo");
	assert_fates(no, 200, "{\"items\":[" I("201") ",{},7," I("400") "]}", "door");
	assert_fates(no, 200, "{\"items\":{}}", "oooo");
	assert_fates(no, 200, "[]", "oooo");
	assert_fates(no, 200, "", "oooo");
	assert_fates(no, 200, "it works", "oooo");
	assert_fates(no, 301, "", "oooo");
	assert_fates(no, 401, "", "oooo");
	assert_fates(no, 403, "", "oooo");
	assert_fates(no, 405, "", "oooo");
	assert_fates(no, 429, "", "oooo");
	assert_fates(no, 500, "", "oooo");
	assert_fates(no, 413, "too large", "rrrr");
	assert_int_equal(server.requests, 7);
	assert_fates(no, 400, E("mapper_parsing_exception", "bad"), "rrrr");
	assert_int_equal(server.requests, 7);
	assert_fates(no, 400, "The plain HTTP request was sent to HTTPS port", "oooo");
	assert_fates(no, 400, "{\"error\":\"no handler found for uri\",\"status\":400}", "oooo");
	assert_fates(no, 400, E("validation_exception", "this action would add [2] shards"), "oooo");
	assert_int_equal(server.requests, 1);
	assert_fates("", 403, "no template for you", "oooo");
	assert_int_equal(server.requests, 1);
	assert_fates("", 503, "not yet", "oooo");
	assert_int_equal(server.requests, 1);
}

static void test_circumstances(void **state)
{
	static const char no[] = "?template=no";

	(void)state;
	assert_fates(no, 200, "{\"items\":[" F("index_closed_exception", "closed") "," I("201") ","
		     F("validation_exception", "no more shards") "," F("mapper_parsing_exception", "no number") "]}", "odor");
	assert_fates(no, 200, "{\"items\":[" F("illegal_argument_exception", "no write index is defined for alias [x]") "," I("201") ","
		     F("illegal_argument_exception", "pipeline with id [x] does not exist") ","
		     F("illegal_argument_exception", "immense term") "]}", "odor");
}

/* What a whole request is answered with, in turn; the last one again and again. */
static void assert_turns(const struct turn *turns, size_t n, const char *want, const char *words, unsigned requests)
{
	struct carrier c = open_carrier("?template=no");
	char fates[ITEMS + 1], why[256];

	answer(turns[n - 1].status, turns[n - 1].body, strlen(turns[n - 1].body));
	server.turns = turns;
	server.n_turns = n;
	carry(&c, fates, why, sizeof(why));
	server.n_turns = 0;
	c.close(c.self);
	assert_string_equal(fates, want);
	assert_non_null(strstr(why, words));
	assert_int_equal(server.requests, requests);
}

#define ONE "{\"items\":[" I("201") "]}"
#define TWO "{\"items\":[" I("201") "," I("201") "]}"

static void test_halves(void **state)
{
	static const struct turn away[] = {{413, "x"}, {503, "away"}, {200, TWO}};
	static const struct turn blamed[] = {{400, "w"}, {400, "w"}, {400, "blamed"}, {200, ONE}, {200, TWO}};
	static const struct turn both[] = {{413, "w"}, {413, "w"}, {413, "too large"}, {503, "away"}, {200, TWO}};
	static const struct turn reset_once[] = {{RESET, ""}, {RESET, ""}, {200, ONE}, {200, ONE}, {200, TWO}};
	static const struct turn reset_always[] = {{RESET, ""}};
	static const struct turn closed_once[] = {{CLOSE, ""}, {200, TWO}, {200, TWO}};
	static const struct turn reset_soon[] = {{SOON, ""}, {SOON, ""}, {200, ONE}, {200, ONE}, {200, TWO}};
	static const struct turn reset_late[] = {{LATE, ""}, {200, TWO}};
	static char large[200000];
	const struct turn too_long[] = {{200, large}, {200, TWO}, {200, large}, {200, large}, {200, ONE}};
	const struct turn away_at_length[] = {{413, "w"}, {200, TWO}, {503, large}};
	static const struct turn later[] = {{400, "w"}, {200, TWO}, {400, "w"}, {400, "blamed"}, {200, ONE}};

	(void)state;
	memset(large, ' ', sizeof(large) - 1);
	stands_ms = clock_ms();
	assert_turns(too_long, 5, "ddrd", "larger than", 5);
	assert_turns(away_at_length, 3, "ddoo", "503", 3);
	assert_turns(away, 3, "oooo", "503", 2); /* the second half does not overtake the first */
	assert_turns(blamed, 5, "rddd", "blamed", 5);
	assert_turns(later, 5, "ddrd", "blamed", 5);
	assert_turns(reset_once, 5, "dddd", "", 5);
	assert_turns(reset_always, 1, "oooo", "reset", 3); /* nobody says that it is the record's fault */
	assert_turns(closed_once, 3, "dddd", "", 3);
	assert_turns(reset_soon, 5, "dddd", "", 5); /* each takes a while, where it is far to the server */
	assert_turns(reset_late, 2, "oooo", "reset", 1); /* another host may take all of it */
	assert_turns(both, 5, "rooo", "too large; a bulk request is answered with 503", 4);
	stands_ms = 0;
}

static void test_answers_altered(void **state)
{
	static const char whole[] = "{\"errors\":true,\"items\":[" I("201") "," I("409") ",{\"create\":{\"status\":400,\"error\":"
				    "{\"type\":\"x\",\"reason\":\"\\u001b[31mno\"}}}," I("429") "]}";
	struct carrier c = open_carrier("?template=no&gzip=no");
	char fates[ITEMS + 1], why[256], body[sizeof(whole)];

	(void)state;
	for (size_t at = 0; at < sizeof(whole) - 1; at++)
		for (unsigned k = 0; k < 8; k++) {
			memcpy(body, whole, sizeof(whole));
			body[at] = k < 4 ? (char)(whole[at] ^ 1 << k) : "\xff\0\"9"[k - 4];
			answer(200, body, k == 7 ? at : sizeof(whole) - 1);
			carry(&c, fates, why, sizeof(why));
			if (k == 7)
				assert_string_equal(fates, "oooo");
		}
	c.close(c.self);
}

static void test_answer_too_large(void **state)
{
	size_t n = 80000; /* more than four records are worth */
	char *body = malloc(n), fates[ITEMS + 1], why[256];
	struct carrier c = open_carrier("?template=no");

	(void)state;
	memset(body, ' ', n);
	answer(200, body, n);
	assert_true(carry(&c, fates, why, sizeof(why)) < 0);
	assert_string_equal(fates, "oooo");
	assert_non_null(strstr(why, "larger"));
	c.close(c.self);
	answer(200, "", 0); /* once the server is done with it */
	free(body);
}

/* Within what may be answered, what a tree of would take a hundred times as many bytes. */
static void test_answer_that_would_grow(void **state)
{
	size_t n = 64000, at = 0;
	char *body = malloc(n + 16), fates[ITEMS + 1], why[256];
	struct carrier c = open_carrier("?template=no");
	struct rusage before, after;

	(void)state;
	for (at = (size_t)sprintf(body, "{\"items\":["); at < n; at += 3)
		memcpy(body + at, "{},", 3);
	strcpy(body + at, "{}]}");
	answer(200, body, at + 4);
	getrusage(RUSAGE_SELF, &before);
	carry(&c, fates, why, sizeof(why));
	getrusage(RUSAGE_SELF, &after);
	c.close(c.self);
	answer(200, "", 0);
	free(body);
	assert_string_equal(fates, "oooo");
	assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 2048); /* KiB */
}

static json_t *at(json_t *tree, const char *path)
{
	char name[64];

	for (; *path; path += *path == '/') {
		size_t n = strcspn(path, "/");

		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		tree = json_object_get(tree, name);
		path += n;
	}
	return tree;
}

/* Types that may leave out what does not fit; any other refuses a template that asks for that. */
static bool is_leavable(const char *type)
{
	return strstr(" long integer short byte ip ", type) != NULL;
}

static void assert_fields(json_t *properties)
{
	const char *name;
	json_t *field;

	json_object_foreach(properties, name, field) {
		const char *type = json_string_value(json_object_get(field, "type"));

		if (type)
			assert_int_equal(json_is_true(json_object_get(field, "ignore_malformed")), is_leavable(type));
		assert_fields(json_object_get(field, "properties"));
	}
}

static void assert_headers(json_t *http, bool flattened)
{
	static const char *const fields[] = {"properties/headers", "properties/trailers"};

	for (size_t i = 0; i < 2; i++) {
		json_t *field = at(http, fields[i]);

		assert_non_null(field);
		if (flattened)
			assert_string_equal(json_string_value(at(field, "type")), "flattened");
		else
			assert_string_equal(json_string_value(at(field, "properties/value/type")), "keyword");
	}
}

/* The template for the index, as it was put, where flattened is known or not. */
static void assert_template(const char *index, const char *path, const char *pattern, bool stream, bool flattened)
{
	static const struct turn refusal[] = {{400, "{\"error\":{\"type\":\"mapper_parsing_exception\"},\"status\":400}"}, {200, "{}"}};
	static const char request[] = "template/mappings/properties/l7/properties/request/properties/Record/properties/Http";
	static const char response[] = "template/mappings/properties/l7/properties/response/properties/Record/properties/Http";
	char text[256], error[256], why[256], line[256];
	struct carrier c;
	struct spec spec;
	json_t *all;
	int r;

	snprintf(text, sizeof(text), "elasticsearch://127.0.0.1:%u/%s", server.port, index);
	assert_int_equal(spec_parse(&spec, text, error, sizeof(error)), 0);
	assert_int_equal(elastic_open(&c, &spec, error, sizeof(error)), 0);
	spec_release(&spec);
	answer(200, "{}", 2);
	server.turns = refusal;
	server.n_turns = flattened ? 0 : 2;
	r = c.probe(c.self, why, sizeof(why));
	c.close(c.self);
	server.n_turns = 0;
	assert_int_equal(r, 0);
	snprintf(line, sizeof(line), "PUT %s HTTP/1.1\r\n", path);
	assert_int_equal(strncmp(server.last, line, strlen(line)), 0);
	all = json_loads(strchr(server.last, '\n') + 1, 0, NULL);
	assert_non_null(all);
	assert_string_equal(json_string_value(json_array_get(at(all, "index_patterns"), 0)), pattern);
	assert_int_equal(json_integer_value(at(all, "priority")), 200 + strlen(strrchr(path, '/') + 1));
	assert_int_equal(json_is_object(at(all, "data_stream")), stream);
	assert_null(at(all, "template/settings"));
	assert_non_null(at(at(all, response), "properties/code"));
	assert_headers(at(all, request), flattened);
	assert_headers(at(all, response), flattened);
	assert_fields(at(all, "template/mappings/properties"));
	json_decref(all);
}

static void test_template(void **state)
{
	(void)state;
	assert_template("perisco", "/_index_template/perisco", "perisco", true, true);
	assert_template("perisco", "/_index_template/perisco", "perisco", true, false);
	assert_template("perisco-%Y.%m.%d", "/_index_template/perisco-", "perisco-*", false, true);
	assert_template("perisco-a-%Y", "/_index_template/perisco-a-", "perisco-a-*", false, false);
	assert_template("logs/es-1/perisco", "/logs/es-1/_index_template/perisco", "perisco", true, true);
}

static json_t *parsed(const char *text, size_t n)
{
	json_t *ret = json_loadb(text, n, 0, NULL);

	assert_non_null(ret);
	return ret;
}

static void test_requests(void **state)
{
	struct carrier c = open_carrier("?template=no&gzip=no");
	char fates[ITEMS + 1], why[256], *line, *next;
	json_t *doc;

	(void)state;
	answer(200, "", 0);
	carry(&c, fates, why, sizeof(why));
	line = strchr(server.last, '\n') + 1;
	for (unsigned i = 0; i < ITEMS; i++) {
		char id[64];

		next = strchr(line, '\n') + 1;
		doc = parsed(line, (size_t)(next - line));
		snprintf(id, sizeof(id), "0000000000000abc-%x", i);
		assert_string_equal(json_string_value(json_object_get(json_object_get(doc, "create"), "_id")), id);
		json_decref(doc);
		line = strchr(next, '\n') + 1;
		doc = parsed(next, (size_t)(line - next));
		assert_string_equal(json_string_value(json_object_get(doc, "@timestamp")), "2022-10-04T10:54:09.000000001Z");
		assert_int_equal(json_integer_value(json_object_get(doc, "ts")), 1);
		json_decref(doc);
	}
	assert_int_equal(*line, 0);
	c.close(c.self);
}

static void opens(const char *text, int want, const char *word)
{
	struct carrier c;
	struct spec spec;
	char error[512];
	int r;

	assert_int_equal(spec_parse(&spec, text, error, sizeof(error)), 0);
	r = elastic_open(&c, &spec, error, sizeof(error));
	assert_int_equal(r, want);
	if (r == 0)
		c.close(c.self);
	else
		assert_non_null(strstr(error, word));
	spec_release(&spec);
}

static void test_what_is_opened(void **state)
{
	(void)state;
	opens("elasticsearch://h/perisco", 0, "");
	opens("elasticsearch://a:1,[::1]:9200,10.0.0.1/perisco-%Y.%m.%d", 0, "");
	opens("elasticsearch://h", -EINVAL, "INDEX");
	opens("elasticsearch://h/", -EINVAL, "INDEX");
	opens("elasticsearch:///x", -EINVAL, "HOST");
	opens("elasticsearch://h:0/x", -EINVAL, "HOST");
	opens("elasticsearch://h:65536/x", -EINVAL, "HOST");
	opens("elasticsearch://h:/x", -EINVAL, "HOST");
	opens("elasticsearch://::1/x", -EINVAL, "HOST");
	opens("elasticsearch://h,,i/x", -EINVAL, "HOST");
	opens("elasticsearch://h i/x", -EINVAL, "HOST");
	opens("elasticsearch://h/Perisco", -EINVAL, "lower case");
	opens("elasticsearch://h/-x", -EINVAL, "lower case");
	opens("elasticsearch://h/%Y", -EINVAL, "lower case");
	opens("elasticsearch://h/x-%B", -EINVAL, "lower case"); /* January */
	opens("elasticsearch://h/x-%c", -EINVAL, "lower case");
	opens("elasticsearch://h/x*", -EINVAL, "lower case");
	opens("elasticsearch://h/x/y", 0, "");
	opens("elasticsearch://h/x/y/", -EINVAL, "INDEX");
	opens("elasticsearch://h/x/Y", -EINVAL, "'Y' is no index");
	opens("elasticsearch://h//y", -EINVAL, "'/' is no path");
	opens("elasticsearch://h/x//y", -EINVAL, "no path");
	opens("elasticsearch://h/x/../y", -EINVAL, "no path");
	opens("elasticsearch://h/x%20z/y", -EINVAL, "no path");
	opens("elasticsearch://h/%Y/y", -EINVAL, "no path");
	opens("text:elasticsearch://h/x", -EINVAL, "JSON");
	opens("elasticsearch://h/x?gzip=maybe", -EINVAL, "yes or no");
	opens("elasticsearch://u:p@h/x", 0, "");
	opens("elasticsearch://h/x?bearer-file=/f", 0, "");
	opens("elasticsearch://u:p@h/x?bearer-file=/f", -EINVAL, "one of");
	opens("elasticsearch://u@h/x?api-key-file=/f", -EINVAL, "one of");
	opens("elasticsearch://h/x?api-key-file=/f&bearer-file=/f", -EINVAL, "one of");
}

static void no_secret(const char *key, const char *wanted)
{
	char path[] = "/tmp/perisco-elastic-XXXXXX", options[64], fates[ITEMS + 1], why[256];
	int fd = mkstemp(path);
	struct carrier c;

	assert_int_equal(write(fd, key, strlen(key)), strlen(key));
	close(fd);
	snprintf(options, sizeof(options), "?template=no&api-key-file=%s", path);
	c = open_carrier(options);
	answer(200, "{}", 2);
	assert_true(carry(&c, fates, why, sizeof(why)) < 0);
	c.close(c.self);
	unlink(path);
	assert_int_equal(server.requests, 0);
	assert_non_null(strstr(why, wanted));
}

/* A secret that is cut, or nothing at all, would be a wrong one. */
static void test_secrets(void **state)
{
	char key[9000];

	(void)state;
	memset(key, 'k', sizeof(key));
	key[sizeof(key) - 1] = 0;
	no_secret(key, "File too large");
	no_secret("", "No data available");
	no_secret("\nkey\n", "No data available");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_circumstances),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_answer_that_would_grow),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_answers_altered),
		cmocka_unit_test(test_answer_too_large),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_what_is_opened),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
