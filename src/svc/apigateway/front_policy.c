/* SPDX-License-Identifier: Apache-2.0 */
/* front_policy.c - who may invoke: the endpoint's policy, the API's resource policy, IAM.
 *
 * The endpoint's policy must allow, whatever else does. Then, by the method's authorization (tables A and B of "How API Gateway
 * resource policies affect authorization workflow"): NONE: the resource policy must allow, where there is one. AWS_IAM: in the
 * owner's account either side may allow, from others both must. A function as authorizer: an explicit denial of the resource
 * policy comes first; then either side may allow (authorizer.c). */
#include "svc/apigateway/front.h"
#include <errno.h>

#define ACTION "execute-api:Invoke"

static int resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	const struct visit *v = c->memo;

	*ret = (struct authz_resource){ .arn = v->arn, .account = v->account };
	if (v->served->has_policy) {
		ret->policy = v->served->policy_text.p ? v->served->policy_text : S("?");
		ret->policy_name = "resource-based policy";
	}
	return 0;
}

static const struct service execute_api = { .model = &apigateway_model, .principal = "execute-api.amazonaws.com", .resource = resource };

/* --- keys for policies that are evaluated without a caller's own --- */
#define KEYS_MAX 12
struct keys {
	struct policy_key v[KEYS_MAX];
	struct str values[KEYS_MAX];
	size_t n;
};

static void add(struct keys *k, const char *name, struct str value)
{
	if (!value.p || k->n == KEYS_MAX)
		return;
	k->values[k->n] = value;
	k->v[k->n] = (struct policy_key){ .name = str_c(name), .values = &k->values[k->n], .n = 1 };
	k->n++;
}

static void keys_of(struct visit *v, struct keys *k)
{
	k->n = 0;
	add(k, "aws:CurrentTime", time_iso(v->a, v->now_ms));
	add(k, "aws:EpochTime", str_printf(v->a, "%lld", (long long)(v->now_ms / 1000)));
	add(k, "aws:RequestedRegion", v->region->name);
	add(k, "aws:SecureTransport", v->http->tls ? S("true") : S("false"));
	add(k, "aws:UserAgent", v->f->facts.user_agent);
	add(k, "aws:Referer", http_header(v->http, "referer"));
	add(k, "aws:ViaAWSService", S("false"));
	add(k, "aws:ResourceAccount", v->account);
	if (v->through_endpoint) {
		add(k, "aws:SourceVpce", v->vpce_id);
		add(k, "aws:SourceVpc", v->endpoint.vpc);
		add(k, "aws:VpcSourceIp", v->source_ip);
	} else {
		add(k, "aws:SourceIp", v->source_ip);
	}
}

static struct policy_result evaluate(struct visit *v, const struct policy *p, const struct policy_principal *who, bool as_identity)
{
	struct policy_named named = { p, S("policy") };
	struct keys k;
	struct policy_request r = { .action = S(ACTION), .resource = v->arn, .resource_account = v->account, .principal = who };

	keys_of(v, &k);
	r.keys = k.v;
	r.n_keys = k.n;
	if (as_identity)
		r.identity = (struct policy_set){ &named, 1 };
	else
		r.resource_policy = named;
	return policy_evaluate(&r, v->a);
}

enum policy_decision visit_resource_policy(struct visit *v)
{
	static const struct policy_principal nobody = { .type = PRINCIPAL_ANONYMOUS };

	if (!v->served->has_policy)
		return DECISION_ALLOW;
	return v->served->policy ? evaluate(v, v->served->policy, &nobody, false).decision : DECISION_EXPLICIT_DENY;
}

/* An authorizer's policy speaks of a caller of its own, who is nobody in AWS. */
struct policy_result visit_identity_policy(struct visit *v, struct str policy_text, bool *ret_parsed)
{
	struct policy_principal who = { .type = PRINCIPAL_USER,
					.account = v->account,
					.arn = S("arn:aws:iam::000000000000:user/authorized"),
					.unique_id = S("authorized") };
	struct policy *p;
	struct str error;

	*ret_parsed = policy_parse(v->a, policy_text, POLICY_IDENTITY, &p, &error) == 0;
	if (!*ret_parsed)
		return (struct policy_result){ .decision = DECISION_EXPLICIT_DENY };
	return evaluate(v, p, &who, true);
}

/* masked: AWS hides the account of the API from callers. */
static struct str masked(struct visit *v)
{
	struct str account = v->account;

	return str_printf(v->a, "arn:%.*s:execute-api:%.*s:********%.*s:%.*s/%.*s/%.*s%.*s", STR(region_partition(v->region->name)),
			  STR(v->region->name), account.n >= 4 ? 4 : 0, account.p + (account.n >= 4 ? account.n - 4 : 0), STR(v->api),
			  STR(v->stage_name), STR(v->method), STR(v->path));
}

int visit_denied(struct visit *v, bool explicitly)
{
	struct str who = v->who.p.type == PRINCIPAL_ANONYMOUS || !v->who.p.arn.p ? S("anonymous") : v->who.p.arn;

	return visit_refuse(v, GW_ACCESS_DENIED,
			    str_printf(v->a, "User: %.*s is not authorized to perform: " ACTION " on resource: %.*s%s", STR(who),
				       STR(masked(v)), explicitly ? " with an explicit deny" : ""));
}

/* endpoint: the policy of the endpoint that the visit came through. */
static bool endpoint_allows(struct visit *v)
{
	struct str error;
	struct policy *p;

	if (!v->through_endpoint)
		return true;
	return policy_parse(v->a, v->endpoint.policy, POLICY_RESOURCE, &p, &error) == 0 &&
	       evaluate(v, p, &v->who.p, false).decision == DECISION_ALLOW;
}

static int authenticate(struct visit *v)
{
	struct str reason; /* the body as it was sent: v->body may be unpacked */
	int r = front_authenticate(v->f, "execute-api", v->region->name, v->http->body.p ? v->http->body : S(""), &v->who, &reason);

	if (r == -ENODATA)
		return visit_refuse(v, GW_MISSING_AUTHENTICATION_TOKEN, STR_NONE);
	if (r < 0 && str_find(reason, S("expired")) >= 0 && str_find(reason, S("token")) >= 0)
		return visit_refuse(v, GW_EXPIRED_TOKEN, STR_NONE);
	if (r < 0)
		return visit_refuse(v, GW_INVALID_SIGNATURE, reason);
	return 0;
}

static int by_iam(struct visit *v)
{
	struct call c;
	bool explicitly;
	int r = authenticate(v);

	if (r != 0)
		return r;
	if (!endpoint_allows(v))
		return visit_denied(v, false);
	r = front_call(v->f, v->region, &execute_api, &v->who, &c);
	if (r < 0)
		return r;
	c.memo = v;
	r = call_may(&c, ACTION, S("visit:"), NULL, 0);
	explicitly = c.decision.decision == DECISION_EXPLICIT_DENY;
	front_call_end(&c);
	return r == 1 ? 0 : visit_denied(v, explicitly);
}

bool visit_may(struct visit *v, const char *action)
{
	struct call c;
	int r;

	if (v->who.p.type == PRINCIPAL_ANONYMOUS || front_call(v->f, v->region, &execute_api, &v->who, &c) < 0)
		return false;
	c.memo = v;
	r = call_may(&c, action, S("visit:"), NULL, 0);
	front_call_end(&c);
	return r == 1;
}

int visit_authorize(struct visit *v)
{
	struct str how = v->m->m->authorization_type;
	enum policy_decision d;

	v->who.p.type = PRINCIPAL_ANONYMOUS;
	if (v->through_endpoint) { /* the caller's address is one of the VPC's */
		v->f->facts.source_vpce = v->vpce_id;
		v->f->facts.source_vpc = v->endpoint.vpc;
		v->f->facts.source_ip = STR_NONE;
	}
	if (str_is(how, "AWS_IAM"))
		return by_iam(v);
	if (!endpoint_allows(v))
		return visit_denied(v, false);
	d = visit_resource_policy(v);
	if (d == DECISION_EXPLICIT_DENY)
		return visit_denied(v, true);
	if (str_is(how, "NONE") && d != DECISION_ALLOW)
		return visit_denied(v, false);
	if (str_is(how, "NONE") || str_is(how, "CUSTOM"))
		return 0;
	return visit_refuse(v, GW_AUTHORIZER_CONFIGURATION_ERROR, STR_NONE); /* COGNITO_USER_POOLS: there are no user pools */
}
