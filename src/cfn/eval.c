/* SPDX-License-Identifier: Apache-2.0 */
/* eval.c - a template's expressions evaluated against a context: values, booleans, conditions, rules, resources, outputs.
 *
 * Recursion is bounded by the template's depth: conditions are evaluated in dependency order beforehand, so that one
 * never evaluates another. What a context may build in all is bounded by TEMPLATE_EVAL_BYTES_MAX. */
#include "cfn/template_int.h"
#include <errno.h>

int eval_charge(struct template_ctx *c, size_t bytes)
{
	c->used_bytes += bytes;
	if (c->used_bytes > TEMPLATE_EVAL_BYTES_MAX)
		return template_fail(c, "Template error: the evaluated template exceeds the maximum size of %u bytes",
				     TEMPLATE_EVAL_BYTES_MAX);
	return 0;
}

int eval_str(struct template_ctx *c, struct str s, struct json *ret)
{
	*ret = (struct json){ .type = JSON_STRING, .s = s };
	return eval_charge(c, sizeof *ret + s.n);
}

int eval_list_str(struct template_ctx *c, const struct str *v, size_t n, struct json *ret)
{
	struct json item;
	int r = 0;

	*ret = (struct json){ .type = JSON_ARRAY };
	for (size_t i = 0; i < n && r == 0; i++) {
		r = eval_str(c, v[i], &item);
		if (r == 0)
			json_push(c->arena, ret, &item);
	}
	return r;
}

int eval_into(struct template_ctx *c, const struct json *j, struct json *ret)
{
	const struct json *arg;
	struct json v;
	struct str fn;
	int r = eval_charge(c, sizeof *ret);

	if (r < 0)
		return r;
	if (j->type != JSON_ARRAY && j->type != JSON_OBJECT) {
		*ret = *j;
		return 0;
	}
	fn = fn_of(j, &arg);
	if (fn.p)
		return eval_fn(c, fn, arg, ret);
	*ret = (struct json){ .type = j->type, .line = j->line };
	for (size_t i = 0; i < j->n; i++) {
		r = eval_into(c, j->type == JSON_ARRAY ? &j->items[i] : &j->members[i].value, &v);
		if (r < 0)
			return r;
		if (r == EV_NOVALUE)
			continue;
		if (j->type == JSON_ARRAY) {
			json_push(c->arena, ret, &v);
		} else {
			/* Keys are unique (read_check), so no look for one to replace. */
			struct json_member *m = &vec_push(c->arena, ret->members, ret->n, ret->cap);

			m->key = j->members[i].key;
			m->value = v;
		}
	}
	return 0;
}

int eval_list(struct template_ctx *c, const struct json *j, struct json *ret, const char *sentence)
{
	int r = eval_into(c, j, ret);

	if (r < 0)
		return r;
	if (r == EV_NOVALUE || ret->type != JSON_ARRAY)
		return template_fail(c, "%s", sentence);
	return 0;
}

int eval_text(struct template_ctx *c, const struct json *j, struct str *ret, const char *sentence)
{
	struct json v;
	int r = eval_into(c, j, &v);

	if (r < 0)
		return r;
	if (r == EV_NOVALUE || !template_scalar(&v, ret))
		return template_fail(c, "%s", sentence);
	return 0;
}

int template_eval(struct template_ctx *c, const struct json *j, struct json **ret)
{
	struct json v;
	int r = eval_into(c, j, &v);

	if (r == 0)
		*ret = arena_dup(c->arena, &v, sizeof v);
	return r;
}

/* --- booleans --- */

static bool same(const struct json *a, const struct json *b)
{
	struct str x, y;

	if (template_scalar(a, &x) && template_scalar(b, &y))
		return str_eq(x, y);
	return json_equal(a, b);
}

static bool has(const struct json *list, const struct json *v)
{
	for (size_t i = 0; i < list->n; i++)
		if (same(&list->items[i], v))
			return true;
	return false;
}

static int eval_equals(struct template_ctx *c, const struct json *arg, bool *ret)
{
	struct json x = { .type = JSON_NULL }, y = { .type = JSON_NULL };
	int r = eval_into(c, &arg->items[0], &x);

	if (r >= 0)
		r = eval_into(c, &arg->items[1], &y);
	if (r < 0)
		return r;
	*ret = same(&x, &y);
	return 0;
}

/* eval_member: Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn of Rules. */
static int eval_member(struct template_ctx *c, struct str fn, const struct json *arg, bool *ret)
{
	struct json list, v;
	int r = eval_list(c, &arg->items[0], &list, "Template error: rule functions require a list of strings as first parameter");

	if (r < 0)
		return r;
	if (str_is(fn, "Fn::EachMemberIn"))
		r = eval_list(c, &arg->items[1], &v, "Template error: Fn::EachMemberIn requires a list of strings as second parameter");
	else
		r = eval_into(c, &arg->items[1], &v);
	if (r < 0)
		return r;
	if (r == EV_NOVALUE)
		v = (struct json){ .type = JSON_NULL };
	if (str_is(fn, "Fn::Contains")) {
		*ret = has(&list, &v);
		return 0;
	}
	*ret = true;
	for (size_t i = 0; i < list.n && *ret; i++)
		*ret = str_is(fn, "Fn::EachMemberIn") ? has(&v, &list.items[i]) : same(&list.items[i], &v);
	return 0;
}

static int condition_value(struct template_ctx *c, struct str name, bool *ret)
{
	int i = condition_find(c->tpl, name);

	if (i < 0 || c->conditions[i] < 0)
		return template_fail(c, "Template error: unresolved condition dependency %.*s in Condition", STR(name));
	*ret = c->conditions[i] == 1;
	return 0;
}

int eval_bool(struct template_ctx *c, const struct json *j, bool *ret)
{
	const struct json *arg = NULL, *name = json_getz(j, "Condition");
	struct str fn = fn_of(j, &arg);
	bool all, v = false;
	int r = 0;

	if (name)
		return condition_value(c, json_str(name), ret);
	if (str_is(fn, "Fn::Equals"))
		return eval_equals(c, arg, ret);
	if (str_is(fn, "Fn::Not")) {
		r = eval_bool(c, &arg->items[0], &v);
		*ret = !v;
		return r;
	}
	if (str_is(fn, "Fn::And") || str_is(fn, "Fn::Or")) {
		all = str_is(fn, "Fn::And");
		*ret = all;
		for (size_t i = 0; i < arg->n && r == 0 && *ret == all; i++)
			r = eval_bool(c, &arg->items[i], ret);
		return r;
	}
	if (c->in_rule && fn.p)
		return eval_member(c, fn, arg, ret);
	return template_fail(c, "Template format error: Conditions can only be boolean operations on parameters and other conditions");
}

/* --- what is there --- */

bool template_active(const struct template_ctx *c, size_t resource)
{
	int i = c->tpl->resources[resource].condition;

	return i < 0 || c->conditions[i] == 1;
}

bool template_output_active(const struct template_ctx *c, size_t output)
{
	int i = c->tpl->outputs[output].condition;

	return i < 0 || c->conditions[i] == 1;
}

struct gone {
	struct template_ctx *c;
	struct str *v;
	size_t n, cap;
};

static void see_gone(void *user, enum template_kind kind, size_t i, struct str attr)
{
	struct gone *g = user;
	struct str id;

	if (kind != TEMPLATE_RESOURCE || template_active(g->c, i))
		return;
	id = g->c->tpl->resources[i].id;
	for (size_t k = 0; k < g->n; k++)
		if (str_eq(g->v[k], id))
			return;
	vec_push(g->c->arena, g->v, g->n, g->cap) = id;
}

static int refuse_gone(struct gone *g, const char *block)
{
	if (!g->n)
		return 0;
	return template_fail(g->c, "Template format error: Unresolved resource dependencies [%.*s] in the %s block of the template",
			     STR(names_text(g->c->arena, g->v, g->n)), block);
}

static int check_gone(struct template_ctx *c)
{
	static const char *const attributes[] = { "Properties", "Metadata", "CreationPolicy", "UpdatePolicy" };
	const struct template *t = c->tpl;
	struct gone g = { .c = c };
	struct refs w = { .tpl = t, .conditions = c->conditions, .see = see_gone, .user = &g };
	int r;

	for (size_t i = 0; i < t->n_resources; i++)
		for (size_t k = 0; template_active(c, i) && k < ELEMENTS(attributes); k++)
			refs_walk(&w, json_getz(t->resources[i].decl, attributes[k]));
	r = refuse_gone(&g, "Resources");
	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n_outputs; i++)
		if (template_output_active(c, i)) {
			refs_walk(&w, t->outputs[i].value);
			refs_walk(&w, t->outputs[i].export_name);
		}
	return refuse_gone(&g, "Outputs");
}

int template_begin(struct template_ctx *c)
{
	const struct template *t = c->tpl;
	bool v;
	int r;

	c->conditions = arena_alloc(c->arena, t->n_conditions + 1);
	memset(c->conditions, -1, t->n_conditions + 1);
	for (size_t k = 0; k < t->n_conditions; k++) {
		size_t i = t->condition_order[k];

		r = eval_bool(c, t->conditions[i].body, &v);
		if (r < 0)
			return r;
		c->conditions[i] = v;
	}
	return check_gone(c);
}

static int check_rule(struct template_ctx *c, const struct template_rule *rule)
{
	bool v = true;
	int r = rule->condition ? eval_bool(c, rule->condition, &v) : 0;

	if (r < 0 || !v)
		return r;
	for (size_t i = 0; i < rule->assertions->n; i++) {
		const struct json *a = &rule->assertions->items[i];
		struct str text = json_get_str(a, "AssertDescription");

		r = eval_bool(c, json_getz(a, "Assert"), &v);
		if (r < 0)
			return r;
		if (!v)
			return template_fail(c, "Template validation error: Rule %.*s failed: %.*s", STR(rule->name),
					     STR(text.p ? text : S("an assertion is false")));
	}
	return 0;
}

int template_check_rules(struct template_ctx *c)
{
	int r = 0;

	c->in_rule = true;
	for (size_t i = 0; i < c->tpl->n_rules && r == 0; i++)
		r = check_rule(c, &c->tpl->rules[i]);
	c->in_rule = false;
	return r;
}

/* --- resources and outputs --- */

int template_eval_attribute(struct template_ctx *c, size_t resource, const char *attribute, struct json **ret)
{
	const struct json *j = json_getz(c->tpl->resources[resource].decl, attribute);
	int r;

	*ret = NULL;
	if (!j)
		return 0;
	r = template_eval(c, j, ret);
	return r == EV_NOVALUE ? 0 : r;
}

int template_eval_resource(struct template_ctx *c, size_t resource, struct json **ret)
{
	int r = template_eval_attribute(c, resource, "Properties", ret);

	if (r < 0)
		return r;
	if (!*ret)
		*ret = json_new(c->arena, JSON_OBJECT);
	if ((*ret)->type != JSON_OBJECT)
		return template_fail(c, "Template format error: [/Resources/%.*s/Properties] Every Properties member must be an object.",
				     STR(c->tpl->resources[resource].id));
	return 0;
}

int template_eval_output(struct template_ctx *c, size_t output, struct str *ret_value, struct str *ret_export)
{
	const struct template_output *o = &c->tpl->outputs[output];
	int r = eval_text(c, o->value, ret_value,
			  "Template format error: The Value field of every Outputs member must evaluate to a String.");

	*ret_export = STR_NONE;
	if (r < 0 || !o->export_name)
		return r;
	r = eval_text(c, o->export_name, ret_export,
		      "Template format error: The Name field of every Export member must evaluate to a String.");
	if (r == 0 && !ret_export->n)
		return template_fail(
			c,
			"Template format error: Output %.*s is malformed. The Name field of every Export member must be specified and be "
			"non-empty.",
			STR(o->name));
	return r;
}

static int policy(struct template_ctx *c, size_t resource, const char *key, enum template_policy *ret)
{
	static const char *const names[] = { "Delete", "Retain", "RetainExceptOnCreate", "Snapshot" };
	const struct template_resource *res = &c->tpl->resources[resource];
	struct json *j;
	struct str s;
	int r = template_eval_attribute(c, resource, key, &j);

	if (r < 0 || !j)
		return r;
	s = json_str(j);
	for (size_t i = 0; i < ELEMENTS(names); i++)
		if (str_is(s, names[i])) {
			*ret = (enum template_policy)i;
			return 0;
		}
	return template_fail(c, "Template format error: Unrecognized %s %.*s for resource %.*s", key, STR(s.p ? s : S("")), STR(res->id));
}

int template_policies(struct template_ctx *c, size_t resource, enum template_policy *ret_delete, enum template_policy *ret_replace)
{
	const struct template_resource *res = &c->tpl->resources[resource];
	int r;

	*ret_delete = *ret_replace = TEMPLATE_DELETE;
	/* Databases that stand alone are kept as snapshots unless the template says otherwise. */
	if (str_is(res->type, "AWS::RDS::DBCluster") ||
	    (str_is(res->type, "AWS::RDS::DBInstance") && !json_getz(res->properties, "DBClusterIdentifier")))
		*ret_delete = TEMPLATE_SNAPSHOT;
	r = policy(c, resource, "DeletionPolicy", ret_delete);
	return r < 0 ? r : policy(c, resource, "UpdateReplacePolicy", ret_replace);
}
