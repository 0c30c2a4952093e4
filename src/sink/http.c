/* SPDX-License-Identifier: MIT */
#include "sink/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "sink/bytes.h"

#define CONNECT_MS 5000L
#define ALL_MS     30000L
#define BODY_MAX   ((size_t)16 << 20)
#define SECRET_MAX 8192
#define GZIP       (15 + 16) /* windowBits of zlib: the largest window, in a gzip frame */

struct http {
	CURL *curl;
	char **urls;              /* "https://host:port/root" */
	size_t n_urls, at;
	char *api_key, *bearer;   /* files; NULL: none */
	struct bytes answer, packed;
	size_t most;              /* bytes of the answer */
	bool oversize;            /* it has more */
	char error[CURL_ERROR_SIZE];
};

static size_t on_body(char *p, size_t one, size_t n, void *ctx)
{
	struct http *h = ctx;

	(void)one;
	h->oversize = n > h->most - h->answer.n;
	if (h->oversize || !bytes_reserve(&h->answer, h->answer.n + n + 1))
		return 0;
	memcpy(h->answer.p + h->answer.n, p, n);
	h->answer.n += n;
	return n;
}

static int on_progress(void *ctx, curl_off_t dn, curl_off_t d, curl_off_t un, curl_off_t u)
{
	const atomic_bool *hurry = ctx;

	(void)dn, (void)d, (void)un, (void)u;
	return hurry && *hurry;
}

static int add_url(struct http *h, const char *host, size_t n, const struct http_place *place)
{
	const char *bracket = memchr(host, ']', n), *colon = memrchr(bracket ? bracket : host, ':', n - (size_t)((bracket ? bracket : host) - host));
	char **more = reallocarray(h->urls, h->n_urls + 1, sizeof(*more));
	int r;

	if (!more)
		return -ENOMEM;
	h->urls = more;
	if (colon)
		r = asprintf(&more[h->n_urls], "http%s://%.*s%s", place->https ? "s" : "", (int)n, host, place->root);
	else
		r = asprintf(&more[h->n_urls], "http%s://%.*s:%u%s", place->https ? "s" : "", (int)n, host, place->port, place->root);
	if (r < 0)
		return -ENOMEM;
	h->n_urls++;
	return 0;
}

static int add_urls(struct http *h, const char *hosts, const struct http_place *place)
{
	int r = 0;

	while (*hosts && r == 0) {
		size_t n = strcspn(hosts, ",");

		r = n ? add_url(h, hosts, n, place) : 0;
		hosts += n + (hosts[n] == ',');
	}
	return r;
}

/* An option's value, to keep; NULL is none. */
static int keep(char **ret, const char *value)
{
	*ret = value ? strdup(value) : NULL;
	return value && !*ret ? -ENOMEM : 0;
}

static void set_up(struct http *h, struct spec *spec)
{
	const char *ca = spec_get(spec, "ca", NULL);

	curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->error);
	curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h->curl, CURLOPT_QUICK_EXIT, 1L); /* a name server that does not answer is not waited for */
	curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, ALL_MS);
	curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(h->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(h->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h->curl, CURLOPT_USERAGENT, "perisco");
	if (spec->user)
		curl_easy_setopt(h->curl, CURLOPT_USERNAME, spec->user);
	if (spec->password)
		curl_easy_setopt(h->curl, CURLOPT_PASSWORD, spec->password);
	if (ca)
		curl_easy_setopt(h->curl, CURLOPT_CAINFO, ca);
}

static int fill_in(struct http *h, struct spec *spec, const struct http_place *place, char *error, size_t n)
{
	int r = add_urls(h, spec->hosts ? spec->hosts : "", place);

	r = r ? r : keep(&h->api_key, spec_get(spec, "api-key-file", NULL));
	r = r ? r : keep(&h->bearer, spec_get(spec, "bearer-file", NULL));
	h->curl = r ? NULL : curl_easy_init();
	if (!h->curl) {
		snprintf(error, n, "out of memory");
		return -ENOMEM;
	}
	set_up(h, spec);
	return 0;
}

/* A request has one Authorization: which of several is meant nobody can tell. */
static int check_credentials(struct spec *spec, char *error, size_t n)
{
	if ((spec->user != NULL) + (spec_get(spec, "api-key-file", NULL) != NULL) + (spec_get(spec, "bearer-file", NULL) != NULL) <= 1)
		return 0;
	snprintf(error, n, "'%s': one of USER:PASSWORD@, api-key-file and bearer-file", spec->text);
	return -EINVAL;
}

int http_open(struct http **ret, struct spec *spec, const struct http_place *place, char *error, size_t n)
{
	struct http *h = calloc(1, sizeof(*h));
	int r;

	*ret = NULL;
	if (!h) {
		snprintf(error, n, "out of memory");
		return -ENOMEM;
	}
	r = check_credentials(spec, error, n);
	r = r ? r : fill_in(h, spec, place, error, n);
	if (r < 0)
		http_close(h);
	else
		*ret = h;
	return r;
}

static int add_header(struct curl_slist **headers, const char *line)
{
	struct curl_slist *more = curl_slist_append(*headers, line);

	if (!more)
		return -ENOMEM;
	*headers = more;
	return 0;
}

/* "HEADER: SCHEME SECRET", the secret being the first line of the file. 0 or a negative errno. */
static int add_secret(struct curl_slist **headers, const char *path, const char *scheme)
{
	char secret[SECRET_MAX], line[SECRET_MAX + 64];
	FILE *f = path ? fopen(path, "re") : NULL;
	bool read;

	if (!path)
		return 0;
	if (!f)
		return -errno;
	read = fgets(secret, sizeof(secret), f);
	fclose(f);
	if (!read)
		return -ENODATA;
	if (strlen(secret) == sizeof(secret) - 1)
		return -EFBIG;
	secret[strcspn(secret, "\r\n")] = 0;
	if (!*secret)
		return -ENODATA;
	snprintf(line, sizeof(line), "Authorization: %s %s", scheme, secret);
	return add_header(headers, line);
}

static int add_headers(struct http *h, const struct http_request *r, struct curl_slist **headers, char *why, size_t n)
{
	char line[128];
	int err;

	snprintf(line, sizeof(line), "Content-Type: %s", r->type ? r->type : "application/json");
	err = add_header(headers, line);
	err = err ? err : add_header(headers, "Expect:"); /* no waiting for a 100 */
	if (r->gzip && r->n)
		err = err ? err : add_header(headers, "Content-Encoding: gzip");
	if (err < 0)
		snprintf(why, n, "out of memory");
	else if ((err = add_secret(headers, h->api_key, "ApiKey")) < 0)
		snprintf(why, n, "cannot read '%s': %s", h->api_key, strerror(-err));
	else if ((err = add_secret(headers, h->bearer, "Bearer")) < 0)
		snprintf(why, n, "cannot read '%s': %s", h->bearer, strerror(-err));
	return err;
}

/* The body as gzip (RFC 1952), in h->packed. */
static bool pack(struct http *h, const struct http_request *r)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)r->body, .avail_in = (uInt)r->n};
	bool done;

	if (r->n > UINT32_MAX / 2 || deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	h->packed.n = deflateBound(&z, r->n);
	done = bytes_reserve(&h->packed, h->packed.n);
	if (done) {
		z.next_out = (Bytef *)h->packed.p;
		z.avail_out = (uInt)h->packed.n;
		done = deflate(&z, Z_FINISH) == Z_STREAM_END;
		h->packed.n = z.total_out;
	}
	deflateEnd(&z);
	return done;
}

static int perform(struct http *h, struct curl_slist *headers, const struct http_request *r, char *why, size_t n)
{
	char url[2048];
	long status = 0;
	CURLcode code;

	snprintf(url, sizeof(url), "%s%s", h->urls[h->at], r->path);
	curl_easy_setopt(h->curl, CURLOPT_URL, url);
	curl_easy_setopt(h->curl, CURLOPT_CUSTOMREQUEST, r->method);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h->curl, CURLOPT_HTTPGET, 1L);
	if (r->n) {
		curl_easy_setopt(h->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, r->gzip ? h->packed.p : r->body);
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(r->gzip ? h->packed.n : r->n));
	}
	h->error[0] = 0;
	h->answer.n = 0;
	h->most = r->most < BODY_MAX ? r->most : BODY_MAX;
	h->oversize = false;
	code = curl_easy_perform(h->curl);
	if (code == CURLE_OK || h->oversize)
		curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status && !(h->oversize && status / 100 == 2) && bytes_reserve(&h->answer, h->answer.n + 1)) {
		h->answer.p[h->answer.n] = 0;
		return (int)status;
	}
	snprintf(why, n, "%s: %s", h->urls[h->at], h->error[0] ? h->error : curl_easy_strerror(code));
	if (h->oversize)
		snprintf(why, n, "%s: the answer is larger than %zu bytes", h->urls[h->at], h->most);
	if (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING || code == CURLE_HTTP2_STREAM)
		return -ECONNRESET;
	return code == CURLE_ABORTED_BY_CALLBACK ? -ECANCELED : h->oversize ? -EMSGSIZE : -EHOSTUNREACH;
}

int http_request(struct http *h, const struct http_request *r, const atomic_bool *hurry, const char **body, char *why, size_t n)
{
	struct curl_slist *headers = NULL;
	int ret;

	curl_easy_setopt(h->curl, CURLOPT_XFERINFODATA, hurry);
	ret = add_headers(h, r, &headers, why, n);
	if (ret == 0 && r->gzip && r->n && !pack(h, r)) {
		snprintf(why, n, "out of memory");
		ret = -ENOMEM;
	}
	if (ret == 0)
		ret = perform(h, headers, r, why, n);
	curl_slist_free_all(headers);
	*body = ret < 0 ? NULL : h->answer.p;
	return ret;
}

size_t http_hosts(const struct http *h)
{
	return h->n_urls;
}

void http_next_host(struct http *h)
{
	h->at = (h->at + 1) % h->n_urls;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	if (h->curl)
		curl_easy_cleanup(h->curl);
	for (size_t i = 0; i < h->n_urls; i++)
		free(h->urls[i]);
	free(h->urls);
	free(h->api_key);
	free(h->bearer);
	free(h->answer.p);
	free(h->packed.p);
	free(h);
}
