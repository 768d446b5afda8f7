/* SPDX-License-Identifier: Apache-2.0 */
/* policies.c - repository policies: who else may pull and push. Checked as ECR checks them; see SetRepositoryPolicy. */
#include "svc/ecr/ecr_int.h"
#include "svc/iam/iam.h"
#include <errno.h>

struct named { /* the users and roles that a policy names, with their ids */
	struct call *c;
	struct str_map found;
	size_t cap;
};

static int principal_known(struct str principal, void *arg)
{
	struct named *w = arg;
	struct str account = principal, id;
	struct arn arn;
	int r;

	if (str_starts(principal, S("arn:"))) {
		if (arn_parse(principal, &arn) < 0 || (!str_is(arn.service, "iam") && !str_is(arn.service, "sts")))
			return 1;
		account = arn.account;
		r = iam_principal_id(w->c->global, w->c->arena, principal, &id);
		if (r == -ENOENT)
			return 1;
		if (r < 0 && r != -EINVAL)
			return r;
		if (r == 0)
			vec_push(w->c->arena, w->found.v, w->found.n, w->cap) = (struct str_pair){ principal, id };
	}
	if (account.n != 12)
		return str_starts(principal, S("AIDA")) || str_starts(principal, S("AROA")) ? 0 : 1;
	for (size_t i = 0; i < 12; i++)
		if (account.p[i] < '0' || account.p[i] > '9')
			return 1;
	return 0;
}

/* The policy as it counts now: who was deleted appears by its old id, so that a successor of the same name gets nothing. */
struct str ecr_policy_now(struct call *c, const struct ecr_rec_repository *p)
{
	struct str_map gone = { 0 };
	struct str id;
	size_t cap = 0;

	for (size_t i = 0; i < p->principals.n; i++)
		if (iam_principal_id(c->global, c->arena, p->principals.v[i].key, &id) != 0 || !str_eq(id, p->principals.v[i].value))
			vec_push(c->arena, gone.v, gone.n, cap) = p->principals.v[i];
	return iam_principals_now(c->arena, p->policy, &gone);
}

static int bad(struct call *c, struct str why)
{
	return call_fail(c, &ecr_err_invalid_parameter, "Invalid parameter at 'PolicyText' failed to satisfy constraint: '%.*s'", STR(why));
}

/* Would the caller lock itself out? Source: SetRepositoryPolicy, "force". */
static int still_ours(struct call *c, const struct ecr_rec_repository *p, const struct policy *pol)
{
	struct policy_request q = { .action = S("ecr:SetRepositoryPolicy"),
				    .resource = ecr_arn(c, p->account, p->name),
				    .resource_account = p->account,
				    .principal = &c->who->p };

	if (c->who->p.type == PRINCIPAL_SERVICE || !cloud_identity(c->cloud))
		return 0;
	if (c->who->p.type != PRINCIPAL_ROOT) {
		int r = cloud_identity(c->cloud)->policies(c, c->who, &q);

		if (r < 0)
			return r;
	}
	q.resource_policy = (struct policy_named){ pol, S("repository policy") };
	if (policy_evaluate(&q, c->arena).decision != DECISION_EXPLICIT_DENY)
		return 0;
	return bad(c, S("The policy would prevent you from setting another repository policy; use force to set it all the same"));
}

ECR_HANDLER(set_repository_policy)
{
	struct named w = { .c = c };
	struct ecr_rec_repository p;
	struct policy *pol;
	struct str why;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	if (policy_parse(c->arena, in->policy_text, POLICY_RESOURCE_SELF, &pol, &why) < 0)
		return bad(c, str_printf(c->arena, "Invalid repository policy provided: %.*s", STR(why)));
	r = policy_each_principal(pol, principal_known, &w);
	if (r > 0)
		return bad(c, S("Principal not found"));
	if (r == 0 && !in->force.v)
		r = still_ours(c, &p, pol);
	if (r < 0)
		return r;
	p.policy = in->policy_text;
	p.principals = w.found;
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->policy_text = p.policy;
	return ecr_repo_put(c->txn, &p);
}

static int load_policy(struct call *c, struct str registry, struct str name, struct ecr_rec_repository *ret)
{
	int r = ecr_repo_load(c, registry, name, ret);

	if (r == 0 && !ret->policy.p)
		return call_fail(c, &ecr_err_repository_policy_not_found,
				 "Repository policy does not exist for the repository with name '%.*s' in the registry with id '%.*s'",
				 STR(ret->name), STR(ret->account));
	return r;
}

ECR_HANDLER(get_repository_policy)
{
	struct ecr_rec_repository p;
	int r = load_policy(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->policy_text = ecr_policy_now(c, &p);
	return 0;
}

ECR_HANDLER(delete_repository_policy)
{
	struct ecr_rec_repository p;
	int r = load_policy(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->policy_text = ecr_policy_now(c, &p);
	p.policy = STR_NONE;
	p.principals = (struct str_map){ 0 };
	return ecr_repo_put(c->txn, &p);
}
