/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - a decision in AWS's words ("Troubleshoot access denied error messages", IAM User Guide). */
#include "policy/internal.h"

#define EXPLAIN_BYTES_MAX 8192

struct layer_words {
	const char *none; /* "because no ... allows the ACTION action" */
	const char *deny; /* "with an explicit deny in ..." */
};
static const struct layer_words words[] = {
	[LAYER_NONE] = { "identity-based policy", "an identity-based policy" },
	[LAYER_IDENTITY] = { "identity-based policy", "an identity-based policy" },
	[LAYER_RESOURCE] = { "resource-based policy", "a resource-based policy" },
	[LAYER_BOUNDARY] = { "permissions boundary", "a permissions boundary" },
	[LAYER_SESSION] = { "session policy", "a session policy" },
	[LAYER_ORGANIZATION] = { "service control policy", "a service control policy" },
	[LAYER_RESOURCE_CONTROL] = { "resource control policy", "a resource control policy" },
	[LAYER_ROOT] = { "identity-based policy", "an identity-based policy" },
};
static const struct layer_words trust_words = { "role trust policy", "the role trust policy" };

static struct str caller_name(const struct policy_principal *p)
{
	if (p->type == PRINCIPAL_ANONYMOUS)
		return S("anonymous");
	if (p->type == PRINCIPAL_SERVICE)
		return p->service;
	return p->arn.p ? p->arn : S("anonymous");
}

static const struct layer_words *words_of(const struct policy_request *r, enum policy_layer layer)
{
	const struct policy *p = r->resource_policy.policy;

	if (layer == LAYER_RESOURCE && p && p->kind == POLICY_TRUST)
		return &trust_words;
	return &words[layer];
}

/* S3 quotes the resource, other services don't. An action without a resource doesn't name one. */
static void put_resource(struct buf *b, const struct policy_request *r)
{
	const char *quote = r->action.n > 3 && str_eq_ci(str_of(r->action.p, 3), S("s3:")) ? "\"" : "";

	if (r->resource.n && !str_eq(r->resource, S("*")))
		buf_printf(b, " on resource: %s%.*s%s", quote, STR(r->resource), quote);
}

static void put_reason(struct buf *b, const struct policy_request *r, const struct policy_result *d)
{
	const struct layer_words *w = words_of(r, d->layer);

	switch (d->decision) {
	case DECISION_EXPLICIT_DENY:
		buf_printf(b, " with an explicit deny in %s", w->deny);
		/* AWS names the policy only where it has an ARN. */
		if (d->policy_name.p && str_starts(d->policy_name, S("arn:")))
			buf_printf(b, ": %.*s", STR(d->policy_name));
		return;
	case DECISION_IMPLICIT_DENY:
		buf_printf(b, " because no %s allows the %.*s action", w->none, STR(r->action));
		return;
	case DECISION_ALLOW:
		break;
	}
	if (d->layer == LAYER_ROOT)
		buf_printf(b, " as root user of the account");
	else
		buf_printf(b, " because %s allows the %.*s action", w->deny, STR(r->action));
	if (d->policy_name.p)
		buf_printf(b, ": %.*s", STR(d->policy_name));
}

struct str policy_explain(struct arena *a, const struct policy_request *r, const struct policy_result *d)
{
	struct buf b;
	struct str caller = caller_name(r->principal), text;

	buf_init(&b, EXPLAIN_BYTES_MAX);
	buf_printf(&b, "User: %.*s is %sauthorized to perform: %.*s", STR(caller), d->decision == DECISION_ALLOW ? "" : "not ",
		   STR(r->action));
	put_resource(&b, r);
	put_reason(&b, r, d);
	text = str_dup(a, buf_view(&b));
	buf_done(&b);
	return text;
}
