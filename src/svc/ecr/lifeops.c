/* SPDX-License-Identifier: Apache-2.0 */
/* lifeops.c - lifecycle policies put, read and taken away. */
#include "svc/ecr/ecr_int.h"
#include <errno.h>

static int load_policy(struct call *c, struct str registry, struct str name, struct ecr_rec_repository *ret)
{
	int r = ecr_repo_load(c, registry, name, ret);

	if (r == 0 && !ret->lifecycle.p)
		return call_fail(c, &ecr_err_lifecycle_policy_not_found,
				 "Lifecycle policy does not exist for the repository with name '%.*s' in the registry with id '%.*s'",
				 STR(ret->name), STR(ret->account));
	return r;
}

static void wake(struct cloud *cl, struct region *r, void *arg)
{
	cloud_jobs_wake(cl);
}

ECR_HANDLER(put_lifecycle_policy)
{
	struct ecr_rec_repository p;
	struct ecr_rules rules;
	struct str why;
	int r = ecr_repo_load(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	if (ecr_lifecycle_parse(c->arena, in->lifecycle_policy_text, &rules, &why) < 0)
		return call_fail(c, &ecr_err_invalid_parameter,
				 "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation "
				 "failure: %.*s'",
				 STR(why));
	p.lifecycle = in->lifecycle_policy_text;
	p.lifecycle_run = (struct opt_time){ 0 };
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->lifecycle_policy_text = p.lifecycle;
	r = ecr_job_put(c->txn, ECR_JOB_LIFECYCLE, &p, ecr_midnight(c->now_ms));
	call_on_commit(c, wake, NULL);
	return r < 0 ? r : ecr_repo_put(c->txn, &p);
}

ECR_HANDLER(get_lifecycle_policy)
{
	struct ecr_rec_repository p;
	int r = load_policy(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->lifecycle_policy_text = p.lifecycle;
	out->last_evaluated_at = OPT_TIME(p.lifecycle_run.ms);
	return 0;
}

ECR_HANDLER(delete_lifecycle_policy)
{
	struct ecr_rec_repository p;
	int r = load_policy(c, in->registry_id, in->repository_name, &p);

	if (r < 0)
		return r;
	out->registry_id = p.account;
	out->repository_name = p.name;
	out->lifecycle_policy_text = p.lifecycle;
	out->last_evaluated_at = OPT_TIME(p.lifecycle_run.ms);
	p.lifecycle = STR_NONE;
	p.lifecycle_run = (struct opt_time){ 0 };
	return ecr_repo_put(c->txn, &p); /* its job finds no policy and ends */
}
