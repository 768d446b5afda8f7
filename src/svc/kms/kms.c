/* SPDX-License-Identifier: Apache-2.0 */
/* kms.c - registration of AWS KMS, and what authorization needs to know of it. */
#include "svc/kms/kms_int.h"
#include "svc/services.h"
#include <errno.h>

const struct kms_ops kms_ops = {
	.create_key = kms_create_key,
	.describe_key = kms_describe_key,
	.list_keys = kms_list_keys,
	.get_key_policy = kms_get_key_policy,
	.put_key_policy = kms_put_key_policy,
	.list_key_policies = kms_list_key_policies,
	.tag_resource = kms_tag_resource,
	.untag_resource = kms_untag_resource,
	.list_resource_tags = kms_list_resource_tags,
	.enable_key = kms_enable_key,
	.disable_key = kms_disable_key,
	.update_key_description = kms_update_key_description,
	.create_alias = kms_create_alias,
	.update_alias = kms_update_alias,
	.delete_alias = kms_delete_alias,
	.list_aliases = kms_list_aliases,
	.encrypt = kms_encrypt,
	.decrypt = kms_decrypt,
	.re_encrypt = kms_re_encrypt,
	.generate_data_key = kms_generate_data_key,
	.generate_data_key_without_plaintext = kms_generate_data_key_without_plaintext,
	.generate_random = kms_generate_random,
	.create_grant = kms_create_grant,
	.list_grants = kms_list_grants,
	.list_retirable_grants = kms_list_retirable_grants,
	.revoke_grant = kms_revoke_grant,
	.retire_grant = kms_retire_grant,
	.enable_key_rotation = kms_enable_key_rotation,
	.disable_key_rotation = kms_disable_key_rotation,
	.get_key_rotation_status = kms_get_key_rotation_status,
	.rotate_key_on_demand = kms_rotate_key_on_demand,
	.list_key_rotations = kms_list_key_rotations,
	.schedule_key_deletion = kms_schedule_key_deletion,
	.cancel_key_deletion = kms_cancel_key_deletion,
};

/* The encryption context of the call under way, for conditions and grants; NULL where the operation has none. */
static const struct str_map *context_of(struct call *c, const char *action)
{
	switch ((enum kms_op)(c->op - kms_model.ops)) {
	case KMS_OP_ENCRYPT:
		return &((const struct kms_encrypt_request *)c->in)->encryption_context;
	case KMS_OP_DECRYPT:
		return &((const struct kms_decrypt_request *)c->in)->encryption_context;
	case KMS_OP_GENERATE_DATA_KEY:
		return &((const struct kms_generate_data_key_request *)c->in)->encryption_context;
	case KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT:
		return &((const struct kms_generate_data_key_without_plaintext_request *)c->in)->encryption_context;
	case KMS_OP_RE_ENCRYPT: {
		const struct kms_re_encrypt_request *in = c->in;

		return strcmp(action, "kms:ReEncryptFrom") == 0 ? &in->source_encryption_context : &in->destination_encryption_context;
	}
	default:
		return NULL;
	}
}

struct memo {
	struct str id; /* as the request named it; absent: a ciphertext or a grant did */
	struct kms_rec_key key;
};

bool kms_key_authorized(const struct call *c, struct str id, struct kms_rec_key *ret)
{
	const struct memo *m = c->memo;

	if (!m || !m->id.p || !str_eq(m->id, id))
		return false;
	*ret = m->key;
	return true;
}

/* The names that the key has, and the one that the request used. */
static void alias_keys(struct call *c, struct str id, const struct kms_rec_key *k, struct key_set *ret)
{
	struct str_list names;
	struct arn arn;

	if (arn_parse(id, &arn) == 0)
		id = arn.resource;
	if (str_starts(id, S("alias/")))
		key_add(c, ret, S("kms:RequestAlias"), id);
	if (kms_alias_names(c->txn, c->arena, k, &names) == 0 && names.n)
		key_add_list(c, ret, S("kms:ResourceAliases"), names.v, names.n);
}

/* id: as the request named the key, or absent. whole: kms_key_load took it, aliases included. */
static void found(struct call *c, const char *action, struct str id, bool whole, const struct kms_rec_key *k, struct authz_resource *ret)
{
	struct memo *memo = arena_new(c->arena, struct memo);

	*memo = (struct memo){ whole ? id : STR_NONE, *k };
	c->memo = memo;
	ret->arn = k->arn;
	ret->account = k->account;
	ret->policy = k->policy;
	ret->policy_name = "key policy";
	ret->rule = RESOURCE_POLICY_REQUIRED;
	ret->tags = k->tags;
	alias_keys(c, id, k, &ret->keys);
	ret->granted = kms_granted(c, k, action + 4, context_of(c, action));
}

/* The ciphertext names its key. One that is none of ours belongs to nobody: the handler refuses it. */
static int ciphertext_resource(struct call *c, const char *action, struct str id, struct authz_resource *ret)
{
	bool re = (enum kms_op)(c->op - kms_model.ops) == KMS_OP_RE_ENCRYPT;
	struct str blob = re ? ((const struct kms_re_encrypt_request *)c->in)->ciphertext_blob
			     : ((const struct kms_decrypt_request *)c->in)->ciphertext_blob;
	struct kms_rec_key k;
	int r = kms_blob_key(c, blob, &k);

	if (r == -EBADMSG)
		return call_fail(c, &kms_err_invalid_ciphertext, "%s", "");
	if (r == 0)
		found(c, action, id, false, &k, ret);
	return r;
}

/* Who retires a grant: its retiring principal, its grantee where RetireGrant was granted, or by policy. */
static int grant_resource(struct call *c, const char *action, struct authz_resource *ret)
{
	const struct kms_retire_grant_request *in = c->in;
	struct kms_rec_grant g;
	struct kms_rec_key k;
	int r;

	if (in->grant_token.p)
		r = kms_grant_by_token(c, in->grant_token, &g);
	else {
		r = in->key_id.p ? kms_key_load(c, in->key_id, false, &k) : -ENOENT;
		if (r == 0)
			r = in->grant_id.p ? kms_grant_read(c, &k, in->grant_id, &g) : -ENOENT;
	}
	if (r == -ENOENT) {
		ret->arn = S("*"); /* nothing to protect; the handler says what is missing */
		return 0;
	}
	if (r == 0)
		r = kms_key_read(c->txn, c->arena, g.account, g.key_id, &k);
	if (r < 0)
		return r;
	found(c, action, STR_NONE, false, &k, ret);
	ret->granted = kms_may_retire(c, &g); /* this very grant, not any other of the key */
	return 0;
}

/* "Cross-account use: No" in the API Reference: no policy lets another account's principals do these. */
static bool own_keys_only(const struct call *c)
{
	switch ((enum kms_op)(c->op - kms_model.ops)) {
	case KMS_OP_DESCRIBE_KEY:
	case KMS_OP_ENCRYPT:
	case KMS_OP_DECRYPT:
	case KMS_OP_RE_ENCRYPT:
	case KMS_OP_GENERATE_DATA_KEY:
	case KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT:
	case KMS_OP_GET_KEY_ROTATION_STATUS:
	case KMS_OP_CREATE_GRANT:
	case KMS_OP_LIST_GRANTS:
	case KMS_OP_REVOKE_GRANT:
	case KMS_OP_RETIRE_GRANT:
		return false;
	default:
		return true;
	}
}

static int kms_resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	struct kms_rec_alias al;
	struct kms_rec_key k;
	int r;

	if (str_is(kind, "ciphertext"))
		return ciphertext_resource(c, action, id, ret);
	if (str_is(kind, "grant"))
		return grant_resource(c, action, ret);
	if (str_is(kind, "alias") || str_is(kind, "newalias")) {
		ret->arn = kms_alias_arn(c, id);
		return 0;
	}
	if (str_is(kind, "aliastarget")) {
		r = kms_alias_read(c->txn, c->arena, c->account, id, &al);
		if (r == -ENOENT)
			return call_fail(c, &kms_err_not_found, "Alias %.*s is not found.", STR(kms_alias_arn(c, id)));
		id = al.target;
	}
	r = kms_key_load(c, id, str_is(kind, "key"), &k);
	if (r < 0)
		return r;
	if (!str_eq(k.account, c->account) && own_keys_only(c))
		return kms_foreign(c, action, k.arn);
	found(c, action, id, str_is(kind, "key"), &k, ret);
	return 0;
}

/* Keys of one operation each. What the request leaves out counts with its default. A grant's constraints are its context. */
static void operation_keys(struct call *c, struct key_set *k, const struct str_map **ctx)
{
	enum kms_op op = (enum kms_op)(c->op - kms_model.ops);
	struct str algorithm = S("SYMMETRIC_DEFAULT");

	if (op == KMS_OP_SCHEDULE_KEY_DELETION) {
		const struct kms_schedule_key_deletion_request *in = c->in;

		key_add(c, k, S("kms:ScheduleKeyDeletionPendingWindowInDays"),
			str_printf(c->arena, "%lld", in->pending_window_in_days.has ? (long long)in->pending_window_in_days.v : 30ll));
	} else if (op == KMS_OP_ENABLE_KEY_ROTATION) {
		const struct kms_enable_key_rotation_request *in = c->in;

		key_add(c, k, S("kms:RotationPeriodInDays"),
			str_printf(c->arena, "%lld",
				   in->rotation_period_in_days.has ? (long long)in->rotation_period_in_days.v
								   : (long long)KMS_ROTATION_DAYS));
	} else if (op == KMS_OP_CREATE_GRANT || op == KMS_OP_LIST_GRANTS || op == KMS_OP_REVOKE_GRANT) {
		key_add(c, k, S("kms:GrantIsForAWSResource"), c->facts.invoked_by.p ? S("true") : S("false"));
		if (op == KMS_OP_CREATE_GRANT) {
			const struct kms_grant_constraints *g = ((const struct kms_create_grant_request *)c->in)->constraints;

			if (g && (g->encryption_context_equals.n || g->encryption_context_subset.n)) {
				*ctx = g->encryption_context_equals.n ? &g->encryption_context_equals : &g->encryption_context_subset;
				key_add(c, k, S("kms:GrantConstraintType"),
					g->encryption_context_equals.n ? S("EncryptionContextEquals") : S("EncryptionContextSubset"));
			}
		}
	} else if (*ctx) {
		if (op == KMS_OP_ENCRYPT && ((const struct kms_encrypt_request *)c->in)->encryption_algorithm.p)
			algorithm = ((const struct kms_encrypt_request *)c->in)->encryption_algorithm;
		if (op == KMS_OP_DECRYPT && ((const struct kms_decrypt_request *)c->in)->encryption_algorithm.p)
			algorithm = ((const struct kms_decrypt_request *)c->in)->encryption_algorithm;
		key_add(c, k, S("kms:EncryptionAlgorithm"), algorithm);
	}
}

/* Source: "Condition keys for AWS KMS" (Developer Guide). */
static int kms_conditions(struct call *c, const char *action, struct key_set *k)
{
	const struct str_map *ctx = context_of(c, action);
	struct str *names, head;

	key_add(c, k, S("kms:CallerAccount"), c->who->p.account);
	if (c->facts.invoked_by.p && str_ends(c->facts.invoked_by, S(".amazonaws.com"))) {
		(void)str_cut(c->facts.invoked_by, '.', &head, &(struct str){ 0 });
		key_add(c, k, S("kms:ViaService"), str_printf(c->arena, "%.*s.%.*s.amazonaws.com", STR(head), STR(call_region(c))));
	}
	key_add(c, k, S("kms:KeySpec"), S("SYMMETRIC_DEFAULT"));
	key_add(c, k, S("kms:KeyUsage"), S("ENCRYPT_DECRYPT"));
	key_add(c, k, S("kms:KeyOrigin"), S("AWS_KMS"));
	operation_keys(c, k, &ctx);
	if (ctx && ctx->n) {
		names = arena_array(c->arena, struct str, ctx->n);
		for (size_t i = 0; i < ctx->n; i++) {
			names[i] = ctx->v[i].key;
			key_add(c, k, str_printf(c->arena, "kms:EncryptionContext:%.*s", STR(ctx->v[i].key)), ctx->v[i].value);
		}
		key_add_list(c, k, S("kms:EncryptionContextKeys"), names, ctx->n);
	}
	return 0;
}

/* Another account's key is refused in the same words whether it exists or not. */
static int kms_denied(struct call *c, const char *action, struct str resource, struct str sentence)
{
	struct arn arn;

	if (arn_parse(resource, &arn) == 0 && c->who->p.account.p && !str_eq(arn.account, c->who->p.account))
		return kms_foreign(c, action, resource);
	return call_fail(c, &aws_err_access_denied_exception, "%.*s", STR(sentence));
}

const struct service kms_service = {
	.model = &kms_model,
	.principal = "kms.amazonaws.com",
	.resource = kms_resource,
	.conditions = kms_conditions,
	.denied = kms_denied,
	.job = kms_job,
	.cfn = kms_cfn,
};
