/* SPDX-License-Identifier: MIT */
#include "output/statuses.h"

#include <errno.h>

#include "output/names.h"

/* Three characters: digits, the last ones perhaps "x" for any. Gives the first and the last number meant. */
static bool parse_http(struct slice s, unsigned *first, unsigned *last)
{
	bool any = false;

	*first = *last = 0;
	for (size_t i = 0; i < s.n; i++) {
		any |= i > 0 && (s.p[i] | 0x20) == 'x';
		if (any ? (s.p[i] | 0x20) != 'x' : s.p[i] < '0' || s.p[i] > '9')
			return false;
		*first = *first * 10 + (any ? 0 : s.p[i] - '0');
		*last = *last * 10 + (any ? 9 : s.p[i] - '0');
	}
	return s.n == 3 && *last >= 100;
}

/* A name, or one to three digits. */
static bool parse_grpc(struct slice s, unsigned *first, unsigned *last)
{
	const char *name;

	for (int i = 0; (name = name_of_grpc_status(i)); i++)
		if (slice_ieq(s, slice_str(name))) {
			*first = *last = (unsigned)i;
			return true;
		}
	*first = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*first = *first * 10 + s.p[i] - '0';
	}
	*last = *first;
	return s.n > 0 && s.n <= 3;
}

/* One of something, or a range from one to another. */
static int add(uint64_t *set, struct slice s, bool (*parse)(struct slice, unsigned *, unsigned *))
{
	const uint8_t *dash = s.n ? memchr(s.p, '-', s.n) : NULL;
	size_t length = dash ? (size_t)(dash - s.p) : s.n;
	unsigned first, last, end;

	if (!parse(slice_trim(slice_first(s, length)), &first, &last))
		return -EINVAL;
	if (dash && !parse(slice_trim(slice_from(s, length + 1)), &end, &last))
		return -EINVAL;
	if (first > last)
		return -EINVAL;
	for (; first <= last; first++)
		set[first / 64] |= 1ULL << first % 64;
	return 0;
}

int statuses_add(struct statuses *s, struct slice item)
{
	const struct slice prefix = SLICE_INIT("grpc:");
	unsigned first, last;

	if (slice_ieq(slice_first(item, prefix.n), prefix))
		return add(s->grpc, slice_trim(slice_from(item, prefix.n)), parse_grpc);
	if (item.n > 0 && item.p[0] > '9' && parse_grpc(item, &first, &last))
		return add(s->grpc, item, parse_grpc);
	return add(s->http, item, parse_http);
}

static bool has(const uint64_t *set, unsigned status)
{
	return status < STATUSES_END && set[status / 64] >> status % 64 & 1;
}

bool statuses_have(const struct statuses *s, const struct exchange_record *x)
{
	if (x->is_grpc && x->grpc.status >= 0 && has(s->grpc, (unsigned)x->grpc.status))
		return true;
	return has(s->http, x->response.status);
}
