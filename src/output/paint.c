/* SPDX-License-Identifier: MIT */
#include "output/paint.h"

#include "output/print.h"

void paint_part(struct paint *p, uint8_t *from, uint8_t *to, const char *with)
{
	if (!with || from == to || p->n == PAINT_PARTS)
		return;
	p->part[p->n].from = from;
	p->part[p->n].to = to;
	p->part[p->n++].with = with;
}

/* Makes `n` bytes of room at `at`. */
static uint8_t *insert(uint8_t *at, uint8_t *end, size_t n)
{
	memmove(at + n, at, (size_t)(end - at));
	return at;
}

uint8_t *paint_line(const struct paint *p, uint8_t *end)
{
	for (size_t i = p->n; i-- > 0;) {
		uint8_t *from = p->part[i].from, *to = p->part[i].to < end ? p->part[i].to : end;
		size_t n = strlen(PAINT_ESCAPE) + strlen(p->part[i].with) + strlen("m");

		if (from >= end)
			continue;
		PRINT(insert(to, end, strlen(PAINT_RESET)), PAINT_RESET);
		end += strlen(PAINT_RESET);
		PRINT(print_str(PRINT(insert(from, end, n), PAINT_ESCAPE), p->part[i].with), "m");
		end += n;
	}
	return end;
}

const char *paint_of_status(unsigned status)
{
	static const char *const classes[] = {NULL, PAINT_OTHER, PAINT_GOOD, PAINT_OTHER, PAINT_WRONG, PAINT_BAD};

	return status / 100 < sizeof(classes) / sizeof(classes[0]) ? classes[status / 100] : PAINT_BAD;
}

const char *paint_of_grpc(int status)
{
	/* Those for which OpenTelemetry says that the server failed: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL ... */
	const unsigned servers = 1 << 2 | 1 << 4 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15;

	if (status <= 0)
		return status ? NULL : PAINT_GOOD;
	return status > 16 || servers >> status & 1 ? PAINT_BAD : PAINT_WRONG;
}
