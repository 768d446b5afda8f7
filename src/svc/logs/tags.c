/* SPDX-License-Identifier: Apache-2.0 */
/* tags.c - tags of log groups, by the old operations and the new ones. */
#include "svc/logs/logs_int.h"
#include <errno.h>

#define TAG_KEY_CHARACTERS_MAX 128
#define TAG_VALUE_CHARACTERS_MAX 256

static int tag_ok(struct call *c, const struct str_pair *t)
{
	if (!t->key.n || utf8_chars(t->key) > TAG_KEY_CHARACTERS_MAX || utf8_chars(t->value) > TAG_VALUE_CHARACTERS_MAX)
		return call_fail(c, &logs_err_invalid_parameter, "The tag key or value is too long, or the key is empty.");
	if (t->key.n >= 4 && str_eq_ci(str_of(t->key.p, 4), S("aws:")))
		return call_fail(c, &logs_err_invalid_parameter, "aws: prefixed tag key names are not allowed for external use.");
	return 0;
}

int logs_tags_merge(struct call *c, struct logs_rec_group *g, const struct str_map *add)
{
	struct str_map all = { arena_array(c->arena, struct str_pair, g->tags.n + add->n + 1), 0 };

	for (size_t i = 0; i < g->tags.n; i++)
		if (!str_map_get(add, g->tags.v[i].key).p)
			all.v[all.n++] = g->tags.v[i];
	for (size_t i = 0; i < add->n; i++) {
		int r = tag_ok(c, &add->v[i]);

		if (r < 0)
			return r;
		all.v[all.n++] = add->v[i];
	}
	if (all.n > LOGS_TAGS_MAX)
		return call_fail(c, &logs_err_too_many_tags, "The log group exceeds the limit of %d tags.", LOGS_TAGS_MAX);
	g->tags = all;
	return 0;
}

static int tag(struct call *c, struct str id, const struct str_map *tags)
{
	struct logs_rec_group g;
	int r = logs_group_load(c, id, &g);

	if (r == 0)
		r = logs_tags_merge(c, &g, tags);
	return r < 0 ? r : logs_group_put(c, &g);
}

static int untag(struct call *c, struct str id, const struct str_list *keys)
{
	struct logs_rec_group g;
	int r = logs_group_load(c, id, &g);
	size_t n = 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < g.tags.n; i++)
		if (!str_list_has(keys, g.tags.v[i].key))
			g.tags.v[n++] = g.tags.v[i];
	g.tags.n = n;
	return logs_group_put(c, &g);
}

static int list(struct call *c, struct str id, struct str_map *ret)
{
	struct logs_rec_group g;
	int r = logs_group_load(c, id, &g);

	if (r < 0)
		return r;
	*ret = g.tags;
	if (!ret->v)
		ret->v = arena_alloc(c->arena, 1); /* an empty map, not an absent one */
	return 0;
}

LOGS_HANDLER(tag_log_group)
{
	return tag(c, in->log_group_name, &in->tags);
}

LOGS_HANDLER(untag_log_group)
{
	return untag(c, in->log_group_name, &in->tags);
}

LOGS_HANDLER(list_tags_log_group)
{
	return list(c, in->log_group_name, &out->tags);
}

LOGS_HANDLER(tag_resource)
{
	return tag(c, in->resource_arn, &in->tags);
}

LOGS_HANDLER(untag_resource)
{
	return untag(c, in->resource_arn, &in->tag_keys);
}

LOGS_HANDLER(list_tags_for_resource)
{
	return list(c, in->resource_arn, &out->tags);
}
