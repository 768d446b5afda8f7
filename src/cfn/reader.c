/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - what the readers of resource types share. */
#include "cfn/reader.h"
#include "cfn/actor.h"
#include <errno.h>

static bool listed(const char *names, struct str name)
{
	struct str rest = str_c(names), one;

	while (str_next(&rest, ' ', &one))
		if (str_eq(one, name))
			return true;
	return false;
}

int cfn_ask(struct cfn_resource *r, const char *service, const char *op, const struct json *params, const char *codes, struct json **ret)
{
	struct str code = STR_NONE;
	int e;

	*ret = NULL;
	e = cfn_call(r, service, op, params, ret, &code);
	if (e == 0 || !code.p || !listed(codes, code))
		return e;
	r->error = STR_NONE;
	return -ENOENT;
}

struct json *cfn_param(struct cfn_resource *r, const char *name, struct str value)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);

	json_set_str(r->arena, p, name, value);
	return p;
}

bool cfn_wanted(const struct cfn_resource *r, const char *properties)
{
	struct str rest = str_c(properties), one;

	while (str_next(&rest, ' ', &one))
		if (json_get(r->props, one))
			return true;
	return false;
}

/* --- from answers to properties --- */
static const struct json *at(const struct json *j, const char *path, struct str *ret_last)
{
	struct str rest = str_c(path);

	*ret_last = S("");
	while (rest.n && str_next(&rest, '.', ret_last))
		j = json_get(j, *ret_last);
	return j;
}

static struct json *form(struct arena *a, const struct json *v, const struct cfn_member *m)
{
	struct json *out;

	if (m->as)
		return m->as(a, v);
	if (!m->parts)
		return json_copy(a, v);
	out = json_new(a, v->type);
	for (size_t i = 0; json_is(v, JSON_ARRAY) && i < v->n; i++) {
		struct json *x = json_new(a, JSON_OBJECT);

		cfn_take(a, &v->items[i], m->parts, x);
		json_push(a, out, x);
	}
	if (json_is(v, JSON_OBJECT))
		cfn_take(a, v, m->parts, out);
	return out;
}

void cfn_take(struct arena *a, const struct json *answer, const struct cfn_member *table, struct json *to)
{
	for (const struct cfn_member *m = table; m->from; m++) {
		struct str last;
		const struct json *v = at(answer, m->from, &last);

		if (v && v->type != JSON_NULL)
			json_set(a, to, m->to ? str_c(m->to) : last, form(a, v, m));
	}
}

void cfn_is(struct cfn_resource *r, const struct json *answer, const struct cfn_member *table)
{
	r->ret_props = json_new(r->arena, JSON_OBJECT);
	cfn_take(r->arena, answer, table, r->ret_props);
}

/* --- forms --- */
static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static struct str decoded(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		bool escape = s.p[i] == '%' && i + 2 < s.n && hex(s.p[i + 1]) >= 0 && hex(s.p[i + 2]) >= 0;

		p[n++] = escape ? (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2])) : s.p[i];
		i += escape ? 2 : 0;
	}
	return str_of(p, n);
}

struct json *cfn_as_document(struct arena *a, const struct json *v)
{
	struct str text = json_str(v);
	struct json *doc;

	if (str_starts(text, S("%")))
		text = decoded(a, text);
	return json_parse(a, text, &doc, NULL) == 0 ? doc : json_new_str(a, text);
}

struct json *cfn_as_tags(struct arena *a, const struct json *v)
{
	struct json *out = json_new(a, JSON_ARRAY);

	for (size_t i = 0; json_is(v, JSON_OBJECT) && i < v->n; i++) {
		struct json *t = json_new(a, JSON_OBJECT);

		json_set_str(a, t, "Key", v->members[i].key);
		json_set(a, t, S("Value"), &v->members[i].value);
		json_push(a, out, t);
	}
	return out;
}

struct json *cfn_as_tag_map(struct arena *a, const struct json *v)
{
	struct json *out = json_new(a, JSON_OBJECT);

	for (size_t i = 0; json_is(v, JSON_ARRAY) && i < v->n; i++)
		json_set(a, out, json_get_str(&v->items[i], "Key"), json_new_str(a, json_get_str(&v->items[i], "Value")));
	return out;
}

struct json *cfn_as_values(struct arena *a, const struct json *v)
{
	struct json *out = json_new(a, JSON_ARRAY);

	for (size_t i = 0; json_is(v, JSON_OBJECT) && i < v->n; i++)
		json_push(a, out, &v->members[i].value);
	return out;
}

/* Keys of maps are the caller's own. */
static struct json *capitalized(struct arena *a, const struct service_model *m, uint16_t shape, const struct json *v)
{
	const struct desc_shape *s = &m->shapes[shape];
	struct json *out;

	if ((s->kind != DK_STRUCT && s->kind != DK_LIST && s->kind != DK_MAP) || (!json_is(v, JSON_OBJECT) && !json_is(v, JSON_ARRAY)))
		return json_copy(a, v);
	out = json_new(a, v->type);
	for (size_t i = 0; json_is(v, JSON_ARRAY) && i < v->n; i++)
		json_push(a, out, capitalized(a, m, s->element, &v->items[i]));
	for (size_t i = 0; json_is(v, JSON_OBJECT) && s->kind == DK_MAP && i < v->n; i++)
		json_set(a, out, v->members[i].key, capitalized(a, m, s->element, &v->members[i].value));
	for (size_t i = 0; s->kind == DK_STRUCT && i < s->n_members; i++) {
		const struct json *one = json_getz(v, s->members[i].name);
		char large = s->members[i].name[0];

		if (large >= 'a' && large <= 'z')
			large -= 'a' - 'A';
		if (one)
			json_set(a, out, str_printf(a, "%c%s", large, s->members[i].name + 1), capitalized(a, m, s->members[i].shape, one));
	}
	return out;
}

int cfn_ask_capitalized(struct cfn_resource *r, const char *service, const char *op, const struct json *params, const char *codes,
			struct json **ret)
{
	const struct cfn_actor *x = r->engine;
	const struct service *svc = cloud_service(x->cloud, service);
	int e = cfn_ask(r, service, op, params, codes, ret);

	if (e == 0)
		*ret = capitalized(r->arena, svc->model, wire_op(svc->model, str_c(op))->out, *ret);
	return e;
}
