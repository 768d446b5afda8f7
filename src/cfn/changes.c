/* SPDX-License-Identifier: Apache-2.0 */
/* changes.c - what turns one evaluated template into another: resources added, changed (and by what), removed. Whether a
 * change needs a replacement is for the resource types to say. */
#include "cfn/template_int.h"
#include <errno.h>

/* An object's members sorted by key: what a template holds may be long, and is looked up by every name. */
struct index {
	const struct json_member **v;
	size_t n;
};

static int by_key(const void *x, const void *y)
{
	const struct json_member *const *a = x, *const *b = y;

	return str_cmp((*a)->key, (*b)->key);
}

static struct index index_make(struct arena *a, const struct json *j)
{
	struct index x = { 0 };

	if (!json_is(j, JSON_OBJECT))
		return x;
	x.n = j->n;
	x.v = arena_array(a, const struct json_member *, j->n + 1);
	for (size_t i = 0; i < j->n; i++)
		x.v[i] = &j->members[i];
	qsort(x.v, x.n, sizeof *x.v, by_key);
	return x;
}

static const struct json *index_get(const struct index *x, struct str key)
{
	size_t lo = 0, hi = x->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int r = str_cmp(x->v[mid]->key, key);

		if (r == 0)
			return &x->v[mid]->value;
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static size_t differing(struct arena *a, const struct json *before, const struct json *after, const struct index *old,
			const struct index *now, struct str **ret)
{
	size_t n = 0, cap = 0;

	*ret = NULL;
	for (size_t i = 0; i < now->n; i++) {
		const struct json *was = index_get(old, after->members[i].key);

		if (!was || !json_equal(was, &after->members[i].value))
			vec_push(a, *ret, n, cap) = after->members[i].key;
	}
	for (size_t i = 0; i < old->n; i++)
		if (!index_get(now, before->members[i].key))
			vec_push(a, *ret, n, cap) = before->members[i].key;
	return n;
}

size_t template_property_changes(struct arena *a, const struct json *before, const struct json *after, struct str **ret)
{
	struct index old = index_make(a, before), now = index_make(a, after);

	return differing(a, before, after, &old, &now, ret);
}

/* --- why a value changed --- */

struct cause {
	struct template_ctx *from, *to;
	enum template_source source;
	struct str name;
};

static void see_cause(void *user, enum template_kind kind, size_t i, struct str attr)
{
	struct cause *x = user;
	const struct template *t = x->to->tpl;
	size_t old;

	if (x->source == TEMPLATE_BY_PARAMETER)
		return;
	if (kind == TEMPLATE_PARAMETER) {
		if (template_find(x->from->tpl, t->parameters[i].name, &old) == TEMPLATE_PARAMETER && x->from->values && x->to->values &&
		    json_equal(x->from->values[old].json, x->to->values[i].json))
			return;
		x->source = TEMPLATE_BY_PARAMETER;
		x->name = t->parameters[i].name;
	} else if (kind == TEMPLATE_RESOURCE && x->source == TEMPLATE_DIRECT) {
		x->source = attr.p ? TEMPLATE_BY_ATTRIBUTE : TEMPLATE_BY_RESOURCE;
		x->name = t->resources[i].id;
		if (attr.p)
			x->name = str_printf(x->to->arena, "%.*s.%.*s", STR(t->resources[i].id), STR(attr));
	}
}

static void find_cause(struct template_ctx *from, struct template_ctx *to, const struct json *before, const struct json *after,
		       struct template_detail *d)
{
	struct cause x = { from, to, TEMPLATE_DIRECT, STR_NONE };
	struct refs w = { .tpl = to->tpl, .conditions = to->conditions, .see = see_cause, .user = &x };

	if (before && after && json_equal(before, after)) {
		refs_walk(&w, after);
		d->source = x.source;
		d->cause = x.name;
	}
}

/* --- one resource --- */

static const struct {
	const char *name;
	enum template_scope scope;
} attributes[] = {
	{ "Metadata", TEMPLATE_SCOPE_METADATA },
	{ "CreationPolicy", TEMPLATE_SCOPE_CREATION_POLICY },
	{ "UpdatePolicy", TEMPLATE_SCOPE_UPDATE_POLICY },
	{ "DeletionPolicy", TEMPLATE_SCOPE_DELETION_POLICY },
	{ "UpdateReplacePolicy", TEMPLATE_SCOPE_UPDATE_REPLACE_POLICY },
};

struct compare {
	struct template_ctx *from, *to;
	struct template_change *change;
	size_t cap;
};

static struct template_detail *detail(struct compare *x, enum template_scope scope, struct str property, const struct json *before,
				      const struct json *after)
{
	struct template_detail *d = &vec_push(x->to->arena, x->change->details, x->change->n_details, x->cap);

	*d = (struct template_detail){ .scope = scope, .property = property, .before = before, .after = after };
	x->change->scopes |= scope;
	return d;
}

static int compare_properties(struct compare *x)
{
	const struct template_resource *was = &x->from->tpl->resources[x->change->before], *is = &x->to->tpl->resources[x->change->after];
	struct index old, now, raw_old, raw_now;
	struct json *before, *after;
	struct str *names;
	size_t n;
	int r = template_eval_resource(x->from, x->change->before, &before);

	if (r < 0) {
		x->to->err = x->from->err;
		return r;
	}
	r = template_eval_resource(x->to, x->change->after, &after);
	if (r < 0)
		return r;
	old = index_make(x->to->arena, before);
	now = index_make(x->to->arena, after);
	raw_old = index_make(x->to->arena, was->properties);
	raw_now = index_make(x->to->arena, is->properties);
	n = differing(x->to->arena, before, after, &old, &now, &names);
	for (size_t i = 0; i < n; i++) {
		enum template_scope scope = str_is(names[i], "Tags") ? TEMPLATE_SCOPE_TAGS : TEMPLATE_SCOPE_PROPERTIES;
		struct template_detail *d = detail(x, scope, names[i], index_get(&old, names[i]), index_get(&now, names[i]));

		find_cause(x->from, x->to, index_get(&raw_old, names[i]), index_get(&raw_now, names[i]), d);
	}
	return 0;
}

static int compare_attributes(struct compare *x)
{
	struct json *before, *after;
	int r;

	for (size_t i = 0; i < ELEMENTS(attributes); i++) {
		r = template_eval_attribute(x->from, x->change->before, attributes[i].name, &before);
		if (r < 0) {
			x->to->err = x->from->err;
			return r;
		}
		r = template_eval_attribute(x->to, x->change->after, attributes[i].name, &after);
		if (r < 0)
			return r;
		if ((before || after) && !(before && after && json_equal(before, after)))
			detail(x, attributes[i].scope, STR_NONE, before, after);
	}
	return 0;
}

/* compare_one fills *change when the resource differs; 1 when it does. */
static int compare_one(struct template_ctx *from, struct template_ctx *to, size_t i, struct template_change *change)
{
	const struct template_resource *res = &to->tpl->resources[i];
	struct compare x = { from, to, change, 0 };
	size_t old;
	int r;

	*change = (struct template_change){ .action = TEMPLATE_ADD, .id = res->id, .type = res->type, .before = -1, .after = (int)i };
	if (!from || template_find(from->tpl, res->id, &old) != TEMPLATE_RESOURCE || !template_active(from, old))
		return 1;
	change->action = TEMPLATE_MODIFY;
	change->before = (int)old;
	change->type_changed = !str_eq(from->tpl->resources[old].type, res->type);
	r = compare_properties(&x);
	if (r == 0)
		r = compare_attributes(&x);
	return r < 0 ? r : change->n_details || change->type_changed;
}

int template_changes(struct template_ctx *from, struct template_ctx *to, struct template_change **ret, size_t *ret_n)
{
	struct template_change *v = NULL, one;
	size_t n = 0, cap = 0, now;
	int r;

	for (size_t i = 0; i < to->tpl->n_resources; i++) {
		if (!template_active(to, i))
			continue;
		r = compare_one(from, to, i, &one);
		if (r < 0)
			return r;
		if (r)
			vec_push(to->arena, v, n, cap) = one;
	}
	for (size_t i = 0; from && i < from->tpl->n_resources; i++) {
		const struct template_resource *res = &from->tpl->resources[i];

		if (!template_active(from, i) || (template_find(to->tpl, res->id, &now) == TEMPLATE_RESOURCE && template_active(to, now)))
			continue;
		vec_push(to->arena, v, n, cap) = (struct template_change){
			.action = TEMPLATE_REMOVE, .id = res->id, .type = res->type, .before = (int)i, .after = -1
		};
	}
	*ret = v;
	*ret_n = n;
	return 0;
}
