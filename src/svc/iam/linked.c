/* SPDX-License-Identifier: Apache-2.0 */
/* linked.c - service-linked roles: made for one AWS service, whose trust and rights nobody else changes.
 * Source of names and policies: "AWS services that work with IAM" and the services' own pages on service-linked roles. */
#include "svc/iam/ops.h"
#include <errno.h>

static const struct linked {
	const char *service, *name, *policy; /* policy NULL: its published policy is not among ours, the role has no rights */
	bool suffix;
} linked[] = {
	{ "access-analyzer.amazonaws.com", "AWSServiceRoleForAccessAnalyzer", NULL, false },
	{ "autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling", "AutoScalingServiceRolePolicy", true },
	{ "backup.amazonaws.com", "AWSServiceRoleForBackup", "AWSBackupServiceLinkedRolePolicyForBackup", false },
	{ "cloudtrail.amazonaws.com", "AWSServiceRoleForCloudTrail", "CloudTrailServiceRolePolicy", false },
	{ "config.amazonaws.com", "AWSServiceRoleForConfig", "AWSConfigServiceRolePolicy", false },
	{ "delivery.logs.amazonaws.com", "AWSServiceRoleForLogDelivery", NULL, false },
	{ "dynamodb.application-autoscaling.amazonaws.com", "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable", NULL, false },
	{ "ecs.amazonaws.com", "AWSServiceRoleForECS", "AmazonECSServiceRolePolicy", false },
	{ "ecs.application-autoscaling.amazonaws.com", "AWSServiceRoleForApplicationAutoScaling_ECSService", NULL, false },
	{ "elasticache.amazonaws.com", "AWSServiceRoleForElastiCache", "ElastiCacheServiceRolePolicy", false },
	{ "elasticfilesystem.amazonaws.com", "AWSServiceRoleForAmazonElasticFileSystem", NULL, false },
	{ "elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy",
	  false },
	{ "guardduty.amazonaws.com", "AWSServiceRoleForAmazonGuardDuty", "AmazonGuardDutyServiceRolePolicy", false },
	{ "inspector2.amazonaws.com", "AWSServiceRoleForAmazonInspector2", "AmazonInspector2ServiceRolePolicy", false },
	{ "macie.amazonaws.com", "AWSServiceRoleForAmazonMacie", NULL, false },
	{ "ops.apigateway.amazonaws.com", "AWSServiceRoleForAPIGateway", "APIGatewayServiceRolePolicy", false },
	{ "organizations.amazonaws.com", "AWSServiceRoleForOrganizations", NULL, false },
	{ "rds.amazonaws.com", "AWSServiceRoleForRDS", "AmazonRDSServiceRolePolicy", false },
	{ "replicator.lambda.amazonaws.com", "AWSServiceRoleForLambdaReplicator", "AWSLambdaReplicator", false },
	{ "securityhub.amazonaws.com", "AWSServiceRoleForSecurityHub", "AWSSecurityHubServiceRolePolicy", false },
	{ "spot.amazonaws.com", "AWSServiceRoleForEC2Spot", NULL, false },
	{ "ssm.amazonaws.com", "AWSServiceRoleForAmazonSSM", "AmazonSSMServiceRolePolicy", false },
	{ "vpc-flow-logs.amazonaws.com", "AWSServiceRoleForVPCFlowLogs", NULL, false },
	{ "wafv2.amazonaws.com", "AWSServiceRoleForWAFV2Logging", NULL, false },
};

static const struct linked *linked_find(struct str service)
{
	for (size_t i = 0; i < ELEMENTS(linked); i++) {
		if (str_is(service, linked[i].service))
			return &linked[i];
	}
	return NULL;
}

struct str iam_linked_name(struct arena *a, struct str service, struct str suffix)
{
	const struct linked *l = linked_find(service);

	if (!l)
		return STR_NONE;
	return suffix.p ? str_printf(a, "%s_%.*s", l->name, STR(suffix)) : str_c(l->name);
}

static int linked_policy(struct call *c, const struct linked *l, struct iam_rec_entity *e)
{
	const struct iam_managed *m = l->policy ? iam_managed_named(str_c(l->policy)) : NULL;

	return m ? iam_attach_one(c, IAM_ROLE, e, m->arn) : 0;
}

int iam_create_service_linked_role(struct call *c, const struct iam_create_service_linked_role_request *in,
				   struct iam_create_service_linked_role_response *out)
{
	const struct linked *l = linked_find(in->aws_service_name);
	struct iam_rec_entity e;
	struct str name, path;
	int r;

	if (!l)
		return call_fail(c, &iam_err_invalid_input, "Service Role for %.*s is not valid.", STR(in->aws_service_name));
	if (in->custom_suffix.p && !l->suffix)
		return call_fail(c, &iam_err_invalid_input, "Custom suffix is not allowed for %.*s", STR(in->aws_service_name));
	name = iam_linked_name(c->arena, in->aws_service_name, in->custom_suffix);
	if (iam_get(c->txn, c->arena, c->account, IAM_ROLE, name, &e) == 0)
		return call_fail(c, &iam_err_invalid_input,
				 "Service role name %.*s has been taken in this account, please try a different suffix.", STR(name));
	path = str_printf(c->arena, "/aws-service-role/%s/", l->service);
	r = iam_new(c, IAM_ROLE, name, path, &e);
	if (r < 0)
		return r;
	e.trust = str_printf(c->arena,
			     "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"%s\"},"
			     "\"Action\":\"sts:AssumeRole\"}]}",
			     l->service);
	e.description = in->description;
	e.max_session_s = OPT_INT(3600);
	e.linked_service = str_c(l->service);
	r = iam_insert(c, IAM_ROLE, &e);
	if (r < 0)
		return r;
	r = linked_policy(c, l, &e);
	if (r < 0)
		return r;
	out->role = arena_new(c->arena, struct iam_role);
	iam_role_view(c, &e, false, out->role);
	out->role->max_session_duration = (struct opt_int){ 0 };
	return 0;
}

/* Deletes at once: no service here keeps a resource that would hold the role back. The task is kept for its status. */
int iam_delete_service_linked_role(struct call *c, const struct iam_delete_service_linked_role_request *in,
				   struct iam_delete_service_linked_role_response *out)
{
	struct iam_attached_policy_list attached;
	struct iam_rec_entity e;
	struct keybuf k;
	int r = iam_load(c, IAM_ROLE, in->role_name, &e);

	if (r < 0)
		return r;
	if (!e.linked_service.p)
		return iam_no_entity(c, "The service-linked role with name %.*s cannot be found.", STR(in->role_name));
	r = iam_attached_list(c, e.id, &attached);
	if (r < 0)
		return r;
	for (size_t i = 0; i < attached.n; i++) {
		iam_key_of(&k, c->account, "iam.attach", e.id, attached.v[i].policy_arn);
		r = store_del(c->txn, key_view(&k));
		if (r < 0)
			return r;
		key_begin(&k, c->account, "iam.attached");
		key_str(&k, attached.v[i].policy_arn);
		key_str(&k, S("R"));
		key_str(&k, e.id);
		r = store_del(c->txn, key_view(&k));
		if (r < 0)
			return r;
		r = iam_uses_add(c, attached.v[i].policy_arn, -1, 0);
		if (r < 0)
			return r;
	}
	r = iam_remove(c, IAM_ROLE, &e);
	if (r < 0)
		return r;
	out->deletion_task_id = str_printf(c->arena, "task%.*s%.*s/%.*s", STR(e.path), STR(e.name), STR(random_uuid(c->arena)));
	iam_key_of(&k, c->account, "iam.task", out->deletion_task_id, STR_NONE);
	return store_put(c->txn, key_view(&k), S("SUCCEEDED"));
}

int iam_get_service_linked_role_deletion_status(struct call *c, const struct iam_get_service_linked_role_deletion_status_request *in,
						struct iam_get_service_linked_role_deletion_status_response *out)
{
	struct keybuf k;
	struct str v;
	int r;

	iam_key_of(&k, c->account, "iam.task", in->deletion_task_id, STR_NONE);
	r = store_get(c->txn, key_view(&k), &v);
	if (r == -ENOENT)
		return iam_no_entity(c, "The deletion task with id %.*s cannot be found.", STR(in->deletion_task_id));
	if (r < 0)
		return r;
	out->status = str_dup(c->arena, v);
	return 0;
}
