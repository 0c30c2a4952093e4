/* SPDX-License-Identifier: MIT */
#include "sink/elastic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/value.h"
#include "sink/bytes.h"
#include "sink/http.h"
#include "sink/try.h"

#define PORT       9200
#define INDEX_MAX  256
#define PREFIX_MAX 512 /* of a path in front of it */
#define HEAD_MAX   (INDEX_MAX + 256) /* of what stands in front of a document */

#define RESET_MS 2000 /* a connection that breaks later does not do so for the size of what was sent */

#define ANSWER_MOST ((size_t)64 << 10) /* bytes of an answer, ... */
#define RESULT_MOST ((size_t)1 << 10)  /* ... and for each record that was sent */

struct elastic {
	struct http *http;
	char *index;
	bool stream;        /* INDEX is a data stream */
	bool gzip, template; /* the template is still to be put */
	struct bytes body;
};

/* --- the index template --- */

/*
 * Mappings of what perisco writes: dates, addresses, numbers, keywords. No text is guessed to be a date, or the next one that is none
 * would be refused. A number that is too large for its type is left out, not the document: each field says so for itself, since a
 * data stream whose index says so for all is refused for its @timestamp. `%1$s` are the fields of a message.
 */
#define LENIENT(type) "{\"type\":\"" type "\",\"ignore_malformed\":true}"
#define KEYWORD       "{\"type\":\"keyword\",\"ignore_above\":8000}" /* Lucene takes no term of more than 32766 bytes */

static const char mappings[] =
	"\"mappings\":{\"date_detection\":false,\"numeric_detection\":false,\"dynamic_templates\":["
	"{\"strings\":{\"match_mapping_type\":\"string\",\"mapping\":" KEYWORD "}},"
	"{\"numbers\":{\"match_mapping_type\":\"long\",\"mapping\":" LENIENT("long") "}}],"
	"\"properties\":{\"@timestamp\":{\"type\":\"date_nanos\"},"
	"\"ip\":{\"properties\":{\"client\":" LENIENT("ip") ",\"server\":" LENIENT("ip") ",\"ipVersion\":" LENIENT("byte") "}},"
	"\"backend\":{\"properties\":{\"ip\":" LENIENT("ip") ",\"port\":" LENIENT("integer") "}},"
	"\"l7\":{\"properties\":{\"latency_ns\":" LENIENT("long") ",\"duration_ns\":" LENIENT("long") ","
	"\"grpc\":{\"properties\":{\"timeout_ns\":" LENIENT("long") "}},"
	"\"request\":{\"properties\":{\"Record\":{\"properties\":{\"Http\":{\"properties\":{%1$s}}}}}},"
	"\"response\":{\"properties\":{\"Record\":{\"properties\":{\"Http\":{\"properties\":{\"code\":" LENIENT("short") ",%1$s"
	"}}}}}}}}}}";

#define FIELDS(type) "\"headers\":" type ",\"trailers\":" type

/* A key and a value each, whoever chose its name. */
static const char flattened[] = FIELDS("{\"type\":\"flattened\",\"ignore_above\":8000}");
static const char keywords[] = FIELDS("{\"properties\":{\"key\":" KEYWORD ",\"value\":" KEYWORD "}}");

/* What the template calls itself: the index up to its first conversion. */
static size_t prefix_of(const struct elastic *e)
{
	return strcspn(e->index, "%");
}

/*
 * Puts the template; its status, or as http_request. Two of which one's pattern is within the other's must differ in priority: the
 * one that says more goes first.
 */
static int put_template(struct elastic *e, const char *fields, const atomic_bool *hurry, const char **answer, char *why, size_t n)
{
	char path[INDEX_MAX + 64], mapping[3072], body[4096];
	int prefix = (int)prefix_of(e);
	struct http_request put = {.method = "PUT", .path = path, .body = body, .most = ANSWER_MOST};

	snprintf(mapping, sizeof(mapping), mappings, fields);
	put.n = (size_t)snprintf(body, sizeof(body), "{\"index_patterns\":[\"%.*s%s\"],%s\"priority\":%d,\"template\":{%s}}", prefix,
				 e->index, e->stream ? "" : "*", e->stream ? "\"data_stream\":{}," : "", 200 + prefix, mapping);
	snprintf(path, sizeof(path), "/_index_template/%.*s", prefix, e->index);
	return http_request(e->http, &put, hurry, answer, why, n);
}

/* OpenSearch, and an Elasticsearch of Apache's license, know no flattened, and refuse it: fields are keywords there. */
static int teach(struct elastic *e, const atomic_bool *hurry, char *why, size_t n)
{
	const char *answer;
	int status = put_template(e, flattened, hurry, &answer, why, n);

	if (status == 400)
		status = put_template(e, keywords, hurry, &answer, why, n);
	if (status >= 0 && status / 100 != 2) {
		snprintf(why, n, "the index template (which template=no leaves out) is answered with %d: %.*s", status, TRY_WHY, answer);
		return -EPROTO;
	}
	return status < 0 ? status : 0;
}

/* Once, before anything else is sent. */
static int prepare(struct elastic *e, const atomic_bool *hurry, char *why, size_t n)
{
	int r = e->template ? teach(e, hurry, why, n) : 0;

	if (r == 0)
		e->template = false;
	return r;
}

/* --- bulk requests --- */

/* "{"create":{...}}\n{"@timestamp":"...",": the document follows from its second byte on. */
static size_t print_head(const struct elastic *e, const struct item *item, char *w)
{
	time_t seconds = (time_t)(item->ts_ns / 1000000000);
	char index[INDEX_MAX + 16] = "", day[64], id[ITEM_ID_MAX];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	if (!e->stream) {
		char *name = stpcpy(index, "\"_index\":\"");

		strcpy(name + strftime(name, INDEX_MAX, e->index, &tm), "\",");
	}
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	item_id(item, id);
	return (size_t)snprintf(w, HEAD_MAX, "{\"create\":{%s\"_id\":\"%s\"}}\n{\"@timestamp\":\"%s.%09uZ\",", index, id, day,
				(unsigned)(item->ts_ns % 1000000000));
}

static bool build_body(struct elastic *e, const struct item *items, size_t n)
{
	struct bytes *b = &e->body;

	b->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (!bytes_reserve(b, b->n + HEAD_MAX + items[i].n))
			return false;
		b->n += print_head(e, &items[i], b->p + b->n);
		memcpy(b->p + b->n, items[i].p + 1, items[i].n - 1);
		b->n += items[i].n - 1;
	}
	return true;
}

static int send_bulk(struct elastic *e, struct try *t, struct item *items, size_t n);

/* The request as a whole was not taken: a smaller one may be, or shows which record it is that is not. */
static int send_halves(struct elastic *e, struct try *t, struct item *items, size_t n)
{
	int first = send_bulk(e, t, items, n / 2), second;

	if (first && first != -EAGAIN)
		return first;
	second = send_bulk(e, t, items + n / 2, n - n / 2);
	return second ? second : first;
}

/*
 * Is it the size? An answer may be too long, too. Who says 413 and closes while more is sent resets the connection, and that may be
 * all that is seen of it. It does so at once: with one that breaks later another host is tried.
 */
static bool is_too_large(int status, uint64_t asked)
{
	return status == 413 || status == -EMSGSIZE || (status == -ECONNRESET && clock_ms() - asked < RESET_MS);
}

static int send_bulk(struct elastic *e, struct try *t, struct item *items, size_t n)
{
	char path[INDEX_MAX + 128], why[TRY_WHY] = "out of memory";
	struct http_request bulk = {.method = "POST", .path = path, .type = "application/x-ndjson", .gzip = e->gzip};
	bool own = false, circumstance = false, refused;
	uint64_t asked = clock_ms();
	const char *answer;
	int status = -ENOMEM;

	snprintf(path, sizeof(path), "%s%s/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason",
		 e->stream ? "/" : "", e->stream ? e->index : "");
	if (build_body(e, items, n)) {
		bulk.body = e->body.p;
		bulk.n = e->body.n;
		bulk.most = ANSWER_MOST + n * RESULT_MOST + bulk.n; /* a reason may quote the record */
		status = http_request(e->http, &bulk, t->hurry, &answer, why, sizeof(why));
	}
	if (status / 100 == 2)
		return try_answer(t, answer, items, n);
	if (status > 0) {
		snprintf(why, sizeof(why), "a bulk request is answered with %d: %.*s", status, TRY_WHY - 48, answer);
		own = try_error(answer, status, &circumstance);
	}
	refused = status == 400 && !circumstance;
	if (n > 1 && (refused || is_too_large(status, asked)))
		return send_halves(e, t, items, n);
	if (refused || status == 413 || status == -EMSGSIZE)
		return try_blame(t, items, status == 413 || own, why);
	try_note(t->open, why);
	return status < 0 ? status : -EPROTO;
}

static int elastic_carry(void *self, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n)
{
	struct elastic *e = self;
	struct try t = {.hurry = hurry};
	int r = prepare(e, hurry, why, why_n);

	if (r == 0)
		r = try_finish(&t, send_bulk(e, &t, items, n), why, why_n);
	if (r < 0 && r != -EAGAIN)
		http_next_host(e->http);
	return r;
}

/* Is somebody there? Who may write documents need not be let in to see what is asked here. */
static int greet(struct elastic *e, char *why, size_t n)
{
	const struct http_request ask = {.method = "GET", .path = "/", .most = ANSWER_MOST};
	const char *answer;
	int status = http_request(e->http, &ask, NULL, &answer, why, n);

	if (status < 0)
		return status;
	if (status / 100 == 5 || status == 401 || status == 429) {
		snprintf(why, n, "GET / is answered with %d", status);
		return -EPROTO;
	}
	return 0;
}

/* Each host, until one answers. */
static int elastic_probe(void *self, char *why, size_t n)
{
	struct elastic *e = self;
	int r = -1;

	for (size_t i = 0; i < http_hosts(e->http) && r < 0; i++) {
		r = e->template ? prepare(e, NULL, why, n) : greet(e, why, n);
		if (r < 0)
			http_next_host(e->http);
	}
	return r;
}

static void elastic_close(void *self)
{
	struct elastic *e = self;

	http_close(e->http);
	free(e->index);
	free(e->body.p);
	free(e);
}

/* --- begin --- */

/* An option that is on if it is not given. False when it is neither yes nor no. */
static bool is_yes(struct spec *spec, const char *option, bool *ret, char *error, size_t n)
{
	if (value_bool(spec_get(spec, option, "yes"), ret))
		return true;
	snprintf(error, n, "'%s': %s is yes or no", spec->text, option);
	return false;
}

/* What an index may be called: https://www.elastic.co/guide/en/elasticsearch/reference/8.12/indices-create-index.html */
static bool is_index(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < INDEX_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-+@~!$()=") == n &&
	       !strchr("-_+.", name[0]);
}

/* The name of the index of a time. False when there is none. */
static bool index_at(const char *format, time_t seconds, char ret[INDEX_MAX])
{
	struct tm tm;

	gmtime_r(&seconds, &tm);
	return strftime(ret, INDEX_MAX, format, &tm) && is_index(ret);
}

/* Is it the name of a data stream, or in each month one of an index? */
static bool is_target(const char *format)
{
	char name[INDEX_MAX];
	bool ret = strlen(format) < INDEX_MAX && (*format != '%');

	for (time_t month = 0; month < 12 && ret; month++)
		ret = strchr(format, '%') ? index_at(format, month * 31 * 86400, name) : is_index(format);
	return ret;
}

/* The index: the path's last part. */
static const char *index_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Is what stands in front of the index, "" or "PREFIX/", a path that needs no escapes? */
static bool is_prefix(const char *path, size_t n)
{
	return n == 0 || (n <= PREFIX_MAX && *path != '/' && !memmem(path, n, "//", 2) && !memmem(path, n, "./", 2) &&
			  strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-/") >= n);
}

static int check(const struct spec *spec, char *error, size_t n)
{
	const char *index = index_of(spec->path ? spec->path : "");

	if (!*index) {
		snprintf(error, n, "'%s': use %s://HOST[:PORT],.../[PREFIX/]INDEX", spec->text, spec->scheme);
		return -EINVAL;
	}
	if (spec_check_hosts(spec, false, true, error, n) < 0)
		return -EINVAL;
	if (!is_prefix(spec->path, (size_t)(index - spec->path))) {
		snprintf(error, n, "'%s': '%.*s' is no path: letters, digits and ._~- between each '/'", spec->text,
			 (int)(index - spec->path), spec->path);
		return -EINVAL;
	}
	if (!is_target(index)) {
		snprintf(error, n, "'%s': '%s' is no index: lower case, digits and ._- after a letter or digit; a day is %%Y.%%m.%%d",
			 spec->text, index);
		return -EINVAL;
	}
	if (strcmp(spec->format, "json") != 0) {
		snprintf(error, n, "'%s': %s takes JSON", spec->text, spec->scheme);
		return -EINVAL;
	}
	return 0;
}

static int open_http(struct elastic *e, struct spec *spec, char *error, size_t n)
{
	int prefix = (int)(index_of(spec->path) - spec->path);
	char root[PREFIX_MAX + 2] = "";
	const struct http_place place = {strstr(spec->scheme, "+https") != NULL, PORT, root};

	if (prefix)
		snprintf(root, sizeof(root), "/%.*s", prefix - 1, spec->path);
	return http_open(&e->http, spec, &place, error, n);
}

int elastic_open(struct carrier *ret, struct spec *spec, char *error, size_t n)
{
	struct elastic *e;
	int r = check(spec, error, n);

	if (r < 0)
		return r;
	e = calloc(1, sizeof(*e));
	if (!e || !(e->index = strdup(index_of(spec->path)))) {
		snprintf(error, n, "out of memory");
		free(e);
		return -ENOMEM;
	}
	e->stream = !strchr(e->index, '%');
	r = is_yes(spec, "gzip", &e->gzip, error, n) && is_yes(spec, "template", &e->template, error, n) ? 0 : -EINVAL;
	r = r ? r : open_http(e, spec, error, n);
	*ret = (struct carrier){e, elastic_probe, elastic_carry, elastic_close};
	if (r < 0)
		elastic_close(e);
	return r;
}
