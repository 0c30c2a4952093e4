/* SPDX-License-Identifier: MIT */
#include "output/duration.h"

#include <stddef.h>
#include <string.h>

/* The nanoseconds of a unit; 0 when it is none. */
static uint64_t unit_ns(const char *unit)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"", 1000000}, {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].ns;
	return 0;
}

bool duration_parse(const char *s, uint64_t *ns)
{
	size_t whole = strspn(s, "0123456789");
	size_t part = s[whole] == '.' ? strspn(s + whole + 1, "0123456789") : 0;
	uint64_t unit = unit_ns(s + whole + (part ? part + 1 : 0));

	*ns = 0;
	if (whole == 0 || whole > 9 || unit == 0)
		return false;
	for (size_t i = 0; i < whole; i++)
		*ns = *ns * 10 + (uint64_t)(s[i] - '0');
	*ns *= unit;
	for (size_t i = 0; i < part; i++)
		*ns += (uint64_t)(s[whole + 1 + i] - '0') * (unit /= 10);
	return true;
}
