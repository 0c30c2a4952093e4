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

/* "HTTP/d.d" or "HTTP/d", any digits; the length of it, or 0. */
static size_t version_parse(struct slice s, enum http_version *ret)
{
	if (!slice_starts(s, SLICE("HTTP/")) || s.n < 6 || !is_digit(s.p[5]))
		return 0;
	*ret = s.p[5] == '2' ? HTTP_20 : HTTP_11;
	if (s.n < 8 || s.p[6] != '.' || !is_digit(s.p[7]))
		return 6;
	if (s.p[5] == '1' && s.p[7] == '0')
		*ret = HTTP_10;
	else if (s.p[5] == '0')
		*ret = HTTP_09;
	return 8;
}

static size_t method_length(struct slice s)
{
	size_t n = 0;

	while (n < s.n && n <= METHOD_MAX && tchar[s.p[n]])
		n++;
	return n <= METHOD_MAX ? n : 0;
}

static struct slice trim(struct slice s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = slice_from(s, 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

static bool parse_response(struct slice line, struct startline *ret)
{
	size_t n = version_parse(line, &ret->version);
	struct slice rest;

	if (!n)
		return false;
	rest = slice_from(line, n);
	if (!rest.n || (rest.p[0] != ' ' && rest.p[0] != '\t'))
		return false;
	rest = trim(rest);
	if (rest.n < 3 || !is_digit(rest.p[0]) || !is_digit(rest.p[1]) || !is_digit(rest.p[2]))
		return false;
	if (rest.n > 3 && is_digit(rest.p[3]))
		return false;
	ret->response = true;
	ret->status = (uint16_t)((rest.p[0] - '0') * 100 + (rest.p[1] - '0') * 10 + (rest.p[2] - '0'));
	ret->reason = trim(slice_from(rest, 3));
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

static bool parse_request(struct slice line, bool first, struct startline *ret)
{
	size_t n = method_length(line);
	struct slice rest = slice_from(line, n);
	const uint8_t *v;
	struct slice tail;
	size_t v_len;

	if (!n || !rest.n || (rest.p[0] != ' ' && rest.p[0] != '\t'))
		return false;
	ret->method = slice_first(line, n);
	v = find_version(rest);
	if (v) {
		tail = slice_from(rest, (size_t)(v + 1 - rest.p));
		v_len = version_parse(tail, &ret->version);
		ret->target = trim(slice_of(rest.p, (size_t)(v - rest.p)));
		return v_len && ret->target.n && !trim(slice_from(tail, v_len)).n;
	}
	ret->version = HTTP_09;
	ret->target = trim(rest);
	return first && slice_eq(ret->method, SLICE("GET")) && ret->target.n && ret->target.p[0] == '/' &&
	       !memchr(ret->target.p, ' ', ret->target.n);
}

bool startline_parse(struct slice line, bool first, struct startline *ret)
{
	*ret = (struct startline){0};
	if (slice_starts(line, SLICE("HTTP/")))
		return parse_response(line, ret);
	return parse_request(line, first, ret);
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
	if (!n || data.p[n] != ' ')
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

bool startline_partial(struct slice data, struct startline *ret)
{
	size_t n = method_length(data);
	bool response;

	*ret = (struct startline){0};
	if (startline_probe(data, &response) == VERDICT_NO)
		return false;
	if (response) {
		const uint8_t *sp = memchr(data.p, ' ', data.n);
		size_t at = sp ? (size_t)(sp - data.p) : data.n;

		if (at + 5 > data.n) /* the three digits and what ends them */
			return false;
		return parse_response(slice_first(data, at + 4), ret);
	}
	if (n == data.n)
		return false;
	ret->method = slice_first(data, n);
	return true;
}
