/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h - the IAM policy language: parse, evaluate, explain. Pure functions, no I/O.
 *
 * Sources: "IAM JSON policy elements reference", "Policy evaluation logic", "Cross-account policy evaluation logic",
 * "IAM JSON policy elements: Condition operators" (AWS IAM User Guide). */
#pragma once
#include "base/buf.h"
#include "base/str.h"

struct policy; /* parsed, immutable; may be shared between threads */

enum policy_kind {                  /* what the document is attached to decides which elements it must and must not have */
		   POLICY_IDENTITY, /* also boundary, session, permissions of groups */
		   POLICY_RESOURCE,
		   POLICY_TRUST,        /* a role's trust policy: Principal, no Resource */
		   POLICY_ORGANIZATION, /* service control policy */
		   POLICY_RESOURCE_CONTROL,
		   POLICY_RESOURCE_SELF, /* a resource policy that must not name resources: it means its own (ECR repositories) */
};
/* policy_parse: 0; or -EINVAL with *ret_error set to AWS's sentence for MalformedPolicyDocument (memory of a). The
 * parsed policy is in a and borrows nothing from text. */
int policy_parse(struct arena *a, struct str text, enum policy_kind kind, struct policy **ret, struct str *ret_error);

/* --- the request --- */
struct policy_key {      /* one condition key with its values; names compare without case */
	struct str name; /* "aws:SourceIp", "s3:prefix", "aws:RequestTag/team" */
	struct str *values;
	size_t n;
	bool multi; /* multivalued key: only ForAllValues and ForAnyValue look at it; n == 0 means absent */
};
enum principal_type {
	PRINCIPAL_ANONYMOUS,
	PRINCIPAL_ROOT,
	PRINCIPAL_USER,
	PRINCIPAL_ROLE_SESSION,
	PRINCIPAL_FEDERATED,
	PRINCIPAL_SERVICE,
};
struct policy_principal {
	enum principal_type type;
	struct str account;  /* 12 digits; absent for anonymous, service, and callers who only hold an identity provider's token */
	struct str arn;      /* user arn, assumed-role session arn, root arn, federated-user arn; for a token: the provider (ARN or name) */
	struct str role_arn; /* PRINCIPAL_ROLE_SESSION: the role behind the session; PRINCIPAL_FEDERATED: the user, or absent */
	struct str service;  /* PRINCIPAL_SERVICE: "ec2.amazonaws.com" */
	struct str unique_id;    /* AIDA..., AROA...:session */
	struct str canonical_id; /* of the caller's account, for {"CanonicalUser": ...} in bucket policies; may be absent */
};
struct policy_named { /* a policy and the name that explanations give it */
	const struct policy *policy;
	struct str name; /* ARN, or "inline policy NAME of role NAME", "key policy", "bucket policy" */
};
struct policy_set {
	struct policy_named *v;
	size_t n;
};
enum resource_policy_rule {
	RESOURCE_POLICY_OR,       /* the usual rule: in one account, identity or resource policy suffices */
	RESOURCE_POLICY_REQUIRED, /* KMS keys and trust policies: the resource's policy itself must allow (or hand over to IAM through the
				     account principal) */
};
struct policy_request {
	struct str action;           /* "s3:GetObject" */
	struct str resource;         /* ARN, or "*" */
	struct str resource_account; /* absent when the resource has no owner yet: the caller's */
	const struct policy_principal *principal;
	const struct policy_key *keys;
	size_t n_keys;
	struct policy_set identity;            /* user and group policies, or the role's */
	struct policy_set boundary;            /* n > 0: a permissions boundary applies */
	struct policy_set session;             /* n > 0: session policies apply */
	const struct policy_set *organization; /* one set a level, root to account; every level must allow */
	size_t n_organization;
	struct policy_set resource_control;  /* only their denials count: RCPFullAWSAccess can't be detached */
	struct policy_named resource_policy; /* policy NULL: the resource has none */
	enum resource_policy_rule rule;
};
enum policy_decision { DECISION_ALLOW, DECISION_IMPLICIT_DENY, DECISION_EXPLICIT_DENY };
enum policy_layer {
	LAYER_NONE,
	LAYER_IDENTITY,
	LAYER_RESOURCE,
	LAYER_BOUNDARY,
	LAYER_SESSION,
	LAYER_ORGANIZATION,
	LAYER_RESOURCE_CONTROL,
	LAYER_ROOT
};
struct policy_result {
	enum policy_decision decision;
	enum policy_layer layer; /* which layer decided: allowed, denied, or failed to allow */
	struct str policy_name;  /* of the deciding statement; absent for an implicit deny */
	struct str sid;          /* of the deciding statement, may be absent */
	int statement;           /* 0-based, or -1 */
};
/* policy_evaluate decides. Variables (${aws:username}) and tags are resolved from the request's keys. scratch is only
 * used when the request needs memory; the result borrows from the request and the policies. */
struct policy_result policy_evaluate(const struct policy_request *r, struct arena *scratch);
/* policy_explain (memory of a): AWS's sentence, e.g. "User: ARN is not authorized to perform: ACTION on resource: ARN because no
 * identity-based policy allows the ACTION action" or "... with an explicit deny in a resource-based policy". */
struct str policy_explain(struct arena *a, const struct policy_request *r, const struct policy_result *d);

/* policy_is_public: does this resource policy grant access to anyone, by Amazon S3's meaning of "public"? */
bool policy_is_public(const struct policy *p);
/* policy_each_principal calls fn for each AWS principal (ARN, account id, unique id; never "*") the document names, in order
 * (existence checks). Stops when fn returns other than 0, and returns that. */
int policy_each_principal(const struct policy *p, int (*fn)(struct str principal, void *arg), void *arg);
