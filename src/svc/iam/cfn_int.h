/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_int.h - shared by IAM's files of CloudFormation types only. */
#pragma once
#include "cfn/type.h"

enum iam_subject { SUBJECT_USER, SUBJECT_GROUP, SUBJECT_ROLE }; /* what policies are put on */

bool iam_cfn_gone(struct str code);                                           /* NoSuchEntity: deleting what is not there is done */
struct str iam_cfn_text(struct cfn_resource *r, const struct json *document); /* policy as text, whether given as object or text */
struct json *iam_cfn_params(struct cfn_resource *r, const char *name, struct str value);        /* {name: value} */
void iam_cfn_copy(struct cfn_resource *r, struct json *to, const char *const *names, size_t n); /* properties that are there */
struct str iam_cfn_get(const struct json *props, const char *name);
bool iam_cfn_changed(const struct cfn_resource *r, const char *name);
/* Calls the operation "VERBNOUNPolicy" of a subject ("AttachRolePolicy") with its name and one more member. */
int iam_cfn_attach(struct cfn_resource *r, enum iam_subject s, struct str name, struct str arn);
int iam_cfn_detach(struct cfn_resource *r, enum iam_subject s, struct str name, struct str arn);
int iam_cfn_put(struct cfn_resource *r, enum iam_subject s, struct str name, struct str policy, struct str document);
int iam_cfn_remove(struct cfn_resource *r, enum iam_subject s, struct str name, struct str policy);
/* iam_cfn_own_tags: without CloudFormation's own, which IAM does not take. iam_cfn_sync_tags makes them so, with the operations
 * ListNOUNTags, TagNOUN and UntagNOUN. */
struct json *iam_cfn_own_tags(struct cfn_resource *r);
int iam_cfn_sync_tags(struct cfn_resource *r, const char *noun, const char *member, struct str name);
bool iam_cfn_lists(const struct json *list, struct str s);

/* --- cfn_read.c --- */
extern const struct cfn_reader iam_role_reader, iam_user_reader, iam_group_reader, iam_policy_reader, iam_role_policy_reader,
	iam_user_policy_reader, iam_group_policy_reader, iam_managed_policy_reader, iam_profile_reader, iam_addition_reader;

extern const struct cfn_type iam_cfn_policy, iam_cfn_managed_policy, iam_cfn_profile, iam_cfn_access_key, iam_cfn_addition,
	iam_cfn_role_policy, iam_cfn_user_policy, iam_cfn_group_policy, iam_cfn_linked_role, iam_cfn_oidc, iam_cfn_saml, iam_cfn_mfa,
	iam_cfn_certificate;
