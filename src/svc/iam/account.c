/* SPDX-License-Identifier: Apache-2.0 */
/* account.c - what belongs to the account as a whole: alias, password policy, summary; and login profiles.
 *
 * Nobody signs in with a password here: login profiles are kept (as scrypt hashes) so that stacks and audits see them. */
#include "svc/iam/ops.h"
#include <errno.h>
#include <openssl/evp.h>

#define SCRYPT_N 8192 /* about 20 ms; runs on the writer's thread */
#define HASH_BYTES 32
#define SALT_BYTES 16

/* --- alias --- */

static void alias_key(struct keybuf *k, struct str alias)
{
	iam_key_of(k, S(""), "iam.aliasname", alias, STR_NONE);
}

int iam_create_account_alias(struct call *c, const struct iam_create_account_alias_request *in,
			     struct iam_create_account_alias_response *out)
{
	struct keybuf k, name;
	struct str v;
	int r;

	alias_key(&name, in->account_alias);
	r = store_get(c->txn, key_view(&name), &v);
	if (r == 0)
		return call_fail(c, &iam_err_entity_already_exists, "The account alias %.*s already exists.", STR(in->account_alias));
	if (r != -ENOENT)
		return r;
	iam_key_of(&k, c->account, "iam.alias", STR_NONE, STR_NONE);
	r = store_get(c->txn, key_view(&k), &v);
	if (r == 0) { /* an account has one: the new one takes its place */
		struct keybuf old;

		alias_key(&old, str_dup(c->arena, v));
		r = store_del(c->txn, key_view(&old));
	}
	if (r < 0 && r != -ENOENT)
		return r;
	r = store_put(c->txn, key_view(&k), in->account_alias);
	return r < 0 ? r : store_put(c->txn, key_view(&name), c->account);
}

int iam_delete_account_alias(struct call *c, const struct iam_delete_account_alias_request *in,
			     struct iam_delete_account_alias_response *out)
{
	struct keybuf k, name;
	struct str v;
	int r;

	iam_key_of(&k, c->account, "iam.alias", STR_NONE, STR_NONE);
	r = store_get(c->txn, key_view(&k), &v);
	if (r == -ENOENT || (r == 0 && !str_eq(v, in->account_alias)))
		return iam_no_entity(c, "The account alias with name %.*s cannot be found.", STR(in->account_alias));
	if (r < 0)
		return r;
	alias_key(&name, in->account_alias);
	r = store_del(c->txn, key_view(&name));
	return r < 0 ? r : store_del(c->txn, key_view(&k));
}

int iam_list_account_aliases(struct call *c, const struct iam_list_account_aliases_request *in,
			     struct iam_list_account_aliases_response *out)
{
	struct keybuf k;
	struct str v;
	int r;

	iam_key_of(&k, c->account, "iam.alias", STR_NONE, STR_NONE);
	r = store_get(c->txn, key_view(&k), &v);
	if (r < 0 && r != -ENOENT)
		return r;
	out->account_aliases.v = arena_array(c->arena, struct str, 1);
	if (r == 0)
		out->account_aliases.v[out->account_aliases.n++] = str_dup(c->arena, v);
	out->is_truncated = OPT_BOOL(false);
	return 0;
}

/* --- password policy --- */

static void passwords_key(struct keybuf *k, struct call *c)
{
	iam_key_of(k, c->account, "iam.passwords", STR_NONE, STR_NONE);
}

int iam_update_account_password_policy(struct call *c, const struct iam_update_account_password_policy_request *in,
				       struct iam_update_account_password_policy_response *out)
{
	struct iam_rec_passwords p = {
		.min_length = OPT_INT(in->minimum_password_length.has ? in->minimum_password_length.v : 6),
		.symbols = OPT_BOOL(in->require_symbols.v),
		.numbers = OPT_BOOL(in->require_numbers.v),
		.upper = OPT_BOOL(in->require_uppercase_characters.v),
		.lower = OPT_BOOL(in->require_lowercase_characters.v),
		.change = OPT_BOOL(in->allow_users_to_change_password.v),
		.max_age = in->max_password_age,
		.reuse = in->password_reuse_prevention,
		.hard_expiry = in->hard_expiry,
	};
	struct keybuf k;

	passwords_key(&k, c);
	return record_put(c->txn, &iam_records, IAM_REC_PASSWORDS, &k, &p);
}

static int refuse_no_policy(struct call *c)
{
	return iam_no_entity(c, "The Password Policy with domain name %.*s cannot be found.", STR(c->account));
}

int iam_get_account_password_policy(struct call *c, const struct iam_get_account_password_policy_request *in,
				    struct iam_get_account_password_policy_response *out)
{
	struct iam_rec_passwords p;
	struct keybuf k;
	int r;

	passwords_key(&k, c);
	r = record_get(c->txn, &iam_records, IAM_REC_PASSWORDS, c->arena, &k, &p);
	if (r == -ENOENT)
		return refuse_no_policy(c);
	if (r < 0)
		return r;
	out->password_policy = arena_new(c->arena, struct iam_password_policy);
	*out->password_policy = (struct iam_password_policy){
		.minimum_password_length = p.min_length,
		.require_symbols = p.symbols,
		.require_numbers = p.numbers,
		.require_uppercase_characters = p.upper,
		.require_lowercase_characters = p.lower,
		.allow_users_to_change_password = p.change,
		.expire_passwords = OPT_BOOL(p.max_age.has),
		.max_password_age = p.max_age,
		.password_reuse_prevention = p.reuse,
		.hard_expiry = p.hard_expiry,
	};
	return 0;
}

int iam_delete_account_password_policy(struct call *c, const struct iam_delete_account_password_policy_request *in,
				       struct iam_delete_account_password_policy_response *out)
{
	struct keybuf k;
	int r;

	passwords_key(&k, c);
	r = store_del(c->txn, key_view(&k));
	return r == -ENOENT ? refuse_no_policy(c) : r;
}

/* --- login profiles --- */

static int hash_password(struct str password, struct str salt, uint8_t out[HASH_BYTES])
{
	return EVP_PBE_scrypt(password.p, password.n, (const unsigned char *)salt.p, salt.n, SCRYPT_N, 8, 1, 0, out, HASH_BYTES) == 1
		       ? 0
		       : -EIO;
}

/* set_password checks a password against the account's rules and stores its hash in l. Refuses. */
static int set_password(struct call *c, struct iam_rec_login *l, struct str password)
{
	struct iam_rec_passwords p;
	char *salt = arena_alloc(c->arena, SALT_BYTES);
	uint8_t *hash = arena_alloc(c->arena, HASH_BYTES);
	struct keybuf k;
	struct str fault;
	int r;

	passwords_key(&k, c);
	r = record_get(c->txn, &iam_records, IAM_REC_PASSWORDS, c->arena, &k, &p);
	if (r < 0 && r != -ENOENT)
		return r;
	fault = iam_password_fault(c->arena, r == 0 ? &p : NULL, password);
	if (fault.p)
		return call_fail(c, &iam_err_password_policy_violation, "%.*s", STR(fault));
	random_bytes(salt, SALT_BYTES);
	l->salt = str_of(salt, SALT_BYTES);
	l->hash = str_of((const char *)hash, HASH_BYTES);
	return hash_password(password, l->salt, hash);
}

static int login_load(struct call *c, struct str name, struct iam_rec_entity *user, struct keybuf *k, struct iam_rec_login *ret)
{
	int r = iam_self(c, name, user);

	if (r < 0)
		return r;
	iam_key_of(k, c->account, "iam.login", user->id, STR_NONE);
	r = record_get(c->txn, &iam_records, IAM_REC_LOGIN, c->arena, k, ret);
	return r == -ENOENT ? iam_no_entity(c, "Login Profile for User %.*s cannot be found.", STR(user->name)) : r;
}

static void login_view(struct call *c, struct str name, const struct iam_rec_login *l, struct iam_login_profile **ret)
{
	*ret = arena_new(c->arena, struct iam_login_profile);
	**ret = (struct iam_login_profile){ .user_name = name, .create_date = l->created, .password_reset_required = OPT_BOOL(l->reset.v) };
}

int iam_create_login_profile(struct call *c, const struct iam_create_login_profile_request *in,
			     struct iam_create_login_profile_response *out)
{
	struct iam_rec_login l = { .created = OPT_TIME(c->now_ms - c->now_ms % 1000), .reset = in->password_reset_required };
	struct iam_rec_entity user;
	struct keybuf k;
	struct str v;
	int r = iam_self(c, in->user_name, &user);

	if (r < 0)
		return r;
	if (!in->password.p)
		return call_fail(c, &iam_err_validation_error, "Password is required.");
	iam_key_of(&k, c->account, "iam.login", user.id, STR_NONE);
	r = store_get(c->txn, key_view(&k), &v);
	if (r == 0)
		return call_fail(c, &iam_err_entity_already_exists, "Login Profile for user %.*s already exists.", STR(user.name));
	if (r != -ENOENT)
		return r;
	r = set_password(c, &l, in->password);
	if (r < 0)
		return r;
	login_view(c, user.name, &l, &out->login_profile);
	return record_put(c->txn, &iam_records, IAM_REC_LOGIN, &k, &l);
}

int iam_get_login_profile(struct call *c, const struct iam_get_login_profile_request *in, struct iam_get_login_profile_response *out)
{
	struct iam_rec_entity user;
	struct iam_rec_login l;
	struct keybuf k;
	int r = login_load(c, in->user_name, &user, &k, &l);

	if (r == 0)
		login_view(c, user.name, &l, &out->login_profile);
	return r;
}

/* reused: is it one of the last passwords that the account's rules forbid to use again? */
static int reused(struct call *c, const struct iam_rec_login *l, struct str password)
{
	uint8_t hash[HASH_BYTES];
	struct iam_rec_passwords p;
	struct keybuf k;
	int r;

	passwords_key(&k, c);
	r = record_get(c->txn, &iam_records, IAM_REC_PASSWORDS, c->arena, &k, &p);
	if (r < 0 || !p.reuse.has)
		return r == -ENOENT ? 0 : r;
	r = hash_password(password, l->salt, hash);
	if (r < 0)
		return r;
	return l->hash.n == HASH_BYTES && mem_equal_ct(hash, l->hash.p, HASH_BYTES);
}

int iam_update_login_profile(struct call *c, const struct iam_update_login_profile_request *in,
			     struct iam_update_login_profile_response *out)
{
	struct iam_rec_entity user;
	struct iam_rec_login l;
	struct keybuf k;
	int r = login_load(c, in->user_name, &user, &k, &l);

	if (r < 0)
		return r;
	if (in->password.p) {
		r = reused(c, &l, in->password);
		if (r < 0)
			return r;
		if (r > 0)
			return call_fail(c, &iam_err_password_policy_violation, "Cannot reuse previous passwords.");
		r = set_password(c, &l, in->password);
		if (r < 0)
			return r;
	}
	if (in->password_reset_required.has)
		l.reset = in->password_reset_required;
	return record_put(c->txn, &iam_records, IAM_REC_LOGIN, &k, &l);
}

int iam_delete_login_profile(struct call *c, const struct iam_delete_login_profile_request *in,
			     struct iam_delete_login_profile_response *out)
{
	struct iam_rec_entity user;
	struct iam_rec_login l;
	struct keybuf k;
	int r = login_load(c, in->user_name, &user, &k, &l);

	return r < 0 ? r : store_del(c->txn, key_view(&k));
}

/* --- summary --- */

int iam_get_account_summary(struct call *c, const struct iam_get_account_summary_request *in, struct iam_get_account_summary_response *out)
{
	struct iam_rec_counts n;
	int r = iam_count_get(c->txn, c->arena, c->account, &n);

	if (r < 0)
		return r;
	const struct iam_summary_map_type_map_entry rows[] = {
		{ S("Users"), OPT_INT(n.users.v) },
		{ S("UsersQuota"), OPT_INT(IAM_USERS_MAX) },
		{ S("Groups"), OPT_INT(n.groups.v) },
		{ S("GroupsQuota"), OPT_INT(IAM_GROUPS_MAX) },
		{ S("Roles"), OPT_INT(n.roles.v) },
		{ S("RolesQuota"), OPT_INT(IAM_ROLES_MAX) },
		{ S("InstanceProfiles"), OPT_INT(n.profiles.v) },
		{ S("InstanceProfilesQuota"), OPT_INT(IAM_PROFILES_MAX) },
		{ S("Policies"), OPT_INT(n.policies.v) },
		{ S("PoliciesQuota"), OPT_INT(IAM_POLICIES_MAX) },
		{ S("PolicyVersionsInUse"), OPT_INT(n.versions.v) },
		{ S("PolicyVersionsInUseQuota"), OPT_INT(10000) },
		{ S("VersionsPerPolicyQuota"), OPT_INT(IAM_VERSIONS_MAX) },
		{ S("PolicySizeQuota"), OPT_INT(IAM_POLICY_BYTES_MAX) },
		{ S("UserPolicySizeQuota"), OPT_INT(IAM_INLINE_USER_BYTES_MAX) },
		{ S("GroupPolicySizeQuota"), OPT_INT(IAM_INLINE_GROUP_BYTES_MAX) },
		{ S("RolePolicySizeQuota"), OPT_INT(IAM_INLINE_ROLE_BYTES_MAX) },
		{ S("AssumeRolePolicySizeQuota"), OPT_INT(IAM_TRUST_BYTES_MAX) },
		{ S("GroupsPerUserQuota"), OPT_INT(IAM_GROUPS_PER_USER_MAX) },
		{ S("AccessKeysPerUserQuota"), OPT_INT(IAM_KEYS_PER_USER_MAX) },
		{ S("SigningCertificatesPerUserQuota"), OPT_INT(2) },
		{ S("AttachedPoliciesPerUserQuota"), OPT_INT(IAM_ATTACHED_MAX) },
		{ S("AttachedPoliciesPerGroupQuota"), OPT_INT(IAM_ATTACHED_MAX) },
		{ S("AttachedPoliciesPerRoleQuota"), OPT_INT(IAM_ATTACHED_MAX) },
		{ S("ServerCertificates"), OPT_INT(n.certificates.v) },
		{ S("ServerCertificatesQuota"), OPT_INT(IAM_CERTIFICATES_MAX) },
		{ S("Providers"), OPT_INT(n.oidc.v + n.saml.v) },
		{ S("MFADevices"), OPT_INT(n.mfa.v) },
		{ S("MFADevicesInUse"), OPT_INT(n.mfa_used.v) },
		{ S("AccountMFAEnabled"), OPT_INT(0) },
		{ S("AccountAccessKeysPresent"), OPT_INT(1) }, /* the one made at first start */
		{ S("AccountPasswordPresent"), OPT_INT(0) },
		{ S("AccountSigningCertificatesPresent"), OPT_INT(0) },
		{ S("GlobalEndpointTokenVersion"), OPT_INT(1) },
	};
	out->summary_map.v = arena_dup(c->arena, rows, sizeof rows);
	out->summary_map.n = ELEMENTS(rows);
	return 0;
}
