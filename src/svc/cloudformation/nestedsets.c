/* SPDX-License-Identifier: Apache-2.0 */
/* nestedsets.c - change sets for the stacks in a stack (IncludeNestedStacks): each is described by the template behind its TemplateURL and
 * by the parameters that are known already. What can't be described yet, as what its template needs is not known, has none and is made
 * when its turn comes. */
#include "svc/cloudformation/changes.h"
#include "svc/cloudformation/validate.h"
#include <errno.h>

#define NESTED_SETS_MAX 100 /* under one root */

struct plan {
	struct call *call;
	const struct cfn_rec_stack *outer;
	struct input *in;
	size_t resource;
	struct cfn_rec_stack stack;
	bool new;
	struct input ask;
	struct cfn_rec_change_set cs;
};

/* The stack that is there, or one that is planned. 1: nothing can be said about it. */
static int find_stack(struct plan *p)
{
	struct call *c = p->call;
	const struct template_resource *res = &p->in->tpl->resources[p->resource];
	struct cfn_resource r = { .arena = c->arena, .logical_id = res->id, .stack_name = p->outer->name, .token = random_uuid(c->arena) };
	struct str there = STR_NONE;
	int e;

	for (size_t i = 0; i < p->in->rows.n; i++)
		if (str_eq(p->in->rows.v[i].logical, res->id) && !str_starts(p->in->rows.v[i].status, S("DELETE_")) &&
		    !(p->in->replaced && p->in->replaced[i]))
			there = p->in->rows.v[i].physical;
	if (there.p) {
		e = stack_lookup(c->txn, c->arena, c->account, call_region(c), there, &p->stack);
		return e == -ENOENT || (e == 0 && !cfn_updatable(&p->stack)) ? 1 : e;
	}
	p->new = true;
	e = cfn_new_stack(c, cfn_name(&r, STACK_NAME_MAX, false), &p->stack);
	p->stack.parent = p->outer->arn;
	p->stack.root = p->outer->root.p ? p->outer->root : p->outer->arn;
	return e;
}

static bool is_later(const struct cloudformation_parameter_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_find(l->v[i].parameter_value, S(LATER)) >= 0)
			return true;
	return false;
}

/* What its change set is asked: as the engine will ask for the stack. 1: not known yet. */
static int prepare(struct plan *p, const struct json *props)
{
	struct call *c = p->call;
	struct cfn_resource r = { .arena = c->arena, .props = props };
	struct json *tags = json_new(c->arena, JSON_ARRAY), *params;
	struct cloudformation_create_stack_input in = { 0 };
	struct wire_fault fault;
	int e;

	for (size_t i = 0; i < p->in->set.tags.n; i++) {
		struct json *t = json_new(c->arena, JSON_OBJECT);

		json_set_str(c->arena, t, "Key", p->in->set.tags.v[i].key);
		json_set_str(c->arena, t, "Value", p->in->set.tags.v[i].value);
		json_push(c->arena, tags, t);
	}
	r.stack_tags = tags;
	params = nested_params(&r, &p->in->set.capabilities, p->stack.name);
	if (wire_from_json(c->svc->model, wire_op(c->svc->model, S("CreateStack"))->in, params, c->arena, &in, &fault) < 0)
		return cfn_invalid(c, "%.*s", STR(fault.message));
	in.role_arn = p->in->set.role; /* looks around as the stack will */
	struct ask q = { ASK_OF(&in), .later = true };
	e = input_prepare(c, &q, p->new ? NULL : &p->stack, p->stack.name, p->stack.arn, &p->ask);
	if (e < 0 && c->err && is_later(&in.parameters)) {
		c->err = NULL;
		return 1;
	}
	return e;
}

static struct json *change_of(struct json *changes, struct str logical)
{
	for (size_t i = 0; i < changes->n; i++) {
		struct json *rc = json_getz(&changes->items[i], "ResourceChange");

		if (str_eq(json_get_str(rc, "LogicalResourceId"), logical))
			return rc;
	}
	return NULL;
}

/* Its changes, and those of the stacks in it. *ret NULL: there are none. */
static int compare(struct plan *p, int depth, size_t *n, struct json **ret)
{
	struct call *c = p->call;
	struct input old;
	bool any = true;
	int r = p->new ? 0 : cfn_has_changes(c, &p->stack, &p->ask, &old, &any);

	if (r == 0)
		r = changes_describe(c, &p->ask, p->new ? NULL : &old, false, ret);
	if (r == 0)
		r = change_set_nested(c, &p->stack, &p->ask, &p->cs, depth + 1, n, *ret);
	if (r == 0 && !any && (*ret)->n == 0)
		*ret = NULL;
	return r;
}

static void begin_set(struct plan *p, const struct cfn_rec_change_set *outer)
{
	struct call *c = p->call;
	struct cfn_resource r = { .arena = c->arena,
				  .logical_id = p->in->tpl->resources[p->resource].id,
				  .stack_name = outer->name,
				  .token = random_uuid(c->arena) };

	p->cs = (struct cfn_rec_change_set){ .id = random_uuid(c->arena),
					     .name = cfn_name(&r, STACK_NAME_MAX, false),
					     .stack = p->stack.id,
					     .type = p->new ? S("CREATE") : S("UPDATE"),
					     .created = outer->created,
					     .on_failure = outer->on_failure,
					     .import_existing = outer->import_existing,
					     .nested = OPT_BOOL(true),
					     .parent = outer->arn,
					     .root = outer->root.p ? outer->root : outer->arn };
	p->cs.arn = call_arn(c, "cloudformation", "changeSet/%.*s/%.*s", STR(p->cs.name), STR(p->cs.id));
}

static void link_set(struct plan *p, struct cfn_rec_change_set *outer, struct json *changes)
{
	struct arena *a = p->call->arena;
	struct str logical = p->in->tpl->resources[p->resource].id;
	struct str_pair *v = arena_array(a, struct str_pair, outer->children.n + 1);

	if (outer->children.n)
		memcpy(v, outer->children.v, outer->children.n * sizeof *v);
	v[outer->children.n] = (struct str_pair){ logical, p->cs.arn };
	outer->children = (struct str_map){ v, outer->children.n + 1 };
	if (!change_of(changes, logical))
		json_push(a, changes, changes_automatic(p->call, p->in, p->resource));
	json_set_str(a, change_of(changes, logical), "ChangeSetId", p->cs.arn);
	if (!str_is(p->cs.status, "FAILED"))
		return;
	outer->status = S("FAILED");
	outer->execution = S("UNAVAILABLE");
	outer->reason = str_printf(a, "Nested change set %.*s was not successfully created: Currently in FAILED.", STR(p->cs.arn));
}

static int plan_one(struct plan *p, struct cfn_rec_change_set *outer, int depth, size_t *n, struct json *changes)
{
	struct call *c = p->call;
	struct json *props = NULL, *own = NULL;
	int r;

	if (template_eval_resource(&p->in->ctx, p->resource, &props) < 0)
		return 0;
	if (!json_get_str(props, "TemplateURL").n || str_find(json_get_str(props, "TemplateURL"), S(LATER)) >= 0)
		return 0;
	if (depth + 1 >= NESTED_DEPTH_MAX || ++*n > NESTED_SETS_MAX)
		return call_fail(c, &cloudformation_err_limit_exceeded, "A change set may have %d nested change sets, %d deep at most",
				 NESTED_SETS_MAX, NESTED_DEPTH_MAX);
	r = find_stack(p);
	if (r == 0)
		r = call_authorize(c, "cloudformation:CreateChangeSet", p->stack.arn, NULL, 0);
	if (r == 0)
		r = prepare(p, props);
	if (r != 0)
		return r < 0 ? r : 0;
	begin_set(p, outer);
	p->cs.next = &p->ask.set;
	r = compare(p, depth, n, &own);
	if (r < 0 || !own)
		return r;
	if (!p->cs.status.p) {
		p->cs.status = S("CREATE_COMPLETE");
		p->cs.execution = S("AVAILABLE");
		r = validate_changes(c, &p->ask, &p->cs, own);
	}
	p->cs.changes = state_seal_json(c->cloud, c->arena, own);
	p->ask.set.template = p->cs.id;
	if (r == 0)
		r = change_set_store(c, &p->stack, p->new, &p->cs, p->ask.text);
	if (r == 0)
		link_set(p, outer, changes);
	return r;
}

int change_set_nested(struct call *c, const struct cfn_rec_stack *outer, struct input *in, struct cfn_rec_change_set *cs, int depth,
		      size_t *n, struct json *changes)
{
	int r = 0;

	for (size_t i = 0; i < in->tpl->n_resources && r == 0; i++) {
		struct plan *p;

		if (!str_is(in->tpl->resources[i].type, STACK_TYPE) || !template_active(&in->ctx, i))
			continue;
		p = arena_new(c->arena, struct plan);
		*p = (struct plan){ .call = c, .outer = outer, .in = in, .resource = i };
		r = plan_one(p, cs, depth, n, changes);
	}
	return r;
}
