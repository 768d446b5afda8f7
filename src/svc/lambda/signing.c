/* SPDX-License-Identifier: Apache-2.0 */
/* signing.c - code signing configurations. This cloud has no AWS Signer, so no archive is ever signed: under a configuration
 * that enforces signatures nothing can be deployed, and one that warns lets everything pass. */
#include "svc/lambda/lambda_int.h"
#include <errno.h>

static int load(struct call *c, struct str arn, struct lambda_rec_signing *ret, const struct desc_error *none)
{
	struct arn a;
	int r = -ENOENT;

	if (arn_parse(arn, &a) == 0 && str_starts(a.resource, S("code-signing-config:")) && str_eq(a.region, call_region(c)) &&
	    str_eq(a.account, c->account))
		r = lambda_table_get(c->txn, c->arena, a.account, "lambda.csc", str_skip(a.resource, 20), STR_NONE, LAMBDA_REC_SIGNING,
				     ret);
	if (r == -ENOENT)
		return lambda_fail(c, none, "The code signing configuration %.*s does not exist.", STR(arn));
	return r;
}

/* For what hands a configuration to a function. */
int lambda_signing_load(struct call *c, struct str arn, struct lambda_rec_signing *ret)
{
	return load(c, arn, ret, &lambda_err_code_signing_config_not_found);
}

int lambda_signing_put(struct call *c, const struct lambda_rec_signing *s)
{
	return lambda_table_put(c->txn, c->account, "lambda.csc", s->id, STR_NONE, LAMBDA_REC_SIGNING, s);
}

int lambda_signing_check(struct call *c, struct str config_arn)
{
	struct lambda_rec_signing s;
	int r = config_arn.n ? lambda_signing_load(c, config_arn, &s) : 0;

	if (r < 0 || !config_arn.n || !str_is(s.policy, "Enforce"))
		return r;
	return lambda_fail(
		c, &lambda_err_code_verification_failed,
		"Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not "
		"configured to accept. Check the provided signature for unknown function: it is not signed.");
}

/* --- configurations --- */
static struct str config_arn(struct call *c, const struct lambda_rec_signing *s)
{
	return call_arn(c, "lambda", "code-signing-config:%.*s", STR(s->id));
}

static struct lambda_code_signing_config *view(struct call *c, const struct lambda_rec_signing *s, struct lambda_code_signing_config *o)
{
	o = o ? o : arena_new(c->arena, struct lambda_code_signing_config);
	o->code_signing_config_id = s->id;
	o->code_signing_config_arn = config_arn(c, s);
	o->description = s->description.p ? s->description : S("");
	o->allowed_publishers = arena_new(c->arena, struct lambda_allowed_publishers);
	o->allowed_publishers->signing_profile_version_arns = s->publishers;
	o->code_signing_policies = arena_new(c->arena, struct lambda_code_signing_policies);
	o->code_signing_policies->untrusted_artifact_on_deployment = s->policy;
	o->last_modified = lambda_time(c->arena, s->modified.ms);
	return o;
}

static void set_policy(struct lambda_rec_signing *s, const struct lambda_code_signing_policies *p)
{
	if (p && p->untrusted_artifact_on_deployment.p)
		s->policy = p->untrusted_artifact_on_deployment;
}

LAMBDA_HANDLER(create_code_signing_config, create_code_signing_config_request, create_code_signing_config_response)
{
	struct lambda_rec_signing s = { .id = str_printf(c->arena, "csc-%.*s",
							 STR(random_from(c->arena, S("abcdefghijklmnopqrstuvwxyz0123456789"), 17))),
					.description = in->description,
					.publishers = in->allowed_publishers->signing_profile_version_arns,
					.policy = S("Warn"),
					.modified = OPT_TIME(c->now_ms),
					.tags = in->tags };
	int r = lambda_tags_check(c, &in->tags);

	if (r < 0)
		return r;
	set_policy(&s, in->code_signing_policies);
	out->code_signing_config = view(c, &s, NULL);
	return lambda_signing_put(c, &s);
}

LAMBDA_HANDLER(update_code_signing_config, update_code_signing_config_request, update_code_signing_config_response)
{
	struct lambda_rec_signing s;
	int r = load(c, in->code_signing_config_arn, &s, &lambda_err_resource_not_found);

	if (r < 0)
		return r;
	s.description = in->description.p ? in->description : s.description;
	if (in->allowed_publishers)
		s.publishers = in->allowed_publishers->signing_profile_version_arns;
	set_policy(&s, in->code_signing_policies);
	s.modified = OPT_TIME(c->now_ms);
	out->code_signing_config = view(c, &s, NULL);
	return lambda_signing_put(c, &s);
}

LAMBDA_HANDLER(get_code_signing_config, get_code_signing_config_request, get_code_signing_config_response)
{
	struct lambda_rec_signing s;
	int r = load(c, in->code_signing_config_arn, &s, &lambda_err_resource_not_found);

	if (r == 0)
		out->code_signing_config = view(c, &s, NULL);
	return r;
}

struct signings {
	struct lambda_code_signing_config_list *l;
	size_t cap;
};

static int list_signing(struct call *c, struct str key, struct str value, void *arg)
{
	struct signings *x = arg;
	struct lambda_rec_signing s;
	int r = record_decode(&lambda_records, LAMBDA_REC_SIGNING, c->arena, value, &s);

	if (r < 0)
		return r;
	vec_push(c->arena, x->l->v, x->l->n, x->cap) = (struct lambda_code_signing_config){ 0 };
	(void)view(c, &s, &x->l->v[x->l->n - 1]);
	return 0;
}

LAMBDA_HANDLER(list_code_signing_configs, list_code_signing_configs_request, list_code_signing_configs_response)
{
	struct signings x = { .l = &out->code_signing_configs };
	struct keybuf k;

	x.l->v = arena_array(c->arena, struct lambda_code_signing_config, 1);
	lambda_key(&k, c->account, "lambda.csc", STR_NONE);
	return lambda_rows(c, &k, in->marker, in->max_items, &out->next_marker, list_signing, &x);
}

/* --- which functions have one --- */
struct users {
	struct str arn;
	struct str_list *l;
	size_t cap;
};

static int list_user(struct call *c, struct str key, struct str value, void *arg)
{
	struct users *x = arg;
	struct lambda_rec_function f;
	int r = record_decode(&lambda_records, LAMBDA_REC_FUNCTION, c->arena, value, &f);

	if (r < 0 || !str_eq(f.signing, x->arn))
		return r < 0 ? r : 1;
	vec_push(c->arena, x->l->v, x->l->n, x->cap) = lambda_arn(c, f.account, f.name, STR_NONE);
	return 0;
}

static int users_of(struct call *c, struct str arn, struct str marker, struct opt_int max, struct str_list *ret, struct str *ret_marker)
{
	struct users x = { .arn = arn, .l = ret };
	struct keybuf k;

	ret->v = arena_array(c->arena, struct str, 1);
	lambda_key(&k, c->account, "lambda.fn", STR_NONE);
	return lambda_rows(c, &k, marker, max, ret_marker, list_user, &x);
}

LAMBDA_HANDLER(list_functions_by_code_signing_config, list_functions_by_code_signing_config_request,
	       list_functions_by_code_signing_config_response)
{
	struct lambda_rec_signing s;
	int r = load(c, in->code_signing_config_arn, &s, &lambda_err_resource_not_found);

	return r < 0 ? r : users_of(c, in->code_signing_config_arn, in->marker, in->max_items, &out->function_arns, &out->next_marker);
}

LAMBDA_HANDLER(delete_code_signing_config, delete_code_signing_config_request, delete_code_signing_config_response)
{
	struct lambda_rec_signing s;
	struct str_list used = { 0 };
	struct str marker = STR_NONE;
	int r = load(c, in->code_signing_config_arn, &s, &lambda_err_resource_not_found);

	if (r == 0)
		r = users_of(c, in->code_signing_config_arn, STR_NONE, OPT_INT(1), &used, &marker);
	if (r == 0 && used.n)
		return lambda_fail(
			c, &lambda_err_resource_conflict,
			"Cannot delete code signing configuration. The code signing configuration is attached to one or more functions.");
	return r < 0 ? r : lambda_table_del(c->txn, c->account, "lambda.csc", s.id, STR_NONE);
}

LAMBDA_HANDLER(put_function_code_signing_config, put_function_code_signing_config_request, put_function_code_signing_config_response)
{
	struct lambda_rec_signing s;
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r == 0)
		r = lambda_signing_load(c, in->code_signing_config_arn, &s);
	if (r < 0)
		return r;
	fn.f.signing = out->code_signing_config_arn = in->code_signing_config_arn;
	out->function_name = fn.name;
	return lambda_function_put(c->txn, &fn.f);
}

LAMBDA_HANDLER(get_function_code_signing_config, get_function_code_signing_config_request, get_function_code_signing_config_response)
{
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	out->code_signing_config_arn = r == 0 && fn.f.signing.p ? fn.f.signing : S("");
	out->function_name = r == 0 ? fn.name : STR_NONE;
	return r;
}

LAMBDA_HANDLER(delete_function_code_signing_config, delete_function_code_signing_config_request,
	       delete_function_code_signing_config_response)
{
	struct lambda_fn fn;
	int r = lambda_whole(c, in->function_name, &fn);

	if (r < 0)
		return r;
	fn.f.signing = STR_NONE;
	return lambda_function_put(c->txn, &fn.f);
}
