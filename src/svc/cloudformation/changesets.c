/* SPDX-License-Identifier: Apache-2.0 */
/* changesets.c - change sets: an operation described before it is run. They are complete when CreateChangeSet answers. */
#include "svc/cloudformation/changes.h"
#include "svc/cloudformation/validate.h"
#include <errno.h>

#define NO_CHANGES "The submitted information didn't contain changes. Submit different information to create a change set."

/* --- storage --- */
static void set_key(struct keybuf *k, const struct cfn_rec_stack *s, struct str name)
{
	stack_key2(k, s->account, "cfn.cs", s->id, name);
}

static int set_put(struct call *c, const struct cfn_rec_stack *s, const struct cfn_rec_change_set *cs)
{
	struct keybuf k;

	set_key(&k, s, cs->name);
	return record_put(c->txn, &cfn_records, CFN_REC_CHANGE_SET, &k, cs);
}

static int set_not_found(struct call *c, struct str name)
{
	return call_fail(c, &cloudformation_err_change_set_not_found, "ChangeSet [%.*s] does not exist", STR(name));
}

static int set_get(struct call *c, const struct cfn_rec_stack *s, struct str name, struct cfn_rec_change_set *ret)
{
	struct keybuf k;
	int r;

	set_key(&k, s, name);
	r = record_get(c->txn, &cfn_records, CFN_REC_CHANGE_SET, c->arena, &k, ret);
	if (r == 0 && !ret->next)
		ret->next = arena_new(c->arena, struct cfn_rec_settings);
	return r;
}

/* By ARN the change set alone says its stack. */
static int by_arn(struct call *c, struct str name, struct cfn_rec_stack *s, struct cfn_rec_change_set *ret)
{
	struct arn arn;

	if (arn_parse(name, &arn) < 0 || !str_is(arn.service, "cloudformation") || !str_eq(arn.region, call_region(c)) ||
	    !str_eq(arn.account, c->account))
		return -ENOENT;
	return plan_load(c->txn, c->arena, c->account, name, s, ret);
}

/* Where a stack is named as well, rights were asked for that one: it must be the change set's. */
static int of_stack(struct call *c, struct str stack, const struct cfn_rec_stack *s)
{
	struct cfn_rec_stack named;
	int r = stack.p ? stack_lookup(c->txn, c->arena, c->account, call_region(c), stack, &named) : 0;

	return r == 0 && stack.p && !str_eq(named.id, s->id) ? -ENOENT : r;
}

int change_set_find(struct call *c, struct str name, struct str stack, struct cfn_rec_stack *s, struct cfn_rec_change_set *ret)
{
	int r;

	if (str_starts(name, S("arn:"))) {
		r = by_arn(c, name, s, ret);
		if (r == 0)
			r = of_stack(c, stack, s);
	} else if (!stack.p)
		return cfn_invalid(c, "StackName must be specified if ChangeSetName is not specified as an ARN.");
	else {
		r = stack_lookup(c->txn, c->arena, c->account, call_region(c), stack, s);
		if (r == -ENOENT)
			return cfn_invalid(c, "Stack [%.*s] does not exist", STR(stack));
		if (r == 0)
			r = set_get(c, s, name, ret);
	}
	return r == -ENOENT ? set_not_found(c, name) : r;
}

/* --- CreateChangeSet --- */
static int create_options(struct call *c, const struct cloudformation_create_change_set_input *in)
{
	bool import = str_is(in->change_set_type, "IMPORT");

	if (import != (in->resources_to_import.n > 0))
		return cfn_invalid(c, import ? "ResourcesToImport must be specified for change sets of type IMPORT."
					     : "ResourcesToImport can be specified for change sets of type IMPORT only.");
	if (import && in->import_existing_resources.v)
		return cfn_invalid(c, "ImportExistingResources cannot be used with change sets of type IMPORT.");
	if (str_is(in->on_stack_failure, "DELETE") && !str_is(in->change_set_type, "CREATE"))
		return cfn_invalid(c, "OnStackFailure DELETE can be specified for change sets of type CREATE only.");
	if (in->deployment_mode.p)
		return cfn_invalid(c, "DeploymentMode %.*s is not implemented by this cloud.", STR(in->deployment_mode));
	if (in->deployment_config && str_is(in->deployment_config->mode, "EXPRESS"))
		return cfn_invalid(c, "DeploymentConfig mode EXPRESS is not implemented by this cloud.");
	return 0;
}

/* The stack that the change set is for; a new one is only planned until it is executed. */
static int target(struct call *c, const struct cloudformation_create_change_set_input *in, struct cfn_rec_stack *s, bool *ret_new,
		  bool *ret_create)
{
	int r = stack_lookup(c->txn, c->arena, c->account, call_region(c), in->stack_name, s);

	*ret_create = str_is(in->change_set_type, "CREATE") ||
		      (str_is(in->change_set_type, "IMPORT") && (r == -ENOENT || (r == 0 && str_is(s->status, "REVIEW_IN_PROGRESS"))));
	*ret_new = false;
	if (r == 0 && *ret_create && !str_is(s->status, "REVIEW_IN_PROGRESS"))
		return cfn_invalid(c, "Stack [%.*s] already exists and cannot be created again with the changeSet [%.*s].",
				   STR(in->stack_name), STR(in->change_set_name));
	if (r == 0 && !*ret_create && !cfn_updatable(s))
		return cfn_invalid(c, "Stack:%.*s is in %.*s state and can not be updated.", STR(s->arn), STR(s->status));
	if (r != -ENOENT)
		return r;
	if (!*ret_create)
		return cfn_invalid(c, "Stack [%.*s] does not exist", STR(in->stack_name));
	r = cfn_name_check(c, in->stack_name);
	if (r == 0)
		r = cfn_new_stack(c, in->stack_name, s);
	*ret_new = true;
	return r;
}

/* Fills the change set with its changes, or with why there are none. */
static int describe_changes(struct call *c, const struct cloudformation_create_change_set_input *in, struct cfn_rec_stack *s, bool create,
			    struct input *ask, struct cfn_rec_change_set *cs)
{
	struct json *changes = NULL;
	struct input old;
	bool any = true;
	size_t n = 0;
	int r = create ? 0 : cfn_has_changes(c, s, ask, &old, &any);

	if (r == 0)
		r = changes_describe(c, ask, create ? NULL : &old, !cs->nested.v, &changes);
	if (r == 0 && cs->nested.v && !str_is(cs->type, "IMPORT"))
		r = change_set_nested(c, s, ask, cs, 0, &n, changes);
	if (r < 0)
		return r;
	any |= changes->n > 0;
	if (cs->status.p) /* one of those in it has failed */
		any = true;
	else
		cs->status = any ? S("CREATE_COMPLETE") : S("FAILED");
	if (!cs->execution.p)
		cs->execution = any ? S("AVAILABLE") : S("UNAVAILABLE");
	if (!any)
		cs->reason = S(NO_CHANGES);
	if (any && in->resources_to_import.n)
		r = validate_import(c, ask, cs, &in->resources_to_import, changes);
	else if (any && !in->disable_validation.v)
		r = validate_changes(c, ask, cs, changes);
	if (r < 0)
		return r;
	cs->changes = state_seal_json(c->cloud, c->arena, changes);
	return 0;
}

int change_set_store(struct call *c, struct cfn_rec_stack *s, bool new, const struct cfn_rec_change_set *cs, struct str text)
{
	struct keybuf k;
	int r = new ? stack_add(c->txn, s) : 0;

	if (r == 0 && new)
		r = stack_status(c->txn, c->arena, s, "REVIEW_IN_PROGRESS", S("User Initiated"), STR_NONE, c->now_ms);
	if (r == 0)
		r = stack_put_template(c->txn, s, cs->next->template, text);
	if (r == 0)
		r = set_put(c, s, cs);
	stack_key(&k, c->account, "cfn.csid", cs->id);
	if (r == 0)
		r = store_put(c->txn, key_view(&k), s->id);
	return r;
}

CFN_HANDLER(create_change_set, output)
{
	struct ask q = { ASK_OF(in), .use_previous = in->use_previous_template.v };
	struct cfn_rec_change_set cs = {
		.id = random_uuid(c->arena), .name = in->change_set_name, .created = OPT_TIME(c->now_ms), .description = in->description, .token = in->client_token,
		.on_failure = in->on_stack_failure, .import_existing = in->import_existing_resources, .nested = OPT_BOOL(in->include_nested_stacks.v),
	}, same;
	struct cfn_rec_stack s;
	struct input ask;
	bool new = false, create = false;
	int r = create_options(c, in);

	if (r == 0)
		r = target(c, in, &s, &new, &create);
	if (r < 0)
		return r;
	if (!new &&set_get(c, &s, in->change_set_name, &same) == 0) {
		if (!in->client_token.p || !str_eq(same.token, in->client_token))
			return call_fail(c, &cloudformation_err_already_exists, "ChangeSet %.*s already exists", STR(in->change_set_name));
		out->id = same.arn;
		out->stack_id = s.arn;
		return 0;
	}
	r = cfn_role(c, in->role_arn);
	if (r == 0)
		r = input_prepare(c, &q, create ? NULL : &s, s.name, s.arn, &ask);
	if (r < 0)
		return r;
	cs.arn = call_arn(c, "cloudformation", "changeSet/%.*s/%.*s", STR(cs.name), STR(cs.id));
	cs.stack = s.id;
	cs.type = str_is(in->change_set_type, "IMPORT") ? S("IMPORT") : create ? S("CREATE") : S("UPDATE");
	cs.next = &ask.set;
	r = describe_changes(c, in, &s, create, &ask, &cs);
	ask.set.template = cs.id;
	if (r == 0)
		r = change_set_store(c, &s, new, &cs, ask.text);
	out->id = cs.arn;
	out->stack_id = s.arn;
	return r;
}

/* --- looking --- */
static int changes_out(struct call *c, const struct cfn_rec_change_set *cs, bool values, struct str token,
		       struct cloudformation_describe_change_set_output *out)
{
	struct json *all, *page = json_new(c->arena, JSON_ARRAY), *whole = json_new(c->arena, JSON_OBJECT);
	struct wire_fault fault;
	struct str after;
	int64_t first = 0;
	int r = cfn_page(c, token, &after);

	if (r == 0)
		r = state_open_json(c->cloud, c->arena, cs->changes, &all);
	if (r < 0 || !all)
		return r;
	if (after.p && (str_to_i64(after, &first) < 0 || first < 0))
		return cfn_invalid(c, "Invalid NextToken: %.*s", STR(token));
	for (size_t i = (size_t)first; i < all->n && page->n < PAGE_CHANGES; i++) {
		struct json *rc = json_getz(&all->items[i], "ResourceChange"), *details = json_getz(rc, "Details");

		for (size_t d = 0; !values && details && d < details->n; d++) {
			struct json *t = json_getz(&details->items[d], "Target");

			json_remove(t, S("BeforeValue"));
			json_remove(t, S("AfterValue"));
			json_remove(t, S("Path"));
			json_remove(t, S("AttributeChangeType"));
		}
		if (!values && rc) {
			json_remove(rc, S("BeforeContext"));
			json_remove(rc, S("AfterContext"));
		}
		json_push(c->arena, page, &all->items[i]);
	}
	if ((size_t)first + page->n < all->n)
		out->next_token = page_token(c, str_printf(c->arena, "%zu", (size_t)first + page->n));
	json_set(c->arena, whole, S("Changes"), page);
	return wire_from_json(&cloudformation_model, c->op->out, whole, c->arena, out, &fault);
}

CFN_HANDLER(describe_change_set, output)
{
	struct cfn_rec_change_set cs;
	struct cfn_rec_stack s;
	struct str next = in->next_token;
	int r = change_set_find(c, in->change_set_name, in->stack_name, &s, &cs);

	if (r == 0)
		r = changes_out(c, &cs, in->include_property_values.v, next, out);
	if (r < 0)
		return r;
	out->change_set_name = cs.name;
	out->change_set_id = cs.arn;
	out->stack_id = s.arn;
	out->stack_name = s.name;
	out->description = cs.description;
	if (cs.next->parameters.n)
		cfn_parameters_out(c, &cs.next->parameters, &out->parameters);
	out->creation_time = cs.created;
	out->execution_status = cs.execution;
	out->status = cs.status;
	out->status_reason = cs.reason;
	out->notification_ar_ns = cs.next->notifications;
	out->rollback_configuration = cfn_rollback_out(c, cs.next->rollback);
	out->capabilities = cs.next->capabilities;
	cfn_tags_out(c, &cs.next->tags, &out->tags);
	out->include_nested_stacks = OPT_BOOL(cs.nested.v);
	out->parent_change_set_id = cs.parent;
	out->root_change_set_id = cs.root;
	out->on_stack_failure = cs.on_failure;
	out->import_existing_resources = cs.import_existing;
	if (cs.next->mode.p) {
		out->deployment_config = arena_new(c->arena, struct cloudformation_deployment_config);
		out->deployment_config->mode = cs.next->mode;
	}
	return 0;
}

CFN_HANDLER(list_change_sets, output)
{
	struct store_range range = { 0 };
	struct cfn_rec_change_set cs;
	struct str key, value, after;
	struct cfn_rec_stack s;
	struct keybuf k;
	int r = cfn_stack(c, in->stack_name, &s);

	if (r == 0)
		r = cfn_page(c, in->next_token, &after);
	if (r < 0)
		return r;
	out->summaries.v = arena_array(c->arena, struct cloudformation_change_set_summary, PAGE_CHANGES);
	stack_key(&k, c->account, "cfn.cs", s.id);
	r = store_range_open(&range, c->txn, key_view(&k), after, false);
	while (r >= 0 && (r = store_range_next(&range, &key, &value)) > 0) {
		if (out->summaries.n == PAGE_CHANGES) {
			out->next_token = page_token(c, after);
			break;
		}
		r = record_decode(&cfn_records, CFN_REC_CHANGE_SET, c->arena, value, &cs);
		if (r < 0)
			break;
		out->summaries.v[out->summaries.n++] = (struct cloudformation_change_set_summary){
			.stack_id = s.arn,
			.stack_name = s.name,
			.change_set_id = cs.arn,
			.change_set_name = cs.name,
			.execution_status = cs.execution,
			.status = cs.status,
			.status_reason = cs.reason,
			.creation_time = cs.created,
			.description = cs.description,
			.include_nested_stacks = OPT_BOOL(cs.nested.v),
			.parent_change_set_id = cs.parent,
			.root_change_set_id = cs.root,
			.import_existing_resources = OPT_BOOL(cs.import_existing.v),
		};
		after = str_dup(c->arena, key);
	}
	store_range_close(&range);
	return r < 0 ? r : 0;
}

/* --- running and deleting --- */
CFN_HANDLER(execute_change_set, output)
{
	struct start go = { .reason = S("User Initiated"),
			    .token = in->client_request_token,
			    .retain_except = in->retain_except_on_create.v };
	struct cfn_rec_change_set cs;
	struct cfn_rec_stack s;
	struct str seen;
	bool create;
	int r = change_set_find(c, in->change_set_name, in->stack_name, &s, &cs);

	if (r == 0)
		r = cfn_token(c, "ExecuteChangeSet", s.id, in->client_request_token, &seen);
	if (r != 0)
		return r < 0 ? r : 0;
	if (cs.parent.p)
		return cfn_invalid(c, "Nested ChangeSet [%.*s] cannot be executed by itself: execute its root ChangeSet [%.*s]",
				   STR(cs.arn), STR(cs.root));
	if (!str_is(cs.execution, "AVAILABLE"))
		return call_fail(c, &cloudformation_err_invalid_change_set_status,
				 "ChangeSet [%.*s] cannot be executed in its current %sstatus of [%.*s]", STR(cs.arn),
				 str_is(cs.execution, "UNAVAILABLE") ? "" : "execution ",
				 STR(str_is(cs.execution, "UNAVAILABLE") ? cs.status : cs.execution));
	create = str_is(cs.type, "CREATE") || (str_is(cs.type, "IMPORT") && str_is(s.status, "REVIEW_IN_PROGRESS"));
	if (create ? !str_is(s.status, "REVIEW_IN_PROGRESS") : !cfn_updatable(&s))
		return cfn_invalid(c, "Stack:%.*s is in %.*s state and can not be updated.", STR(s.arn), STR(s.status));
	if (in->disable_rollback.v && cs.on_failure.p)
		return cfn_invalid(c, "Either DisableRollback or OnStackFailure can be specified, not both.");
	r = create ? 0 : cfn_paused(c, &s, in->disable_rollback.v || str_is(cs.on_failure, "DO_NOTHING"));
	if (r < 0)
		return r;
	cs.execution = S("EXECUTE_IN_PROGRESS");
	s.change_set = cs.arn;
	go.on_failure = in->disable_rollback.v ? S("DO_NOTHING") : cs.on_failure.p ? cs.on_failure : S("ROLLBACK");
	s.disable_rollback = OPT_BOOL(str_is(go.on_failure, "DO_NOTHING"));
	go.role = cs.next->role;
	go.imports = &cs.imports;
	go.import = str_is(cs.type, "IMPORT");
	go.change_set = cs.name;
	if (create) {
		s.now = cs.next;
		s.on_failure = go.on_failure;
		go.kind = "CREATE";
		go.status = "CREATE_IN_PROGRESS";
		go.op_type = "CREATE_STACK";
	} else {
		go.next = cs.next;
		go.kind = "UPDATE";
		go.status = "UPDATE_IN_PROGRESS";
		go.op_type = "UPDATE_STACK";
	}
	if (go.import)
		go.status = "IMPORT_IN_PROGRESS";
	s.updated = OPT_TIME(c->now_ms);
	go.phase = "make";
	r = set_put(c, &s, &cs);
	if (r == 0)
		r = plans_mark(c->txn, c->arena, c->account, &cs.children, "AVAILABLE", "EXECUTE_IN_PROGRESS", c->now_ms);
	if (r == 0)
		r = change_sets_drop(c->txn, c->arena, &s, cs.name); /* the others described another state */
	if (r == 0)
		r = cfn_token_put(c, "ExecuteChangeSet", s.id, in->client_request_token, s.arn);
	return r < 0 ? r : cfn_start(c, &s, &go);
}

CFN_HANDLER(delete_change_set, output)
{
	struct cfn_rec_change_set cs;
	struct cfn_rec_stack s;
	struct keybuf k;
	int r;

	if (!str_starts(in->change_set_name, S("arn:")) && in->stack_name.p) {
		r = cfn_stack(c, in->stack_name, &s);
		if (r == 0)
			r = set_get(c, &s, in->change_set_name, &cs);
	} else if (str_starts(in->change_set_name, S("arn:"))) {
		r = by_arn(c, in->change_set_name, &s, &cs);
		if (r == 0)
			r = of_stack(c, in->stack_name, &s);
	} else
		return cfn_invalid(c, "StackName must be specified if ChangeSetName is not specified as an ARN.");
	if (r == -ENOENT)
		return 0; /* gone already */
	if (r < 0)
		return r;
	if (str_is(cs.execution, "EXECUTE_IN_PROGRESS"))
		return call_fail(c, &cloudformation_err_invalid_change_set_status,
				 "ChangeSet [%.*s] cannot be deleted in its current status of [%.*s]", STR(cs.arn), STR(cs.execution));
	if (cs.parent.p)
		return cfn_invalid(c, "Nested ChangeSet [%.*s] cannot be deleted by itself: delete its root ChangeSet [%.*s]", STR(cs.arn),
				   STR(cs.root));
	r = plans_drop(c->txn, c->arena, c->account, &cs.children, c->now_ms);
	if (r < 0)
		return r;
	set_key(&k, &s, cs.name);
	r = store_del(c->txn, key_view(&k));
	stack_key(&k, c->account, "cfn.csid", cs.id);
	if (r == 0)
		r = store_del(c->txn, key_view(&k));
	if (r < 0 || str_eq(cs.id, s.now->template))
		return r;
	stack_key2(&k, c->account, "cfn.tpl", s.id, cs.id);
	r = store_del(c->txn, key_view(&k));
	return r == -ENOENT ? 0 : r;
}
