/* SPDX-License-Identifier: MIT */
#include "cli/config.h"

#include <errno.h>
#include <stdlib.h>

int words_add(struct words *w, const char *s, size_t n)
{
	char **v = realloc(w->v, (w->n + 1) * sizeof *v);

	if (!v)
		return -ENOMEM;
	w->v = v;
	v[w->n] = strndup(s, n);
	if (!v[w->n])
		return -ENOMEM;
	w->n++;
	return 0;
}

void words_release(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
	*w = (struct words){0};
}

int config_init(struct config *c)
{
	*c = (struct config){.memory = 256 << 20, .workers = 1, .spool_max = UINT64_C(1) << 30};
	c->select = select_new();
	return c->select ? 0 : -ENOMEM;
}

void config_release(struct config *c)
{
	words_release(&c->files);
	words_release(&c->interfaces);
	words_release(&c->outputs);
	free(c->filter);
	words_release(&c->properties);
	free(c->spool);
	free(c->metrics);
	free(c->write);
	select_free(c->select);
	view_release(&c->view);
	*c = (struct config){0};
}
