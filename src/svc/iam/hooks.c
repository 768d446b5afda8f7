/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.c - authorization of IAM's own calls: which ARN is meant, its tags, and IAM's condition keys.
 * Source: "Actions, resources, and condition keys for AWS Identity and Access Management". */
#include "svc/iam/iam_int.h"
#include <errno.h>

static const struct {
	const char *kind, *member;
	enum iam_kind of;
} kinds[] = {
	{ "user", "UserName", IAM_USER },
	{ "group", "GroupName", IAM_GROUP },
	{ "role", "RoleName", IAM_ROLE },
	{ "profile", "InstanceProfileName", IAM_PROFILE },
	{ "certificate", "ServerCertificateName", IAM_CERTIFICATE },
};

/* What is named by its ARN, and the kind of the one that is created by name. */
static const struct {
	const char *kind, *member;
	enum iam_kind of;
} by_arn[] = {
	{ "provider", "OpenIDConnectProviderArn", IAM_OIDC },
	{ "saml", "SAMLProviderArn", IAM_SAML },
	{ "mfa", "SerialNumber", IAM_MFA },
};

static void keep_value(struct str value, void *arg)
{
	*(struct str *)arg = value;
}

/* input reads a scalar member of the request by its name in the model; absent when the operation has none such. */
static struct str input(struct call *c, const char *member)
{
	struct str v = STR_NONE;

	(void)wire_path(c->svc->model, c->op->in, c->in, member, c->arena, keep_value, &v);
	return v;
}

/* creates: is the entity that the request names one that does not exist yet? */
static bool creates(const struct call *c)
{
	static const char *const list[] = {
		"CreateGroup", "CreateInstanceProfile",  "CreatePolicy", "CreateRole", "CreateServiceLinkedRole",
		"CreateUser",  "UploadServerCertificate"
	};

	for (size_t i = 0; i < ELEMENTS(list); i++) {
		if (strcmp(c->op->name, list[i]) == 0)
			return true;
	}
	return false;
}

/* The user an access key belongs to; the caller may ask about keys of its own account only. */
static int key_owner(struct call *c, struct str id, struct authz_resource *ret)
{
	struct iam_rec_access_key key;
	struct iam_rec_entity e;
	enum iam_kind kind;
	struct keybuf k;
	int r;

	iam_key_of(&k, S(""), "iam.key", id, STR_NONE);
	r = record_get(c->txn, &iam_records, IAM_REC_ACCESS_KEY, c->arena, &k, &key);
	if (r == 0 && str_eq(key.account, c->account)) {
		r = iam_get_id(c->txn, c->arena, c->account, key.user_id, &kind, &e);
		if (r == 0) {
			ret->arn = e.arn;
			ret->tags = e.tags;
			return 0;
		}
	}
	ret->arn = S("*"); /* the handler tells that there is no such key, to those who may ask */
	return r == 0 || r == -ENOENT ? 0 : r;
}

static int self_resource(struct call *c, struct authz_resource *ret)
{
	if (c->who->p.type != PRINCIPAL_USER && c->who->p.type != PRINCIPAL_ROOT)
		return call_fail(c, &iam_err_validation_error, "Must specify userName when calling with non-User credentials");
	ret->arn = c->who->p.arn;
	ret->tags = c->who->tags;
	return 0;
}

static int entity_resource(struct call *c, enum iam_kind kind, struct str name, struct authz_resource *ret)
{
	struct iam_rec_entity e;
	int r;

	if (kind == IAM_USER && name.n == 0)
		return self_resource(c, ret);
	r = creates(c) ? -ENOENT : iam_get(c->txn, c->arena, c->account, kind, name, &e);
	if (r == 0) {
		ret->arn = e.arn;
		ret->tags = e.tags;
		return 0;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	ret->arn = iam_arn(c, kind, creates(c) ? input(c, "Path") : STR_NONE, name);
	return 0;
}

/* An ARN of another kind, or no ARN at all, must not pass for something else in a policy: its own kind's ARN is asked about. */
static int arn_resource(struct call *c, enum iam_kind kind, struct str arn, struct authz_resource *ret)
{
	struct iam_rec_entity e;
	int r = iam_get_arn(c->txn, c->arena, c->account, kind, arn, &e);

	if (r == 0) {
		ret->arn = e.arn;
		ret->tags = e.tags;
		return 0;
	}
	if (r != -ENOENT)
		return r;
	ret->arn = str_starts(arn, iam_arn(c, kind, S("/"), S(""))) ? arn : iam_arn(c, kind, S("/"), S("-"));
	return 0;
}

static int policy_resource(struct call *c, struct str arn, struct authz_resource *ret)
{
	struct iam_policy_ref p;
	int r = iam_policy_get(c->txn, c->arena, c->account, arn, &p);

	if (r < 0 && r != -ENOENT && r != -EINVAL)
		return r;
	ret->arn = arn;
	if (r == 0)
		ret->tags = p.own.tags;
	return 0;
}

int iam_resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	*ret = (struct authz_resource){ .account = c->account };
	for (size_t i = 0; i < ELEMENTS(kinds); i++) {
		if (str_is(kind, kinds[i].kind))
			return entity_resource(c, kinds[i].of, id, ret);
	}
	for (size_t i = 0; i < ELEMENTS(by_arn); i++) {
		if (str_is(kind, by_arn[i].kind))
			return arn_resource(c, by_arn[i].of, id, ret);
	}
	if (str_is(kind, "policy"))
		return policy_resource(c, id, ret);
	if (str_is(kind, "newmfa")) {
		ret->arn = iam_arn(c, IAM_MFA, input(c, "Path"), id);
		return 0;
	}
	if (str_is(kind, "newoidc")) {
		struct str name = iam_oidc_name(id);

		ret->arn = iam_arn(c, IAM_OIDC, S("/"), name.p ? name : S("-"));
		return 0;
	}
	if (str_is(kind, "newsaml")) {
		ret->arn = iam_arn(c, IAM_SAML, S("/"), id);
		return 0;
	}
	if (str_is(kind, "newpolicy")) {
		ret->arn = iam_arn(c, IAM_POLICY, input(c, "Path"), id);
		return 0;
	}
	if (str_is(kind, "source")) { /* whatever is no ARN must not pass for a resource of another kind */
		struct arn arn;

		if (arn_parse(id, &arn) < 0)
			return call_fail(c, &iam_err_invalid_input,
					 "Invalid Entity Arn: %.*s does not clearly define entity type and name.", STR(id));
		ret->arn = id;
		return 0;
	}
	if (str_is(kind, "key"))
		return key_owner(c, id, ret);
	if (str_is(kind, "linked")) {
		struct str name = iam_linked_name(c->arena, id, input(c, "CustomSuffix"));

		ret->arn = iam_arn(c, IAM_ROLE, str_printf(c->arena, "/aws-service-role/%.*s/", STR(id)), name.p ? name : S("*"));
		return 0;
	}
	if (str_is(kind, "task")) { /* task/aws-service-role/SERVICE/ROLE/UUID */
		ptrdiff_t end = str_rfind_char(id, '/');

		ret->arn = end > 4 && str_starts(id, S("task/")) ? iam_arn(c, IAM_ROLE, S("/"), str_of(id.p + 5, (size_t)end - 5)) : S("*");
		return 0;
	}
	return -EINVAL;
}

/* acts_on_self: the user may be left out, and is the caller then. */
static bool acts_on_self(const struct call *c)
{
	static const char *const list[] = { "CreateAccessKey", "DeactivateMFADevice", "DeleteAccessKey", "GetUser",
					    "ListAccessKeys",  "ListMFADevices",      "UpdateAccessKey" };

	for (size_t i = 0; i < ELEMENTS(list); i++) {
		if (strcmp(c->op->name, list[i]) == 0)
			return c->who->p.type == PRINCIPAL_USER;
	}
	return false;
}

/* named finds the entity that the request is about. 1 found, 0 none. */
static int named(struct call *c, struct iam_rec_entity *ret, enum iam_kind *ret_kind)
{
	struct str arn = input(c, "PolicyArn");
	struct iam_policy_ref p;

	for (size_t i = 0; i < ELEMENTS(kinds); i++) {
		struct str name = input(c, kinds[i].member);

		if (name.p && iam_get(c->txn, c->arena, c->account, kinds[i].of, name, ret) == 0) {
			*ret_kind = kinds[i].of;
			return 1;
		}
	}
	for (size_t i = 0; i < ELEMENTS(by_arn); i++) {
		struct str which = input(c, by_arn[i].member);

		if (which.p && iam_get_arn(c->txn, c->arena, c->account, by_arn[i].of, which, ret) == 0) {
			*ret_kind = by_arn[i].of;
			return 1;
		}
	}
	if (acts_on_self(c) && !input(c, "UserName").p)
		return iam_get_id(c->txn, c->arena, c->account, c->who->p.unique_id, ret_kind, ret) == 0;
	if (arn.p && iam_policy_get(c->txn, c->arena, c->account, arn, &p) == 0 && !p.aws) {
		*ret = p.own;
		*ret_kind = IAM_POLICY;
		return 1;
	}
	return 0;
}

/* Operations on a user's or role's policies show the boundary it has, so that "only while the boundary is on" can be said. */
static bool shows_boundary(const char *action)
{
	static const char *const list[] = {
		"iam:AttachRolePolicy",
		"iam:AttachUserPolicy",
		"iam:DeleteRolePermissionsBoundary",
		"iam:DeleteRolePolicy",
		"iam:DeleteUserPermissionsBoundary",
		"iam:DeleteUserPolicy",
		"iam:DetachRolePolicy",
		"iam:DetachUserPolicy",
		"iam:PutRolePolicy",
		"iam:PutUserPolicy",
	};

	for (size_t i = 0; i < ELEMENTS(list); i++) {
		if (strcmp(action, list[i]) == 0)
			return true;
	}
	return false;
}

int iam_conditions(struct call *c, const char *action, struct key_set *k)
{
	struct iam_rec_entity e;
	enum iam_kind kind;

	if (strcmp(action, "iam:PassRole") == 0)
		key_add(c, k, S("iam:PassedToService"), S("ec2.amazonaws.com")); /* only instance profiles pass roles here */
	if (creates(c) || named(c, &e, &kind) <= 0)
		return 0;
	for (size_t i = 0; i < e.tags.n; i++)
		key_add(c, k, str_printf(c->arena, "iam:ResourceTag/%.*s", STR(e.tags.v[i].key)), e.tags.v[i].value);
	if (shows_boundary(action) && (kind == IAM_USER || kind == IAM_ROLE))
		key_add(c, k, S("iam:PermissionsBoundary"), e.boundary);
	return 0;
}
