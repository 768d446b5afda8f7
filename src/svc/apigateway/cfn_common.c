/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_common.c - from properties of a template to inputs and patch operations. */
#include "svc/apigateway/cfn_int.h"

static struct json *value(struct cfn_resource *r, uint16_t shape, const struct json *j, const char *const *rename);

static bool same_name(const char *member, struct str property)
{
	size_t n = strlen(member);

	return n == property.n && n && (member[0] | 0x20) == (property.p[0] | 0x20) && memcmp(member + 1, property.p + 1, n - 1) == 0;
}

static const struct desc_member *member_for(const struct desc_shape *s, struct str property, const char *const *rename)
{
	for (; rename && *rename; rename++) {
		struct str from, to;

		(void)str_cut(str_c(*rename), '=', &from, &to);
		if (str_eq(from, property))
			property = to;
	}
	for (size_t i = 0; i < s->n_members; i++)
		if (same_name(s->members[i].name, property))
			return &s->members[i];
	return NULL;
}

static struct json *struct_value(struct cfn_resource *r, const struct desc_shape *s, const struct json *j, const char *const *rename)
{
	struct json *out = json_new(r->arena, JSON_OBJECT);

	for (size_t i = 0; i < j->n; i++) {
		const struct desc_member *m = member_for(s, j->members[i].key, rename);

		if (m && !str_is(j->members[i].key, "Tags"))
			json_set(r->arena, out, str_c(m->name), value(r, m->shape, &j->members[i].value, NULL));
	}
	return out;
}

static struct json *value(struct cfn_resource *r, uint16_t shape, const struct json *j, const char *const *rename)
{
	const struct desc_shape *s = &apigateway_model.shapes[shape];
	struct json *out;

	if (s->kind == DK_STRUCT && json_is(j, JSON_OBJECT))
		return struct_value(r, s, j, rename);
	if (s->kind == DK_LIST && json_is(j, JSON_ARRAY)) {
		out = json_new(r->arena, JSON_ARRAY);
		for (size_t i = 0; i < j->n; i++)
			json_push(r->arena, out, value(r, s->element, &j->items[i], NULL));
		return out;
	}
	if (s->kind == DK_MAP && json_is(j, JSON_OBJECT)) {
		out = json_new(r->arena, JSON_OBJECT);
		for (size_t i = 0; i < j->n; i++)
			json_set(r->arena, out, j->members[i].key, value(r, s->element, &j->members[i].value, NULL));
		return out;
	}
	if (s->kind == DK_STRING && (json_is(j, JSON_OBJECT) || json_is(j, JSON_ARRAY)))
		return json_new_str(r->arena, json_text(r->arena, j));
	if (s->kind == DK_STRING)
		return json_new_str(r->arena, json_scalar(j).p ? json_scalar(j) : S(""));
	return json_copy(r->arena, j);
}

struct json *gw_input(struct cfn_resource *r, const char *op, const struct json *props, const char *const *rename)
{
	const struct op *o = wire_op(&apigateway_model, str_c(op));

	return struct_value(r, &apigateway_model.shapes[o->in], props, rename);
}

struct json *gw_tag_map(struct cfn_resource *r, const struct json *list)
{
	struct json *out = json_new(r->arena, JSON_OBJECT);

	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++) {
		struct str key = json_get_str(&list->items[i], "Key");

		if (!str_starts(key, S("aws:")))
			json_set(r->arena, out, key, json_new_str(r->arena, json_get_str(&list->items[i], "Value")));
	}
	return out;
}

int gw_retag(struct cfn_resource *r, const char *path, ...)
{
	struct json *old = gw_tag_map(r, json_getz(r->old_props, "Tags")), *now = gw_tag_map(r, cfn_tags(r)),
		    *gone = json_new(r->arena, JSON_ARRAY), *p = json_new(r->arena, JSON_OBJECT);
	struct str at;
	va_list ap;
	int e = 0;

	va_start(ap, path);
	at = str_vprintf(r->arena, path, ap);
	va_end(ap);
	json_set_str(r->arena, p, "resourceArn",
		     str_printf(r->arena, "arn:%.*s:apigateway:%.*s::%.*s", STR(r->partition), STR(r->region), STR(at)));
	for (size_t i = 0; i < old->n; i++)
		if (!json_get(now, old->members[i].key))
			json_push(r->arena, gone, json_new_str(r->arena, old->members[i].key));
	if (gone->n) {
		json_set(r->arena, p, S("tagKeys"), gone);
		e = cfn_call(r, "apigateway", "UntagResource", p, NULL, NULL);
		json_remove(p, S("tagKeys"));
	}
	if (e == 0 && now->n && !json_equal(old, now)) {
		json_set(r->arena, p, S("tags"), now);
		e = cfn_call(r, "apigateway", "TagResource", p, NULL, NULL);
	}
	return e;
}

bool gw_changed(const struct cfn_resource *r, const char *property)
{
	const struct json *a = json_getz(r->props, property), *b = json_getz(r->old_props, property);

	return (a || b) && !json_equal(a, b);
}

bool gw_gone(struct str code)
{
	return str_is(code, "NotFoundException");
}

void gw_op(struct cfn_resource *r, struct json *ops, const char *op, struct str path, struct str v)
{
	struct json *o = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, o, "op", str_c(op));
	json_set_str(r->arena, o, "path", path);
	json_set_str(r->arena, o, "value", v);
	json_push(r->arena, ops, o);
}

struct str gw_pointer(struct cfn_resource *r, struct str s)
{
	return str_replace(r->arena, str_replace(r->arena, s, S("~"), S("~0")), S("/"), S("~1"));
}

static bool in_list(const struct json *list, struct str s)
{
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list->n; i++)
		if (str_eq(json_scalar(&list->items[i]), s))
			return true;
	return false;
}

static struct str text_of(struct cfn_resource *r, const struct json *j)
{
	return json_is(j, JSON_OBJECT) || json_is(j, JSON_ARRAY) ? json_text(r->arena, j) : json_scalar(j);
}

static void diff_list(struct cfn_resource *r, struct json *ops, const struct json *a, const struct json *b, const char *path)
{
	for (size_t i = 0; json_is(b, JSON_ARRAY) && i < b->n; i++)
		if (!in_list(a, json_scalar(&b->items[i])))
			gw_op(r, ops, "add", str_printf(r->arena, "%s/%.*s", path, STR(gw_pointer(r, json_scalar(&b->items[i])))),
			      STR_NONE);
	for (size_t i = 0; json_is(a, JSON_ARRAY) && i < a->n; i++)
		if (!in_list(b, json_scalar(&a->items[i])))
			gw_op(r, ops, "remove", str_printf(r->arena, "%s/%.*s", path, STR(gw_pointer(r, json_scalar(&a->items[i])))),
			      STR_NONE);
}

static void diff_map(struct cfn_resource *r, struct json *ops, const struct json *a, const struct json *b, const char *path)
{
	for (size_t i = 0; json_is(a, JSON_OBJECT) && i < a->n; i++)
		if (!json_get(b, a->members[i].key))
			gw_op(r, ops, "remove", str_printf(r->arena, "%s/%.*s", path, STR(gw_pointer(r, a->members[i].key))), STR_NONE);
	for (size_t i = 0; json_is(b, JSON_OBJECT) && i < b->n; i++)
		if (!json_equal(json_get(a, b->members[i].key), &b->members[i].value))
			gw_op(r, ops, "replace", str_printf(r->arena, "%s/%.*s", path, STR(gw_pointer(r, b->members[i].key))),
			      text_of(r, &b->members[i].value));
}

void gw_diff(struct cfn_resource *r, struct json *ops, const struct json *old, const struct json *now, const struct gw_diff *table)
{
	for (const struct gw_diff *d = table; d->property; d++) {
		const struct json *a = json_getz(old, d->property), *b = json_getz(now, d->property);
		size_t n = strlen(d->path);

		if ((!a && !b) || json_equal(a, b))
			continue;
		if (d->path[n - 1] == ']') /* "/types[]": a list */
			diff_list(r, ops, a, b, str_z(r->arena, str_of(d->path, n - 2)));
		else if (d->path[n - 1] == '}') /* "/variables{}": a map */
			diff_map(r, ops, a, b, str_z(r->arena, str_of(d->path, n - 2)));
		else if (b)
			gw_op(r, ops, "replace", str_c(d->path), text_of(r, b));
		else
			gw_op(r, ops, d->absent ? "replace" : "remove", str_c(d->path), str_c(d->absent));
	}
}

int gw_patch(struct cfn_resource *r, const char *op, struct json *p, struct json *ops)
{
	if (!ops->n)
		return 0;
	json_set(r->arena, p, S("patchOperations"), ops);
	return cfn_call(r, "apigateway", op, p, NULL, NULL);
}
