/* SPDX-License-Identifier: Apache-2.0 */
/* policies.c - repository policies: who else may pull and push. Checked as ECR checks them; see SetRepositoryPolicy. */
#include "svc/ecr/ecr_int.h"
#include "svc/iam/iam.h"
#include <errno.h>

/* The policy as it counts now: who was deleted appears by its old id, so that a successor of the same name gets nothing. */
struct str ecr_policy_now(struct call *c, const struct ecr_rec_repository *p)
{
	return iam_principals_bound(c->global, c->arena, p->policy, &p->principals);
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
	struct str_map named;
	struct ecr_rec_repository p;
	struct policy *pol;
	struct str why;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	if (policy_parse(c->arena, in->policy_text, POLICY_RESOURCE_SELF, &pol, &why) < 0)
		return bad(c, str_printf(c->arena, "Invalid repository policy provided: %.*s", STR(why)));
	r = iam_principals_bind(c->global, c->arena, pol, &named);
	if (r > 0)
		return bad(c, S("Principal not found"));
	if (r == 0 && !in->force.v)
		r = still_ours(c, &p, pol);
	if (r < 0)
		return r;
	p.policy = in->policy_text;
	p.principals = named;
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
