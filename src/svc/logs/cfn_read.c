/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_read.c - what log groups, subscription filters and resource policies are, in the form of CloudFormation's properties. */
#include "cfn/reader.h"
#include "svc/logs/logs_int.h"
#include <errno.h>

static int group_read(struct cfn_resource *r)
{
	static const struct cfn_member tags[] = { { "tags", "Tags", NULL, cfn_as_tags }, { NULL } };
	struct json *p = json_new(r->arena, JSON_OBJECT), *names = json_new(r->arena, JSON_ARRAY), *out;
	const struct json *l;
	int e;

	json_push(r->arena, names, json_new_str(r->arena, r->physical_id));
	json_set(r->arena, p, S("logGroupIdentifiers"), names);
	e = cfn_ask_capitalized(r, "logs", "DescribeLogGroups", p, "ResourceNotFoundException", &out);
	l = json_getz(out, "LogGroups");
	if (e < 0 || !l || !l->n)
		return e < 0 ? e : -ENOENT;
	r->ret_props = &l->items[0];
	if (!cfn_wanted(r, "Tags"))
		return 0;
	p = cfn_param(r, "resourceArn", json_get_str(r->ret_props, "LogGroupArn"));
	e = cfn_ask(r, "logs", "ListTagsForResource", p, "ResourceNotFoundException", &out);
	if (e == 0)
		cfn_take(r->arena, out, tags, r->ret_props);
	return e;
}

/* A key has many names: as on AWS, it isn't compared. */
static const struct drift_rule group_rules[] = { { "KmsKeyId", DRIFT_UNREAD }, { NULL } };
const struct cfn_reader logs_group_reader = { group_read, group_rules };

/* The element of a list with this name; the list may have pages. */
static int named(struct cfn_resource *r, const char *op, struct json *p, const char *list, const char *member)
{
	struct json *out;
	int e;

	do {
		const struct json *l;

		e = cfn_ask_capitalized(r, "logs", op, p, "ResourceNotFoundException", &out);
		l = json_getz(out, list);
		for (size_t i = 0; e == 0 && l && i < l->n; i++)
			if (str_eq(json_get_str(&l->items[i], member), r->physical_id)) {
				r->ret_props = &l->items[i];
				return 0;
			}
		json_set_str(r->arena, p, "nextToken", json_get_str(out, "NextToken"));
	} while (e == 0 && json_get_str(out, "NextToken").n);
	return e < 0 ? e : -ENOENT;
}

static int filter_read(struct cfn_resource *r)
{
	struct json *p = cfn_param(r, "logGroupName", json_get_str(r->props, "LogGroupName"));

	json_set_str(r->arena, p, "filterNamePrefix", r->physical_id);
	return named(r, "DescribeSubscriptionFilters", p, "SubscriptionFilters", "FilterName");
}
const struct cfn_reader logs_filter_reader = { filter_read, NULL };

static int policy_read(struct cfn_resource *r)
{
	return named(r, "DescribeResourcePolicies", json_new(r->arena, JSON_OBJECT), "ResourcePolicies", "PolicyName");
}
static const struct drift_rule policy_rules[] = { { "PolicyDocument", DRIFT_POLICY }, { NULL } };
const struct cfn_reader logs_policy_reader = { policy_read, policy_rules };
