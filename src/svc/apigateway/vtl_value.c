/* SPDX-License-Identifier: Apache-2.0 */
/* vtl_value.c - values of templates: lists and maps, to and from JSON, and how they print. */
#include "svc/apigateway/vtl_int.h"
#include <errno.h>
#include <math.h>

#define PRINT_DEPTH_MAX 64 /* a map may hold itself */

int vtl_charge(struct vtl_run *r, int64_t work, size_t bytes)
{
	if (!r)
		return 0;
	r->work += work;
	r->bytes += bytes;
	if (r->work <= VTL_WORK_MAX && r->bytes <= VTL_BYTES_MAX)
		return 0;
	if (!r->error.p)
		r->error = S("the template does too much work");
	return -E2BIG;
}

struct vtl_value vtl_map_new(struct arena *a)
{
	return (struct vtl_value){ VTL_MAP, { .map = arena_new(a, struct vtl_map) } };
}

struct vtl_value vtl_list_new(struct arena *a)
{
	return (struct vtl_value){ VTL_LIST, { .list = arena_new(a, struct vtl_list) } };
}

struct vtl_value *vtl_map_get(const struct vtl_map *m, struct str key)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, key))
			return &m->v[i].value;
	return NULL;
}

void vtl_map_set(struct arena *a, struct vtl_map *m, struct str key, struct vtl_value v)
{
	struct vtl_value *old = vtl_map_get(m, key);

	if (old)
		*old = v;
	else
		vec_push(a, m->v, m->n, m->cap) = (struct vtl_entry){ key, v };
}

void vtl_list_add(struct arena *a, struct vtl_list *l, struct vtl_value v)
{
	vec_push(a, l->v, l->n, l->cap) = v;
}

void vtl_define(struct vtl_run *r, const char *name, struct vtl_value v)
{
	vtl_map_set(r->arena, &r->vars, str_c(name), v);
}

static struct vtl_value number(const struct json *j)
{
	struct vtl_value v = { VTL_INT, { 0 } };

	if (str_to_i64(j->s, &v.i) < 0) {
		v.type = VTL_DOUBLE;
		if (str_to_double(j->s, &v.d) < 0)
			v.d = 0;
	}
	return v;
}

int vtl_from_json(struct vtl_run *r, struct arena *a, const struct json *j, struct vtl_value *ret)
{
	int e = vtl_charge(r, 1, j->n * sizeof(struct vtl_entry));

	*ret = vtl_null();
	if (e < 0)
		return e;
	switch (j->type) {
	case JSON_NULL:
		return 0;
	case JSON_BOOL:
		*ret = vtl_bool(j->b);
		return 0;
	case JSON_NUMBER:
		*ret = number(j);
		return 0;
	case JSON_STRING:
		*ret = vtl_str(j->s.p ? j->s : S(""));
		return 0;
	case JSON_ARRAY:
		*ret = vtl_list_new(a);
		ret->list->json = true;
		ret->list->v = arena_array(a, struct vtl_value, j->n);
		ret->list->n = ret->list->cap = j->n;
		for (size_t i = 0; i < j->n && e == 0; i++)
			e = vtl_from_json(r, a, &j->items[i], &ret->list->v[i]);
		return e;
	case JSON_OBJECT:
		*ret = vtl_map_new(a);
		ret->map->json = true;
		for (size_t i = 0; i < j->n && e == 0; i++) {
			struct vtl_value v;

			e = vtl_from_json(r, a, &j->members[i].value, &v);
			if (e == 0)
				e = vtl_charge(r, (int64_t)(ret->map->n / 16), 0);
			vtl_map_set(a, ret->map, j->members[i].key, v);
		}
		return e;
	}
	return 0;
}

/* double_text: as Java prints a Double. */
static struct str double_text(struct arena *a, double d)
{
	struct str s = STR_NONE;
	double back;

	if (isnan(d))
		return S("NaN");
	if (isinf(d))
		return d > 0 ? S("Infinity") : S("-Infinity");
	for (int digits = 1; digits <= 17; digits++) {
		s = str_printf(a, "%.*g", digits, d);
		if (str_to_double(s, &back) == 0 && back == d)
			break;
	}
	if (fabs(d) >= 1e-3 && fabs(d) < 1e7) {
		ptrdiff_t e = str_find_char(s, 'e');

		if (e >= 0)
			s = str_printf(a, "%.1f", d);
		return str_find_char(s, '.') < 0 ? str_printf(a, "%.*s.0", STR(s)) : s;
	}
	if (d == 0)
		return signbit(d) ? S("-0.0") : S("0.0");
	int exponent = (int)floor(log10(fabs(d)));
	for (int digits = 1; digits <= 17; digits++) {
		s = str_printf(a, "%.*e", digits, d);
		if (str_to_double(s, &back) == 0 && back == d)
			break;
	}
	ptrdiff_t e = str_find_char(s, 'e');
	return str_printf(a, "%.*sE%d", (int)e, s.p, exponent);
}

static struct json *json_double(struct arena *a, double d)
{
	struct json *j = json_new(a, isfinite(d) ? JSON_NUMBER : JSON_NULL);

	j->s = double_text(a, d);
	return j;
}

static struct json *to_json(struct arena *a, const struct vtl_value *v, int depth)
{
	struct json *j;

	if (depth > PRINT_DEPTH_MAX)
		return json_new(a, JSON_NULL);
	switch (v->type) {
	case VTL_BOOL:
		return json_new_bool(a, v->b);
	case VTL_INT:
		return json_new_int(a, v->i);
	case VTL_DOUBLE:
		return json_double(a, v->d);
	case VTL_STR:
		return json_new_str(a, v->s);
	case VTL_LIST:
		j = json_new(a, JSON_ARRAY);
		for (size_t i = 0; i < v->list->n; i++)
			json_push(a, j, to_json(a, &v->list->v[i], depth + 1));
		return j;
	case VTL_MAP:
		j = json_new(a, JSON_OBJECT);
		for (size_t i = 0; i < v->map->n; i++)
			json_set(a, j, v->map->v[i].key, to_json(a, &v->map->v[i].value, depth + 1));
		return j;
	default:
		return json_new(a, JSON_NULL);
	}
}

struct json *vtl_to_json(struct arena *a, const struct vtl_value *v)
{
	return to_json(a, v, 0);
}

static int print(struct vtl_run *r, const struct vtl_value *v, struct buf *out, bool json, int depth);

static int print_list(struct vtl_run *r, const struct vtl_list *l, struct buf *out, bool json, int depth)
{
	int e = 0;

	json = json || l->json;
	buf_c(out, '[');
	for (size_t i = 0; i < l->n && e == 0; i++) {
		if (i)
			buf_str(out, json ? S(",") : S(", "));
		e = print(r, &l->v[i], out, json, depth + 1);
	}
	buf_c(out, ']');
	return e;
}

static int print_map(struct vtl_run *r, const struct vtl_map *m, struct buf *out, bool json, int depth)
{
	int e = 0;

	buf_c(out, '{');
	for (size_t i = 0; i < m->n && e == 0; i++) {
		if (i)
			buf_str(out, json ? S(",") : S(", "));
		if (json)
			json_write_str(out, m->v[i].key);
		else
			buf_str(out, m->v[i].key);
		buf_c(out, json ? ':' : '=');
		e = print(r, &m->v[i].value, out, json, depth + 1);
	}
	buf_c(out, '}');
	return e;
}

static int print(struct vtl_run *r, const struct vtl_value *v, struct buf *out, bool json, int depth)
{
	int e = vtl_charge(r, 1, 0);

	if (e < 0)
		return e;
	if (depth > PRINT_DEPTH_MAX || !buf_ok(out)) {
		r->error = S("the template's output is too large");
		return -E2BIG;
	}
	switch (v->type) {
	case VTL_NULL:
	case VTL_NATIVE:
		if (depth)
			buf_str(out, S("null"));
		return 0;
	case VTL_BOOL:
		buf_str(out, v->b ? S("true") : S("false"));
		return 0;
	case VTL_INT:
		buf_printf(out, "%lld", (long long)v->i);
		return 0;
	case VTL_DOUBLE:
		buf_str(out, double_text(r->arena, v->d));
		return 0;
	case VTL_STR:
		if (json)
			json_write_str(out, v->s);
		else
			buf_str(out, v->s);
		return vtl_charge(r, (int64_t)(v->s.n >> 6), 0);
	case VTL_LIST:
		return print_list(r, v->list, out, json, depth);
	case VTL_MAP:
		return print_map(r, v->map, out, json, depth);
	case VTL_BLOCK:
		if (++r->depth > VTL_DEPTH_MAX) {
			r->error = S("the template is nested too deeply");
			return -E2BIG;
		}
		e = vtl_block(r, v->block, out);
		r->depth--;
		return e;
	}
	return 0;
}

int vtl_print(struct vtl_run *r, const struct vtl_value *v, struct buf *out)
{
	return print(r, v, out, false, 0);
}

int vtl_text(struct vtl_run *r, const struct vtl_value *v, struct str *ret)
{
	struct buf b;
	int e;

	if (v->type == VTL_STR) {
		*ret = v->s;
		return 0;
	}
	buf_init(&b, VTL_OUT_BYTES_MAX);
	e = vtl_print(r, v, &b);
	if (e == 0)
		e = buf_ok(&b) ? vtl_charge(r, 1, b.n) : -E2BIG;
	if (e == 0)
		*ret = str_dup(r->arena, buf_view(&b));
	buf_done(&b);
	return e;
}

bool vtl_truth(const struct vtl_value *v)
{
	return v->type == VTL_BOOL ? v->b : v->type != VTL_NULL;
}

static bool is_number(const struct vtl_value *v)
{
	return v->type == VTL_INT || v->type == VTL_DOUBLE;
}

static double as_double(const struct vtl_value *v)
{
	return v->type == VTL_INT ? (double)v->i : v->d;
}

/* equal: numbers by value, others of one kind by content, of different kinds by what they print. */
bool vtl_equal(struct vtl_run *r, const struct vtl_value *a, const struct vtl_value *b)
{
	struct str x, y;

	if (a->type == VTL_NULL || b->type == VTL_NULL)
		return a->type == b->type;
	if (a->type == VTL_INT && b->type == VTL_INT)
		return a->i == b->i;
	if (is_number(a) && is_number(b))
		return as_double(a) == as_double(b);
	if (a->type == VTL_BOOL && b->type == VTL_BOOL)
		return a->b == b->b;
	if (vtl_text(r, a, &x) < 0 || vtl_text(r, b, &y) < 0)
		return false;
	return str_eq(x, y);
}
