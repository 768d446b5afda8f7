/* SPDX-License-Identifier: Apache-2.0 */
/* start.c - what every operation on a stack begins with: the stack by its name, the client's token, the role it acts as, and its
 * start. The operation and the stack's new status are stored in the call's transaction; the engine takes over when that is durable. */
#include "svc/cloudformation/cfn_int.h"
#include <errno.h>

int cfn_invalid(struct call *c, const char *fmt, ...)
{
	struct str m;
	va_list ap;

	va_start(ap, fmt);
	m = str_vprintf(c->arena, fmt, ap);
	va_end(ap);
	return call_fail(c, &aws_err_validation, "%.*s", STR(m));
}

int cfn_stack(struct call *c, struct str name, struct cfn_rec_stack *ret)
{
	int r = stack_lookup(c->txn, c->arena, c->account, call_region(c), name, ret);

	return r == -ENOENT ? cfn_invalid(c, "Stack with id %.*s does not exist", STR(name)) : r;
}

int cfn_name_check(struct call *c, struct str name)
{
	bool ok = name.n > 0 && ((name.p[0] | 32) >= 'a' && (name.p[0] | 32) <= 'z');

	for (size_t i = 0; i < name.n; i++)
		ok &= strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-", name.p[i]) != NULL && name.p[i];
	if (!ok)
		return cfn_invalid(c,
				   "1 validation error detected: Value '%.*s' at 'stackName' failed to satisfy constraint: Member must "
				   "satisfy regular expression pattern: "
				   "[a-zA-Z][-a-zA-Z0-9]*",
				   STR(name));
	if (name.n > STACK_NAME_MAX)
		return cfn_invalid(c,
				   "1 validation error detected: Value '%.*s' at 'stackName' failed to satisfy constraint: Member must "
				   "have length less than or equal to %d",
				   STR(name), STACK_NAME_MAX);
	return 0;
}

struct str cfn_arn(struct call *c, struct str name, struct str id)
{
	return call_arn(c, "cloudformation", "stack/%.*s/%.*s", STR(name), STR(id));
}

int cfn_new_stack(struct call *c, struct str name, struct cfn_rec_stack *ret)
{
	struct store_range range = { 0 };
	struct str key, value;
	struct keybuf k;
	size_t n = 0;
	int r;

	key_begin(&k, c->account, "cfn.name");
	r = store_range_open(&range, c->txn, key_view(&k), STR_NONE, false);
	while (r >= 0 && n < STACKS_MAX && (r = store_range_next(&range, &key, &value)) > 0)
		n++;
	store_range_close(&range);
	if (r < 0)
		return r;
	if (n >= STACKS_MAX)
		return call_fail(c, &cloudformation_err_limit_exceeded, "Limit for stack has been exceeded");
	*ret = (struct cfn_rec_stack){ .id = random_uuid(c->arena), .name = name, .account = c->account, .created = OPT_TIME(c->now_ms) };
	ret->arn = cfn_arn(c, name, ret->id);
	ret->now = arena_new(c->arena, struct cfn_rec_settings);
	return 0;
}

/* --- client tokens --- */
static void token_key(struct keybuf *k, struct call *c, struct str token)
{
	key_begin(k, c->account, "cfn.token");
	key_str(k, token);
}

int cfn_token(struct call *c, const char *op, struct str stack, struct str token, struct str *ret)
{
	struct cfn_rec_token t;
	struct keybuf k;
	int r;

	if (!token.p)
		return 0;
	token_key(&k, c, token);
	r = record_get(c->txn, &cfn_records, CFN_REC_TOKEN, c->arena, &k, &t);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!str_is(t.op, op) || !str_eq(t.stack, stack))
		return call_fail(c, &cloudformation_err_token_already_exists, "Token %.*s has already been used for another operation",
				 STR(token));
	*ret = t.result;
	return 1;
}

int cfn_token_put(struct call *c, const char *op, struct str stack, struct str token, struct str result)
{
	struct cfn_rec_token t = { .op = str_c(op), .stack = stack, .result = result, .time = OPT_TIME(c->now_ms) };
	struct keybuf k;
	int r;

	if (!token.p)
		return 0;
	r = job_put(c->txn, c->now_ms + TOKEN_KEEP_MS, S("cloudformation/token"), token, c->account);
	token_key(&k, c, token);
	return r < 0 ? r : record_put(c->txn, &cfn_records, CFN_REC_TOKEN, &k, &t);
}

int cfn_begin(struct call *c, const char *op, struct str name, struct str token, struct cfn_rec_stack *ret, struct str *ret_seen)
{
	int r = cfn_stack(c, name, ret);

	return r < 0 ? r : cfn_token(c, op, ret->id, token, ret_seen);
}

/* --- roles --- */
int cfn_role(struct call *c, struct str role)
{
	struct str service = S("cloudformation.amazonaws.com");
	struct policy_key to = { .name = S("iam:PassedToService"), .values = &service, .n = 1 };
	struct arn arn;

	if (!role.p)
		return 0;
	if (arn_parse(role, &arn) < 0 || !str_is(arn.service, "iam") || !str_starts(arn.resource, S("role/")))
		return cfn_invalid(c,
				   "1 validation error detected: Value '%.*s' at 'roleARN' failed to satisfy constraint: Member must be "
				   "the ARN of a role",
				   STR(role));
	return call_authorize(c, "iam:PassRole", role, &to, 1);
}

int cfn_actor(struct call *c, struct str role, struct principal *ret)
{
	const struct identity *id = cloud_identity(c->cloud);
	int r;

	*ret = *c->who;
	if (!role.p)
		return 0;
	r = id && id->role_principal ? id->role_principal(c, role, S("AWSCloudFormation"), ret) : -ENOENT;
	return r == -ENOENT || r == -EACCES ? cfn_invalid(c, "Role %.*s is invalid or cannot be assumed", STR(role)) : r;
}

int cfn_actor_text(struct call *c, struct str role, struct str *ret)
{
	struct principal p;
	int r = cfn_actor(c, role, &p);

	if (r == 0)
		*ret = principal_text(c->arena, &p);
	return r;
}

/* --- starting --- */
struct launch {
	struct str stack, op;
};

static void launch(struct cloud *cl, struct region *r, void *arg)
{
	struct launch *l = arg;

	engine_run(cl, r, l->stack, l->op);
}

static void wake_jobs(struct cloud *cl, struct region *r, void *arg)
{
	cloud_jobs_wake(cl);
}

int cfn_start(struct call *c, struct cfn_rec_stack *s, const struct start *q)
{
	struct launch *l = arena_new(c->arena, struct launch);
	struct cfn_rec_op op = {
		.id = random_uuid(c->arena),
		.kind = str_c(q->kind),
		.phase = str_c(q->phase),
		.stack = s->id,
		.account = s->account,
		.next = (struct cfn_rec_settings *)(uintptr_t)q->next,
		.token = q->token,
		.retain = q->retain,
		.skip = q->skip,
		.started = OPT_TIME(c->now_ms),
		.on_failure = q->on_failure,
		.change_set = q->change_set,
		.imports = q->imports ? *q->imports : (struct str_map){ 0 },
		.import = OPT_BOOL(q->import),
		.force = OPT_BOOL(q->force),
		.retain_except = OPT_BOOL(q->retain_except),
	};
	struct keybuf k;
	int r = cfn_actor_text(c, q->role, &op.principal);

	if (r == 0)
		r = change_sets_outdate(c->txn, c->arena, s);
	if (r < 0)
		return r;
	s->op = op.id;
	s->op_type = str_c(q->op_type);
	op_key(&k, s->id, op.id);
	r = record_put(c->txn, &cfn_records, CFN_REC_OP, &k, &op);
	if (r == 0)
		r = stack_status(c->txn, c->arena, s, q->status, q->reason, q->token, c->now_ms);
	if (r == 0 && q->timeout_minutes > 0) {
		r = job_put(c->txn, c->now_ms + q->timeout_minutes * 60000, S("cloudformation/timeout"), op.id, s->id);
		call_on_commit(c, wake_jobs, NULL);
	}
	if (r < 0)
		return r;
	*l = (struct launch){ s->id, op.id };
	call_on_commit(c, launch, l);
	return 0;
}
