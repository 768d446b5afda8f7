/* SPDX-License-Identifier: Apache-2.0 */
/* sts.c - registration of the service, and who am I.
 *
 * AssumeRole is authorized like any call, with the role as the resource and its trust policy as the resource's policy:
 * the trust policy must allow, by naming the caller, or by handing over to the IAM of the caller's account. */
#include "svc/services.h"
#include "svc/sts/federated.h"
#include "svc/sts/jwks.h"
#include <errno.h>

static int get_caller_identity(struct call *c, const struct sts_get_caller_identity_request *in,
			       struct sts_get_caller_identity_response *out)
{
	const struct principal *w = c->who;

	out->user_id = w->p.unique_id;
	out->account = w->p.account;
	out->arn = w->p.arn;
	if (!w->temporary && w->key_id.p)
		iam_used_note(w->p.account, w->key_id, c->now_ms, S("sts"), call_region(c));
	return 0;
}

static int get_access_key_info(struct call *c, const struct sts_get_access_key_info_request *in,
			       struct sts_get_access_key_info_response *out)
{
	if (str_eq(in->access_key_id, c->who->key_id)) {
		out->account = c->who->p.account;
		return 0;
	}
	if (iam_key_account(c->arena, in->access_key_id, &out->account) < 0)
		return call_fail(c, &sts_err_validation_error, "Invalid AccessKeyId: %.*s", STR(in->access_key_id));
	return 0;
}

const struct sts_ops sts_ops = {
	.assume_role = sts_assume_role,
	.assume_role_with_saml = sts_assume_role_with_saml,
	.assume_role_with_web_identity = sts_assume_role_with_web_identity,
	.get_access_key_info = get_access_key_info,
	.get_caller_identity = get_caller_identity,
	.get_session_token = sts_get_session_token,
};

static int refuse_assume(struct call *c, struct str role_arn)
{
	if (c->who->p.type == PRINCIPAL_FEDERATED)
		return federated_not_authorized(c);
	return call_fail(c, &sts_err_access_denied, "User: %.*s is not authorized to perform: sts:AssumeRole on resource: %.*s",
			 STR(c->who->p.arn), STR(role_arn));
}

/* A role that does not exist is refused like one that does not trust the caller: nobody learns which. */
static int resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	struct iam_rec_entity role;
	struct arn arn;
	int r, mfa = 0;

	if (!str_is(kind, "role"))
		return -EINVAL;
	if (arn_parse(id, &arn) < 0 || !str_is(arn.service, "iam"))
		return call_fail(c, &sts_err_validation_error, "%.*s is invalid", STR(id));
	if (c->who->p.type == PRINCIPAL_ROOT)
		return call_fail(c, &sts_err_access_denied, "Roles may not be assumed by root accounts.");
	r = iam_role_find(c->global, c->arena, id, &role);
	if (r == -ENOENT)
		return refuse_assume(c, id);
	if (r < 0)
		return r;
	if (c->op == &sts_model.ops[STS_OP_ASSUME_ROLE]) {
		const struct sts_assume_role_request *in = c->in;

		mfa = sts_mfa_check(c, in->serial_number, in->token_code);
		if (mfa < 0)
			return mfa;
	}
	*ret = (struct authz_resource){
		.arn = role.arn,
		.account = arn.account,
		.policy = iam_trust_document(c->global, c->arena, &role),
		.policy_name = "trust policy",
		.policy_kind = POLICY_TRUST,
		.rule = RESOURCE_POLICY_REQUIRED,
		.tags = role.tags,
	};
	if (mfa) {
		key_add(c, &ret->keys, S("aws:MultiFactorAuthPresent"), S("true"));
		key_add(c, &ret->keys, S("aws:MultiFactorAuthAge"), S("0"));
	}
	return 0;
}

static int conditions(struct call *c, const char *action, struct key_set *k)
{
	struct iam_rec_entity role;
	struct str arn = STR_NONE;

	if (c->op == &sts_model.ops[STS_OP_ASSUME_ROLE])
		arn = ((const struct sts_assume_role_request *)c->in)->role_arn;
	else if (c->op == &sts_model.ops[STS_OP_ASSUME_ROLE_WITH_WEB_IDENTITY])
		arn = ((const struct sts_assume_role_with_web_identity_request *)c->in)->role_arn;
	else if (c->op == &sts_model.ops[STS_OP_ASSUME_ROLE_WITH_SAML])
		arn = ((const struct sts_assume_role_with_saml_request *)c->in)->role_arn;
	if (!arn.p || iam_role_find(c->global, c->arena, arn, &role) < 0)
		return 0;
	for (size_t i = 0; i < role.tags.n; i++)
		key_add(c, k, str_printf(c->arena, "iam:ResourceTag/%.*s", STR(role.tags.v[i].key)), role.tags.v[i].value);
	return 0;
}

/* STS says whether a denial was explicit, not which policy failed to allow. */
static int denied(struct call *c, const char *action, struct str res, struct str sentence)
{
	ptrdiff_t at = str_find(sentence, S(" because no "));

	if (c->who->p.type == PRINCIPAL_FEDERATED)
		return refuse_assume(c, res);
	if (at >= 0)
		sentence = str_of(sentence.p, (size_t)at);
	return call_fail(c, &sts_err_access_denied, "%.*s", STR(sentence));
}

/* Calls that wait for an identity provider get their answer now. */
static void drain(struct cloud *cloud)
{
	jwks_close();
}

static void drain_region(struct cloud *cloud, struct region *r)
{
	jwks_close();
}

const struct service sts_service = {
	.model = &sts_model,
	.principal = "sts.amazonaws.com",
	.resource = resource,
	.conditions = conditions,
	.denied = denied,
	.close = drain,
	.drain = drain,
	.drain_region = drain_region,
};
