/* SPDX-License-Identifier: Apache-2.0 */
/* simulate.c - SimulatePrincipalPolicy and SimulateCustomPolicy: the same engine that decides real calls, asked "what if".
 *
 * Of the statements that match, the one that decided is told (AWS tells all of them). */
#include "svc/iam/ops.h"
#include <errno.h>

#define RESULTS_MAX 10000 /* actions times resources */

struct simulation {
	struct call *c;
	struct policy_request request;
	struct policy_principal principal;
	const struct str_list *actions, *resources;
	const struct iam_context_entry_list *context;
	struct policy_set organization[8];
	struct iam_simulate_policy_response *out;
	struct str marker;
	struct opt_int max;
};

static int add_texts(struct simulation *s, struct policy_set *set, const struct str_list *texts, const char *name, enum policy_kind kind)
{
	struct call *c = s->c;
	struct policy_named *v = arena_array(c->arena, struct policy_named, set->n + texts->n + 1);

	memcpy(v, set->v ? set->v : v, set->n * sizeof *v);
	for (size_t i = 0; i < texts->n; i++) {
		struct policy *p;
		struct str fault;

		if (policy_parse(c->arena, texts->v[i], kind, &p, &fault) < 0)
			return call_fail(c, &iam_err_invalid_input, "%.*s", STR(fault));
		v[set->n++] = (struct policy_named){ p, str_printf(c->arena, "%s.%zu", name, i + 1) };
	}
	set->v = v;
	return 0;
}

static void add_context(struct simulation *s)
{
	struct call *c = s->c;
	struct policy_key *keys = arena_array(c->arena, struct policy_key, s->context->n + 1);

	for (size_t i = 0; i < s->context->n; i++) {
		const struct iam_context_entry *e = &s->context->v[i];

		keys[i] = (struct policy_key){ .name = e->context_key_name,
					       .values = e->context_key_values.v,
					       .n = e->context_key_values.n,
					       .multi = str_ends(e->context_key_type, S("List")) };
	}
	s->request.keys = keys;
	s->request.n_keys = s->context->n;
}

static struct str decision_word(enum policy_decision d)
{
	return d == DECISION_ALLOW ? S("allowed") : d == DECISION_EXPLICIT_DENY ? S("explicitDeny") : S("implicitDeny");
}

static struct str source_type(const struct policy_result *d)
{
	if (d->layer == LAYER_RESOURCE)
		return S("resource");
	if (str_starts(d->policy_name, S("arn:aws:iam::aws:")))
		return S("aws-managed");
	if (str_starts(d->policy_name, S("arn:")))
		return S("user-managed");
	if (str_find(d->policy_name, S(" of user ")) >= 0)
		return S("user");
	if (str_find(d->policy_name, S(" of group ")) >= 0)
		return S("group");
	return str_find(d->policy_name, S(" of role ")) >= 0 ? S("role") : S("none");
}

static void one(struct simulation *s, struct str action, struct str resource)
{
	struct call *c = s->c;
	struct iam_evaluation_result *e = &s->out->evaluation_results.v[s->out->evaluation_results.n++];
	struct policy_result d;

	s->request.action = action;
	s->request.resource = resource;
	d = policy_evaluate(&s->request, c->arena);
	*e = (struct iam_evaluation_result){ .eval_action_name = action,
					     .eval_resource_name = resource,
					     .eval_decision = decision_word(d.decision) };
	e->matched_statements.v = arena_array(c->arena, struct iam_statement, 1);
	e->missing_context_values.v = arena_array(c->arena, struct str, 1);
	if (d.statement >= 0)
		e->matched_statements.v[e->matched_statements.n++] = (struct iam_statement){ d.policy_name, source_type(&d), NULL, NULL };
	if (s->request.boundary.n) {
		e->permissions_boundary_decision_detail = arena_new(c->arena, struct iam_permissions_boundary_decision_detail);
		e->permissions_boundary_decision_detail->allowed_by_permissions_boundary = OPT_BOOL(d.layer != LAYER_BOUNDARY);
	}
	if (s->request.n_organization) {
		e->organizations_decision_detail = arena_new(c->arena, struct iam_organizations_decision_detail);
		e->organizations_decision_detail->allowed_by_organizations = OPT_BOOL(d.layer != LAYER_ORGANIZATION);
	}
}

/* run evaluates a page of the products of actions and resources; the marker holds how many are behind it. */
static int run(struct simulation *s)
{
	static struct str everything = { "*", 1 };
	struct str_list all = { &everything, 1 };
	const struct str_list *res = s->resources->n ? s->resources : &all;
	size_t total = s->actions->n * res->n, max = iam_page_size(s->max), from = 0;
	struct call *c = s->c;
	struct str at;
	uint64_t n = 0;

	if (total > RESULTS_MAX)
		return call_fail(c, &iam_err_invalid_input, "Too many actions and resources.");
	if (s->marker.p && (page_parse(c, s->marker, &at) < 0 || str_to_u64(at, &n) < 0 || n > total))
		return call_fail(c, &iam_err_validation_error, "Invalid Marker.");
	from = (size_t)n;
	s->out->evaluation_results.v = arena_array(c->arena, struct iam_evaluation_result, max);
	for (; from < total && s->out->evaluation_results.n < max; from++)
		one(s, s->actions->v[from / res->n], res->v[from % res->n]);
	s->out->is_truncated = OPT_BOOL(from < total);
	if (from < total)
		s->out->marker = page_token(c, str_printf(c->arena, "%zu", from));
	return 0;
}

/* set_caller: the principal whose ARN resource policies see. */
static int set_caller(struct simulation *s, struct str arn_text)
{
	struct arn arn;

	if (arn_parse(arn_text, &arn) < 0)
		return call_fail(s->c, &iam_err_invalid_input, "Invalid ARN: %.*s", STR(arn_text));
	s->principal = (struct policy_principal){ .type = PRINCIPAL_USER, .account = arn.account, .arn = arn_text };
	if (str_starts(arn.resource, S("role/"))) {
		s->principal.type = PRINCIPAL_ROLE_SESSION;
		s->principal.role_arn = arn_text;
	}
	return 0;
}

static int set_resource_side(struct simulation *s, struct str policy, struct str owner)
{
	struct policy *p;
	struct str fault;
	struct arn arn;

	if (owner.p) {
		if (arn_parse(owner, &arn) < 0)
			return call_fail(s->c, &iam_err_invalid_input, "Invalid ARN: %.*s", STR(owner));
		s->request.resource_account = arn.account;
	}
	if (!policy.p)
		return 0;
	if (policy_parse(s->c->arena, policy, POLICY_RESOURCE, &p, &fault) < 0)
		return call_fail(s->c, &iam_err_invalid_input, "%.*s", STR(fault));
	s->request.resource_policy = (struct policy_named){ p, S("ResourcePolicy") };
	return 0;
}

int iam_simulate_custom_policy(struct call *c, const struct iam_simulate_custom_policy_request *in,
			       struct iam_simulate_policy_response *out)
{
	struct simulation s = { .c = c,
				.actions = &in->action_names,
				.resources = &in->resource_arns,
				.context = &in->context_entries,
				.out = out,
				.marker = in->marker,
				.max = in->max_items };
	int r;

	s.principal = (struct policy_principal){ .type = PRINCIPAL_USER,
						 .account = c->account,
						 .arn = str_printf(c->arena, "arn:aws:iam::%.*s:user/-", STR(c->account)) };
	r = in->caller_arn.p ? set_caller(&s, in->caller_arn) : 0;
	if (r < 0)
		return r;
	s.request.principal = &s.principal;
	r = add_texts(&s, &s.request.identity, &in->policy_input_list, "PolicyInputList", POLICY_IDENTITY);
	if (r < 0)
		return r;
	r = add_texts(&s, &s.request.boundary, &in->permissions_boundary_policy_input_list, "PermissionsBoundaryPolicyInputList",
		      POLICY_IDENTITY);
	if (r < 0)
		return r;
	for (size_t i = 0; i < in->ordered_organization_policy_input_list.n; i++) {
		r = add_texts(&s, &s.organization[i], &in->ordered_organization_policy_input_list.v[i].service_control_policy_input_list,
			      "ServiceControlPolicyInputList", POLICY_ORGANIZATION);
		if (r < 0)
			return r;
	}
	s.request.organization = s.organization;
	s.request.n_organization = in->ordered_organization_policy_input_list.n;
	r = set_resource_side(&s, in->resource_policy, in->resource_owner);
	if (r < 0)
		return r;
	add_context(&s);
	return run(&s);
}

/* source loads whom SimulatePrincipalPolicy is about. */
static int source(struct call *c, struct str arn_text, struct iam_rec_entity *ret, enum iam_kind *ret_kind)
{
	static const struct {
		const char *prefix;
		enum iam_kind kind;
	} words[] = { { "user/", IAM_USER }, { "group/", IAM_GROUP }, { "role/", IAM_ROLE } };
	struct arn arn;
	int r;

	if (arn_parse(arn_text, &arn) < 0 || !str_is(arn.service, "iam"))
		return call_fail(c, &iam_err_invalid_input, "Invalid Entity Arn: %.*s does not clearly define entity type and name.",
				 STR(arn_text));
	for (size_t i = 0; i < ELEMENTS(words); i++) {
		struct str name = str_skip(arn.resource, (size_t)(str_rfind_char(arn.resource, '/') + 1));

		if (!str_starts(arn.resource, str_c(words[i].prefix)))
			continue;
		*ret_kind = words[i].kind;
		r = iam_load(c, words[i].kind, name, ret);
		if (r == 0 && !str_eq(ret->arn, arn_text)) /* another path or account: what was authorized is not what has this name */
			return iam_no_entity(c, "The entity with ARN %.*s cannot be found.", STR(arn_text));
		return r;
	}
	return call_fail(c, &iam_err_invalid_input, "Invalid Entity Arn: %.*s does not clearly define entity type and name.",
			 STR(arn_text));
}

int iam_simulate_principal_policy(struct call *c, const struct iam_simulate_principal_policy_request *in,
				  struct iam_simulate_policy_response *out)
{
	struct simulation s = { .c = c,
				.actions = &in->action_names,
				.resources = &in->resource_arns,
				.context = &in->context_entries,
				.out = out,
				.marker = in->marker,
				.max = in->max_items };
	struct iam_rec_entity e;
	enum iam_kind kind = IAM_USER;
	int r = source(c, in->policy_source_arn, &e, &kind);

	if (r < 0)
		return r;
	if (in->policy_exclusion_list.n)
		return call_fail(c, &aws_err_not_implemented, "PolicyExclusionList is not implemented.");
	r = set_caller(&s, in->caller_arn.p ? in->caller_arn : e.arn);
	if (r < 0)
		return r;
	if (!in->caller_arn.p)
		s.principal.unique_id = e.id;
	s.request.principal = &s.principal;
	r = iam_principal_policies(c, c->account, &e, kind, &s.request.identity, &s.request.boundary);
	if (r < 0)
		return r;
	r = add_texts(&s, &s.request.identity, &in->policy_input_list, "PolicyInputList", POLICY_IDENTITY);
	if (r < 0)
		return r;
	if (in->permissions_boundary_policy_input_list.n) {
		s.request.boundary = (struct policy_set){ 0 };
		r = add_texts(&s, &s.request.boundary, &in->permissions_boundary_policy_input_list, "PermissionsBoundaryPolicyInputList",
			      POLICY_IDENTITY);
		if (r < 0)
			return r;
	}
	r = set_resource_side(&s, in->resource_policy, in->resource_owner);
	if (r < 0)
		return r;
	add_context(&s);
	return run(&s);
}
