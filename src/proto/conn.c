/* SPDX-License-Identifier: MIT */
#include "proto/proto.h"

void *conn_alloc(struct conn *c, size_t n)
{
	void *p = pool_get(c->env->pool, n);

	while (!p && n <= POOL_MAX && c->env->reclaim(c->env->ctx, c))
		p = pool_get(c->env->pool, n);
	return p;
}

void conn_free(struct conn *c, void *p, size_t n)
{
	pool_put(c->env->pool, p, n);
}

void conn_emit(struct conn *c, struct record *r)
{
	r->kind = RECORD_EXCHANGE;
	c->env->emit(c->env->ctx, c, r);
}

void conn_skip(struct conn *c, unsigned side, uint64_t until)
{
	c->env->skip(c->env->ctx, c, side, until);
}

void conn_done(struct conn *c, const char *why)
{
	c->done = true;
	c->verdict = why;
}

void conn_again(struct conn *c, const struct proto *next, void *thing)
{
	c->again = true;
	c->next = next;
	c->handed = thing;
}
