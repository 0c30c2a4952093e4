/* SPDX-License-Identifier: MIT */
#include "metrics/page.h"

#include "output/print.h"

#define LINE_MAX_ 1024 /* of any but HELP: name, labels and value */

void page_begin(struct page *p)
{
	*p = (struct page){.buf = buf_of(PAGE_MAX)};
	p->w = buf_start(&p->buf, LINE_MAX_);
}

bool page_end(struct page *p)
{
	if (p->w)
		buf_done(&p->buf, p->w);
	return p->w;
}

void page_release(struct page *p)
{
	buf_release(&p->buf);
}

void page_family(struct page *p, enum metric_id id)
{
	const struct metric *m = &metrics[id];
	const char *type = metric_type_name(m->type);

	p->w = buf_room(&p->buf, p->w, 2 * strlen(m->name) + strlen(m->help) + 64);
	if (!p->w)
		return;
	p->w = print_str(PRINT(print_str(PRINT(p->w, "# HELP "), m->name), " "), m->help);
	p->w = print_str(PRINT(p->w, "\n# TYPE "), m->name);
	p->w = PRINT(print_str(PRINT(p->w, " "), type), "\n");
}

static uint8_t *put_escaped(uint8_t *w, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' || s.p[i] == '"' || s.p[i] == '\n')
			*w++ = '\\';
		*w++ = s.p[i] == '\n' ? 'n' : s.p[i];
	}
	return w;
}

const struct page_labels *page_label(struct page_labels *l, enum metric_id id, const struct slice *values)
{
	uint8_t *w = l->text;

	for (unsigned i = 0; metrics[id].labels[i]; i++) {
		w = print_str(i ? PRINT(w, ",") : w, metrics[id].labels[i]);
		w = PRINT(put_escaped(PRINT(w, "=\""), values[i]), "\"");
	}
	l->n = (size_t)(w - l->text);
	return l;
}

/* Up to the value. Is there room for it? */
static bool put_name(struct page *p, enum metric_id id, const char *suffix, const struct page_labels *l, const char *le)
{
	uint8_t *w = buf_room(&p->buf, p->w, LINE_MAX_);

	p->w = w;
	if (!w)
		return false;
	w = print_str(print_str(w, metrics[id].name), suffix);
	if (l) {
		w = print_bytes(PRINT(w, "{"), l->text, l->n);
		if (le)
			w = PRINT(print_str(PRINT(w, ",le=\""), le), "\"");
		w = PRINT(w, "}");
	}
	p->w = PRINT(w, " ");
	return true;
}

void page_count(struct page *p, enum metric_id id, const char *suffix, const struct page_labels *l, uint64_t value)
{
	if (put_name(p, id, suffix, l, NULL))
		p->w = PRINT(print_u64(p->w, value), "\n");
}

void page_seconds(struct page *p, enum metric_id id, const char *suffix, const struct page_labels *l, uint64_t ns)
{
	if (put_name(p, id, suffix, l, NULL))
		p->w = PRINT(print_padded(PRINT(print_u64(p->w, ns / 1000000000), "."), ns % 1000000000, 9), "\n");
}

void page_bucket(struct page *p, enum metric_id id, const struct page_labels *l, const char *le, uint64_t value)
{
	if (put_name(p, id, "_bucket", l, le))
		p->w = PRINT(print_u64(p->w, value), "\n");
}

void page_one(struct page *p, enum metric_id id, uint64_t value)
{
	page_family(p, id);
	page_count(p, id, "", NULL, value);
}

void page_of(struct page *p, enum metric_id id, const char *label, uint64_t value)
{
	const struct slice values[] = {slice_str(label)};
	struct page_labels l;

	page_count(p, id, "", page_label(&l, id, values), value);
}
