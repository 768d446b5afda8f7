/* SPDX-License-Identifier: Apache-2.0 */
/* logs.c - registration of CloudWatch Logs, and what authorization needs to know of it. */
#include "svc/logs/logs_int.h"
#include "svc/services.h"
#include <errno.h>

const struct logs_ops logs_ops = {
	.create_log_group = logs_create_log_group,
	.delete_log_group = logs_delete_log_group,
	.describe_log_groups = logs_describe_log_groups,
	.list_log_groups = logs_list_log_groups,
	.put_retention_policy = logs_put_retention_policy,
	.delete_retention_policy = logs_delete_retention_policy,
	.associate_kms_key = logs_associate_kms_key,
	.disassociate_kms_key = logs_disassociate_kms_key,
	.put_log_group_deletion_protection = logs_put_log_group_deletion_protection,
	.tag_log_group = logs_tag_log_group,
	.untag_log_group = logs_untag_log_group,
	.list_tags_log_group = logs_list_tags_log_group,
	.tag_resource = logs_tag_resource,
	.untag_resource = logs_untag_resource,
	.list_tags_for_resource = logs_list_tags_for_resource,
	.create_log_stream = logs_create_log_stream,
	.delete_log_stream = logs_delete_log_stream,
	.describe_log_streams = logs_describe_log_streams,
	.put_log_events = logs_put_log_events,
	.get_log_events = logs_get_log_events,
	.filter_log_events = logs_filter_log_events,
	.test_metric_filter = logs_test_metric_filter,
	.put_resource_policy = logs_put_resource_policy,
	.describe_resource_policies = logs_describe_resource_policies,
	.delete_resource_policy = logs_delete_resource_policy,
	.put_query_definition = logs_put_query_definition,
	.describe_query_definitions = logs_describe_query_definitions,
	.delete_query_definition = logs_delete_query_definition,
	.put_subscription_filter = logs_put_subscription_filter,
	.describe_subscription_filters = logs_describe_subscription_filters,
	.delete_subscription_filter = logs_delete_subscription_filter,
};

/* A group of another account or region: its own ARN is what is asked about, and its account decides. */
static int foreign(struct str id, struct authz_resource *ret)
{
	struct arn arn;

	ret->arn = id;
	if (arn_parse(id, &arn) == 0 && arn.account.n)
		ret->account = arn.account;
	return 0;
}

/* What is asked about needs not exist. Groups are asked about as the names of all streams below them, as AWS does: policies name
 * "log-group:NAME:*"; only tagging asks about the group's own ARN. Source: "Overview of managing access permissions". */
static int logs_resource(struct call *c, const char *action, struct str kind, struct str id, struct authz_resource *ret)
{
	struct logs_rec_group *g = arena_new(c->arena, struct logs_rec_group);
	struct str name = id, stream = S(""), group;
	ptrdiff_t at;
	int r;

	if (str_starts(id, S("arn:")) && (at = str_find(id, S(":log-stream:"))) >= 0) { /* a stream's own ARN: only questions name it */
		name = str_of(id.p, (size_t)at);
		stream = str_skip(id, (size_t)at + 12);
	} else if (str_is(kind, "stream")) {
		ptrdiff_t colon = str_rfind_char(id, ':'); /* stream names have none */

		name = str_of(id.p, colon < 0 ? id.n : (size_t)colon);
		stream = str_skip(id, colon < 0 ? id.n : (size_t)colon + 1);
	}
	group = logs_group_name(c, name);
	if (!group.p)
		return foreign(name, ret);
	ret->arn = str_is(kind, "tagged") ? logs_group_arn(c, group)
					  : str_printf(c->arena, "%.*s:log-stream:%.*s", STR(logs_group_arn(c, group)), STR(stream));
	r = logs_group_read(c, group, g);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0) {
		ret->tags = g->tags;
		c->memo = g;
	}
	return logs_policy_text(c, action, r == 0 ? g : NULL, &ret->policy);
}

const struct service logs_service = {
	.model = &logs_model,
	.principal = "logs.amazonaws.com",
	.resource = logs_resource,
	.job = logs_job,
	.cfn = logs_cfn,
};
