/* SPDX-License-Identifier: Apache-2.0 */
/* account.c - the account's settings: the role that writes logs, and the rates that AWS grants. */
#include "svc/apigateway/apigateway_int.h"
#include <errno.h>

static void to_out(struct call *c, const struct apigw_rec_account *rec, struct apigateway_account *out)
{
	out->cloudwatch_role_arn = rec->cloudwatch_role_arn;
	out->throttle_settings = arena_new(c->arena, struct apigateway_throttle_settings);
	out->throttle_settings->burst_limit = OPT_INT(APIGW_ACCOUNT_BURST);
	out->throttle_settings->rate_limit = (struct opt_double){ true, APIGW_ACCOUNT_RATE };
	out->features.v = arena_array(c->arena, struct str, 1);
	out->features.v[out->features.n++] = S("UsagePlans");
	out->api_key_version = S("4");
}

APIGW_HANDLER(get_account, get_account_request, account)
{
	struct apigw_rec_account rec;
	int r = apigw_load_account(c->txn, c->arena, c->account, &rec);

	if (r == 0)
		to_out(c, &rec, out);
	return r;
}

/* The role must be one that API Gateway can assume, and the caller must be allowed to hand it over. */
static int check_role(struct call *c, struct str role)
{
	const struct identity *id = cloud_identity(c->cloud);
	struct principal p;
	int r = apigw_pass_role(c, role);

	if (r < 0)
		return r;
	r = id && id->role_principal ? id->role_principal(c, role, S("BackplaneAssumeRoleSession"), &p) : -ENOENT;
	if (r == -ENOENT || r == -EACCES)
		return call_fail(c, &apigateway_err_bad_request,
				 "The role ARN does not have required permissions configured. Please grant trust "
				 "permission for API Gateway and add the required role policy.");
	return r;
}

static const struct apigw_rule rules[] = { { "/cloudwatchRoleArn", APIGW_REPLACE | APIGW_REMOVE | APIGW_ADD }, { NULL } };

APIGW_HANDLER(update_account, update_account_request, account)
{
	struct apigw_rec_account rec;
	struct keybuf k;
	int r = apigw_load_account(c->txn, c->arena, c->account, &rec);

	for (size_t i = 0; r == 0 && i < in->patch_operations.n; i++) { /* the one feature is always on */
		const struct apigateway_patch_operation *o = &in->patch_operations.v[i];

		if (str_is(o->path, "/features") && str_is(o->op, "add") && str_is(o->value, "UsagePlans"))
			continue;
		r = apigw_patch(c, APIGW_REC_ACCOUNT, &rec,
				&(struct apigateway_patch_operation_list){ (struct apigateway_patch_operation *)(uintptr_t)o, 1 }, rules);
		if (r == 0 && rec.cloudwatch_role_arn.n)
			r = check_role(c, rec.cloudwatch_role_arn);
		else if (r == 0)
			rec.cloudwatch_role_arn = STR_NONE;
	}
	if (r < 0)
		return r;
	apigw_key(&k, c->account, "apigw.account", STR_NONE, STR_NONE);
	r = record_put(c->txn, &apigw_records, APIGW_REC_ACCOUNT, &k, &rec);
	to_out(c, &rec, out);
	return r;
}
