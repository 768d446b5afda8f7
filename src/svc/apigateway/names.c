/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - maps of records, and the paths that name resources. Pure. */
#include "svc/apigateway/apigateway_int.h"

#define MAP_VALUE_OFFSET 16

struct any_map {
	char *v;
	size_t n;
};

void *apigw_map_value(struct arena *a, void *map, size_t size, struct str key, bool make)
{
	size_t step = (MAP_VALUE_OFFSET + size + 7) / 8 * 8;
	struct any_map *m = map;
	char *v;

	for (size_t i = 0; i < m->n; i++)
		if (str_eq(*(struct str *)(void *)(m->v + i * step), key))
			return m->v + i * step + MAP_VALUE_OFFSET;
	if (!make)
		return NULL;
	v = arena_zalloc(a, arena_mul(m->n + 1, step));
	if (m->n)
		memcpy(v, m->v, m->n * step);
	m->v = v;
	*(struct str *)(void *)(v + m->n * step) = key;
	return v + m->n++ * step + MAP_VALUE_OFFSET;
}

bool apigw_map_remove(void *map, size_t size, struct str key)
{
	size_t step = (MAP_VALUE_OFFSET + size + 7) / 8 * 8;
	struct any_map *m = map;

	for (size_t i = 0; i < m->n; i++)
		if (str_eq(*(struct str *)(void *)(m->v + i * step), key)) {
			memmove(m->v + i * step, m->v + (i + 1) * step, (m->n - i - 1) * step);
			m->n--;
			return true;
		}
	return false;
}

struct str apigw_unescape(struct arena *a, struct str s)
{
	return str_replace(a, str_replace(a, s, S("~1"), S("/")), S("~0"), S("~"));
}

bool apigw_path_part_valid(struct str s)
{
	if (s.n > 2 && s.p[0] == '{' && s.p[s.n - 1] == '}') {
		s = str_of(s.p + 1, s.n - 2);
		if (s.p[s.n - 1] == '+')
			s.n--;
	}
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:", s.p[i]) || !s.p[i])
			return false;
	return s.n > 0;
}

struct str apigw_path_join(struct arena *a, struct str parent, struct str part)
{
	return str_is(parent, "/") ? str_printf(a, "/%.*s", STR(part)) : str_printf(a, "%.*s/%.*s", STR(parent), STR(part));
}
