/* SPDX-License-Identifier: MIT */
#include "proto/startline.h"

#define METHOD_MAX 32u

static const bool tchar[256] = { /* RFC 9110 section 5.6.2 */
	['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,
	['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1, ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1,
};

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/*
 * Methods that may begin a message where nothing vouches for it: those of IANA's registry, and what is met besides. After
 * the end of a message any token may.
 */
static const char *const methods[] = {
	"ACL", "BAN", "BASELINE-CONTROL", "BCOPY", "BDELETE", "BIND", "BITS_POST", "BMOVE", "BPROPFIND", "BPROPPATCH",
	"CCM_POST", "CHECKIN", "CHECKOUT", "CONNECT", "COPY", "DELETE", "DESCRIBE", "GET", "HEAD", "LABEL", "LINK", "LOCK",
	"M-SEARCH", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "NOTIFY", "OPTIONS",
	"ORDERPATCH", "PATCH", "POLL", "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "QUERY", "REBIND", "REPORT",
	"RPC_IN_DATA", "RPC_OUT_DATA", "SEARCH", "SOURCE", "SSTP_DUPLEX_POST", "SUBSCRIBE", "TRACE", "UNBIND", "UNCHECKOUT",
	"UNLINK", "UNLOCK", "UNSUBSCRIBE", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL",
};

static bool is_known(struct slice method)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (method.n && methods[i][0] == method.p[0] && slice_eq(slice_str(methods[i]), method))
			return true;
	return false;
}

/* "HTTP/d.d" or "HTTP/d", any number of digits behind the point; the length of it, or 0. */
static size_t version_parse(struct slice s, enum http_version *ret)
{
	size_t n;

	if (!slice_starts(s, SLICE("HTTP/")) || s.n < 6 || !is_digit(s.p[5]))
		return 0;
	*ret = s.p[5] == '2' ? HTTP_20 : HTTP_UNKNOWN;
	if (s.n < 8 || s.p[6] != '.' || !is_digit(s.p[7]))
		return 6;
	for (n = 8; n < s.n && is_digit(s.p[n]); n++)
		;
	if (s.p[5] == '1' && n == 8)
		*ret = s.p[7] == '0' ? HTTP_10 : s.p[7] == '1' ? HTTP_11 : HTTP_UNKNOWN;
	return n;
}

static size_t method_length(struct slice s)
{
	size_t n = 0;

	while (n < s.n && n <= METHOD_MAX && tchar[s.p[n]])
		n++;
	return n <= METHOD_MAX ? n : 0;
}

/* "HTTP/1.x ddd " and a reason. Nearly all are so. */
static bool parse_plain_response(struct slice s, struct startline *ret)
{
	const uint8_t *p = s.p;

	if (s.n < 14 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ' || !is_digit(p[9]) ||
	    !is_digit(p[10]) || !is_digit(p[11]) || p[12] != ' ')
		return false;
	ret->response = true;
	ret->version = p[7] == '0' ? HTTP_10 : HTTP_11;
	ret->status = (uint16_t)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
	ret->reason = slice_from(s, 13);
	if (ret->reason.p[ret->reason.n - 1] == '\r')
		ret->reason.n--;
	return true;
}

static bool parse_response(struct slice line, bool loose, struct startline *ret)
{
	size_t n = version_parse(line, &ret->version);
	const uint8_t *sp = memchr(line.p, ' ', line.n);
	struct slice rest;

	if (!sp || (n != (size_t)(sp - line.p) && !loose))
		return false;
	rest = slice_trim_line(slice_from(line, (size_t)(sp - line.p)));
	ret->response = true;
	ret->reason = rest;
	if (rest.n < 3 || !is_digit(rest.p[0]) || !is_digit(rest.p[1]) || !is_digit(rest.p[2]))
		return true;
	if (rest.n > 3 && is_digit(rest.p[3]))
		return true;
	ret->status = (uint16_t)((rest.p[0] - '0') * 100 + (rest.p[1] - '0') * 10 + (rest.p[2] - '0'));
	ret->reason = slice_trim_line(slice_from(rest, 3));
	return true;
}

/* Does the line end with " HTTP/1.0" or " HTTP/1.1"? Nearly all do. */
static bool ends_with_version(struct slice s, enum http_version *ret)
{
	const uint8_t *v = s.p + s.n - 9;

	if (s.n < 10 || memcmp(v, " HTTP/1.", 8) != 0 || (v[8] != '0' && v[8] != '1'))
		return false;
	*ret = v[8] == '0' ? HTTP_10 : HTTP_11;
	return true;
}

/* The last " HTTP/" of a request line: targets of sloppy clients have spaces in them. */
static const uint8_t *find_version(struct slice s)
{
	for (size_t i = s.n; i-- > 0;)
		if ((s.p[i] == ' ' || s.p[i] == '\t') && slice_starts(slice_from(s, i + 1), SLICE("HTTP/")))
			return s.p + i;
	return NULL;
}

/*
 * Lines that servers take for a request although the version is missing or broken: "GET /x" (HTTP/0.9), "GET / HTTP/1.",
 * "OPTIONS HTTP/1.1".
 */
static bool parse_sloppy(struct slice rest, struct startline *ret)
{
	const uint8_t *sp = rest.n ? memchr(rest.p, ' ', rest.n) : NULL;
	bool begins = slice_starts(rest, SLICE("/")) || slice_starts(rest, SLICE("*")) || slice_starts(rest, SLICE("HTTP/")) ||
		      slice_starts(rest, SLICE("http://"));

	ret->target = sp ? slice_of(rest.p, (size_t)(sp - rest.p)) : rest;
	ret->version = sp ? HTTP_UNKNOWN : HTTP_09;
	return begins && (!sp || slice_starts(slice_trim_line(slice_from(rest, ret->target.n)), SLICE("HTTP")));
}

static bool parse_request(struct slice line, bool loose, struct startline *ret)
{
	size_t n = method_length(line);
	struct slice rest = slice_from(line, n);
	const uint8_t *v;
	struct slice tail;
	size_t v_len;

	if (!n || !rest.n || (rest.p[0] != ' ' && rest.p[0] != '\t'))
		return false;
	ret->method = slice_first(line, n);
	if (rest.p[rest.n - 1] == '\r')
		rest.n--;
	if (ends_with_version(rest, &ret->version)) {
		ret->target = slice_trim_line(slice_first(rest, rest.n - 9));
		return ret->target.n > 0;
	}
	v = find_version(rest);
	if (v) {
		tail = slice_from(rest, (size_t)(v + 1 - rest.p));
		v_len = version_parse(tail, &ret->version);
		ret->target = slice_trim_line(slice_of(rest.p, (size_t)(v - rest.p)));
		if (v_len && ret->target.n && !slice_trim_line(slice_from(tail, v_len)).n)
			return true;
	}
	return loose && is_known(ret->method) && parse_sloppy(slice_trim_line(rest), ret);
}

bool startline_parse(struct slice line, bool loose, struct startline *ret)
{
	*ret = (struct startline){0};
	if (slice_starts(line, SLICE("HTTP/")))
		return parse_plain_response(line, ret) || (parse_response(line, loose, ret) && (ret->status || loose));
	return parse_request(line, loose, ret);
}

static enum verdict probe_response(struct slice data)
{
	static const char form[] = "HTTP/d.d ddd";
	size_t i;

	for (i = 0; i < data.n && i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? !is_digit(data.p[i]) : data.p[i] != (uint8_t)form[i])
			return VERDICT_NO;
	if (i < sizeof(form) - 1 || i == data.n)
		return VERDICT_MORE;
	return data.p[i] == ' ' || data.p[i] == '\r' || data.p[i] == '\n' ? VERDICT_YES : VERDICT_NO;
}

enum verdict startline_probe(struct slice data, bool *response)
{
	size_t n = method_length(data);
	const uint8_t *lf;
	struct startline line;

	*response = false;
	if (data.n && data.p[0] == 'H') {
		enum verdict v = probe_response(data);

		*response = v != VERDICT_NO && data.n >= 3 && data.p[2] == 'T'; /* "HE..." may become HEAD */
		if (*response)
			return v;
	}
	if (n == data.n)
		return VERDICT_MORE;
	if (!n || data.p[n] != ' ' || !is_known(slice_first(data, n)))
		return VERDICT_NO;
	lf = memchr(data.p, '\n', data.n);
	if (!lf) {
		for (size_t i = n; i < data.n && i < n + 64; i++)
			if (data.p[i] < ' ' && data.p[i] != '\r')
				return VERDICT_NO;
		return VERDICT_MORE;
	}
	if (!startline_parse(slice_of(data.p, (size_t)(lf - data.p)), false, &line) || line.version == HTTP_20)
		return VERDICT_NO;
	return VERDICT_YES;
}

bool startline_begins(struct slice data)
{
	size_t n = method_length(data);

	return n && (n == data.n || data.p[n] == ' ');
}

bool startline_partial(struct slice data, struct startline *ret)
{
	size_t n = method_length(data);
	const uint8_t *sp;
	bool response;

	*ret = (struct startline){0};
	if (startline_probe(data, &response) == VERDICT_NO)
		return false;
	if (response) {
		size_t at;

		sp = memchr(data.p, ' ', data.n);
		at = sp ? (size_t)(sp - data.p) : data.n;
		if (at + 5 > data.n) /* the three digits and what ends them */
			return false;
		return parse_response(slice_first(data, at + 4), false, ret) && ret->status;
	}
	if (n == data.n)
		return false;
	ret->method = slice_first(data, n);
	data = slice_trim_line(slice_from(data, n));
	sp = data.n ? memchr(data.p, ' ', data.n) : NULL;
	if (sp) {
		struct slice version = slice_from(data, (size_t)(sp + 1 - data.p));

		if (version.n && slice_starts(SLICE("HTTP/"), slice_first(version, 5)))
			ret->target = slice_of(data.p, (size_t)(sp - data.p));
	}
	return true;
}
