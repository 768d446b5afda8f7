/* SPDX-License-Identifier: Apache-2.0 */
/* openapi_fields.c - members of objects in OpenAPI texts, which mostly are called as the API's are. */
#include "svc/apigateway/openapi.h"
#include <errno.h>

const struct openapi_verb openapi_verbs[] = { { "get", "GET" },
					      { "put", "PUT" },
					      { "post", "POST" },
					      { "delete", "DELETE" },
					      { "options", "OPTIONS" },
					      { "head", "HEAD" },
					      { "patch", "PATCH" },
					      { "x-amazon-apigateway-any-method", "ANY" },
					      { NULL, NULL } };

static void read_scalar(const struct desc_shape *s, const struct json *j, void *slot)
{
	struct str t = json_scalar(j);
	struct opt_int i = { true, 0 };
	struct opt_double d = { true, 0 };

	if (!t.p)
		return;
	switch ((enum desc_kind)s->kind) {
	case DK_STRING:
		*(struct str *)slot = t;
		break;
	case DK_BOOL:
		*(struct opt_bool *)slot = OPT_BOOL(json_to_bool(j, false));
		break;
	case DK_INT:
	case DK_LONG:
		if (json_to_i64(j, &i.v) == 0)
			*(struct opt_int *)slot = i;
		break;
	case DK_DOUBLE:
		if (str_to_double(t, &d.v) == 0)
			*(struct opt_double *)slot = d;
		break;
	default:
		break;
	}
}

static void read_map(struct arena *a, const struct desc_shape *e, const struct json *j, struct str_map *map)
{
	size_t step = (16 + (size_t)e->size + 7) / 8 * 8;
	char *v;

	if (e->kind >= DK_STRUCT || !json_is(j, JSON_OBJECT))
		return;
	v = arena_zalloc(a, arena_mul(j->n + 1, step));
	for (size_t i = 0; i < j->n; i++) {
		*(struct str *)(void *)(v + i * step) = j->members[i].key;
		read_scalar(e, &j->members[i].value, v + i * step + 16);
	}
	map->v = (void *)v;
	map->n = j->n;
}

void openapi_fields_read(struct arena *a, const struct json *j, uint16_t shape, void *rec)
{
	const struct desc_shape *s = &apigw_records.shapes[shape];

	for (size_t i = 0; i < s->n_members; i++) {
		const struct desc_member *m = &s->members[i];
		const struct desc_shape *ms = &apigw_records.shapes[m->shape];
		const struct json *v = json_getz(j, m->name);
		void *slot = (char *)rec + m->offset;

		if (!v)
			continue;
		if (ms->kind == DK_MAP)
			read_map(a, &apigw_records.shapes[ms->element], v, slot);
		else if (ms->kind == DK_LIST) {
			struct str_list *l = slot;

			if (apigw_records.shapes[ms->element].kind != DK_STRING || !json_is(v, JSON_ARRAY))
				continue;
			l->v = arena_array(a, struct str, v->n + 1);
			l->n = 0;
			for (size_t k = 0; k < v->n; k++)
				if (json_scalar(&v->items[k]).p)
					l->v[l->n++] = json_scalar(&v->items[k]);
		} else
			read_scalar(ms, v, slot);
	}
}

static struct json *write_scalar(struct arena *a, const struct desc_shape *s, const void *slot)
{
	switch ((enum desc_kind)s->kind) {
	case DK_STRING:
		return ((const struct str *)slot)->p ? json_new_str(a, *(const struct str *)slot) : NULL;
	case DK_BOOL:
		return ((const struct opt_bool *)slot)->has ? json_new_bool(a, ((const struct opt_bool *)slot)->v) : NULL;
	case DK_INT:
	case DK_LONG:
		return ((const struct opt_int *)slot)->has ? json_new_int(a, ((const struct opt_int *)slot)->v) : NULL;
	default:
		return NULL;
	}
}

void openapi_fields_write(struct arena *a, uint16_t shape, const void *rec, struct json *j)
{
	const struct desc_shape *s = &apigw_records.shapes[shape];

	for (size_t i = 0; i < s->n_members; i++) {
		const struct desc_member *m = &s->members[i];
		const struct desc_shape *ms = &apigw_records.shapes[m->shape], *e = &apigw_records.shapes[ms->element];
		const char *slot = (const char *)rec + m->offset;
		const struct str_list *l = (const void *)slot;
		struct json *v = NULL;

		if (ms->kind == DK_MAP && e->kind < DK_STRUCT && l->n) {
			size_t step = (16 + (size_t)e->size + 7) / 8 * 8;

			v = json_new(a, JSON_OBJECT);
			for (size_t k = 0; k < l->n; k++) {
				const char *x = (const char *)l->v + k * step;
				struct json *one = write_scalar(a, e, x + 16);

				if (one)
					json_set(a, v, *(const struct str *)(const void *)x, one);
			}
		} else if (ms->kind == DK_LIST && e->kind == DK_STRING && l->n) {
			v = json_new(a, JSON_ARRAY);
			for (size_t k = 0; k < l->n; k++)
				json_push(a, v, json_new_str(a, l->v[k]));
		} else
			v = write_scalar(a, ms, slot);
		if (v)
			json_set(a, j, str_c(m->name), v);
	}
}
