/* SPDX-License-Identifier: MIT */
#include "output/glob.h"

/* Does the pattern's element at *at take this byte? Moves *at behind the element if so. */
static bool takes(struct slice glob, size_t *at, uint8_t c, bool fold)
{
	size_t i = *at;
	bool quoted = i + 1 < glob.n && glob.p[i] == '\\';

	i += quoted;
	if (i >= glob.n)
		return false;
	if (!(glob.p[i] == '?' && !quoted) && glob.p[i] != c && !(fold && ascii_lower(glob.p[i]) == ascii_lower(c)))
		return false;
	*at = i + 1;
	return true;
}

/* Only the last '*' ever needs another try, so this is no worse than the product of the lengths. */
bool glob_match(struct slice glob, struct slice s, bool fold)
{
	size_t g = 0, i = 0, star = SIZE_MAX, from = 0;

	while (i < s.n) {
		if (g < glob.n && glob.p[g] == '*') {
			star = ++g;
			from = i;
		} else if (takes(glob, &g, s.p[i], fold)) {
			i++;
		} else if (star != SIZE_MAX) {
			g = star;
			i = ++from;
		} else {
			return false;
		}
	}
	while (g < glob.n && glob.p[g] == '*')
		g++;
	return g == glob.n;
}
