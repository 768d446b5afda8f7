/* SPDX-License-Identifier: Apache-2.0 */
/* iam.h - what other services use of IAM: roles by ARN, sessions, ids. All of it reads the global store only. */
#pragma once
#include "cloud/cloud.h"
#include "gen_iam_rec.h"

/* iam_principals_now: a policy in which users and roles that are gone (their ARN, their id) appear in Principal by their
 * id, so that who gets the name later gets nothing; in conditions names stay names. text itself when nobody is gone. */
struct str iam_principals_now(struct arena *a, struct str text, const struct str_map *gone);

/* iam_principals_bind looks up whom a resource policy names: those that this cloud holds, with their ids, in *ret. 0; 1: one of
 * them is not there, or is nothing that can be a principal; negative. */
int iam_principals_bind(struct store_txn *global, struct arena *a, const struct policy *p, struct str_map *ret);
/* iam_principals_bound: the policy's text as it counts now (iam_principals_now), given whom it was bound to. */
struct str iam_principals_bound(struct store_txn *global, struct arena *a, struct str text, const struct str_map *bound);

/* iam_role_find gives the role that an ARN names. -ENOENT: none (any more), or not a role's ARN. */
int iam_role_find(struct store_txn *global, struct arena *a, struct str role_arn, struct iam_rec_entity *ret);
/* iam_principal_id gives the unique id of the user or role that an ARN names, for resource policies that must not go over to
 * a successor of the same name. -ENOENT: none; -EINVAL: not a user's or role's ARN. */
int iam_principal_id(struct store_txn *global, struct arena *a, struct str principal, struct str *ret);
/* iam_trust_document is a role's trust policy as it counts now: principals that were deleted and made again under the
 * same name appear by their old id, which matches nobody. */
struct str iam_trust_document(struct store_txn *global, struct arena *a, const struct iam_rec_entity *role);
/* iam_policy_text gives the default version of a managed policy visible to account. -ENOENT. */
int iam_policy_text(struct store_txn *global, struct arena *a, struct str account, struct str arn, struct str *ret);

/* iam_oidc_find: the account's OpenID Connect provider whose tokens carry this issuer. -ENOENT. */
int iam_oidc_find(struct store_txn *global, struct arena *a, struct str account, struct str issuer, struct iam_rec_entity *ret,
		  struct iam_rec_oidc *ret_more);

/* iam_saml_find: the account's SAML provider of this ARN. -ENOENT. */
int iam_saml_find(struct store_txn *global, struct arena *a, struct str account, struct str arn, struct iam_rec_entity *ret,
		  struct iam_rec_saml *ret_more);

/* A code that a user presents with a call. iam_mfa_check: is it good now? 0; -ENOENT: not a device of his; -EACCES: wrong, used, or too
 * many were wrong. iam_mfa_use: the same, and it is used up. t is a write transaction of the global store. */
struct iam_mfa_claim {
	struct str account, user_id, serial, code;
	int64_t now_ms;
};
int iam_mfa_check(struct cloud *cl, struct store_txn *global, struct arena *a, const struct iam_mfa_claim *w);
int iam_mfa_use(struct cloud *cl, struct store_txn *t, struct arena *a, const struct iam_mfa_claim *w);
/* iam_seal keeps a secret (not an access key's) sealed under a key of this cloud, bound to aad. iam_unseal: -EBADMSG. */
struct str iam_seal(struct cloud *cl, struct arena *a, struct str aad, struct str plain);
int iam_unseal(struct cloud *cl, struct arena *a, struct str aad, struct str sealed, struct str *ret);

/* --- ids and credentials --- */
struct str iam_key_id(struct arena *a, const char *prefix, struct str account); /* 20 characters that carry the account */
int iam_key_account(struct arena *a, struct str key_id, struct str *ret);       /* the account in it; -EINVAL */
struct str iam_secret(struct arena *a);                                         /* 40 characters */
/* iam_session_seal makes the session token of temporary credentials: everything that counts, sealed under a key of this
 * cloud and bound to s->key_id. */
struct str iam_session_seal(struct cloud *cl, struct arena *a, const struct iam_rec_session *s);
int iam_session_open(struct cloud *cl, struct arena *a, struct str key_id, struct str token, struct iam_rec_session *ret); /* -EBADMSG */
/* iam_used_note remembers that a key or role (by id) was used; written to the store later, in one go. */
void iam_used_note(struct str account, struct str id, int64_t at_ms, struct str service, struct str region);
