/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c - resource policies of functions, versions and aliases: one statement a permission. */
#include "svc/iam/iam.h"
#include "svc/lambda/lambda_int.h"
#include <errno.h>

/* What a policy is attached to: the function, or one of its versions or aliases, which must exist. */
static int target(struct call *c, struct str function, struct str qualifier, struct lambda_fn *fn)
{
	struct lambda_rec_version v;
	int r = lambda_find(c, function, qualifier, fn);

	if (r == 0 && str_is(fn->qualifier, LAMBDA_LATEST))
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "We currently do not support adding policies for $LATEST.");
	return r == 0 && fn->qualifier.p ? lambda_resolve(c, fn, &v) : r;
}

static int bad_principal(struct call *c)
{
	return lambda_fail(c, &lambda_err_invalid_parameter_value,
			   "The provided principal was invalid. Please check the principal and try again.");
}

/* lambda_principal writes an account, an ARN, "*" or a service as a policy's principal. Refuses what names nobody. */
int lambda_principal(struct call *c, struct str text, struct json **ret)
{
	struct str id, partition = region_partition(call_region(c));
	struct json *j = json_new(c->arena, JSON_OBJECT);
	struct arn arn;
	int r;

	*ret = j;
	if (str_is(text, "*")) {
		*ret = json_new_str(c->arena, text);
		return 0;
	}
	if (text.n == 12 && lambda_is_version(text))
		text = str_printf(c->arena, "arn:%.*s:iam::%.*s:root", STR(partition), STR(text));
	if (arn_parse(text, &arn) == 0) {
		if (!str_is(arn.service, "iam") && !str_is(arn.service, "sts"))
			return bad_principal(c);
		r = str_is(arn.service, "iam") && !str_is(arn.resource, "root") ? iam_principal_id(c->global, c->arena, text, &id) : 0;
		if (r == -ENOENT || r == -EINVAL)
			return bad_principal(c);
		json_set_str(c->arena, j, "AWS", text);
		return r;
	}
	if (!str_ends(text, S(".amazonaws.com")) && !str_ends(text, S(".amazon.com")))
		return bad_principal(c);
	json_set_str(c->arena, j, "Service", text);
	return 0;
}

static void condition(struct arena *a, struct json *all, const char *operator, const char * key, struct str value)
{
	struct json *o = json_getz(all, operator);

	if (!value.p)
		return;
	if (!o)
		o = json_set(a, all, str_c(operator), json_new(a, JSON_OBJECT));
	json_set_str(a, o, key, value);
}

static int statement(struct call *c, const struct lambda_fn *fn, const struct lambda_add_permission_request *in, struct json **ret)
{
	struct json *s = json_new(c->arena, JSON_OBJECT), *who, *when = json_new(c->arena, JSON_OBJECT);
	int r = lambda_principal(c, in->principal, &who);

	if (r < 0)
		return r;
	json_set_str(c->arena, s, "Sid", in->statement_id);
	json_set_str(c->arena, s, "Effect", S("Allow"));
	json_set(c->arena, s, S("Principal"), who);
	json_set_str(c->arena, s, "Action", in->action);
	json_set_str(c->arena, s, "Resource", lambda_arn(c, fn->account, fn->name, fn->qualifier));
	condition(c->arena, when, "StringEquals", "AWS:SourceAccount", in->source_account);
	condition(c->arena, when, "StringEquals", "lambda:EventSourceToken", in->event_source_token);
	condition(c->arena, when, "StringEquals", "lambda:FunctionUrlAuthType", in->function_url_auth_type);
	condition(c->arena, when, "StringEquals", "aws:PrincipalOrgID", in->principal_org_id);
	if (in->invoked_via_function_url.has)
		condition(c->arena, when, "Bool", "lambda:InvokedViaFunctionUrl", in->invoked_via_function_url.v ? S("true") : S("false"));
	condition(c->arena, when, "ArnLike", "AWS:SourceArn", in->source_arn);
	if (when->n)
		json_set(c->arena, s, S("Condition"), when);
	*ret = s;
	return 0;
}

struct json *lambda_policy_statements(struct json *policy)
{
	return json_getz(policy, "Statement");
}

struct json *lambda_policy_new(struct arena *a)
{
	struct json *p = json_new(a, JSON_OBJECT);

	json_set_str(a, p, "Version", S("2012-10-17"));
	json_set_str(a, p, "Id", S("default"));
	json_set(a, p, S("Statement"), json_new(a, JSON_ARRAY));
	return p;
}

ptrdiff_t lambda_policy_find(const struct json *statements, struct str sid)
{
	for (size_t i = 0; i < statements->n; i++)
		if (str_eq(json_get_str(&statements->items[i], "Sid"), sid))
			return (ptrdiff_t)i;
	return -1;
}

int lambda_policy_add(struct call *c, struct json *policy, struct str sid, const struct json *s, struct str *ret_text)
{
	struct json *all = lambda_policy_statements(policy);
	struct policy *parsed;
	struct str fault;

	if (lambda_policy_find(all, sid) >= 0)
		return lambda_fail(c, &lambda_err_resource_conflict,
				   "The statement id (%.*s) provided already exists. Please provide a new statement id, or remove the "
				   "existing statement.",
				   STR(sid));
	json_push(c->arena, all, s);
	*ret_text = json_text(c->arena, policy);
	if (ret_text->n > LAMBDA_POLICY_BYTES_MAX)
		return lambda_fail(c, &lambda_err_policy_length_exceeded, "The final policy size (%zu) is bigger than the limit (%d).",
				   ret_text->n, LAMBDA_POLICY_BYTES_MAX);
	if (policy_parse(c->arena, *ret_text, POLICY_RESOURCE, &parsed, &fault) < 0)
		return lambda_fail(c, &lambda_err_invalid_parameter_value, "%.*s", STR(fault));
	return 0;
}

int lambda_policy_remove(struct call *c, struct json *policy, struct str sid, struct str *ret_text)
{
	struct json *all = lambda_policy_statements(policy);
	ptrdiff_t at = lambda_policy_find(all, sid);

	if (at < 0)
		return lambda_fail(c, &lambda_err_resource_not_found, "Statement %.*s is not found in resource policy.", STR(sid));
	for (size_t i = (size_t)at + 1; i < all->n; i++)
		all->items[i - 1] = all->items[i];
	all->n--;
	*ret_text = all->n ? json_text(c->arena, policy) : STR_NONE;
	return 0;
}

LAMBDA_HANDLER(add_permission, add_permission_request, add_permission_response)
{
	struct lambda_rec_policy p = { 0 };
	struct json *policy = lambda_policy_new(c->arena), *s = NULL;
	struct lambda_fn fn;
	int r = target(c, in->function_name, in->qualifier, &fn);

	if (r < 0)
		return r;
	r = lambda_policy_read(c->txn, c->arena, fn.account, fn.name, fn.qualifier, &p);
	if (r == 0)
		r = json_parse(c->arena, p.text, &policy, NULL) < 0 ? -EBADMSG : lambda_revision_check(c, in->revision_id, p.revision);
	else if (r == -ENOENT)
		r = 0;
	if (r == 0)
		r = statement(c, &fn, in, &s);
	if (r == 0)
		r = lambda_policy_add(c, policy, in->statement_id, s, &p.text);
	if (r < 0)
		return r;
	p.revision = random_uuid(c->arena);
	out->statement = json_text(c->arena, s);
	return lambda_policy_put(c->txn, fn.account, fn.name, fn.qualifier, &p);
}

static int no_policy(struct call *c)
{
	return lambda_fail(c, &lambda_err_resource_not_found, "The resource you requested does not exist.");
}

LAMBDA_HANDLER(get_policy, get_policy_request, get_policy_response)
{
	struct lambda_rec_policy p;
	struct lambda_fn fn;
	int r = lambda_find(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = lambda_policy_read(c->txn, c->arena, fn.account, fn.name, fn.qualifier, &p);
	if (r == -ENOENT)
		return no_policy(c);
	if (r == 0) {
		out->policy = p.text;
		out->revision_id = p.revision;
	}
	return r;
}

LAMBDA_HANDLER(remove_permission, remove_permission_request, remove_permission_response)
{
	struct lambda_rec_policy p;
	struct json *policy;
	struct lambda_fn fn;
	int r = lambda_find(c, in->function_name, in->qualifier, &fn);

	if (r == 0)
		r = lambda_policy_read(c->txn, c->arena, fn.account, fn.name, fn.qualifier, &p);
	if (r == -ENOENT)
		return lambda_fail(c, &lambda_err_resource_not_found, "No policy is associated with the given resource.");
	if (r == 0)
		r = lambda_revision_check(c, in->revision_id, p.revision);
	if (r == 0)
		r = json_parse(c->arena, p.text, &policy, NULL) < 0 ? -EBADMSG : 0;
	if (r == 0)
		r = lambda_policy_remove(c, policy, in->statement_id, &p.text);
	if (r < 0)
		return r;
	if (!p.text.p)
		return lambda_table_del(c->txn, fn.account, "lambda.policy", fn.name, fn.qualifier.p ? fn.qualifier : S(""));
	p.revision = random_uuid(c->arena);
	return lambda_policy_put(c->txn, fn.account, fn.name, fn.qualifier, &p);
}
