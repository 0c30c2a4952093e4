/* SPDX-License-Identifier: MIT */
#include "output/trace.h"

/* The fields that matter, each as often as it is there: twice is as bad as wrong. */
struct found {
	struct slice parent, b3, id, span;
	unsigned parents, b3s, ids, spans;
};

static void found_add(struct slice *to, unsigned *times, struct slice value)
{
	*to = value;
	++*times;
}

static void look(struct found *f, const struct fields *headers)
{
	for (uint32_t i = 0; i < headers->n; i++) {
		struct slice name = field_name(headers, i);

		if (name.n == 2 && slice_ieq(name, SLICE("b3")))
			found_add(&f->b3, &f->b3s, field_value(headers, i));
		else if (name.n == 12 && slice_ieq(name, SLICE("x-b3-traceid")))
			found_add(&f->id, &f->ids, field_value(headers, i));
		else if (name.n == 11 && slice_ieq(name, SLICE("x-b3-spanid")))
			found_add(&f->span, &f->spans, field_value(headers, i));
		else if (name.n == 11 && slice_ieq(name, SLICE("traceparent")))
			found_add(&f->parent, &f->parents, field_value(headers, i));
	}
}

static bool is_hex(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

/* An id of this many digits, which must not be zero. */
static bool is_id(struct slice s, size_t digits)
{
	static const uint8_t zeros[TRACE_ID_DIGITS] = "00000000000000000000000000000000";

	return s.n == digits && is_hex(s) && memcmp(s.p, zeros, digits) != 0;
}

/* The bytes of `s` from `at` up to the next '-', or its end. */
static struct slice part(struct slice s, size_t at)
{
	struct slice rest = slice_from(s, at);
	const uint8_t *dash = rest.n ? memchr(rest.p, '-', rest.n) : NULL;

	return slice_of(rest.p, dash ? (size_t)(dash - rest.p) : rest.n);
}

/* Takes the ids over if both are valid. A trace id may be a short one, of B3. */
static bool ids_take(struct trace *ret, struct slice trace, struct slice span, bool b3)
{
	if (!is_id(span, SPAN_ID_DIGITS) || !(is_id(trace, TRACE_ID_DIGITS) || (b3 && is_id(trace, TRACE_ID_DIGITS / 2))))
		return false;
	memset(ret->trace_id, '0', TRACE_ID_DIGITS);
	memcpy(ret->trace_id + TRACE_ID_DIGITS - trace.n, trace.p, trace.n);
	memcpy(ret->span_id, span.p, SPAN_ID_DIGITS);
	return true;
}

/*
 * "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" (W3C Trace Context section 3.2.2). A version to come may have
 * more parts behind these.
 */
static bool from_parent(struct slice s, struct trace *ret)
{
	const size_t whole = 2 + 1 + TRACE_ID_DIGITS + 1 + SPAN_ID_DIGITS + 1 + 2;
	struct slice version = part(s, 0), trace = part(s, 3), span = part(s, 4 + TRACE_ID_DIGITS), flags = part(s, whole - 2);

	if (s.n < whole || version.n != 2 || !is_hex(version) || slice_eq(version, SLICE("ff")))
		return false;
	if (s.n > whole && (slice_eq(version, SLICE("00")) || s.p[whole] != '-'))
		return false;
	return flags.n == 2 && is_hex(flags) && ids_take(ret, trace, span, false);
}

/* "TRACE-SPAN", "TRACE-SPAN-SAMPLED" or "TRACE-SPAN-SAMPLED-PARENT" (B3 propagation, single header). */
static bool from_b3(struct slice s, struct trace *ret)
{
	struct slice trace = part(s, 0), span = part(s, trace.n + 1);
	size_t at = trace.n + 1 + span.n;
	struct slice sampled = part(s, at + 1), parent = part(s, at + 1 + sampled.n + 1);

	if (at < s.n && !(sampled.n == 1 && memchr("01d", sampled.p[0], 3)))
		return false;
	at += at < s.n ? 1 + sampled.n : 0;
	if (at < s.n && !is_id(parent, SPAN_ID_DIGITS))
		return false;
	at += at < s.n ? 1 + parent.n : 0;
	return at == s.n && ids_take(ret, trace, span, true);
}

bool trace_of(const struct fields *headers, struct trace *ret)
{
	struct found f = {0};

	look(&f, headers);
	if (f.parents == 1 && from_parent(f.parent, ret))
		return true;
	if (f.b3s == 1 && from_b3(f.b3, ret))
		return true;
	return f.ids == 1 && f.spans == 1 && ids_take(ret, f.id, f.span, true);
}
