/* SPDX-License-Identifier: Apache-2.0 */
/* evaluate.c - the decision over all layers ("Policy evaluation logic", "Cross-account policy evaluation logic").
 *
 * Every layer is asked twice in one pass: does it deny, does it allow. Any denial wins. Then the request must be allowed
 * by each level of the organization, and by the resource's policy, the identity's policies, or both; boundary and
 * session policies limit what comes through the identity, and through a role named in the resource's policy. */
#include "policy/internal.h"

struct hit {                               /* a statement that decided something */
	const struct policy_named *policy; /* NULL: none */
	const struct statement *statement;
	int index;
};
enum { GRANT_NAME, GRANT_ANYONE, GRANT_ROLE, GRANT_ACCOUNT, GRANTS }; /* strongest first */
static const unsigned grant_bits[GRANTS] = { BY_NAME, BY_ANYONE, BY_ROLE, BY_ACCOUNT };

struct layers {
	struct hit deny;
	enum policy_layer deny_layer;
	bool organization_silent;               /* a level that allows nothing */
	struct hit identity, boundary, session; /* what allows */
	struct hit grants[GRANTS];              /* of the resource's policy, by how the caller is named */
};

static bool found(const struct hit *h)
{
	return h->policy != NULL;
}

static bool statement_applies(const struct eval *e, const struct statement *s)
{
	return statement_matches_action(e, s) && statement_matches_resource(e, s) && statement_matches_conditions(e, s);
}

/* set_scan looks through one layer; *allow gets the first statement that allows. Returns true with l->deny set when one
 * denies. */
static bool set_scan(const struct eval *e, const struct policy_set *set, enum policy_layer layer, struct hit *allow, struct layers *l)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct policy *p = set->v[i].policy;

		for (size_t k = 0; p && k < p->n; k++) {
			const struct statement *s = &p->v[k];
			struct hit h = { &set->v[i], s, (int)k };

			if ((!s->deny && found(allow)) || !statement_applies(e, s))
				continue;
			if (s->deny) {
				l->deny = h;
				l->deny_layer = layer;
				return true;
			}
			*allow = h;
		}
	}
	return false;
}

static bool resource_scan(const struct eval *e, struct layers *l)
{
	const struct policy_named *named = &e->r->resource_policy;

	for (size_t k = 0; named->policy && k < named->policy->n; k++) {
		const struct statement *s = &named->policy->v[k];
		struct hit h = { named, s, (int)k };
		unsigned bits;

		if (!statement_matches_action(e, s))
			continue;
		bits = statement_names_caller(e, s);
		if (!bits || !statement_matches_resource(e, s) || !statement_matches_conditions(e, s))
			continue;
		if (s->deny) {
			l->deny = h;
			l->deny_layer = LAYER_RESOURCE;
			return true;
		}
		for (int g = 0; g < GRANTS; g++) {
			if ((bits & grant_bits[g]) && !found(&l->grants[g]))
				l->grants[g] = h;
		}
	}
	return false;
}

/* is_external: the caller has no account, so no identity policies speak for him. */
static bool is_external(const struct policy_principal *p)
{
	return p->type == PRINCIPAL_ANONYMOUS || p->type == PRINCIPAL_SERVICE || !p->account.p;
}

static bool is_service_linked(const struct policy_principal *p)
{
	return p->type == PRINCIPAL_ROLE_SESSION && p->role_arn.p && str_find(p->role_arn, S(":role/aws-service-role/")) >= 0;
}

static bool organization_scan(const struct eval *e, struct layers *l)
{
	const struct policy_principal *p = e->r->principal;
	struct hit ignored = { 0 };

	if (!is_service_linked(p) && set_scan(e, &e->r->resource_control, LAYER_RESOURCE_CONTROL, &ignored, l))
		return true;
	if (is_external(p) || is_service_linked(p))
		return false;
	for (size_t i = 0; i < e->r->n_organization; i++) {
		struct hit allow = { 0 };

		if (set_scan(e, &e->r->organization[i], LAYER_ORGANIZATION, &allow, l))
			return true;
		l->organization_silent |= !found(&allow);
	}
	return false;
}

/* layers_scan fills l; returns true when something denies explicitly. */
static bool layers_scan(const struct eval *e, struct layers *l)
{
	const struct policy_request *r = e->r;

	if (organization_scan(e, l) || resource_scan(e, l))
		return true;
	if (is_external(r->principal))
		return false;
	return set_scan(e, &r->identity, LAYER_IDENTITY, &l->identity, l) || set_scan(e, &r->boundary, LAYER_BOUNDARY, &l->boundary, l) ||
	       set_scan(e, &r->session, LAYER_SESSION, &l->session, l);
}

/* --- results --- */

static struct policy_result result_of(enum policy_decision d, enum policy_layer layer, const struct hit *h)
{
	struct policy_result res = { .decision = d, .layer = layer, .statement = -1 };

	if (h && found(h)) {
		res.policy_name = h->policy->name;
		res.sid = h->statement->sid;
		res.statement = h->index;
	}
	return res;
}

static struct policy_result refuse(enum policy_layer layer)
{
	return result_of(DECISION_IMPLICIT_DENY, layer, NULL);
}

/* limits_hold: boundary and session policies, where there are any, must allow too; else *ret_layer says which doesn't. */
static bool limits_hold(const struct eval *e, const struct layers *l, enum policy_layer *ret_layer)
{
	if (e->r->boundary.n && !found(&l->boundary)) {
		*ret_layer = LAYER_BOUNDARY;
		return false;
	}
	if (e->r->session.n && !found(&l->session)) {
		*ret_layer = LAYER_SESSION;
		return false;
	}
	return true;
}

static const struct hit *any_grant(const struct layers *l)
{
	for (int g = 0; g < GRANTS; g++) {
		if (found(&l->grants[g]))
			return &l->grants[g];
	}
	return NULL;
}

static struct policy_result decide_root(const struct eval *e, const struct layers *l, bool same_account)
{
	const struct hit *grant = any_grant(l);

	if (same_account && e->r->rule == RESOURCE_POLICY_OR)
		return result_of(DECISION_ALLOW, LAYER_ROOT, NULL);
	return grant ? result_of(DECISION_ALLOW, LAYER_RESOURCE, grant) : refuse(LAYER_RESOURCE);
}

/* decide_same_account: a grant to the caller himself stands alone; one to everyone is limited by session policies, one to
 * a role by the boundary too; one to the account only lets the identity policies speak. */
static struct policy_result decide_same_account(const struct eval *e, const struct layers *l)
{
	const struct hit *by_name = &l->grants[GRANT_NAME], *by_anyone = &l->grants[GRANT_ANYONE], *by_role = &l->grants[GRANT_ROLE];
	bool required = e->r->rule == RESOURCE_POLICY_REQUIRED, identity = found(&l->identity);
	enum policy_layer limit = LAYER_NONE;
	bool within = limits_hold(e, l, &limit);

	if (required)
		identity = identity && found(&l->grants[GRANT_ACCOUNT]);
	if (found(by_name))
		return result_of(DECISION_ALLOW, LAYER_RESOURCE, by_name);
	if (found(by_anyone) && (!e->r->session.n || found(&l->session)))
		return result_of(DECISION_ALLOW, LAYER_RESOURCE, by_anyone);
	if (within && found(by_role))
		return result_of(DECISION_ALLOW, LAYER_RESOURCE, by_role);
	if (within && identity)
		return result_of(DECISION_ALLOW, LAYER_IDENTITY, &l->identity);
	if (identity || found(by_role))
		return refuse(limit);
	if (found(by_anyone))
		return refuse(LAYER_SESSION);
	return refuse(required && !any_grant(l) ? LAYER_RESOURCE : LAYER_IDENTITY);
}

static struct policy_result decide_cross_account(const struct eval *e, const struct layers *l)
{
	const struct hit *grant = any_grant(l);
	enum policy_layer limit = LAYER_NONE;

	if (!found(&l->identity))
		return refuse(LAYER_IDENTITY);
	if (!limits_hold(e, l, &limit))
		return refuse(limit);
	return grant ? result_of(DECISION_ALLOW, LAYER_RESOURCE, grant) : refuse(LAYER_RESOURCE);
}

static void eval_init(struct eval *e, const struct policy_request *r, struct arena *scratch)
{
	size_t n = r->action.n;

	e->r = r;
	e->scratch = scratch;
	if (n > sizeof e->action_buf) {
		e->action = str_lower(scratch, r->action);
	} else {
		for (size_t i = 0; i < n; i++) {
			char c = r->action.p[i];

			e->action_buf[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
		}
		e->action = str_of(e->action_buf, n);
	}
	e->resource_is_arn = arn_split(r->resource, false, e->resource) == ARN_SEGMENTS;
	e->has_boundary = r->boundary.n > 0;
}

struct policy_result policy_evaluate(const struct policy_request *r, struct arena *scratch)
{
	struct eval e; /* not zeroed: it is large and eval_init sets what is read */
	struct layers l = { 0 };
	const struct policy_principal *p = r->principal;
	bool same_account;

	eval_init(&e, r, scratch);
	if (layers_scan(&e, &l))
		return result_of(DECISION_EXPLICIT_DENY, l.deny_layer, &l.deny);
	if (l.organization_silent)
		return refuse(LAYER_ORGANIZATION);
	if (is_external(p)) {
		const struct hit *grant = any_grant(&l);

		return grant ? result_of(DECISION_ALLOW, LAYER_RESOURCE, grant) : refuse(LAYER_RESOURCE);
	}
	same_account = !r->resource_account.p || str_eq(r->resource_account, p->account);
	if (p->type == PRINCIPAL_ROOT)
		return decide_root(&e, &l, same_account);
	return same_account ? decide_same_account(&e, &l) : decide_cross_account(&e, &l);
}
