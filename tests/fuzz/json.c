/* SPDX-License-Identifier: MIT */
/* A record of arbitrary bytes is always one valid line of JSON, from which they come back, and one printable line. */
#include <stdlib.h>

#include "../jsonread.h"
#include "output/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) ((x) ? (void)0 : abort())
#define FIELDS   6
/* The input: numbers, then text; each string is a part of the text, said by two of the numbers. */
#define NUMBERS  (4 + 2 * (4 + 2 * (5 + 4 * FIELDS)))

static struct slice part(struct cursor *c, struct slice text)
{
	struct slice from = slice_from(text, cursor_u8(c));

	return slice_first(from, cursor_u8(c));
}

static void take_message(struct cursor *c, struct slice text, struct message *m, struct field v[2 * FIELDS])
{
	struct slice *const parts[] = {&m->protocol, &m->method, &m->target, &m->reason, &m->body};
	uint32_t bits = cursor_u32(c);

	for (int i = 0; i < 5; i++)
		*parts[i] = part(c, text);
	for (int i = 0; i < 2 * FIELDS; i++) {
		struct slice name = part(c, text), value = part(c, text);

		v[i] = (struct field){name.p - text.p, name.n, value.p - text.p, value.n};
	}
	m->headers = (struct fields){text.p, v, bits % FIELDS};
	m->trailers = (struct fields){text.p, v + FIELDS, bits / 8 % FIELDS};
	m->seen = !(bits & 0x100);
	m->complete = bits & 0x200;
	m->status = (uint16_t)(bits >> 16);
	m->last_ns = m->wire_bytes = (uint64_t)bits << (bits & 31);
	m->interims = m->missings = (uint8_t)(bits >> 10);
	m->missing[0] = (struct missing){bits >> 24, bits >> 20 & 15, bits};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(slice_of(data, size));
	struct slice text = slice_from(cursor_rest(&c), NUMBERS), reason, line, found;
	struct view view = {.headers = cursor_u8(&c) & 1, .show_secrets = cursor_u8(&c) & 1};
	struct record r = {.ts_ns = cursor_u8(&c), .ends = {.ifname = "eth0", .client = cursor_u8(&c) & 1}};
	struct buf json = buf_of(1 << 20), lines = buf_of(1 << 20);
	uint8_t back[6 * 256], *state = calloc(1, format_text.state_size);
	struct field v[4 * FIELDS];

	take_message(&c, text, &r.exchange.request, v);
	take_message(&c, text, &r.exchange.response, v + 2 * FIELDS);
	CHECK(format_json.write(NULL, &view, &r, &json) && format_text.write(state, &view, &r, &lines));
	line = slice_of(json.p, json.n);
	CHECK(json_is_line(line));
	reason = r.exchange.response.seen ? r.exchange.response.reason : slice_of(NULL, 0);
	found = json_at(line, "l7.response.Record.Http.reason");
	CHECK(slice_eq(found.n ? slice_of(back, json_bytes(found, back)) : found, reason));
	for (size_t i = 0; i < lines.n; i++)
		CHECK(lines.p[i] == '\n' ? i + 1 == lines.n : lines.p[i] >= ' ' && lines.p[i] < 0x7f);
	lines.n = 0;
	format_text.look(state, &(struct look){.columns = (unsigned)r.ts_ns});
	CHECK(format_text.write(state, &view, &r, &lines));
	CHECK(!r.ts_ns || lines.n <= (r.ts_ns < 60 ? 60 : r.ts_ns) + 1);
	buf_release(&json);
	buf_release(&lines);
	free(state);
	return 0;
}
