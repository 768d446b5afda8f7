/* SPDX-License-Identifier: Apache-2.0 */
/* ecr.c - registration of Amazon ECR, and what authorization needs to know of it. */
#include "svc/ecr/ecr_int.h"
#include "svc/services.h"
#include <errno.h>

const struct ecr_ops ecr_ops = {
	.batch_check_layer_availability = ecr_batch_check_layer_availability,
	.batch_delete_image = ecr_batch_delete_image,
	.batch_get_image = ecr_batch_get_image,
	.complete_layer_upload = ecr_complete_layer_upload,
	.create_repository = ecr_create_repository,
	.delete_lifecycle_policy = ecr_delete_lifecycle_policy,
	.delete_repository = ecr_delete_repository,
	.delete_repository_policy = ecr_delete_repository_policy,
	.describe_image_scan_findings = ecr_describe_image_scan_findings,
	.describe_images = ecr_describe_images,
	.describe_repositories = ecr_describe_repositories,
	.get_authorization_token = ecr_get_authorization_token,
	.get_download_url_for_layer = ecr_get_download_url_for_layer,
	.get_lifecycle_policy = ecr_get_lifecycle_policy,
	.get_lifecycle_policy_preview = ecr_get_lifecycle_policy_preview,
	.get_repository_policy = ecr_get_repository_policy,
	.initiate_layer_upload = ecr_initiate_layer_upload,
	.list_image_referrers = ecr_list_image_referrers,
	.list_images = ecr_list_images,
	.list_tags_for_resource = ecr_list_tags_for_resource,
	.put_image = ecr_put_image,
	.put_image_scanning_configuration = ecr_put_image_scanning_configuration,
	.put_image_tag_mutability = ecr_put_image_tag_mutability,
	.put_lifecycle_policy = ecr_put_lifecycle_policy,
	.set_repository_policy = ecr_set_repository_policy,
	.start_lifecycle_policy_preview = ecr_start_lifecycle_policy_preview,
	.tag_resource = ecr_tag_resource,
	.untag_resource = ecr_untag_resource,
	.upload_layer_part = ecr_upload_layer_part,
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

static void ecr_tick(struct cloud *cl, struct region *r, int64_t now_ms)
{
	ecr_uploads_reap(r, now_ms);
}

const struct service ecr_service = {
	.model = &ecr_model,
	.principal = "ecr.amazonaws.com",
	.open = ecr_open,
	.resource = ecr_resource,
	.job = ecr_job,
	.tick = ecr_tick,
	.cfn = ecr_cfn,
	.front = &ecr_front,
};
