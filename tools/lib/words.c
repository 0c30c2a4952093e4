/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <stdlib.h>

char *skip_space(char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

char *word(char **p)
{
	char *w = skip_space(*p), *end = w + strcspn(w, " \t");

	if (!*w)
		return NULL;
	*p = *end ? end + 1 : end;
	*end = '\0';
	return w;
}

char *need(struct talk *t, char **p, const char *what)
{
	char *w = word(p);

	if (!w)
		talk_die(t, "%s is missing", what);
	return w;
}

uint64_t number(const struct talk *t, const char *w)
{
	char *end;
	uint64_t v = strtoull(w, &end, 0);

	if (*w < '0' || *w > '9' || *end)
		talk_die(t, "'%s' is no number", w);
	return v;
}

uint64_t duration(const struct talk *t, const char *w)
{
	static const struct unit {
		const char *name;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
	char *end;
	double v = strtod(w, &end);

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (end != w && v >= 0 && strcmp(end, units[i].name) == 0)
			return (uint64_t)(v * units[i].ns + 0.5);
	talk_die(t, "'%s' is no time; say 10ns, 80us, 1.5ms, 2s", w);
}

int side_of(const struct talk *t, const char *w)
{
	if (strcmp(w, "c") != 0 && strcmp(w, "s") != 0)
		talk_die(t, "'%s' is neither c nor s", w);
	return *w == 's';
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static uint8_t hex_byte(const struct talk *t, const char *p)
{
	int high = hex_digit(p[0]), low = high < 0 ? -1 : hex_digit(p[1]);

	if (low < 0)
		talk_die(t, "'%.10s' begins with no byte of two hexadecimal digits", p);
	return (uint8_t)(high << 4 | low);
}

/* One character of a string, perhaps escaped; returns what follows it. */
static char *string_char(const struct talk *t, char *p, uint8_t *ret)
{
	static const char names[] = "rnt0\\\"", values[] = "\r\n\t\0\\\"";
	const char *at;

	*ret = (uint8_t)*p;
	if (*p != '\\')
		return p + 1;
	if (p[1] == 'x') {
		*ret = hex_byte(t, p + 2);
		return p + 4;
	}
	at = p[1] ? strchr(names, p[1]) : NULL;
	if (!at)
		talk_die(t, "'%.2s' is no escape", p);
	*ret = (uint8_t)values[at - names];
	return p + 2;
}

char *item(struct talk *t, char *p)
{
	size_t before = t->speech.n, n;
	bool quoted = *p == '"';
	uint8_t b;

	for (p += quoted; quoted ? *p != '"' : *p && *p != ' ' && *p != '\t'; speech_add(t, &b, 1)) {
		if (!*p)
			talk_die(t, "a string does not end");
		if (quoted) {
			p = string_char(t, p, &b);
		} else {
			b = hex_byte(t, p);
			p += 2;
		}
	}
	p = skip_space(p + quoted);
	n = t->speech.n - before;
	if (*p == '*') {
		p++;
		for (uint64_t i = number(t, need(t, &p, "how often")); i != 1; i--) {
			if (i == 0) {
				t->speech.n = before;
				break;
			}
			for (size_t k = 0; k < n; k++)
				speech_add(t, &(uint8_t){t->speech.p[before + k]}, 1);
		}
	}
	return skip_space(p);
}

void items(struct talk *t, char *p)
{
	for (p = skip_space(p); *p;)
		p = item(t, p);
}
