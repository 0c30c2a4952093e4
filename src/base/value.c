/* SPDX-License-Identifier: MIT */
#include "base/value.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* The digits at `s`; returns what is behind them, NULL when there are none or they are too many. */
static const char *digits(const char *s, uint64_t *ret)
{
	const char *start = s;

	for (*ret = 0; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(*ret, 10, ret) || __builtin_add_overflow(*ret, (uint64_t)(*s - '0'), ret))
			return NULL;
	return s > start ? s : NULL;
}

bool value_number(const char *s, uint64_t *ret)
{
	const char *end = digits(s, ret);

	return end && !*end;
}

bool value_size(const char *s, uint64_t *ret)
{
	static const char units[] = "kmg";
	const char *end = digits(s, ret), *unit;

	if (!end || !*end)
		return end;
	unit = strchr(units, *end | 0x20);
	if (!unit || __builtin_mul_overflow(*ret, UINT64_C(1) << (10 * (unit - units + 1)), ret))
		return false;
	end++;
	return !*end || strcasecmp(end, "b") == 0 || strcasecmp(end, "i") == 0 || strcasecmp(end, "ib") == 0;
}

bool value_percent(const char *s, uint64_t *ret)
{
	const char *end = digits(s, ret);
	uint64_t unit = 1000;

	if (!end || *ret > UINT32_MAX / 1000)
		return false;
	*ret *= unit;
	if (*end == '.')
		for (end++; unit > 1 && *end >= '0' && *end <= '9'; end++)
			*ret += (uint64_t)(*end - '0') * (unit /= 10);
	return !*end || strcmp(end, "%") == 0;
}

bool value_seconds(const char *s, uint64_t *ret)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	const char *end = digits(s, ret);

	for (size_t i = 0; end && i < sizeof(units) / sizeof(units[0]); i++)
		if (end[0] == units[i].unit && !end[1])
			return *ret && !__builtin_mul_overflow(*ret, units[i].seconds, ret);
	return false;
}

bool value_bool(const char *s, bool *ret)
{
	static const char *const words[] = {"0", "1", "no", "yes", "false", "true", "off", "on"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcasecmp(s, words[i]) == 0) {
			*ret = i & 1;
			return true;
		}
	}
	return false;
}
