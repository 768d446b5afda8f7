/* SPDX-License-Identifier: Apache-2.0 */
/* template.c - a template's text made into struct template: read, transformed, its sections taken (sections.c), its
 * references checked (refs.c). */
#include "cfn/template_int.h"
#include "cfn/sections.h"
#include <errno.h>

bool is_alnum_name(struct str s)
{
	if (!s.n || s.n > TEMPLATE_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
			return false;
	}
	return true;
}

bool template_scalar(const struct json *j, struct str *ret)
{
	*ret = json_scalar(j);
	return ret->p != NULL;
}

static int by_name(const void *x, const void *y)
{
	const struct template_name *a = x, *b = y;
	int r = str_cmp(a->name, b->name);

	return r ? r : (int)a->kind - (int)b->kind;
}

/* index_names sorts all logical names; parameters and resources share one space, conditions have their own. */
static int index_names(struct template *t, struct str *err)
{
	size_t n = 0;
	struct template_name *v = arena_array(t->arena, struct template_name, t->n_parameters + t->n_resources + t->n_conditions + 1);

	for (size_t i = 0; i < t->n_parameters; i++)
		v[n++] = (struct template_name){ t->parameters[i].name, TEMPLATE_PARAMETER, i };
	for (size_t i = 0; i < t->n_resources; i++)
		v[n++] = (struct template_name){ t->resources[i].id, TEMPLATE_RESOURCE, i };
	for (size_t i = 0; i < t->n_conditions; i++)
		v[n++] = (struct template_name){ t->conditions[i].name, TEMPLATE_CONDITION, i };
	qsort(v, n, sizeof *v, by_name);
	t->names = v;
	t->n_names = n;
	for (size_t i = 1; i < n; i++)
		if (v[i - 1].kind == TEMPLATE_PARAMETER && v[i].kind == TEMPLATE_RESOURCE && str_eq(v[i - 1].name, v[i].name))
			return complain(t->arena, err,
					"Template error: all resources and parameters must have unique names. Common name(s):[%.*s]",
					STR(v[i].name));
	return 0;
}

static const struct template_name *name_find(const struct template *t, struct str name, bool condition)
{
	size_t lo = 0, hi = t->n_names;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct template_name *m = &t->names[mid];
		int r = str_cmp(m->name, name);

		if (r == 0 && (m->kind == TEMPLATE_CONDITION) == condition)
			return m;
		if (r < 0 || (r == 0 && condition)) /* of equal names the condition comes last */
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

enum template_kind template_find(const struct template *t, struct str name, size_t *ret_i)
{
	const struct template_name *m = name_find(t, name, false);

	if (!m)
		return TEMPLATE_NONE;
	*ret_i = m->i;
	return m->kind;
}

int condition_find(const struct template *t, struct str name)
{
	const struct template_name *m = name_find(t, name, true);

	return m ? (int)m->i : -1;
}

int template_parse(struct arena *a, struct str text, const struct str_map *params, struct template **ret, struct str *ret_err)
{
	struct template *t = arena_new(a, struct template);
	struct json *root;
	int r;

	t->arena = a;
	r = template_read(a, text, &root, &t->yaml, ret_err);
	if (r < 0)
		return r;
	t->root = root;
	r = sections_head(t, ret_err);
	if (r < 0)
		return r;
	if (t->language_extensions) {
		r = template_expand(a, root, params, ret_err);
		if (r == 0)
			r = read_check(a, text, t->yaml, root, ret_err);
		if (r < 0)
			return r;
	}
	r = sections_take(t, ret_err);
	if (r < 0)
		return r;
	r = index_names(t, ret_err);
	if (r < 0)
		return r;
	r = sections_link(t, ret_err);
	if (r < 0)
		return r;
	r = refs_check(t, ret_err);
	if (r < 0)
		return r;
	*ret = t;
	return 0;
}
