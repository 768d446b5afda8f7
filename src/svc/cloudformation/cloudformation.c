/* SPDX-License-Identifier: Apache-2.0 */
/* cloudformation.c - registration of the service, and what authorization needs to know of it. */
#include "svc/cloudformation/cfn_int.h"
#include "svc/services.h"
#include <errno.h>

const struct cloudformation_ops cloudformation_ops = {
	.cancel_update_stack = cloudformation_cancel_update_stack,
	.continue_update_rollback = cloudformation_continue_update_rollback,
	.create_change_set = cloudformation_create_change_set,
	.create_stack = cloudformation_create_stack,
	.delete_change_set = cloudformation_delete_change_set,
	.delete_stack = cloudformation_delete_stack,
	.describe_change_set = cloudformation_describe_change_set,
	.describe_events = cloudformation_describe_events,
	.describe_stack_events = cloudformation_describe_stack_events,
	.describe_stack_drift_detection_status = cloudformation_describe_stack_drift_detection_status,
	.describe_stack_resource = cloudformation_describe_stack_resource,
	.describe_stack_resource_drifts = cloudformation_describe_stack_resource_drifts,
	.describe_stack_resources = cloudformation_describe_stack_resources,
	.describe_stacks = cloudformation_describe_stacks,
	.detect_stack_drift = cloudformation_detect_stack_drift,
	.detect_stack_resource_drift = cloudformation_detect_stack_resource_drift,
	.execute_change_set = cloudformation_execute_change_set,
	.get_stack_policy = cloudformation_get_stack_policy,
	.get_template = cloudformation_get_template,
	.get_template_summary = cloudformation_get_template_summary,
	.list_change_sets = cloudformation_list_change_sets,
	.list_exports = cloudformation_list_exports,
	.list_hook_results = cloudformation_list_hook_results,
	.list_imports = cloudformation_list_imports,
	.list_stack_resources = cloudformation_list_stack_resources,
	.list_stacks = cloudformation_list_stacks,
	.rollback_stack = cloudformation_rollback_stack,
	.set_stack_policy = cloudformation_set_stack_policy,
	.signal_resource = cloudformation_signal_resource,
	.update_stack = cloudformation_update_stack,
	.update_termination_protection = cloudformation_update_termination_protection,
	.validate_template = cloudformation_validate_template,
};

/* A stack that is not there has an ARN too: who may ask about it learns that it does not exist. */
static int cfn_resource_hook(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	struct cfn_rec_change_set cs;
	struct cfn_rec_stack s;
	struct arn arn;
	int r;

	if (str_is(kind, "changeset") && arn_parse(id, &arn) == 0) {
		r = change_set_find(c, id, STR_NONE, &s, &cs);
		if (r < 0)
			return r;
	} else if (str_is(kind, "changeset"))
		return cfn_invalid(c, "StackName must be specified if ChangeSetName is not specified as an ARN.");
	else {
		r = stack_lookup(c->txn, c->arena, c->account, call_region(c), id, &s);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	if (r == 0) {
		ret->arn = s.arn;
		ret->tags = s.now->tags;
	} else
		ret->arn = arn_parse(id, &arn) == 0 ? id : cfn_arn(c, id, S("*"));
	return 0;
}

static int cfn_open(struct cloud *cl, struct region *r, struct store_txn *t, struct arena *a)
{
	return engine_open(t, a);
}

const struct service cloudformation_service = {
	.model = &cloudformation_model,
	.principal = "cloudformation.amazonaws.com",
	.open = cfn_open,
	.close = engine_stop,
	.drain = engine_drain,
	.drain_region = engine_drain_region,
	.resource = cfn_resource_hook,
	.job = engine_job,
	.front = &cfn_answers,
};
