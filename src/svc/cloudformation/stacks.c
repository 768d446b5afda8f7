/* SPDX-License-Identifier: Apache-2.0 */
/* stacks.c - operations that change a stack: each checks what it is asked, and starts (start.c) what the engine is to do. */
#include "svc/cloudformation/cfn_int.h"
#include <errno.h>

/* --- CreateStack --- */
static int create_options(struct call *c, const struct cloudformation_create_stack_input *in)
{
	if (in->disable_rollback.has && in->on_failure.p)
		return cfn_invalid(c, "Either DisableRollback or OnFailure can be specified, not both.");
	if (in->stack_policy_body.p && in->stack_policy_url.p)
		return cfn_invalid(c, "You cannot specify both StackPolicyBody and StackPolicyURL");
	if (in->deployment_config && str_is(in->deployment_config->mode, "EXPRESS"))
		return cfn_invalid(c, "DeploymentConfig mode EXPRESS is not implemented by this cloud.");
	return cfn_name_check(c, in->stack_name);
}

/* Asked by the engine for the stack around this one: no call from outside can say so. */
static bool by_engine(const struct call *c)
{
	return c->facts.source_arn.p && str_is(c->facts.invoked_by, VIA);
}

/* Who protects a stack protects what is nested in it. */
static int unprotected(struct call *c, const struct cfn_rec_stack *s)
{
	struct cfn_rec_stack root = { 0 };
	int r = 0;

	if (!by_engine(c) && s->root.p)
		r = stack_lookup(c->txn, c->arena, c->account, call_region(c), s->root, &root);
	if (r < 0 && r != -ENOENT)
		return r;
	if (s->protected.v || root.protected.v)
		return cfn_invalid(c, "Stack [%.*s] cannot be deleted while TerminationProtection is enabled",
				   STR(s->protected.v ? s->name : root.name));
	return 0;
}

/* A stack that the engine makes for another stack is nested in that one. */
static int nest(struct call *c, struct cfn_rec_stack *s)
{
	struct cfn_rec_stack outer;
	struct str up = c->facts.source_arn;

	if (!by_engine(c))
		return 0;
	s->parent = up;
	for (int depth = 0; up.p; depth++) {
		int r = stack_lookup(c->txn, c->arena, c->account, call_region(c), up, &outer);

		if (r < 0)
			return r;
		if (depth == NESTED_DEPTH_MAX)
			return call_fail(c, &cloudformation_err_limit_exceeded, "Stacks can be nested %d deep at most", NESTED_DEPTH_MAX);
		s->root = outer.arn;
		up = outer.parent;
	}
	return 0;
}

/* What the change set of the stack around it has planned for a stack: its text counts, not what lies behind the URL by now. */
static int planned(struct call *c, struct cfn_rec_stack *s, struct ask *q, struct start *go)
{
	struct cfn_rec_change_set *plan = arena_new(c->arena, struct cfn_rec_change_set);
	int r = by_engine(c) ? plan_of(c->txn, c->arena, s, plan) : -ENOENT;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	s->change_set = plan->arn;
	go->change_set = plan->name;
	go->imports = &plan->imports;
	return stack_template(c->txn, c->arena, s, plan->next->template, &q->text);
}

/* The stack to be created: a new one, or one that was only planned. */
static int create_target(struct call *c, struct str name, struct cfn_rec_stack *s, bool *ret_new, struct ask *q, struct start *go)
{
	int r = stack_lookup(c->txn, c->arena, c->account, call_region(c), name, s);

	*ret_new = r == -ENOENT;
	if (r == 0 && by_engine(c) && str_is(s->status, "REVIEW_IN_PROGRESS") && str_eq(s->parent, c->facts.source_arn))
		return planned(c, s, q, go);
	if (r == 0)
		return call_fail(c, &cloudformation_err_already_exists, "Stack [%.*s] already exists", STR(name));
	if (r == -ENOENT)
		r = cfn_new_stack(c, name, s);
	return r < 0 ? r : nest(c, s);
}

CFN_HANDLER(create_stack, output)
{
	struct ask q = { ASK_OF(in) };
	struct start go = { .kind = "CREATE",
			    .phase = "make",
			    .status = "CREATE_IN_PROGRESS",
			    .op_type = "CREATE_STACK",
			    .reason = S("User Initiated"),
			    .token = in->client_request_token,
			    .role = in->role_arn,
			    .retain_except = in->retain_except_on_create.v,
			    .timeout_minutes = in->timeout_in_minutes.v };
	struct cfn_rec_stack s;
	struct input ask;
	bool new;
	int r = create_options(c, in);

	if (r == 0)
		r = cfn_token(c, "CreateStack", in->stack_name, in->client_request_token, &out->stack_id);
	if (r != 0)
		return r < 0 ? r : 0;
	r = create_target(c, in->stack_name, &s, &new, &q, &go);
	if (r == 0)
		r = cfn_role(c, in->role_arn);
	if (r == 0)
		r = cfn_policy_given(c, in->stack_policy_body, in->stack_policy_url, &q.policy);
	if (r == 0)
		r = input_prepare(c, &q, NULL, s.name, s.arn, &ask);
	if (r < 0)
		return r;
	ask.set.template = random_uuid(c->arena);
	s.now = &ask.set;
	s.disable_rollback = OPT_BOOL(in->disable_rollback.v || str_is(in->on_failure, "DO_NOTHING"));
	s.on_failure = s.disable_rollback.v ? S("DO_NOTHING") : in->on_failure.p ? in->on_failure : S("ROLLBACK");
	s.timeout = in->timeout_in_minutes;
	s.protected = OPT_BOOL(in->enable_termination_protection.v);
	s.retain_except = in->retain_except_on_create;
	go.on_failure = s.on_failure;
	r = stack_put_template(c->txn, &s, ask.set.template, ask.text);
	if (r == 0 && new)
		r = stack_add(c->txn, &s);
	if (r == 0)
		r = cfn_token_put(c, "CreateStack", s.name, in->client_request_token, s.arn);
	out->stack_id = s.arn;
	return r < 0 ? r : cfn_start(c, &s, &go);
}

/* --- UpdateStack --- */
bool cfn_updatable(const struct cfn_rec_stack *s)
{
	static const char *const ok[] = { "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED",
					  "UPDATE_FAILED",   "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE" };

	for (size_t i = 0; i < ELEMENTS(ok); i++)
		if (str_is(s->status, ok[i]))
			return true;
	return false;
}

/* A stack that an operation has left as it was when it failed goes on in the same way, or back. */
int cfn_paused(struct call *c, const struct cfn_rec_stack *s, bool disable_rollback)
{
	if (disable_rollback || (!str_is(s->status, "CREATE_FAILED") && !str_is(s->status, "UPDATE_FAILED")))
		return 0;
	return cfn_invalid(c,
			   "This stack is currently in a non-terminal [%.*s] state. To update the stack from this state, please use the "
			   "disable-rollback parameter with update-stack API. To rollback to the last known good state, use the "
			   "rollback-stack API",
			   STR(s->status));
}

static bool same_outputs(struct input *in, const struct cfn_rec_stack *s)
{
	size_t n = 0;

	for (size_t i = 0; i < in->tpl->n_outputs; i++) {
		const struct template_output *o = &in->tpl->outputs[i];
		const struct cfn_rec_output *old;
		struct str value, name;

		if (!template_output_active(&in->ctx, i))
			continue;
		name = STR_NONE;
		if (n >= s->outputs.n || template_eval_output(&in->ctx, i, &value, &name) < 0)
			return false;
		old = &s->outputs.v[n++];
		if (!str_eq(old->key, o->name) || !str_eq(old->value, value) || !str_eq(old->description, o->description) ||
		    !str_eq(old->export, name) || !old->export.p != !name.p)
			return false;
	}
	return n == s->outputs.n;
}

static bool same_tags(const struct str_map *a, const struct str_map *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!str_map_get(b, a->v[i].key).p || !str_eq(str_map_get(b, a->v[i].key), a->v[i].value))
			return false;
	return true;
}

int cfn_has_changes(struct call *c, const struct cfn_rec_stack *s, struct input *in, struct input *old, bool *ret)
{
	struct template_change *v;
	size_t n;
	int r = input_previous(c, s, old);

	*ret = true;
	if (r < 0 || str_ends(s->status, S("_FAILED")))
		return r;
	r = template_changes(&old->ctx, &in->ctx, &v, &n);
	if (r == -EINVAL)
		return cfn_invalid(c, "%.*s", STR(in->ctx.err));
	*ret = n || !same_tags(&s->now->tags, &in->set.tags) || !same_outputs(in, s);
	return r;
}

/* Stacks in the stack may have changed, or those in them, though nothing of it shows here. */
static bool has_stacks(const struct input *in)
{
	for (size_t i = 0; i < in->tpl->n_resources; i++)
		if (str_is(in->tpl->resources[i].type, STACK_TYPE) && template_active(&in->ctx, i))
			return true;
	return false;
}

CFN_HANDLER(update_stack, output)
{
	struct ask q = { ASK_OF(in), .use_previous = in->use_previous_template.v };
	struct start go = { .kind = "UPDATE",
			    .phase = "make",
			    .status = "UPDATE_IN_PROGRESS",
			    .op_type = "UPDATE_STACK",
			    .reason = S("User Initiated"),
			    .token = in->client_request_token,
			    .retain_except = in->retain_except_on_create.v };
	struct cfn_rec_stack s;
	struct input ask, old;
	bool changes;
	int r = cfn_begin(c, "UpdateStack", in->stack_name, in->client_request_token, &s, &out->stack_id);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!cfn_updatable(&s))
		return cfn_invalid(c, "Stack:%.*s is in %.*s state and can not be updated.", STR(s.arn), STR(s.status));
	if (in->deployment_config && str_is(in->deployment_config->mode, "EXPRESS"))
		return cfn_invalid(c, "DeploymentConfig mode EXPRESS is not implemented by this cloud.");
	r = cfn_paused(c, &s, in->disable_rollback.v);
	if (r == 0)
		r = planned(c, &s, &q, &go);
	if (r == 0)
		r = cfn_role(c, in->role_arn);
	if (r == 0)
		r = cfn_policy_given(c, in->stack_policy_body, in->stack_policy_url, &q.policy);
	if (r == 0)
		r = input_prepare(c, &q, &s, s.name, s.arn, &ask);
	if (r == 0)
		r = cfn_policy_given(c, in->stack_policy_during_update_body, in->stack_policy_during_update_url, &ask.set.temporary_policy);
	if (r == 0)
		r = cfn_has_changes(c, &s, &ask, &old, &changes);
	if (r < 0)
		return r;
	if (!changes && !has_stacks(&ask))
		return cfn_invalid(c, "No updates are to be performed.");
	ask.set.template = random_uuid(c->arena);
	s.updated = OPT_TIME(c->now_ms);
	s.disable_rollback = OPT_BOOL(in->disable_rollback.v);
	go.on_failure = in->disable_rollback.v ? S("DO_NOTHING") : S("ROLLBACK");
	go.next = &ask.set;
	go.role = ask.set.role;
	r = stack_put_template(c->txn, &s, ask.set.template, ask.text);
	if (r == 0)
		r = cfn_token_put(c, "UpdateStack", s.id, in->client_request_token, s.arn);
	out->stack_id = s.arn;
	return r < 0 ? r : cfn_start(c, &s, &go);
}

/* --- DeleteStack --- */
static int exports_free(struct call *c, const struct cfn_rec_stack *s)
{
	struct str_list users;
	int r = 0;

	for (size_t i = 0; i < s->outputs.n && r == 0; i++) {
		if (!s->outputs.v[i].export.p)
			continue;
		r = export_users(c->txn, c->arena, c->account, s->outputs.v[i].export, &users);
		if (r == 0 && users.n)
			return cfn_invalid(c, "Delete canceled. Cannot delete export %.*s as it is in use by %.*s.",
					   STR(s->outputs.v[i].export), STR(str_join(c->arena, users.v, users.n, S(" and "))));
	}
	return r;
}

struct cancel {
	struct str op;
};

static void cancel_now(struct cloud *cl, struct region *r, void *arg)
{
	struct cancel *x = arg;

	engine_wake(x->op, S("User Initiated"));
}

/* A creation that is under way turns into a deletion, made as whoever asked for it. */
static int delete_begun(struct call *c, struct cfn_rec_stack *s, const struct start *go)
{
	struct cancel *x = arena_new(c->arena, struct cancel);
	struct cfn_rec_op op;
	struct keybuf k;
	int r;

	op_key(&k, s->id, s->op);
	r = record_get(c->txn, &cfn_records, CFN_REC_OP, c->arena, &k, &op);
	if (r == 0)
		r = cfn_actor_text(c, go->role, &op.principal);
	if (r < 0)
		return r;
	op.on_failure = S("DELETE");
	op.token = go->token;
	if (str_is(op.phase, "make"))
		op.cancel = S("User Initiated");
	else
		op.kind = S("DELETE");
	s->op_type = str_c(go->op_type);
	x->op = s->op;
	call_on_commit(c, cancel_now, x);
	r = record_put(c->txn, &cfn_records, CFN_REC_OP, &k, &op);
	return r < 0 ? r : stack_status(c->txn, c->arena, s, go->status, go->reason, go->token, c->now_ms);
}

CFN_HANDLER(delete_stack, response)
{
	struct start go = { .kind = "DELETE",
			    .phase = "unmake",
			    .status = "DELETE_IN_PROGRESS",
			    .op_type = "DELETE_STACK",
			    .reason = S("User Initiated"),
			    .token = in->client_request_token,
			    .retain = in->retain_resources,
			    .force = str_is(in->deletion_mode, "FORCE_DELETE_STACK") };
	struct cfn_rec_stack s;
	bool begun;
	int r = stack_lookup(c->txn, c->arena, c->account, call_region(c), in->stack_name, &s);

	if (r < 0)
		return r == -ENOENT ? 0 : r; /* nothing to do */
	if (s.deleted.has || str_is(s.status, "DELETE_IN_PROGRESS"))
		return 0;
	r = unprotected(c, &s);
	if (r < 0)
		return r;
	if (in->retain_resources.n && !str_is(s.status, "DELETE_FAILED"))
		return cfn_invalid(c,
				   "Invalid operation on stack [%.*s]. When you delete a stack, specify which resources to retain only "
				   "when the stack is in the DELETE_FAILED state.",
				   STR(s.arn));
	if (str_is(in->deletion_mode, "FORCE_DELETE_STACK") && !str_is(s.status, "DELETE_FAILED"))
		return cfn_invalid(
			c,
			"Invalid operation on stack [%.*s]. You can only force delete a stack when the stack is in the DELETE_FAILED "
			"state.",
			STR(s.arn));
	begun = str_is(s.status, "CREATE_IN_PROGRESS") || str_is(s.status, "ROLLBACK_IN_PROGRESS");
	if (!begun && !status_is_final(s.status) && !str_is(s.status, "REVIEW_IN_PROGRESS"))
		return cfn_invalid(c, "Stack [%.*s] cannot be deleted while in status %.*s", STR(s.arn), STR(s.status));
	r = cfn_role(c, in->role_arn);
	if (r == 0)
		r = exports_free(c, &s);
	if (r < 0)
		return r;
	go.role = in->role_arn.p ? in->role_arn : s.now->role;
	if (in->role_arn.p)
		s.now->role = in->role_arn;
	return begun ? delete_begun(c, &s, &go) : cfn_start(c, &s, &go);
}

/* --- smaller ones --- */
CFN_HANDLER(update_termination_protection, output)
{
	struct cfn_rec_stack s;
	int r = cfn_stack(c, in->stack_name, &s);

	if (r < 0)
		return r;
	if (s.deleted.has || str_is(s.status, "DELETE_IN_PROGRESS"))
		return cfn_invalid(c, "Stack [%.*s] is in %.*s state and its termination protection can not be changed.", STR(s.name),
				   STR(s.status));
	s.protected = OPT_BOOL(in->enable_termination_protection.v);
	out->stack_id = s.arn;
	return stack_save(c->txn, &s);
}

CFN_HANDLER(cancel_update_stack, response)
{
	struct cancel *x = arena_new(c->arena, struct cancel);
	struct cfn_rec_stack s;
	struct cfn_rec_op op;
	struct keybuf k;
	int r = cfn_stack(c, in->stack_name, &s);

	if (r < 0)
		return r;
	if (!str_is(s.status, "UPDATE_IN_PROGRESS"))
		return cfn_invalid(c, "CancelUpdateStack cannot be called from current stack status");
	op_key(&k, s.id, s.op);
	r = record_get(c->txn, &cfn_records, CFN_REC_OP, c->arena, &k, &op);
	if (r < 0)
		return r;
	op.cancel = S("User Initiated");
	x->op = s.op;
	call_on_commit(c, cancel_now, x);
	return record_put(c->txn, &cfn_records, CFN_REC_OP, &k, &op);
}

/* An operation that goes on from where another has ended acts as that one did, unless it is told a role. */
static int go_on(struct call *c, const char *op, struct str role, struct cfn_rec_stack *s, struct start *go)
{
	int r = cfn_role(c, role);

	if (r == 0)
		r = cfn_token_put(c, op, s->id, go->token, s->arn);
	go->role = role.p ? role : s->now->role;
	return r < 0 ? r : cfn_start(c, s, go);
}

/* Only what could not be put back can be left out. */
static int skippable(struct call *c, const struct cfn_rec_stack *s, const struct str_list *skip)
{
	struct resource_rows rows;
	int r = resources_load(c->txn, c->arena, c->account, "cfn.res", s->id, &rows);

	for (size_t i = 0; r == 0 && i < skip->n; i++) {
		const struct cfn_rec_resource *row = NULL;
		struct str name = skip->v[i], inside;

		(void)str_cut(skip->v[i], '.', &name, &inside); /* NESTED.NAME: the nested stack looks at it */
		for (size_t k = 0; k < rows.n; k++)
			if (str_eq(rows.v[k].logical, name))
				row = &rows.v[k];
		if (!row)
			return cfn_invalid(c, "Resource [%.*s] does not exist in stack [%.*s]", STR(skip->v[i]), STR(s->arn));
		if (!str_is(row->status, "UPDATE_FAILED"))
			return cfn_invalid(c, "Resource [%.*s] is in %.*s state and cannot be skipped: it must be in UPDATE_FAILED state",
					   STR(skip->v[i]), STR(row->status));
	}
	return r;
}

CFN_HANDLER(continue_update_rollback, output)
{
	struct start go = { .kind = "UPDATE",
			    .phase = "restore",
			    .status = "UPDATE_ROLLBACK_IN_PROGRESS",
			    .op_type = "CONTINUE_ROLLBACK",
			    .reason = S("User Initiated"),
			    .token = in->client_request_token,
			    .skip = in->resources_to_skip,
			    .on_failure = S("ROLLBACK") };
	struct cfn_rec_stack s;
	struct str seen;
	int r = cfn_begin(c, "ContinueUpdateRollback", in->stack_name, in->client_request_token, &s, &seen);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!str_is(s.status, "UPDATE_ROLLBACK_FAILED"))
		return cfn_invalid(c, "Stack:%.*s is in %.*s state and can not continue the rollback of an update.", STR(s.arn),
				   STR(s.status));
	r = skippable(c, &s, &in->resources_to_skip);
	return r < 0 ? r : go_on(c, "ContinueUpdateRollback", in->role_arn, &s, &go);
}

CFN_HANDLER(rollback_stack, output)
{
	struct start go = { .op_type = "ROLLBACK",
			    .reason = S("User Initiated"),
			    .token = in->client_request_token,
			    .retain_except = in->retain_except_on_create.v,
			    .on_failure = S("ROLLBACK") };
	struct cfn_rec_stack s;
	int r = cfn_begin(c, "RollbackStack", in->stack_name, in->client_request_token, &s, &out->stack_id);

	if (r != 0)
		return r < 0 ? r : 0;
	if (str_is(s.status, "CREATE_FAILED") || (str_is(s.status, "UPDATE_FAILED") && s.unsettled.v)) {
		go.kind = "CREATE";
		go.phase = "unmake";
		go.status = "ROLLBACK_IN_PROGRESS";
	} else if (str_is(s.status, "UPDATE_FAILED")) {
		go.kind = "UPDATE";
		go.phase = "restore";
		go.status = "UPDATE_ROLLBACK_IN_PROGRESS";
	} else
		return cfn_invalid(c, "Stack:%.*s is in %.*s state and can not be rolled back.", STR(s.arn), STR(s.status));
	out->stack_id = s.arn;
	return go_on(c, "RollbackStack", in->role_arn, &s, &go);
}
