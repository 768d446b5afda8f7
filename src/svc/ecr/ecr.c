/* SPDX-License-Identifier: Apache-2.0 */
/* ecr.c - registration of Amazon ECR, and what authorization needs to know of it. */
#include "svc/ecr/ecr_int.h"
#include "svc/services.h"
#include <errno.h>

const struct ecr_ops ecr_ops = {
	.create_repository = ecr_create_repository,
	.delete_lifecycle_policy = ecr_delete_lifecycle_policy,
	.delete_repository = ecr_delete_repository,
	.delete_repository_policy = ecr_delete_repository_policy,
	.describe_repositories = ecr_describe_repositories,
	.get_lifecycle_policy = ecr_get_lifecycle_policy,
	.get_repository_policy = ecr_get_repository_policy,
	.list_tags_for_resource = ecr_list_tags_for_resource,
	.put_image_scanning_configuration = ecr_put_image_scanning_configuration,
	.put_image_tag_mutability = ecr_put_image_tag_mutability,
	.put_lifecycle_policy = ecr_put_lifecycle_policy,
	.set_repository_policy = ecr_set_repository_policy,
	.tag_resource = ecr_tag_resource,
	.untag_resource = ecr_untag_resource,
};

/* A repository that is not there is decided by its ARN alone: only who may do it there learns that there is none. */
static int ecr_resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	struct str account = STR_NONE, name = STR_NONE;
	struct ecr_rec_repository p;
	int r;

	if (str_is(kind, "arnrepo")) {
		if (ecr_arn_parse(c, id, &account, &name) < 0)
			return call_fail(c, &ecr_err_invalid_parameter,
					 "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'");
	} else {
		(void)str_cut(id, '/', &account, &name);
		account = ecr_registry(c, account);
	}
	ret->arn = ecr_arn(c, account, name);
	ret->account = account;
	r = ecr_repo_read(c->txn, c->arena, account, name, &p);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	ret->tags = p.tags;
	for (size_t i = 0; i < p.tags.n; i++)
		key_add(c, &ret->keys, str_printf(c->arena, "ecr:ResourceTag/%.*s", STR(p.tags.v[i].key)), p.tags.v[i].value);
	if (p.policy.p) {
		ret->policy = ecr_policy_now(c, &p);
		ret->policy_name = "resource-based policy";
		ret->policy_kind = POLICY_RESOURCE_SELF;
	}
	return 0;
}

static int ecr_open(struct cloud *cl, struct region *r, struct store_txn *t, struct arena *a)
{
	return r ? ecr_files_open(r, t) : 0;
}

const struct service ecr_service = {
	.model = &ecr_model,
	.principal = "ecr.amazonaws.com",
	.open = ecr_open,
	.resource = ecr_resource,
	.job = ecr_job,
	.cfn = ecr_cfn,
};
