/* SPDX-License-Identifier: Apache-2.0 */
/* cfn_read.c - what log groups are, in the form of CloudFormation's properties. */
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
