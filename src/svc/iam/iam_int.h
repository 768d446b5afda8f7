/* SPDX-License-Identifier: Apache-2.0 */
/* iam_int.h - shared by the files of src/svc/iam only.
 *
 * Users, groups, roles, instance profiles, customer managed policies, identity providers, MFA devices and server certificates are one
 * kind of record, the entity: name, path, unique id, ARN. Everything else hangs on the unique id, which no rename changes.
 *
 * Tables (all begin with the account):
 *   iam.KIND      lower-case name                              entity; KIND: user, group, role, profile, policy, oidc, saml, mfa,
 *                                                            certificate
 *   iam.more      unique id                                    what only its kind has (records Oidc, Saml, Mfa, Certificate)
 *   iam.metadata  unique id                                    a SAML provider's metadata, as it was sent
 *   iam.usermfa   user id, device id                           the device's name
 *   iam.id        unique id                                    letter of the kind, then the lower-case name
 *   iam.inline    unique id, policy name                       inline policy
 *   iam.attach    unique id, policy ARN                        attachment
 *   iam.attached  policy ARN, letter of the kind, unique id    (empty)
 *   iam.bounded   policy ARN, letter of the kind, unique id    (empty)
 *   iam.uses      policy ARN                                   how many of both
 *   iam.version   policy id, number                            document
 *   iam.member    group id, user id; iam.memberof user id, group id
 *   iam.inprofile role id, profile id
 *   iam.userkey   user id (root: the account), key id; iam.key (no account) key id: access key
 *   iam.used      key id or role id                            last use
 *   iam.login, iam.passwords, iam.report, iam.alias, iam.counts, iam.task; iam.aliasname (no account) alias: account */
#pragma once
#include "gen_iam.h"
#include "svc/iam/iam.h"

enum iam_kind { IAM_USER, IAM_GROUP, IAM_ROLE, IAM_PROFILE, IAM_POLICY, IAM_OIDC, IAM_MFA, IAM_CERTIFICATE, IAM_SAML, IAM_KINDS };

/* Quotas: "IAM and AWS STS quotas" (IAM User Guide), the defaults. */
#define IAM_USERS_MAX 5000
#define IAM_GROUPS_MAX 300
#define IAM_ROLES_MAX 1000
#define IAM_PROFILES_MAX 1000
#define IAM_POLICIES_MAX 1500
#define IAM_OIDC_MAX 100
#define IAM_SAML_MAX 100
#define IAM_CERTIFICATES_MAX 20
#define IAM_MFA_MAX 40000 /* five times the users there may be, and more: no quota of AWS's is reached */
#define IAM_MFA_PER_USER_MAX 8
#define IAM_CLIENTS_MAX 100 /* of a provider */
#define IAM_THUMBPRINTS_MAX 5
#define IAM_GROUPS_PER_USER_MAX 10
#define IAM_KEYS_PER_USER_MAX 2
#define IAM_ATTACHED_MAX 10
#define IAM_VERSIONS_MAX 5
#define IAM_TAGS_MAX 50
#define IAM_POLICY_BYTES_MAX 6144      /* of a managed policy, blanks not counted */
#define IAM_INLINE_USER_BYTES_MAX 2048 /* of all inline policies together */
#define IAM_INLINE_GROUP_BYTES_MAX 5120
#define IAM_INLINE_ROLE_BYTES_MAX 10240
#define IAM_TRUST_BYTES_MAX 2048
#define IAM_PAGE_DEFAULT 100
#define IAM_SCAN_MAX 10000 /* records looked at for one page, when a filter drops most */

/* --- names.c: pure --- */
struct str iam_document_encode(struct arena *a, struct str text); /* as documents travel in answers: RFC 3986 */
size_t iam_document_bytes(struct str text);                       /* what quotas count: without blanks */
struct str iam_unique_id(struct arena *a, enum iam_kind kind);
int iam_tags_merge(struct arena *a, struct str_map *tags, const struct str_map *add); /* -E2BIG: more than 50 */
void iam_tags_remove(struct str_map *tags, const struct str_list *keys);
bool iam_tags_duplicate(const struct str_map *tags); /* keys compare without case */
bool iam_version_parse(struct str s, int64_t *ret);  /* "v3" */
/* iam_password_fault: the sentence of the first rule that a password breaks, or absent. p NULL: the default rules. */
struct str iam_password_fault(struct arena *a, const struct iam_rec_passwords *p, struct str password);

/* --- entities.c --- */
extern const char *const iam_noun[IAM_KINDS]; /* "user" */
char iam_letter(enum iam_kind kind);
void iam_key_of(struct keybuf *k, struct str account, const char *table, struct str a, struct str b); /* b may be absent */
int iam_get(struct store_txn *t, struct arena *a, struct str account, enum iam_kind kind, struct str name,
	    struct iam_rec_entity *ret); /* -ENOENT */
int iam_get_id(struct store_txn *t, struct arena *a, struct str account, struct str id, enum iam_kind *ret_kind,
	       struct iam_rec_entity *ret);                                                    /* -ENOENT */
int iam_load(struct call *c, enum iam_kind kind, struct str name, struct iam_rec_entity *ret); /* refuses: NoSuchEntity */
/* iam_load_arn: the entity that an ARN names. Refuses: NoSuchEntity. iam_get_arn: -ENOENT, also when it is no such ARN. */
int iam_load_arn(struct call *c, enum iam_kind kind, struct str arn, struct iam_rec_entity *ret);
int iam_get_arn(struct store_txn *t, struct arena *a, struct str account, enum iam_kind kind, struct str arn, struct iam_rec_entity *ret);
int iam_more_get(struct store_txn *t, struct arena *a, struct str account, uint16_t record, struct str id, void *ret); /* -ENOENT */
int iam_more_put(struct call *c, uint16_t record, struct str id, const void *rec);
int iam_more_del(struct call *c, struct str id);
int iam_save(struct call *c, enum iam_kind kind, const struct iam_rec_entity *e);
struct str iam_arn(struct call *c, enum iam_kind kind, struct str path, struct str name);
int iam_new(struct call *c, enum iam_kind kind, struct str name, struct str path, struct iam_rec_entity *ret); /* refuses: taken, quota */
int iam_insert(struct call *c, enum iam_kind kind, const struct iam_rec_entity *e);
int iam_remove(struct call *c, enum iam_kind kind, const struct iam_rec_entity *e);
int iam_rename(struct call *c, enum iam_kind kind, struct iam_rec_entity *e, struct str name, struct str path); /* refuses: taken */
int iam_any(struct call *c, const char *table, struct str part); /* 1: the table holds keys that begin with part */
int iam_count_get(struct store_txn *t, struct arena *a, struct str account, struct iam_rec_counts *ret);
int iam_count_versions(struct call *c, int delta);
int iam_count_mfa(struct call *c, int delta); /* of devices in use */
/* The user that UserName means; absent: the caller. Refuses. root: *ret has only id and arn. */
int iam_self(struct call *c, struct str user_name, struct iam_rec_entity *ret);
int iam_no_entity(struct call *c, const char *fmt, ...) _printf_(2, 3);
int iam_load_to_change(struct call *c, enum iam_kind kind, struct str name, struct iam_rec_entity *ret); /* refuses those of a service */
int iam_read_only_role(struct call *c, const struct iam_rec_entity *role); /* refuses for service-linked roles */

/* --- pages: a range read in pages of MaxItems --- */
struct iam_page { /* what a listing was asked for, and where its answer says how to go on (NULL: nowhere) */
	struct str marker;
	struct opt_int max;
	struct str *ret_marker;
	struct opt_bool *ret_truncated;
};
#define IAM_PAGE(in, out) (&(struct iam_page){ (in)->marker, (in)->max_items, &(out)->marker, &(out)->is_truncated })
struct iam_pages {
	struct call *c;
	const struct iam_page *page;
	struct keybuf prefix;
	struct store_range range;
	size_t max, taken, seen;
	bool more, open;
	struct str last; /* rest of the key last given out */
};
int iam_pages_open(struct iam_pages *p, struct call *c, const struct keybuf *prefix, const struct iam_page *page); /* page stays */
int iam_pages_next(struct iam_pages *p, struct str *ret_rest, struct str *ret_value); /* 1, 0 at the end, negative */
static inline void iam_pages_take(struct iam_pages *p)
{
	p->taken++;
}
/* iam_pages_close ends the page, also one that was not opened, after result r of the walk: 0, or r where that is negative. */
int iam_pages_close(struct iam_pages *p, int r);
size_t iam_page_size(struct opt_int max);
struct str iam_rest_str(struct call *c, struct str rest); /* first part of the rest of a key */
int iam_decode(struct call *c, struct str value, struct iam_rec_entity *ret);

/* --- views: entities as answers show them (views.c) --- */
struct iam_tag_list iam_tags_view(struct call *c, const struct str_map *tags);
struct str_map iam_tags_in(struct call *c, const struct iam_tag_list *tags);
int iam_tags_check(struct call *c, const struct iam_tag_list *tags, struct str_map *ret); /* refuses */
struct iam_attached_permissions_boundary *iam_boundary_view(struct call *c, struct str arn);
void iam_user_view(struct call *c, const struct iam_rec_entity *e, bool whole, struct iam_user *ret);
void iam_group_view(struct call *c, const struct iam_rec_entity *e, struct iam_group *ret);
void iam_role_view(struct call *c, const struct iam_rec_entity *e, bool whole, struct iam_role *ret);
int iam_profile_view(struct call *c, const struct iam_rec_entity *e, bool whole, struct iam_instance_profile *ret);
int iam_used_get(struct call *c, struct str id, struct iam_rec_used *ret); /* -ENOENT */

/* --- oidc.c --- */
struct str iam_oidc_name(struct str url); /* without "https://"; absent when it does not begin so */

/* --- policies.c --- */
struct iam_managed { /* a policy that AWS publishes */
	struct str name, path, id, arn, version, description, document;
	int64_t created_ms, updated_ms;
};
size_t iam_managed_count(void);
const struct iam_managed *iam_managed_at(size_t i);         /* sorted by name */
const struct iam_managed *iam_managed_find(struct str arn); /* NULL: none; any partition */
const struct iam_managed *iam_managed_named(struct str name);
struct iam_policy_ref { /* either kind */
	const struct iam_managed *aws;
	struct iam_rec_entity own;
	struct str arn, name;
};
int iam_policy_get(struct store_txn *t, struct arena *a, struct str account, struct str arn,
		   struct iam_policy_ref *ret);                                  /* -ENOENT, -EINVAL */
int iam_policy_load(struct call *c, struct str arn, struct iam_policy_ref *ret); /* refuses */
int iam_version_get(struct call *c, const struct iam_rec_entity *p, int64_t n, struct iam_rec_version *ret);
void iam_policy_view(struct call *c, const struct iam_policy_ref *p, bool whole, struct iam_policy *ret);
int iam_uses_get(struct call *c, struct str arn, struct iam_rec_uses *ret);
int iam_uses_add(struct call *c, struct str arn, int attached, int bounded);
int iam_document_check(struct call *c, struct str text, enum policy_kind kind); /* refuses: MalformedPolicyDocument */

/* --- attach.c, inline.c, roles.c --- */
int iam_attach_one(struct call *c, enum iam_kind kind, struct iam_rec_entity *e, struct str arn);
int iam_boundary_set(struct call *c, enum iam_kind kind, struct iam_rec_entity *e,
		     struct str arn); /* arn absent: taken away; saves nothing of e */
int iam_attached_list(struct call *c, struct str id, struct iam_attached_policy_list *ret);
int iam_inline_list(struct call *c, struct str id, struct iam_policy_detail_list *ret);
int iam_trust_set(struct call *c, struct iam_rec_entity *role, struct str text); /* refuses */

/* --- identity.c --- */
extern const struct identity iam_identity;
int iam_principal_policies(struct call *c, struct str account, const struct iam_rec_entity *e, enum iam_kind kind,
			   struct policy_set *identity, struct policy_set *boundary);
/* --- session.c --- */
void iam_secret_seal(struct cloud *cl, struct arena *a, struct iam_rec_access_key *k, struct str secret);
int iam_secret_open(struct cloud *cl, struct arena *a, const struct iam_rec_access_key *k, struct str *ret); /* -EBADMSG */
/* --- used.c --- */
void iam_used_flush(struct cloud *cl); /* on the job thread; writes at most every ten seconds */
bool iam_used_peek(struct arena *a, struct str id, struct iam_rec_used *ret);

/* --- hooks.c --- */
int iam_resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret);
int iam_conditions(struct call *c, const char *action, struct key_set *k);
/* --- linked.c --- */
struct str iam_linked_name(struct arena *a, struct str service, struct str suffix); /* absent: no such service */

extern const struct cfn_type *const iam_cfn_types[];
