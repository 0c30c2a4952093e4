/* SPDX-License-Identifier: MIT */
#include "h2.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "craft.h"
#include "proto/h2frame.h"

#define TABLE_MAX 65536u /* the largest HPACK table that a script may ask for */

/* A frame in the making: its lead is what stands before the content, but for the pad length. */
struct frame {
	uint8_t type, flags, pad;
	bool padded, open, never, raw;
	uint32_t stream, most; /* most: bytes of content in one frame, before the next one begins; 0: all */
	uint8_t lead[16];
	size_t lead_n;
};

/*
 * What follows the type, in this order: s the stream, n a number, e an error code; then, behind the words, the content:
 * f fields, v settings, i items. The place in the table is the number of the type (RFC 9113 section 6).
 */
static const struct type {
	const char *name, *takes;
} types[] = {
	{"DATA", "si"},          {"HEADERS", "sf"}, {"PRIORITY", "si"}, {"RST_STREAM", "sei"},    {"SETTINGS", "v"},
	{"PUSH_PROMISE", "snf"}, {"PING", "i"},     {"GOAWAY", "nei"},  {"WINDOW_UPDATE", "sni"}, {"CONTINUATION", "si"},
};

struct name {
	const char *name;
	uint32_t value;
};

static const struct name flags[] = {{"END_STREAM", H2_END_STREAM}, {"ACK", H2_ACK}, {"END_HEADERS", H2_END_HEADERS}};

static const struct name settings[] = {
	{"HEADER_TABLE_SIZE", 1}, {"ENABLE_PUSH", 2},          {"MAX_CONCURRENT_STREAMS", 3},  {"INITIAL_WINDOW_SIZE", 4},
	{"MAX_FRAME_SIZE", 5},    {"MAX_HEADER_LIST_SIZE", 6}, {"ENABLE_CONNECT_PROTOCOL", 8},
};

static bool name_find(const struct name *names, size_t n, const char *w, size_t w_n, uint32_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i].name) == w_n && memcmp(names[i].name, w, w_n) == 0) {
			*ret = names[i].value;
			return true;
		}
	return false;
}

#define NAME_FIND(names, w, w_n, ret) name_find(names, sizeof(names) / sizeof(*(names)), w, w_n, ret)

static uint32_t number32(const struct talk *t, const char *w)
{
	uint64_t v = number(t, w);

	if (v > UINT32_MAX)
		talk_die(t, "'%s' has no place in 32 bits", w);
	return (uint32_t)v;
}

static void lead_add32(struct frame *f, uint32_t v)
{
	craft_put32(f->lead + f->lead_n, v);
	f->lead_n += 4;
}

/* --- words ---------------------------------------------------------------------------------------------------------- */

static uint32_t error_code(struct talk *t, const char *w)
{
	for (uint32_t code = 0; code <= NGHTTP2_HTTP_1_1_REQUIRED; code++)
		if (strcmp(nghttp2_http2_strerror(code), w) == 0)
			return code;
	return number32(t, w);
}

static const char *type_of(struct talk *t, struct frame *f, const char *w)
{
	for (uint8_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(types[i].name, w) == 0) {
			f->type = i;
			return types[i].takes;
		}
	f->type = (uint8_t)number(t, w);
	return "si";
}

/* "STREAM,WEIGHT" or, exclusively, "!STREAM,WEIGHT" (RFC 9113 section 6.3). */
static void priority(struct talk *t, struct frame *f, char *value)
{
	bool exclusive = *value == '!';
	char *comma = strchr(value, ',');

	if (!comma)
		talk_die(t, "priority=STREAM,WEIGHT");
	*comma = '\0';
	lead_add32(f, number32(t, value + exclusive) | (exclusive ? UINT32_C(1) << 31 : 0));
	f->lead[f->lead_n++] = (uint8_t)(number(t, comma + 1) - 1);
	if (f->type == H2_HEADERS)
		f->flags |= H2_PRIO;
}

static nghttp2_hd_deflater *deflater(struct talk *t)
{
	nghttp2_hd_deflater **d = &t->speech.conn->hpack[t->speech.side];

	if (!*d && nghttp2_hd_deflate_new(d, TABLE_MAX) != 0)
		talk_die(t, "out of memory");
	return *d;
}

static bool frame_flag(struct frame *f, const char *w)
{
	uint32_t flag;

	if (NAME_FIND(flags, w, strlen(w), &flag))
		f->flags |= (uint8_t)flag;
	else if (strcmp(w, "open") == 0)
		f->open = true;
	else if (strcmp(w, "never") == 0)
		f->never = true;
	else if (strcmp(w, "raw") == 0)
		f->raw = true;
	else
		return false;
	return true;
}

static bool frame_value(struct talk *t, struct frame *f, char *w)
{
	char *value = strchr(w, '=');

	if (!value++)
		return false;
	if (strncmp(w, "flags=", 6) == 0) {
		f->flags |= (uint8_t)number(t, value);
	} else if (strncmp(w, "pad=", 4) == 0) {
		f->flags |= H2_PADDED;
		f->padded = true;
		f->pad = (uint8_t)number(t, value);
	} else if (strncmp(w, "cut=", 4) == 0) {
		f->most = number32(t, value);
	} else if (strncmp(w, "priority=", 9) == 0) {
		priority(t, f, value);
	} else if (strncmp(w, "table=", 6) == 0) {
		nghttp2_hd_deflate_change_table_size(deflater(t), number(t, value));
	} else {
		return false;
	}
	return true;
}

/* Takes a word about the frame off the line; false when the content begins here. */
static bool frame_word(struct talk *t, struct frame *f, char **p)
{
	char *w = *p, *end = w + strcspn(w, " \t"), old = *end;
	bool known;

	*end = '\0';
	known = frame_flag(f, w) || frame_value(t, f, w);
	*end = old;
	if (known)
		*p = skip_space(end);
	return known;
}

/* --- content -------------------------------------------------------------------------------------------------------- */

/* NAME=VALUE, perhaps as a string; it becomes what the encoder makes of it. */
static char *field(struct talk *t, char *p, bool never)
{
	size_t before = t->speech.n;
	uint8_t out[65536], *text, *eq;
	ssize_t n;
	nghttp2_nv nv;

	if (*p == '"') {
		p = item(t, p);
	} else {
		char *w = word(&p);

		speech_add(t, w, strlen(w));
	}
	text = t->speech.p + before;
	eq = memchr(text, '=', t->speech.n - before);
	if (!eq)
		talk_die(t, "a field is NAME=VALUE");
	nv = (nghttp2_nv){text, eq + 1, (size_t)(eq - text), t->speech.n - before - (size_t)(eq + 1 - text),
			  never ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE};
	n = nghttp2_hd_deflate_hd(deflater(t), out, sizeof(out), &nv, 1);
	if (n < 0)
		talk_die(t, "%s", nghttp2_strerror((int)n));
	t->speech.n = before;
	speech_add(t, out, (size_t)n);
	return skip_space(p);
}

static void setting(struct talk *t, const char *w)
{
	const char *eq = strchr(w, '=');
	uint32_t id;
	uint8_t out[6];

	if (!eq)
		talk_die(t, "a setting is NAME=VALUE");
	if (!NAME_FIND(settings, w, (size_t)(eq - w), &id)) {
		char *end;

		id = (uint32_t)strtoul(w, &end, 0);
		if (end != eq)
			talk_die(t, "'%s' is no setting", w);
	}
	craft_put16(out, id);
	craft_put32(out + 2, number32(t, eq + 1));
	speech_add(t, out, sizeof(out));
}

static bool is_message(const char *p)
{
	return strncmp(p, "grpc", 4) == 0 && (p[4] == '\0' || p[4] == ' ' || p[4] == 'z');
}

/* Items; behind "grpc", those up to the next one are a message with its length before it, and "grpcz" says: compressed. */
static void content_items(struct talk *t, char *p)
{
	while (*p) {
		bool message = is_message(p);
		uint8_t prefix[5] = {message && p[4] == 'z'};
		size_t before = t->speech.n;

		if (message) {
			speech_add(t, prefix, sizeof(prefix));
			word(&p);
			p = skip_space(p);
		}
		while (*p && !is_message(p))
			p = item(t, p);
		if (message)
			craft_put32(t->speech.p + before + 1, (uint32_t)(t->speech.n - before - sizeof(prefix)));
	}
}

static void content(struct talk *t, struct frame *f, char *p, char kind)
{
	char *w;

	if (kind == 'v') {
		while ((w = word(&p)))
			setting(t, w);
	} else if (kind == 'f' && !f->raw) {
		while (*p)
			p = field(t, p, f->never);
	} else {
		content_items(t, p);
	}
}

/* --- frames --------------------------------------------------------------------------------------------------------- */

static void frame_put(struct talk *t, const struct frame *f, uint8_t type, uint8_t flag, struct slice part, bool first)
{
	static const uint8_t zeros[256];
	bool padded = first && f->padded;
	size_t lead = first ? f->lead_n : 0, n = padded + lead + part.n + (padded ? f->pad : 0);
	uint8_t header[H2_HEADER];

	craft_put32(header, (uint32_t)n << 8 | type);
	header[4] = flag;
	craft_put32(header + 5, f->stream);
	speech_add(t, header, sizeof(header));
	speech_add(t, &f->pad, padded);
	speech_add(t, f->lead, lead);
	speech_add(t, part.p, part.n);
	speech_add(t, zeros, padded ? f->pad : 0);
}

/*
 * The frame, or as many as its content is to be cut into: the flag that says that it is whole goes with the last one, padding
 * with the first.
 */
static void frames_put(struct talk *t, const struct frame *f, struct slice all)
{
	bool block = f->type == H2_HEADERS || f->type == H2_PUSH_PROMISE;
	uint8_t at_end = block ? H2_END_HEADERS : f->type == H2_DATA ? H2_END_STREAM : 0, flag = f->flags;
	uint8_t type = f->type;
	bool first = true;

	if (block && !f->open)
		flag |= H2_END_HEADERS;
	do {
		struct slice part = slice_first(all, f->most ? f->most : all.n);
		bool last = part.n == all.n;

		all = slice_from(all, part.n);
		frame_put(t, f, type, last ? flag : flag & (uint8_t)~at_end, part, first);
		flag &= at_end;
		type = block ? H2_CONTINUATION : type;
		first = false;
	} while (all.n);
}

void h2_line(struct talk *t, char *p)
{
	struct frame f = {0};
	char *w = need(t, &p, "the frame's type");
	size_t before = t->speech.n, n;
	const char *takes;
	uint8_t *copy;

	if (strcmp(w, "PREFACE") == 0) {
		speech_add(t, H2_PREFACE.p, H2_PREFACE.n);
		return;
	}
	for (takes = type_of(t, &f, w); takes[1]; takes++) {
		w = need(t, &p, *takes == 's' ? "the stream" : *takes == 'e' ? "the error code" : "a number");
		if (*takes == 's')
			f.stream = number32(t, w);
		else
			lead_add32(&f, *takes == 'e' ? error_code(t, w) : number32(t, w));
	}
	p = skip_space(p);
	while (frame_word(t, &f, &p))
		;
	content(t, &f, p, *takes);
	n = t->speech.n - before;
	copy = malloc(n + 1);
	if (!copy)
		talk_die(t, "out of memory");
	if (n)
		memcpy(copy, t->speech.p + before, n);
	t->speech.n = before;
	frames_put(t, &f, slice_of(copy, n));
	free(copy);
}
