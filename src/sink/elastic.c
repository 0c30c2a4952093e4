/* SPDX-License-Identifier: MIT */
#include "sink/elastic.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sink/http.h"

#define PORT      9200
#define INDEX_MAX 256
#define HEAD_MAX  (INDEX_MAX + 256) /* of what stands in front of a document */
#define WHY_MAX   200

struct elastic {
	struct http *http;
	char *index;
	bool stream;        /* INDEX is a data stream */
	bool gzip, template; /* the template is still to be put */
	bool refused;       /* one was, which was said */
	char *body;
	size_t n, size;
};

/* --- the index template --- */

/*
 * Mappings of what perisco writes: dates, addresses, keywords; fields of messages are flattened, or any name that a stranger
 * sends would become a field of the index.
 */
static const char mappings[] =
	"\"mappings\":{\"dynamic_templates\":[{\"strings\":{\"match_mapping_type\":\"string\","
	"\"mapping\":{\"type\":\"keyword\",\"ignore_above\":8191}}}],\"properties\":{"
	"\"@timestamp\":{\"type\":\"date_nanos\"},"
	"\"ip\":{\"properties\":{\"client\":{\"type\":\"ip\"},\"server\":{\"type\":\"ip\"},\"ipVersion\":{\"type\":\"byte\"}}},"
	"\"l7\":{\"properties\":{\"latency_ns\":{\"type\":\"long\"},\"duration_ns\":{\"type\":\"long\"},"
	"\"request\":{\"properties\":{\"Record\":{\"properties\":{\"Http\":{\"properties\":{%1$s}}}}}},"
	"\"response\":{\"properties\":{\"Record\":{\"properties\":{\"Http\":{\"properties\":{\"code\":{\"type\":\"short\"},%1$s}}}}}}"
	"}}}}";

static const char fields[] = "\"headers\":{\"type\":\"%1$s\"},\"trailers\":{\"type\":\"%1$s\"}";

/* What the template calls itself: the index up to its first conversion. */
static size_t prefix_of(const struct elastic *e)
{
	return strcspn(e->index, "%");
}

/* "flattened" is called otherwise by OpenSearch. NULL with a line in `why` when nobody answers. */
static const char *flat_type(struct elastic *e, const atomic_bool *hurry, char *why, size_t n)
{
	const struct http_request ask = {.method = "GET", .path = "/"};
	const char *answer;
	int status = http_request(e->http, &ask, hurry, &answer, why, n);

	if (status < 0)
		return NULL;
	if (status != 200) {
		snprintf(why, n, "GET / is answered with %d", status);
		return NULL;
	}
	return strstr(answer, "opensearch") ? "flat_object" : "flattened";
}

static int put_template(struct elastic *e, const char *type, const atomic_bool *hurry, char *why, size_t n)
{
	char path[INDEX_MAX + 64], body[4096], flat[256], mapping[2048];
	int prefix = (int)prefix_of(e);
	struct http_request put = {.method = "PUT", .path = path, .body = body};
	const char *answer;
	int status;

	snprintf(flat, sizeof(flat), fields, type);
	snprintf(mapping, sizeof(mapping), mappings, flat);
	put.n = (size_t)snprintf(body, sizeof(body), "{\"index_patterns\":[\"%.*s%s\"],%s\"priority\":200,\"template\":{%s}}", prefix,
				 e->index, e->stream ? "" : "*", e->stream ? "\"data_stream\":{}," : "", mapping);
	snprintf(path, sizeof(path), "/_index_template/%.*s", prefix, e->index);
	while (path[strlen(path) - 1] == '-' || path[strlen(path) - 1] == '.')
		path[strlen(path) - 1] = 0;
	status = http_request(e->http, &put, hurry, &answer, why, n);
	if (status >= 0 && status / 100 != 2) {
		snprintf(why, n, "the index template is answered with %d: %.*s", status, WHY_MAX, answer);
		return -EPROTO;
	}
	return status < 0 ? status : 0;
}

/* Once, before anything else is sent. */
static int prepare(struct elastic *e, const atomic_bool *hurry, char *why, size_t n)
{
	const char *type;
	int r;

	if (!e->template)
		return 0;
	type = flat_type(e, hurry, why, n);
	r = type ? put_template(e, type, hurry, why, n) : -EHOSTUNREACH;
	if (r == 0)
		e->template = false;
	return r;
}

/* --- bulk requests --- */

static bool body_reserve(struct elastic *e, size_t n)
{
	char *p;

	if (n <= e->size)
		return true;
	p = realloc(e->body, n * 2);
	if (!p)
		return false;
	e->body = p;
	e->size = n * 2;
	return true;
}

/* "{"create":{...}}\n{"@timestamp":"...",": the document follows from its second byte on. */
static size_t print_head(const struct elastic *e, const struct item *item, char *w)
{
	time_t seconds = (time_t)(item->ts_ns / 1000000000);
	char index[INDEX_MAX + 16] = "", day[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	if (!e->stream) {
		strcpy(index, "\"_index\":\"");
		strftime(index + strlen(index), INDEX_MAX, e->index, &tm);
		strcat(index, "\",");
	}
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	return (size_t)snprintf(w, HEAD_MAX, "{\"create\":{%s\"_id\":\"%016" PRIx64 "-%" PRIx64 "\"}}\n{\"@timestamp\":\"%s.%09uZ\",", index,
				item->run, item->number, day, (unsigned)(item->ts_ns % 1000000000));
}

static bool build_body(struct elastic *e, const struct item *items, size_t n)
{
	e->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (!body_reserve(e, e->n + HEAD_MAX + items[i].n))
			return false;
		e->n += print_head(e, &items[i], e->body + e->n);
		memcpy(e->body + e->n, items[i].p + 1, items[i].n - 1);
		e->n += items[i].n - 1;
	}
	return true;
}

/* Of the document, or of the whole request: 409 is one that is there already. */
static enum fate fate_of(int status)
{
	if (status / 100 == 2 || status == 409)
		return FATE_DELIVERED;
	if (status / 100 == 4 && status != 429 && status != 401 && status != 403 && status != 404 && status != 408)
		return FATE_REFUSED;
	return FATE_OPEN;
}

/* The result of a document: its status, and what is said of it in `why` when it is no success. */
static int read_result(json_t *result, char *why, size_t n)
{
	json_t *action = json_object_iter_value(json_object_iter(result)), *error = json_object_get(action, "error");
	int status = (int)json_integer_value(json_object_get(action, "status"));
	const char *reason = json_string_value(json_object_get(error, "reason"));

	if (fate_of(status) != FATE_DELIVERED)
		snprintf(why, n, "a record is answered with %d: %s", status, reason ? reason : "without a reason");
	return status;
}

/*
 * Gives each item the fate that the answer has for it. What the answer does not speak of stays open. 0, or -EPROTO with a line
 * in `why` when not all is well.
 */
static int read_answer(struct elastic *e, const char *answer, struct item *items, size_t n, char *why, size_t why_n)
{
	json_t *root = json_loads(answer, 0, NULL), *results = json_object_get(root, "items");
	size_t open = 0, refused = 0;

	snprintf(why, why_n, "the answer to a bulk request is not understood");
	for (size_t i = 0; i < n; i++) {
		json_t *result = json_array_get(results, i);

		items[i].fate = result ? fate_of(read_result(result, why, why_n)) : FATE_OPEN;
		open += items[i].fate == FATE_OPEN;
		refused += items[i].fate == FATE_REFUSED;
	}
	json_decref(root);
	if (!open && (!refused || e->refused))
		return 0;
	e->refused |= refused > 0;
	return -EPROTO;
}

static int send_bulk(struct elastic *e, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n);

/* The request as a whole was not taken: a smaller one may be, or shows which record it is that is not. */
static int send_halves(struct elastic *e, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n)
{
	int first, second;

	if (n == 1) {
		items[0].fate = FATE_REFUSED;
		return -EPROTO;
	}
	first = send_bulk(e, items, n / 2, hurry, why, why_n);
	second = send_bulk(e, items + n / 2, n - n / 2, hurry, why, why_n);
	return first ? first : second;
}

static int send_bulk(struct elastic *e, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n)
{
	char path[INDEX_MAX + 64];
	struct http_request bulk = {.method = "POST", .path = path, .type = "application/x-ndjson", .gzip = e->gzip};
	const char *answer;
	int status;

	snprintf(path, sizeof(path), "%s%s/_bulk?filter_path=errors,items.*.status,items.*.error", e->stream ? "/" : "",
		 e->stream ? e->index : "");
	if (!build_body(e, items, n)) {
		snprintf(why, why_n, "out of memory");
		return -ENOMEM;
	}
	bulk.body = e->body;
	bulk.n = e->n;
	status = http_request(e->http, &bulk, hurry, &answer, why, why_n);
	if (status / 100 == 2)
		return read_answer(e, answer, items, n, why, why_n);
	if (status > 0)
		snprintf(why, why_n, "a bulk request is answered with %d: %.*s", status, WHY_MAX, answer);
	if (status > 0 && fate_of(status) == FATE_REFUSED)
		return send_halves(e, items, n, hurry, why, why_n);
	http_next_host(e->http);
	return status < 0 ? status : -EPROTO;
}

static int elastic_carry(void *self, struct item *items, size_t n, const atomic_bool *hurry, char *why, size_t why_n)
{
	struct elastic *e = self;
	int r = prepare(e, hurry, why, why_n);

	if (r == 0)
		return send_bulk(e, items, n, hurry, why, why_n);
	http_next_host(e->http);
	return r;
}

static int elastic_probe(void *self, char *why, size_t n)
{
	return prepare(self, NULL, why, n);
}

static void elastic_close(void *self)
{
	struct elastic *e = self;

	http_close(e->http);
	free(e->index);
	free(e->body);
	free(e);
}

/* --- begin --- */

static bool is_yes(struct spec *spec, const char *option)
{
	return strcmp(spec_get(spec, option, "yes"), "no") != 0;
}

static int check(const struct spec *spec, char *error, size_t n)
{
	if (!spec->path || !*spec->path || strlen(spec->path) >= INDEX_MAX / 2) {
		snprintf(error, n, "'%s': use %s://HOST[:PORT],.../INDEX", spec->text, spec->scheme);
		return -EINVAL;
	}
	if (strcspn(spec->path, " \"*\\<|,>/?#ABCDEFGHIJKLMNOPQRSTUVWXYZ") < strcspn(spec->path, "%") || spec->path[0] == '%') {
		snprintf(error, n, "'%s': an index is named in lower case, without any of \\/*?\"<>|,#", spec->text);
		return -EINVAL;
	}
	if (strcmp(spec->format, "json") != 0) {
		snprintf(error, n, "'%s': %s takes JSON", spec->text, spec->scheme);
		return -EINVAL;
	}
	return 0;
}

int elastic_open(struct carrier *ret, struct spec *spec, char *error, size_t n)
{
	struct elastic *e;
	int r = check(spec, error, n);

	if (r < 0)
		return r;
	e = calloc(1, sizeof(*e));
	if (!e || !(e->index = strdup(spec->path))) {
		snprintf(error, n, "out of memory");
		free(e);
		return -ENOMEM;
	}
	e->stream = !strchr(e->index, '%');
	e->gzip = is_yes(spec, "gzip");
	e->template = is_yes(spec, "template");
	r = http_open(&e->http, spec, strstr(spec->scheme, "+https") != NULL, PORT, error, n);
	*ret = (struct carrier){e, elastic_probe, elastic_carry, elastic_close};
	if (r < 0)
		elastic_close(e);
	return r;
}
