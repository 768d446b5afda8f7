/* SPDX-License-Identifier: Apache-2.0 */
/* vtl_methods.c - properties and methods of lists, maps, numbers: those of Java's that templates use. An unknown one is null. */
#include "svc/apigateway/vtl_int.h"
#include <errno.h>

static int list_index(const struct vtl_list *l, const struct vtl_value *args, size_t n, size_t *ret)
{
	if (n < 1 || args[0].type != VTL_INT || args[0].i < 0 || (size_t)args[0].i >= l->n)
		return -ENOENT;
	*ret = (size_t)args[0].i;
	return 0;
}

static int list_find(struct vtl_run *r, const struct vtl_list *l, const struct vtl_value *what, int64_t *ret)
{
	int e;

	*ret = -1;
	for (size_t i = 0; i < l->n; i++) {
		e = vtl_charge(r, 1, 0);
		if (e < 0)
			return e;
		if (vtl_equal(r, &l->v[i], what)) {
			*ret = (int64_t)i;
			return 0;
		}
	}
	return 0;
}

static int list_add(struct vtl_run *r, struct vtl_list *l, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	int e = vtl_charge(r, 1, sizeof *l->v);

	*ret = vtl_bool(true);
	if (e < 0 || n == 0)
		return e;
	vtl_list_add(r->arena, l, args[n - 1]);
	if (n == 2 && args[0].type == VTL_INT && args[0].i >= 0 && (size_t)args[0].i < l->n) { /* add(index, value) */
		size_t i = (size_t)args[0].i;

		e = vtl_charge(r, (int64_t)(l->n / 16), 0);
		memmove(&l->v[i + 1], &l->v[i], (l->n - 1 - i) * sizeof *l->v);
		l->v[i] = args[1];
	}
	return e;
}

static int list_add_all(struct vtl_run *r, struct vtl_list *l, const struct vtl_value *from, struct vtl_value *ret)
{
	size_t n = from->type == VTL_LIST ? from->list->n : 0;
	int e = vtl_charge(r, (int64_t)n, n * sizeof *l->v);

	*ret = vtl_bool(n > 0);
	for (size_t i = 0; i < n && e == 0; i++)
		vtl_list_add(r->arena, l, from->list->v[i]);
	return e;
}

static int list_remove(struct vtl_run *r, struct vtl_list *l, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	size_t i;
	int64_t at;
	int e = vtl_charge(r, 1 + (int64_t)(l->n / 16), 0);

	if (e < 0 || n == 0)
		return e;
	if (list_index(l, args, n, &i) < 0) {
		e = args[0].type == VTL_INT ? 0 : list_find(r, l, &args[0], &at);
		*ret = vtl_bool(false);
		if (e < 0 || args[0].type == VTL_INT || at < 0)
			return e;
		i = (size_t)at;
		*ret = vtl_bool(true);
	} else {
		*ret = l->v[i];
	}
	memmove(&l->v[i], &l->v[i + 1], (l->n - i - 1) * sizeof *l->v);
	l->n--;
	return 0;
}

static int sub_list(struct vtl_run *r, const struct vtl_list *l, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	int64_t from, to;

	if (n != 2 || args[0].type != VTL_INT || args[1].type != VTL_INT)
		return 0;
	from = args[0].i;
	to = args[1].i;
	if (from < 0 || to < from || (uint64_t)to > l->n)
		return 0;
	*ret = vtl_list_new(r->arena);
	ret->list->json = l->json;
	ret->list->n = ret->list->cap = (size_t)(to - from);
	ret->list->v = arena_dup(r->arena, l->v + from, ret->list->n * sizeof *l->v);
	return vtl_charge(r, 1, ret->list->n * sizeof *l->v);
}

static int list_call(struct vtl_run *r, struct vtl_list *l, struct str name, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	size_t i;
	int64_t at;
	int e;

	if (str_is(name, "size") || str_is(name, "length"))
		*ret = vtl_int((int64_t)l->n);
	else if (str_is(name, "isEmpty"))
		*ret = vtl_bool(l->n == 0);
	else if (str_is(name, "get")) {
		if (list_index(l, args, n, &i) == 0)
			*ret = l->v[i];
	} else if (str_is(name, "set")) {
		if (n == 2 && list_index(l, args, n, &i) == 0) {
			*ret = l->v[i];
			l->v[i] = args[1];
		}
	} else if (str_is(name, "add")) {
		return list_add(r, l, args, n, ret);
	} else if (str_is(name, "addAll") && n == 1) {
		return list_add_all(r, l, &args[0], ret);
	} else if (str_is(name, "remove")) {
		return list_remove(r, l, args, n, ret);
	} else if (str_is(name, "clear")) {
		l->n = 0;
	} else if ((str_is(name, "contains") || str_is(name, "indexOf")) && n == 1) {
		e = list_find(r, l, &args[0], &at);
		*ret = str_is(name, "indexOf") ? vtl_int(at) : vtl_bool(at >= 0);
		return e;
	} else if (str_is(name, "subList")) {
		return sub_list(r, l, args, n, ret);
	} else if (str_is(name, "iterator")) {
		*ret = (struct vtl_value){ VTL_LIST, { .list = l } };
	}
	return 0;
}

enum part { PART_KEYS, PART_VALUES, PART_ENTRIES };
static int map_parts(struct vtl_run *r, const struct vtl_map *m, enum part part, struct vtl_value *ret)
{
	int e = vtl_charge(r, (int64_t)m->n, m->n * (part == PART_ENTRIES ? 3 : 1) * sizeof(struct vtl_entry));

	*ret = vtl_list_new(r->arena);
	for (size_t i = 0; i < m->n && e == 0; i++) {
		struct vtl_value v = part == PART_KEYS ? vtl_str(m->v[i].key) : m->v[i].value;

		if (part == PART_ENTRIES) {
			v = vtl_map_new(r->arena);
			vtl_map_set(r->arena, v.map, S("key"), vtl_str(m->v[i].key));
			vtl_map_set(r->arena, v.map, S("value"), m->v[i].value);
		}
		vtl_list_add(r->arena, ret->list, v);
	}
	return e;
}

static void map_remove(struct vtl_map *m, struct str key, struct vtl_value *ret)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_eq(m->v[i].key, key)) {
			*ret = m->v[i].value;
			memmove(&m->v[i], &m->v[i + 1], (m->n - i - 1) * sizeof *m->v);
			m->n--;
			return;
		}
}

static int map_put_all(struct vtl_run *r, struct vtl_map *m, const struct vtl_value *from)
{
	int e = 0;

	for (size_t i = 0; from->type == VTL_MAP && i < from->map->n && e == 0; i++) {
		e = vtl_charge(r, 1 + (int64_t)(m->n / 16), sizeof *m->v);
		vtl_map_set(r->arena, m, from->map->v[i].key, from->map->v[i].value);
	}
	return e;
}

static int map_keyed(struct vtl_run *r, struct vtl_map *m, struct str name, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	struct vtl_value *old;
	struct str key;
	int e = vtl_text(r, &args[0], &key);

	if (e == 0)
		e = vtl_charge(r, 1 + (int64_t)(m->n / 16), sizeof *m->v);
	if (e < 0)
		return e;
	old = vtl_map_get(m, key);
	if (str_is(name, "get") || (str_is(name, "getOrDefault") && n == 2))
		*ret = old ? *old : n == 2 ? args[1] : vtl_null();
	else if (str_is(name, "containsKey"))
		*ret = vtl_bool(old != NULL);
	else if (str_is(name, "remove"))
		map_remove(m, key, ret);
	else if (n == 2 && (str_is(name, "put") || (str_is(name, "putIfAbsent") && !old))) {
		if (old)
			*ret = *old;
		vtl_map_set(r->arena, m, key, args[1]);
	}
	return 0;
}

static int map_call(struct vtl_run *r, struct vtl_map *m, struct str name, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	if (str_is(name, "size"))
		*ret = vtl_int((int64_t)m->n);
	else if (str_is(name, "isEmpty"))
		*ret = vtl_bool(m->n == 0);
	else if (str_is(name, "keySet"))
		return map_parts(r, m, PART_KEYS, ret);
	else if (str_is(name, "values"))
		return map_parts(r, m, PART_VALUES, ret);
	else if (str_is(name, "entrySet"))
		return map_parts(r, m, PART_ENTRIES, ret);
	else if (str_is(name, "clear"))
		m->n = 0;
	else if (str_is(name, "putAll") && n == 1)
		return map_put_all(r, m, &args[0]);
	else if (str_is(name, "containsValue") && n == 1) {
		struct vtl_value values;
		int64_t at;
		int e = map_parts(r, m, PART_VALUES, &values);

		if (e == 0)
			e = list_find(r, values.list, &args[0], &at);
		if (e == 0)
			*ret = vtl_bool(at >= 0);
		return e;
	} else if (str_is(name, "getKey") || str_is(name, "getValue")) {
		const struct vtl_value *v = vtl_map_get(m, str_is(name, "getKey") ? S("key") : S("value"));

		if (v)
			*ret = *v;
	} else if (n >= 1)
		return map_keyed(r, m, name, args, n, ret);
	return 0;
}

static int64_t clamp_int(double d)
{
	if (!(d > -9.2e18))
		return d != d ? 0 : INT64_MIN;
	return d < 9.2e18 ? (int64_t)d : INT64_MAX;
}

static int number_call(struct vtl_run *r, const struct vtl_value *v, struct str name, const struct vtl_value *args, size_t n,
		       struct vtl_value *ret)
{
	int64_t i = v->type == VTL_INT ? v->i : clamp_int(v->d);
	struct str s;

	if (str_is(name, "intValue") || str_is(name, "longValue"))
		*ret = vtl_int(i);
	else if (str_is(name, "doubleValue") || str_is(name, "floatValue"))
		*ret = (struct vtl_value){ VTL_DOUBLE, { .d = v->type == VTL_INT ? (double)v->i : v->d } };
	else if (n == 1 && (str_is(name, "parseInt") || str_is(name, "parseLong") || str_is(name, "valueOf") ||
			    str_is(name, "parseDouble") || str_is(name, "parseFloat"))) {
		int e = vtl_text(r, &args[0], &s);

		if (e < 0)
			return e;
		if (!str_is(name, "parseDouble") && !str_is(name, "parseFloat") && v->type == VTL_INT) {
			*ret = vtl_int(0);
			if (str_to_i64(s, &ret->i) < 0)
				*ret = vtl_null();
		} else {
			*ret = (struct vtl_value){ VTL_DOUBLE, { .d = 0 } };
			if (str_to_double(s, &ret->d) < 0)
				*ret = vtl_null();
		}
	} else if (str_is(name, "compareTo") && n == 1 && args[0].type == VTL_INT)
		*ret = vtl_int((i > args[0].i) - (i < args[0].i));
	else if (str_is(name, "abs") || str_is(name, "toJson"))
		*ret = v->type == VTL_INT && v->i < 0 && v->i != INT64_MIN ? vtl_int(-v->i) : *v;
	return 0;
}

int vtl_call(struct vtl_run *r, const struct vtl_value *v, struct str name, const struct vtl_value *args, size_t n, struct vtl_value *ret)
{
	struct str s;
	int e;

	*ret = vtl_null();
	if (v->type == VTL_NATIVE)
		return v->native->call(r, v->native->arg, name, args, n, ret);
	if (str_is(name, "toString") && n == 0) {
		e = vtl_text(r, v, &s);
		if (e == 0)
			*ret = vtl_str(s);
		return e;
	}
	if (str_is(name, "equals") && n == 1) {
		*ret = vtl_bool(v->type == args[0].type && vtl_equal(r, v, &args[0]));
		return 0;
	}
	switch (v->type) {
	case VTL_STR:
		return vtl_string_call(r, v->s, name, args, n, ret);
	case VTL_LIST:
		return list_call(r, v->list, name, args, n, ret);
	case VTL_MAP:
		return map_call(r, v->map, name, args, n, ret);
	case VTL_INT:
	case VTL_DOUBLE:
		return number_call(r, v, name, args, n, ret);
	case VTL_BOOL:
		if (str_is(name, "booleanValue"))
			*ret = *v;
		return 0;
	default:
		return 0;
	}
}

int vtl_property(struct vtl_run *r, const struct vtl_value *v, struct str name, struct vtl_value *ret)
{
	const struct vtl_value *found;

	*ret = vtl_null();
	if (v->type == VTL_NATIVE)
		return v->native->get(r, v->native->arg, name, ret);
	if (v->type == VTL_MAP) {
		found = vtl_map_get(v->map, name);
		if (found)
			*ret = *found;
		return vtl_charge(r, (int64_t)(v->map->n / 16), 0);
	}
	if (str_is(name, "empty") && (v->type == VTL_STR || v->type == VTL_LIST)) /* isEmpty(), as a bean's property */
		*ret = vtl_bool(v->type == VTL_STR ? v->s.n == 0 : v->list->n == 0);
	else if (v->type == VTL_LIST && v->list->json && (str_is(name, "size") || str_is(name, "length")))
		*ret = vtl_int((int64_t)v->list->n);
	return 0;
}
