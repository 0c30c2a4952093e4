/* SPDX-License-Identifier: MIT */
#include "sink/try.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sink/tree.h"

#define TREE_MOST ((size_t)256 << 10) /* bytes of what an answer says, */
#define TREE_EACH ((size_t)4 << 10)   /* ... and of what it says of each record */

void try_note(char to[TRY_WHY], const char *why)
{
	if (!*to)
		snprintf(to, TRY_WHY, "%s", why);
}

static void refuse(struct try *t, struct item *item, const char *why)
{
	item->fate = FATE_REFUSED;
	try_note(t->refusal, why);
}

/* What a 4xx says, too, where it is not the record that is wrong. */
static const struct {
	const char *type, *reason; /* how the reason begins */
} circumstances[] = {
	{"index_closed_exception", ""},
	{"index_creation_exception", ""},
	{"index_primary_shard_not_allocated_exception", ""},
	{"invalid_index_name_exception", ""},
	{"invalid_index_template_exception", ""},
	{"resource_already_exists_exception", ""},
	{"snapshot_in_progress_exception", ""},
	{"validation_exception", ""}, /* no more shards */
	{"illegal_argument_exception", "no write index is defined"},
	{"illegal_argument_exception", "pipeline with id ["},
};

static bool is_circumstance(const json_t *error)
{
	const char *type = json_string_value(json_object_get(error, "type"));
	const char *reason = json_string_value(json_object_get(error, "reason"));

	for (size_t i = 0; type && i < sizeof(circumstances) / sizeof(circumstances[0]); i++)
		if (strcmp(type, circumstances[i].type) == 0 &&
		    strncmp(reason ? reason : "", circumstances[i].reason, strlen(circumstances[i].reason)) == 0)
			return true;
	return false;
}

/*
 * Of a document: 409 is one that is there already. Who is not let in, or finds no index, waits for somebody to put that right.
 */
static enum fate fate_of(json_int_t status, const json_t *error)
{
	if ((status >= 200 && status < 300) || status == 409)
		return FATE_DELIVERED;
	if (status >= 400 && status < 500 && status != 429 && status != 401 && status != 403 && status != 404 && status != 408)
		return is_circumstance(error) ? FATE_OPEN : FATE_REFUSED;
	return FATE_OPEN;
}

/* Gives an item the fate that its result, {"create":{"status":201}}, tells. */
static void read_result(struct try *t, json_t *result, struct item *item)
{
	json_t *action = json_object_iter_value(json_object_iter(result)), *error = json_object_get(action, "error");
	json_int_t status = json_integer_value(json_object_get(action, "status"));
	const char *reason = json_string_value(json_object_get(error, "reason"));
	char why[TRY_WHY];

	snprintf(why, sizeof(why), "a record is answered with %" JSON_INTEGER_FORMAT ": %s", status,
		 reason ? reason : "without a reason");
	item->fate = fate_of(status, error);
	if (item->fate == FATE_DELIVERED)
		t->taken = true;
	else if (item->fate == FATE_REFUSED)
		refuse(t, item, why);
	else
		try_note(t->open, why);
}

int try_answer(struct try *t, const char *answer, struct item *items, size_t n)
{
	json_t *all = tree_parse(answer, TREE_MOST + n * TREE_EACH), *results = json_object_get(all, "items");
	bool open = false;

	if (!json_is_array(results) || json_array_size(results) != n) {
		json_decref(all);
		try_note(t->open, "the answer to a bulk request is not understood");
		return -EPROTO;
	}
	for (size_t i = 0; i < n; i++) {
		read_result(t, json_array_get(results, i), &items[i]);
		open |= items[i].fate == FATE_OPEN;
	}
	json_decref(all);
	return open ? -EAGAIN : 0;
}

bool try_error(const char *answer, int status, bool *circumstance)
{
	json_t *all = tree_parse(answer, TREE_MOST), *error = json_object_get(all, "error");
	bool ret = json_integer_value(json_object_get(all, "status")) == status && json_is_string(json_object_get(error, "type"));

	*circumstance = ret && is_circumstance(error);
	json_decref(all);
	return ret;
}

int try_blame(struct try *t, struct item *item, bool sure, const char *why)
{
	if (sure || t->taken) {
		refuse(t, item, why);
		return 0;
	}
	try_note(t->blame, why);
	t->blamed[t->n_blamed++] = item;
	return t->n_blamed < TRY_BLAMED ? 0 : -EPROTO;
}

int try_finish(struct try *t, int r, char *why, size_t n)
{
	for (size_t i = 0; i < t->n_blamed && t->taken; i++)
		refuse(t, t->blamed[i], t->blame);
	if (t->n_blamed && !t->taken) {
		try_note(t->open, t->blame);
		r = r ? r : -EPROTO;
	}
	if (*t->refusal && r < 0)
		snprintf(why, n, "%.*s; %s", TRY_WHY / 2, t->refusal, t->open);
	else
		snprintf(why, n, "%s", r < 0 ? t->open : t->refusal);
	return r;
}
