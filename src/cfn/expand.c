/* SPDX-License-Identifier: Apache-2.0 */
/* expand.c - Fn::ForEach of AWS::LanguageExtensions, replaced by what it stands for before the sections are taken.
 *
 * What loops may build is bounded by TEMPLATE_EXPAND_BYTES_MAX, counted over every copy, so that loops in loops end. */
#include "cfn/template_int.h"
#include <errno.h>

struct expand {
	struct arena *a;
	const struct json *root;
	const struct str_map *params;
	struct str *err;
	size_t used_bytes;
};
struct binding {
	struct str name, value, plain; /* plain: the value's letters and digits only */
};

static int failed(struct expand *x, const char *what)
{
	return complain(x->a, x->err, "Transform AWS::LanguageExtensions failed with: %s", what);
}

static int charge(struct expand *x, size_t bytes)
{
	x->used_bytes += bytes;
	if (x->used_bytes > TEMPLATE_EXPAND_BYTES_MAX)
		return failed(x, "Fn::ForEach makes the template too large");
	return 0;
}

static int substitute_str(struct expand *x, struct str s, const struct binding *b, struct str *ret)
{
	struct str whole = str_printf(x->a, "${%.*s}", STR(b->name)), plain = str_printf(x->a, "&{%.*s}", STR(b->name));

	*ret = s;
	if (str_find(s, whole) >= 0)
		*ret = str_replace(x->a, *ret, whole, b->value);
	if (str_find(*ret, plain) >= 0)
		*ret = str_replace(x->a, *ret, plain, b->plain);
	return charge(x, sizeof(struct json) + ret->n);
}

/* substitute copies j with the loop's variable replaced in keys, texts and {"Ref": variable}. */
static int substitute(struct expand *x, const struct json *j, const struct binding *b, struct json *ret)
{
	const struct json *arg;
	int r = 0;

	if (j->type == JSON_STRING) {
		*ret = *j;
		return substitute_str(x, j->s, b, &ret->s);
	}
	if (str_is(fn_of(j, &arg), "Ref") && str_eq(json_str(arg), b->name)) {
		*ret = (struct json){ .type = JSON_STRING, .s = b->value, .line = j->line };
		return charge(x, sizeof *ret);
	}
	*ret = *j;
	if (j->type != JSON_ARRAY && j->type != JSON_OBJECT)
		return charge(x, sizeof *ret);
	ret->cap = ret->n;
	if (j->type == JSON_ARRAY)
		ret->items = arena_array(x->a, struct json, j->n);
	else
		ret->members = arena_array(x->a, struct json_member, j->n);
	for (size_t i = 0; i < j->n && r == 0; i++) {
		if (j->type == JSON_ARRAY) {
			r = substitute(x, &j->items[i], b, &ret->items[i]);
			continue;
		}
		r = substitute_str(x, j->members[i].key, b, &ret->members[i].key);
		if (r == 0)
			r = substitute(x, &j->members[i].value, b, &ret->members[i].value);
	}
	return r;
}

static struct str letters(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		if (is_alnum_name(str_of(s.p + i, 1)))
			p[n++] = s.p[i];
	return str_of(p, n);
}

/* parameter_list: the values of a list parameter, given or default. */
static int parameter_list(struct expand *x, struct str name, struct str_list *ret)
{
	const struct json *decl = json_get(json_getz(x->root, "Parameters"), name);
	struct str v = x->params ? str_map_get(x->params, name) : STR_NONE;

	if (!v.p)
		v = json_get_str(decl, "Default");
	if (!decl || !v.p)
		return failed(x, "Fn::ForEach could not resolve list of strings");
	*ret = value_split(x->a, v);
	return 0;
}

static int collection(struct expand *x, const struct json *j, struct str_list *ret)
{
	const struct json *arg;
	struct str s;
	size_t cap = 0;

	*ret = (struct str_list){ 0 };
	if (str_is(fn_of(j, &arg), "Ref"))
		return parameter_list(x, json_str(arg), ret);
	if (j->type != JSON_ARRAY)
		return failed(x, "Fn::ForEach layout is incorrect");
	for (size_t i = 0; i < j->n; i++) {
		struct str_list more = { &s, 1 };

		if (!template_scalar(&j->items[i], &s)) {
			if (!str_is(fn_of(&j->items[i], &arg), "Ref"))
				return failed(x, "Fn::ForEach could not resolve list of strings");
			if (parameter_list(x, json_str(arg), &more) < 0)
				return -EINVAL;
		}
		for (size_t k = 0; k < more.n; k++)
			vec_push(x->a, ret->v, ret->n, cap) = more.v[k];
	}
	return 0;
}

static int expand(struct expand *x, struct json *j);

/* loop appends the members one Fn::ForEach stands for to *out. */
static int loop(struct expand *x, const struct json *j, struct json *out)
{
	struct str_list values;
	struct json body;
	int r;

	if (j->type != JSON_ARRAY || j->n != 3 || j->items[0].type != JSON_STRING || !j->items[0].s.n || j->items[2].type != JSON_OBJECT)
		return failed(x, "Fn::ForEach layout is incorrect");
	r = collection(x, &j->items[1], &values);
	for (size_t i = 0; i < values.n && r == 0; i++) {
		struct binding b = { j->items[0].s, values.v[i], letters(x->a, values.v[i]) };

		r = substitute(x, &j->items[2], &b, &body);
		if (r == 0)
			r = expand(x, &body);
		for (size_t k = 0; k < body.n && r == 0; k++)
			vec_push(x->a, out->members, out->n, out->cap) = body.members[k];
	}
	return r;
}

static int expand_object(struct expand *x, struct json *j)
{
	struct json out = *j;
	int r = 0;

	out.members = NULL;
	out.n = out.cap = 0;
	for (size_t i = 0; i < j->n && r == 0; i++) {
		struct json_member *m = &j->members[i];

		if (str_starts(m->key, S("Fn::ForEach"))) {
			r = loop(x, &m->value, &out);
			continue;
		}
		r = expand(x, &m->value);
		vec_push(x->a, out.members, out.n, out.cap) = *m;
	}
	*j = out;
	return r;
}

/* expand replaces in place. */
static int expand(struct expand *x, struct json *j)
{
	int r = 0;

	if (j->type == JSON_OBJECT)
		return expand_object(x, j);
	if (j->type == JSON_ARRAY)
		for (size_t i = 0; i < j->n && r == 0; i++)
			r = expand(x, &j->items[i]);
	return r;
}

int template_expand(struct arena *a, struct json *root, const struct str_map *params, struct str *ret_err)
{
	struct json before = *root;
	struct expand x = { .a = a, .root = &before, .params = params, .err = ret_err };
	int r = 0;

	for (size_t i = 0; i < root->n && r == 0; i++)
		if (!str_is(root->members[i].key, "Parameters"))
			r = expand(&x, &root->members[i].value);
	return r;
}
