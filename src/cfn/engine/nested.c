/* SPDX-License-Identifier: Apache-2.0 */
/* nested.c - AWS::CloudFormation::Stack: a stack in a stack. It is made, changed and deleted by calls through the one door, as whoever
 * the outer stack acts for; what became of it is read from the store. While it works, the outer step waits without a thread
 * and is woken by its end. */
#include "cfn/actor.h"
#include "cfn/engine/engine.h"
#include <errno.h>

/* --- the inner stack --- */
static int inner_load(struct cfn_resource *r, struct str arn, struct cfn_rec_stack *ret)
{
	struct cfn_actor *x = r->engine;
	struct store_txn *t;
	int e = store_begin_read(x->region->store, &t);

	if (e < 0)
		return e;
	e = stack_lookup(t, r->arena, r->account, r->region, arn, ret);
	store_end(t);
	return e;
}

/* Calls about the inner stack say which stack is around it: no call from outside can. */
static int inner_call(struct cfn_resource *r, const char *op, const struct json *p, struct json **ret, struct str *code)
{
	struct cfn_actor *x = r->engine;
	int e;

	x->facts.source_arn = r->stack_id;
	e = cfn_call(r, "cloudformation", op, p, ret, code);
	x->facts.source_arn = STR_NONE;
	return e;
}

static void outputs(struct cfn_resource *r, const struct cfn_rec_stack *s)
{
	r->ret_physical_id = s->arn;
	r->ret_attrs = json_new(r->arena, JSON_OBJECT);
	for (size_t i = 0; i < s->outputs.n; i++)
		json_set(r->arena, r->ret_attrs, str_printf(r->arena, "Outputs.%.*s", STR(s->outputs.v[i].key)),
			 json_new_str(r->arena, s->outputs.v[i].value));
}

static struct json *parameters(struct cfn_resource *r)
{
	const struct json *map = json_getz(r->props, "Parameters");
	struct json *out = json_new(r->arena, JSON_ARRAY);

	for (size_t i = 0; json_is(map, JSON_OBJECT) && i < map->n; i++) {
		struct json *p = json_new(r->arena, JSON_OBJECT);
		const struct json *v = &map->members[i].value;
		struct str text = json_scalar(v);

		if (json_is(v, JSON_ARRAY)) { /* a list parameter */
			struct str *items = arena_array(r->arena, struct str, v->n + 1);

			for (size_t k = 0; k < v->n; k++)
				items[k] = json_scalar(&v->items[k]);
			text = str_join(r->arena, items, v->n, S(","));
		}
		json_set_str(r->arena, p, "ParameterKey", map->members[i].key);
		json_set_str(r->arena, p, "ParameterValue", text.p ? text : S(""));
		json_push(r->arena, out, p);
	}
	return out;
}

/* Tags of the resource, and of the stack around it. */
static struct json *tags(struct cfn_resource *r)
{
	struct str_map map = { 0 };
	struct json *all = json_new(r->arena, JSON_OBJECT);
	const struct json *list = r->stack_tags;

	map.v = arena_array(r->arena, struct str_pair, (list ? list->n : 0) + 1);
	for (size_t i = 0; list && i < list->n; i++)
		map.v[map.n++] = (struct str_pair){ json_get_str(&list->items[i], "Key"), json_get_str(&list->items[i], "Value") };
	if (json_getz(r->props, "Tags"))
		json_set(r->arena, all, S("Tags"), json_getz(r->props, "Tags"));
	type_tag(r->arena, &type_stack, all, &map);
	return json_getz(all, "Tags");
}

struct json *nested_params(struct cfn_resource *r, const struct str_list *capabilities, struct str name)
{
	struct json *p = json_new(r->arena, JSON_OBJECT), *caps = json_new(r->arena, JSON_ARRAY), *t = tags(r);

	json_set_str(r->arena, p, "StackName", name);
	json_set_str(r->arena, p, "TemplateURL", json_get_str(r->props, "TemplateURL"));
	json_set(r->arena, p, S("Parameters"), parameters(r));
	for (size_t i = 0; capabilities && i < capabilities->n; i++)
		json_push(r->arena, caps, json_new_str(r->arena, capabilities->v[i]));
	json_set(r->arena, p, S("Capabilities"), caps);
	json_set(r->arena, p, S("Tags"), t ? t : json_new(r->arena, JSON_ARRAY));
	if (json_getz(r->props, "NotificationARNs"))
		json_set(r->arena, p, S("NotificationARNs"), json_getz(r->props, "NotificationARNs"));
	return p;
}

static struct json *inner_params(struct cfn_resource *r, struct str name)
{
	struct cfn_actor *x = r->engine;
	struct json *p = nested_params(r, x->capabilities, name);

	if (x->keep_failed)
		json_set_bool(r->arena, p, "DisableRollback", true);
	return p;
}

/* The name that a change set has given the inner stack already, or a new one. */
static struct str inner_name(struct cfn_resource *r)
{
	struct cfn_actor *x = r->engine;
	struct cfn_rec_stack outer, inner;
	struct cfn_rec_change_set plan;
	struct store_txn *t;
	int e = store_begin_read(x->region->store, &t);

	if (e < 0)
		return cfn_name(r, 128, false);
	e = stack_load(t, r->arena, r->account, x->stack, &outer);
	if (e == 0 && outer.change_set.p)
		e = plan_load(t, r->arena, r->account, outer.change_set, &inner, &plan);
	if (e == 0 && outer.change_set.p)
		e = plan_load(t, r->arena, r->account, str_map_get(&plan.children, r->logical_id), &inner, &plan);
	store_end(t);
	if (e == 0 && outer.change_set.p && str_is(inner.status, "REVIEW_IN_PROGRESS") && str_is(plan.execution, "EXECUTE_IN_PROGRESS"))
		return inner.name;
	return cfn_name(r, 128, false);
}

/* --- the resource --- */
static int stack_create(struct cfn_resource *r)
{
	struct json *out = NULL, *p = inner_params(r, inner_name(r));
	struct cfn_rec_stack s;
	struct str arn;
	int64_t minutes;
	int e;

	if (json_to_i64(json_getz(r->props, "TimeoutInMinutes"), &minutes) == 0)
		json_set_int(r->arena, p, "TimeoutInMinutes", minutes);
	e = inner_call(r, "CreateStack", p, &out, NULL);
	if (e < 0)
		return e;
	arn = json_get_str(out, "StackId");
	e = cfn_note_physical(r, arn);
	if (e == 0)
		e = inner_load(r, arn, &s);
	if (e < 0)
		return e;
	if (!status_is_final(s.status))
		return CFN_WAIT;
	if (!str_is(s.status, "CREATE_COMPLETE"))
		return cfn_fail(r, "Embedded stack %.*s was not successfully created: %.*s", STR(arn),
				STR(s.failed.p ? s.failed : s.status));
	outputs(r, &s);
	return 0;
}

/* The inner stack is stuck in an update: it goes back first. What is to be left out in it is named LOGICAL.NAME. */
static int inner_back(struct cfn_resource *r, struct cfn_rec_stack *s)
{
	struct cfn_actor *x = r->engine;
	struct json *p = json_new(r->arena, JSON_OBJECT), *skip = json_new(r->arena, JSON_ARRAY);
	struct str prefix = str_printf(r->arena, "%.*s.", STR(r->logical_id));
	bool paused = str_is(s->status, "UPDATE_FAILED");
	int e;

	json_set_str(r->arena, p, "StackName", r->physical_id);
	for (size_t i = 0; !paused && x->skip && i < x->skip->n; i++)
		if (str_starts(x->skip->v[i], prefix))
			json_push(r->arena, skip, json_new_str(r->arena, str_skip(x->skip->v[i], prefix.n)));
	if (skip->n)
		json_set(r->arena, p, S("ResourcesToSkip"), skip);
	e = inner_call(r, paused ? "RollbackStack" : "ContinueUpdateRollback", p, NULL, NULL);
	if (e == 0)
		e = inner_load(r, r->physical_id, s);
	if (e < 0)
		return e;
	if (!status_is_final(s->status))
		return CFN_WAIT;
	return str_is(s->status, "UPDATE_ROLLBACK_COMPLETE") ? 0
							     : cfn_fail(r, "Embedded stack %.*s was not successfully rolled back: %.*s",
									STR(s->arn), STR(s->reason.p ? s->reason : s->status));
}

static int stack_update(struct cfn_resource *r)
{
	struct json *p = inner_params(r, r->physical_id), *name = json_new(r->arena, JSON_OBJECT), *out = NULL;
	struct str code = STR_NONE;
	struct cfn_rec_stack s;
	int e = inner_load(r, r->physical_id, &s);

	if (e < 0)
		return e == -ENOENT ? cfn_fail(r, "Stack [%.*s] does not exist", STR(r->physical_id)) : e;
	if (str_is(s.status, "UPDATE_IN_PROGRESS") && r->undo) { /* an update that the outer stack has given up */
		json_set_str(r->arena, name, "StackName", r->physical_id);
		(void)inner_call(r, "CancelUpdateStack", name, NULL, NULL);
		return CFN_WAIT;
	}
	if (!status_is_final(s.status))
		return CFN_WAIT;
	if (r->undo && (str_is(s.status, "UPDATE_ROLLBACK_FAILED") || str_is(s.status, "UPDATE_FAILED"))) {
		e = inner_back(r, &s);
		if (e != 0)
			return e;
	}
	e = inner_call(r, "UpdateStack", p, &out, &code);
	if (e < 0 && str_find(r->error, S("No updates are to be performed.")) < 0)
		return e;
	r->error = STR_NONE;
	e = inner_load(r, r->physical_id, &s);
	if (e < 0)
		return e;
	if (!status_is_final(s.status))
		return CFN_WAIT;
	if (out && !str_is(s.status, "UPDATE_COMPLETE"))
		return cfn_fail(r, "Embedded stack %.*s was not successfully updated: %.*s", STR(s.arn),
				STR(s.failed.p ? s.failed : s.status));
	outputs(r, &s);
	return 0;
}

static int stack_delete(struct cfn_resource *r)
{
	struct json *p = json_new(r->arena, JSON_OBJECT);
	struct cfn_rec_stack s;
	int e = inner_load(r, r->physical_id, &s);

	if (e == -ENOENT || (e == 0 && s.deleted.has))
		return 0;
	json_set_str(r->arena, p, "StackName", r->physical_id);
	if (e == 0)
		e = inner_call(r, "DeleteStack", p, NULL, NULL);
	if (e == 0)
		e = inner_load(r, r->physical_id, &s);
	if (e < 0)
		return e == -ENOENT ? 0 : e;
	if (s.deleted.has)
		return 0;
	if (!status_is_final(s.status))
		return CFN_WAIT;
	return cfn_fail(r, "Embedded stack %.*s was not successfully deleted: %.*s", STR(s.arn), STR(s.reason.p ? s.reason : s.status));
}

static const struct cfn_property properties[] = {
	{ "NotificationARNs", CFN_UPDATE, false }, { "Parameters", CFN_UPDATE, false },       { "Tags", CFN_UPDATE, false },
	{ "TemplateURL", CFN_UPDATE, true },       { "TimeoutInMinutes", CFN_UPDATE, false }, { NULL, 0, false },
};
static const char *const attributes[] = { NULL };
const struct cfn_type type_stack = {
	.name = STACK_TYPE,
	.properties = properties,
	.attributes = attributes,
	.create = stack_create,
	.update = stack_update,
	.delete = stack_delete,
	.waits = true,
	.always = true,
};
