/* SPDX-License-Identifier: Apache-2.0 */
/* A template taken as far as it goes: parsed, its values decided, every resource and output evaluated, dynamic references
 * resolved, ordered, compared with itself. Order and comparison are checked, not only survived. */
#include "cfn/template.h"
#include <errno.h>

static int any_ref(void *user, size_t i, struct str *ret)
{
	struct template_ctx *c = user;

	*ret = str_printf(c->arena, "phys-%zu", i);
	return 0;
}

static int any_getatt(void *user, size_t i, struct str attr, struct json **ret)
{
	struct template_ctx *c = user;

	if (attr.n == 1)
		return -ENOENT;
	*ret = json_new(c->arena, attr.n == 2 ? JSON_ARRAY : JSON_STRING);
	(*ret)->s = attr;
	if (attr.n == 2) {
		(*ret)->s = STR_NONE;
		json_push(c->arena, *ret, json_new_str(c->arena, attr));
	}
	return 0;
}

static int any_text(void *user, struct str name, struct str *ret)
{
	*ret = S("{{resolve:ssm:x}},y");
	return name.n == 1 ? -ENOENT : 0;
}

static int any_zones(void *user, struct str region, struct str_list *ret)
{
	static struct str zones[2] = { { "a", 1 }, { "b", 1 } };

	*ret = (struct str_list){ zones, 2 };
	return 0;
}

static int any_dynamic(void *user, const struct template_dynamic *d, struct str *ret)
{
	*ret = d->json_key.p ? d->json_key : d->name;
	return 0;
}

static int any_value(void *user, struct str type, struct str value, struct str attribute, struct str *ret)
{
	*ret = value;
	return 0;
}

static const struct template_calls calls = { any_ref, any_getatt, any_text, any_zones, any_dynamic, any_text, NULL, any_value };

static void check_order(const struct template_ctx *c, const struct template_graph *g)
{
	size_t at[TEMPLATE_RESOURCES_MAX], active = 0;

	for (size_t i = 0; i < g->n_order; i++)
		at[g->order[i]] = i;
	for (size_t i = 0; i < g->n; i++) {
		active += template_active(c, i);
		for (size_t d = 0; d < g->nodes[i].n_deps; d++)
			if (!template_active(c, i) || at[g->nodes[i].deps[d]] >= at[i])
				abort();
	}
	if (active != g->n_order)
		abort();
}

static void evaluate(struct template_ctx *c)
{
	struct template_graph g;
	struct template_change *changes;
	struct json *j, *out;
	struct str v, e;
	enum template_policy del, rep;
	size_t n;
	bool all = true;

	if (template_values(c, NULL, 0, NULL) < 0 || template_begin(c) < 0)
		return;
	template_check_rules(c);
	if (template_graph(c, &g) == 0)
		check_order(c, &g);
	for (size_t i = 0; i < c->tpl->n_resources; i++) {
		if (!template_active(c, i))
			continue;
		template_policies(c, i, &del, &rep);
		if (template_eval_resource(c, i, &j) < 0)
			all = false;
		else
			template_resolve_dynamic(c, j, &out);
	}
	for (size_t i = 0; i < c->tpl->n_outputs; i++)
		if (template_output_active(c, i))
			template_eval_output(c, i, &v, &e);
	c->used_bytes = 0;
	if (all && template_changes(c, c, &changes, &n) == 0 && n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct arena a;
	struct template *t;
	struct template_summary s;
	struct str err = STR_NONE;
	struct template_ctx c = { .arena = &a, .calls = &calls, .user = &c };

	if (template_parse(&a, str_of((const char *)data, n), NULL, &t, &err) < 0) {
		if (!err.p)
			abort();
	} else {
		template_summary(&a, t, &s);
		c.tpl = t;
		c.env.region = S("us-east-1");
		evaluate(&c);
	}
	arena_reset(&a);
	return 0;
}
